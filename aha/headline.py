"""What lists say of a study and of a moment's evidence: a few codes and numbers, kept in columns of their own. Pure.

Lists show hundreds of rows; the results themselves are half a megabyte each.
"""

from dataclasses import dataclass
from enum import StrEnum

from aha.study.candidates import DOUBTS
from aha.study.drawn_results import JudgedBy
from aha.study.result import Candidate, Report
from reporting.numbers import percent, points
from reporting.words import gettext, reason_words
from runs.payloads import Document, Schema, Unreadable
from stats.results import NotComputable, computable


class Outcome(StrEnum):
    """What became of a study."""

    TOO_SMALL = "too_small"
    UNTESTED = "untested"
    NOTHING = "nothing"
    FOUND = "found"


@dataclass(frozen=True)
class Headline:
    """A study in one line.

    Attributes:
        outcome: what became of it.
        reason: why, of a study too small or untested; None otherwise.
        worth: candidates without a mark that speaks against an experiment.
    """

    outcome: Outcome
    reason: NotComputable | None = None
    worth: int = 0


@dataclass(frozen=True)
class EvidenceLine:
    """The evidence of a moment in one line.

    Attributes:
        did, other: share retained of those who did it and of the others, 0 to 1; None where it isn't known.
        left: difference of the two with all that was measured held equal, in shares; None where nothing can be said.
        judged: the shares are of users who had no part in choosing the number. Lines of version 0.4 and before are of
            all users.
        trained: they are the training part, since the hold-out found a jump; otherwise the hold-out.
    """

    did: float | None
    other: float | None
    left: float | None
    judged: bool = False
    trained: bool = False


HEADLINE, EVIDENCE_LINE = Schema(Headline), Schema(EvidenceLine)


def headline_of(report: Report) -> Headline:
    """The line of a finished study."""
    if report.floor is not None:
        return Headline(Outcome.TOO_SMALL, report.floor)
    if (untested := report.untested) is not None:
        return Headline(Outcome.UNTESTED, untested)
    if not report.candidates:
        return Headline(Outcome.NOTHING)
    return Headline(Outcome.FOUND, worth=sum(not DOUBTS & set(row.flags) for row in report.candidates))


def headline_words(found: Headline) -> str:
    """The study in one sentence."""
    reason = "" if found.reason is None else reason_words(found.reason)
    if found.outcome is Outcome.TOO_SMALL:
        return reason
    if found.outcome is Outcome.UNTESTED:
        text = gettext("No behaviour could be compared with luck: none was tested.")
        return f"{text} {reason}"
    if found.outcome is Outcome.NOTHING:
        return gettext("No behaviour tells who stays better than luck does.")
    if not found.worth:
        return gettext("Some behaviours beat luck, but none tells more than activity does.")
    if found.worth == 1:
        return gettext("One behaviour is worth an experiment.")
    text = gettext("{n} behaviours are worth an experiment; the first is the most promising.")
    return text.format(n=found.worth)


def stored_headline(document: Document | None) -> str:
    """The sentence of a study's column; "" where there is none, or none that can be read."""
    found = None if document is None else HEADLINE.read(document)
    return "" if found is None or isinstance(found, Unreadable) else headline_words(found)


def evidence_line(candidate: Candidate) -> EvidenceLine:
    """The line of a candidate's evidence."""
    judged, full = computable(candidate.honest), candidate.ladder.headline.difference
    cell = candidate.honest if computable(candidate.honest) else candidate.cell
    return EvidenceLine(
        did=cell.ppv.estimate if computable(cell.ppv) else None,
        other=cell.retained_without.estimate if computable(cell.retained_without) else None,
        left=full.estimate if computable(full) else None,
        judged=judged,
        trained=candidate.judged_by is JudgedBy.TRAIN,
    )


def stored_evidence(document: Document | None) -> str:
    """The sentence of a moment's column; "" where there is none, or none that can be read."""
    found = None if document is None else EVIDENCE_LINE.read(document)
    return "" if found is None or isinstance(found, Unreadable) else evidence_words(found)


def evidence_words(found: EvidenceLine) -> str:
    """The evidence in one sentence."""
    text = gettext("Retained: {did} against {other} ({whom}); adjusted difference: {left}.")
    if found.left is None:
        text = gettext("Retained: {did} against {other} ({whom}); adjusted difference: not estimable.")
    unknown = gettext("unknown")
    return text.format(
        did=unknown if found.did is None else percent(found.did, 0),
        other=unknown if found.other is None else percent(found.other, 0),
        whom=_whom(found),
        left=unknown if found.left is None else gettext("{points} points").format(points=points(found.left)),
    )


def _whom(found: EvidenceLine) -> str:
    if not found.judged:
        return gettext("all users")
    return gettext("training part") if found.trained else gettext("hold-out")
