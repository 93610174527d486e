"""The text of a notice in the active language, from its kind, a name and a code alone.

So no template can disclose more than a notice holds: no number, no arm and no outcome, except the heading of a verdict,
which `insight_site.notices.from_analysis` gives only for an open outcome.
"""

from collections.abc import Callable
from dataclasses import dataclass

from experiments.analyse.codes import Code, code_words
from insight_site.notices.notice_kinds import BY_KEY, FINAL
from insight_site.notices.subjects import find_subject
from reporting.words import fitted, gettext


@dataclass(frozen=True)
class Said:
    """A notice in words.

    Attributes:
        title: one line, for a subject.
        text: one or two sentences.
        path: of the page that it leads to.
    """

    title: str
    text: str
    path: str


def say_notice(kind: str, label: str, row: str, code: str) -> Said | None:
    """The words of a stored notice; None when its row or its kind no longer exists."""
    subject = find_subject(label, row)
    if subject is None or kind not in BY_KEY or code not in BY_KEY[kind].codes:
        return None
    title, text = _verdict(code, subject.whole_clusters) if kind == "verdict" else _TEXTS[kind](code)
    return Said(_with(title, subject.name), _with(text, subject.name), subject.path)


def _with(text: str, name: str) -> str:
    """Fill in the name, with Korean particles that match its last sound."""
    return str(fitted(text).format(name=name))


def _started(_code: str) -> tuple[str, str]:
    return gettext("Started: {name}"), gettext("The experiment “{name}” has started.")


def _stopped(_code: str) -> tuple[str, str]:
    return gettext("Stopped: {name}"), gettext("The experiment “{name}” has stopped. No new unit gets in.")


def _review_requested(_code: str) -> tuple[str, str]:
    return gettext("Review asked for: {name}"), gettext("The plan of “{name}” needs a review before it can start.")


def _review_answered(_code: str) -> tuple[str, str]:
    return gettext("Plan reviewed: {name}"), gettext("Somebody has answered the request to review “{name}”.")


def _comment(_code: str) -> tuple[str, str]:
    return gettext("Comment: {name}"), gettext("There is a new comment on the plan of “{name}”.")


def _rollout(_code: str) -> tuple[str, str]:
    return gettext("Rollout: {name}"), gettext("The rollout of “{name}” has moved to another state or step.")


def _sample_ratio(_code: str) -> tuple[str, str]:
    return gettext("Sample ratio broken: {name}"), gettext(
        "“{name}” has other numbers of units in its arms than were planned, by more than chance explains. Its data "
        "can't answer until the cause is found. You hear of it again only when it changes."
    )


def _guardrail(_code: str) -> tuple[str, str]:
    return gettext("Guardrail alarm: {name}"), gettext(
        "A guardrail of “{name}” raises its alarm. Guardrails may be read every night, whatever the plan says of the "
        "outcome. Its page says which one."
    )


def _look_due(_code: str) -> tuple[str, str]:
    return gettext("Planned look: {name}"), gettext(
        "“{name}” has reached a point at which its plan looks at the outcome. Its page shows it from now on."
    )


def _verdict(code: str, whole_clusters: bool) -> tuple[str, str]:
    words = code_words(Code(code.removesuffix(FINAL)), whole_clusters=whole_clusters)
    if code.endswith(FINAL):
        text = gettext("The final analysis of “{name}” says: {verdict}.")
    else:
        text = gettext("“{name}” has a verdict at a look of its plan: {verdict}.")
    return gettext("Verdict: {name}"), text.replace("{verdict}", words)


def _share_falling(_code: str) -> tuple[str, str]:
    return gettext("Weekly share falls: {name}"), gettext(
        "In the last complete week fewer new users reached the moment “{name}” than its own weeks before lead to "
        "expect. Its page shows the weeks."
    )


def _run_failed(_code: str) -> tuple[str, str]:
    return gettext("Failed: {name}"), gettext("“{name}” could not be computed. Its page says why.")


def _part_unwell(_code: str) -> tuple[str, str]:
    return gettext("Needs a hand: {name}"), gettext(
        "The part “{name}” of this site failed in two looks, one after the other. “manage.py doctor” says what is "
        "wrong and how to mend it."
    )


_TEXTS: dict[str, Callable[[str], tuple[str, str]]] = {
    "started": _started,
    "stopped": _stopped,
    "review_requested": _review_requested,
    "review_answered": _review_answered,
    "comment": _comment,
    "rollout": _rollout,
    "sample_ratio": _sample_ratio,
    "guardrail": _guardrail,
    "look_due": _look_due,
    "share_falling": _share_falling,
    "run_failed": _run_failed,
    "part_unwell": _part_unwell,
}
