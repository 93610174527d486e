"""Names and hypotheses generated from a claim: stored in English, shown in the reader's language. Pure.

A text that a person wrote is shown unchanged. A stored text that equals the generated one is generated again for each
reader, with the display names of events.
"""

from collections.abc import Callable
from typing import Protocol

from events.metrics import display_name, plain_name
from events.metrics.sentences import metric_words
from reporting.words import as_sent, days_words, gettext, in_english, times_words


class Claimed(Protocol):
    """The parts of a generated name: a behaviour, how often, within how many days."""

    @property
    def behaviour(self) -> str:
        """Behaviour text."""

    @property
    def times(self) -> int:
        """Least number of times."""

    @property
    def days(self) -> int:
        """Within how many days."""


class Named(Claimed, Protocol):
    """A claim with its stored name and its retention."""

    @property
    def name(self) -> str:
        """The stored name."""

    @property
    def retention(self) -> str:
        """Retention text."""


def new_moment_name(claim: Claimed) -> str:
    """The generated name of a moment, as stored when the user gives none."""
    return _kept(lambda: _moment(claim))


def moment_name(stored: str, claim: Claimed) -> str:
    """The name of a moment in the reader's language."""
    made = is_made_moment_name(stored, claim)
    return _moment(claim) if made else plain_name(stored)  # version 0.3 kept the backslashes of specifications


def is_made_moment_name(stored: str, claim: Claimed) -> bool:
    """True when the name equals the one generated from the claim, by this or earlier versions, in either language."""
    behaviour, times, days = plain_name(claim.behaviour), claim.times, claim.days
    older = (f"{behaviour} ≥ {times} within {days} days", f"{days}일 이내 {behaviour} ≥ {times}")
    return plain_name(stored) in (new_moment_name(claim), *older)


def new_test_name(moment: Named) -> str:
    """The generated name of a moment's test, as stored when the user gives none."""
    return _kept(lambda: made_test_name(moment))


def made_test_name(moment: Named) -> str:
    """The generated name of a moment's test, translated: "Friend add 3+ nudge", or with the moment's own name."""
    return gettext("{moment} nudge").format(moment=_in_a_test(moment))


def name_of_test(stored: str, moment: Named) -> str:
    """The name of a moment's test or lab in the reader's language."""
    if stored == new_lab_name(moment):
        return made_lab_name(moment)
    older = (f"{_kept(lambda: _in_a_test(moment))} 넛지",)
    return made_test_name(moment) if stored in (new_test_name(moment), *older) else stored


def kept_name_of_test(typed: str, moment: Named) -> str:
    """The name to store after editing: the English generated name if the user left the generated name unchanged."""
    if typed == made_lab_name(moment):
        return new_lab_name(moment)
    return new_test_name(moment) if typed == made_test_name(moment) else typed


def new_lab_name(moment: Named) -> str:
    """The generated name of a moment's lab, as stored when the user gives none."""
    return _kept(lambda: made_lab_name(moment))


def made_lab_name(moment: Named) -> str:
    """The generated name of a moment's lab, translated: "Friend add 3+ lab", or with the moment's own name."""
    return gettext("{moment} lab").format(moment=_in_a_test(moment))


def new_hypothesis(moment: Named, *, lab: bool = False) -> str:
    """The generated hypothesis of a moment's test or lab, as stored until a person writes one."""
    return _kept(lambda: made_hypothesis(moment, lab=lab))


def made_hypothesis(moment: Named, *, lab: bool = False) -> str:
    """The hypothesis generated from a moment's claim, in the active language; a lab's also says what it answers."""
    test = gettext(
        "If we nudge new users to do {behaviour} at least {times} within {days}, more of them stay ({retention})."
    )
    several = gettext(
        "If a nudge leads new users to do {behaviour} at least {times} within {days}, more of them stay ({retention}). "
        "The other nudges show which of these behaviours keeps users, and whether it is this one."
    )
    return (several if lab else test).format(
        behaviour=display_name(moment.behaviour),
        times=times_words(moment.times),
        days=days_words(moment.days),
        retention=metric_words(moment.retention),
    )


def hypothesis(stored: str, moment: Named) -> str:
    """A hypothesis in the reader's language."""
    given = stored.strip()
    if given == new_hypothesis(moment, lab=True):
        return made_hypothesis(moment, lab=True)
    return made_hypothesis(moment) if given in (new_hypothesis(moment), *_older_hypotheses(moment)) else stored


def hypothesis_to_keep(typed: str, moment: Named) -> str:
    """The hypothesis to store after editing: the English one if the user left the generated one unchanged."""
    given = typed.strip()
    if given == made_hypothesis(moment, lab=True):
        return new_hypothesis(moment, lab=True)
    return new_hypothesis(moment) if given == made_hypothesis(moment) else typed


def _older_hypotheses(moment: Named) -> tuple[str, str]:
    """The hypothesis as earlier versions generated it, in the author's language, ending in a metric specification."""
    behaviour, times, days = plain_name(moment.behaviour), moment.times, moment.days
    retention = plain_name(moment.retention)
    return (
        f"If we nudge new users to do {behaviour} at least {times} times within {days} days, more of them stay "
        f"({retention}).",
        f"신규 사용자가 {days}일 안에 {behaviour} 행동을 {times}번 이상 하도록 유도하면 더 많은 사용자가 남는다"
        f"({retention}).",
    )


def _moment(claim: Claimed) -> str:
    text = gettext("{behaviour} ≥ {times} within {days}")
    return text.format(behaviour=display_name(claim.behaviour), times=claim.times, days=days_words(claim.days))


def _in_a_test(moment: Named) -> str:
    if not is_made_moment_name(moment.name, moment):
        return plain_name(moment.name)
    words = display_name(moment.behaviour).replace("_", " ")
    return f"{words[:1].upper()}{words[1:]} {moment.times}+"


def _kept(made: Callable[[], str]) -> str:
    """The generated text as stored: in English, with raw event names, whoever is logged in."""
    with in_english(), as_sent():
        return made()
