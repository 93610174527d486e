"""A claim in words: behaviour, number of times, days, and the retention of doers and others. Pure."""

from dataclasses import dataclass

from aha.study.numbers import Number
from aha.study.result import Candidate, JudgedBy
from aha.study.step import StepVerdict
from events.metrics import display_name
from reporting.numbers import count, p_text, percent
from reporting.words import days_words, gettext, reason_words, times_words
from stats.results import NotComputable, computable


@dataclass(frozen=True)
class Pair:
    """The retention of doers and others that every page shows for a candidate, and on whom it was measured.

    Attributes:
        did, other: share retained of those who did it and of the others.
        users: how many were measured.
        judged: False when they include users on whom the number was chosen.
        trained: they are the training part, since the number of a jump is chosen on the hold-out.
    """

    did: Number
    other: Number
    users: int
    judged: bool
    trained: bool = False

    @property
    def label(self) -> str:
        """Short label of the users measured."""
        held_out = gettext("training part, {n} users") if self.trained else gettext("hold-out, {n} users")
        text = held_out if self.judged else gettext("all users, {n}")
        return text.format(n=count(self.users))


def pair(candidate: Candidate) -> Pair:
    """Shares of users who were not used to choose the number, where there are enough; else of all users."""
    judged = computable(candidate.honest)
    cell = candidate.honest if computable(candidate.honest) else candidate.cell
    return Pair(
        cell.ppv,
        cell.retained_without,
        cell.a + cell.b + cell.c + cell.o,
        judged,
        candidate.judged_by is JudgedBy.TRAIN,
    )


def claim(candidate: Candidate) -> str:
    """The claim as a sentence, with the result of the step test. Pages must show `caveat` once beside it."""
    texts = {
        StepVerdict.JUMP: gettext(
            "{did} of the users who did {behaviour} at least {times} within {days} were retained, against {other} of "
            "the rest. Retention jumps at {number}."
        ),
        StepVerdict.LEVELS_OFF: gettext(
            "{did} of the users who did {behaviour} at least {times} within {days} were retained, against {other} of "
            "the rest. Retention rises up to {end} within {tested_days} and is flat after: each count adds, none is a "
            "threshold."
        ),
        StepVerdict.SMOOTH: gettext(
            "{did} of the users who did {behaviour} at least {times} within {days} were retained, against {other} of "
            "the rest. Retention doesn't jump from {first} to {last} times within {tested_days}: a number between "
            "them is a convention."
        ),
        StepVerdict.CANNOT_TELL: gettext(
            "{did} of the users who did {behaviour} at least {times} within {days} were retained, against {other} of "
            "the rest. Whether {number} is a threshold isn't clear."
        ),
    }
    smooth_range, end, shares = candidate.smooth_range, candidate.levels_off, pair(candidate)
    tested = smooth_range or end
    # Version 0.3 stored "smooth" without a range, so it doesn't apply to any particular number.
    vague = candidate.step is StepVerdict.SMOOTH and smooth_range is None
    return texts[StepVerdict.CANNOT_TELL if vague else candidate.step].format(
        behaviour=display_name(candidate.behaviour),
        first="" if smooth_range is None else smooth_range.first,
        last="" if smooth_range is None else smooth_range.last,
        tested_days="" if tested is None else days_words(tested.days),
        end="" if end is None else times_words(end.times),
        times=times_words(candidate.times),
        days=days_words(candidate.days),
        number=candidate.times,
        did=share_words(shares.did),
        other=share_words(shares.other),
    )


def caveat() -> str:
    """The caveat that every page with correlations shows once."""
    return gettext("These are correlations. Only an experiment can show whether a behaviour is the cause.")


def share_words(value: Number) -> str:
    """A share in a sentence."""
    return percent(value.estimate, 0) if computable(value) else gettext("an unknown share")


def measured_on(candidate: Candidate) -> str:
    """Which users the numbers of the claim were measured on."""
    cell = candidate.honest
    if not computable(cell):
        return gettext("Measured on the users who chose the threshold, too, so it is too optimistic.")
    n = count(cell.a + cell.b + cell.c + cell.o)
    text = (
        gettext("Measured on {n} users of the training part: the jump was found on the hold-out, without them.")
        if candidate.judged_by is JudgedBy.TRAIN
        else gettext("Measured on {n} users of the hold-out, who had no part in choosing the number.")
    )
    return text.format(n=n)


def luck(candidate: Candidate) -> str:
    """The candidate's own adjusted p-values of both nulls."""
    if isinstance(candidate.p_active, NotComputable):
        return reason_words(candidate.p_active)
    text = gettext("Adjusted over the whole grid: {luck} against luck, {active} against equally active users.")
    return text.format(luck=p_text(candidate.p_luck), active=p_text(candidate.p_active))


def claim_words(candidate: Candidate) -> str:
    """The claim as one line."""
    return cell_words(candidate.behaviour, candidate.times, candidate.days)


def cell_words(behaviour: str, times: int, days: int) -> str:
    """A behaviour with its number of times and days."""
    text = gettext("{behaviour} at least {times} within {days}")
    return text.format(behaviour=display_name(behaviour), times=times_words(times), days=days_words(days))


def number_words(times: int, days: int) -> str:
    """A cell without its behaviour."""
    text = gettext("{times} within {days}")
    return text.format(times=times_words(times), days=days_words(days))


def choice_caption() -> str:
    """The caption of every table of chosen cells."""
    return gettext(
        "A stable choice is no evidence that a threshold exists or causes anything: a smooth curve has a stable best "
        "number too."
    )
