"""One-line summaries of studies and moments' evidence for lists: codes and numbers, stored in own columns. Pure.

Lists show hundreds of rows; the results themselves are half a megabyte each.
"""

from dataclasses import dataclass
from enum import StrEnum

from aha.study.candidates import ALPHA, DOUBTS
from aha.study.null import too_small
from aha.study.result import Candidate, JudgedBy, Report
from aha.study.window_guard import NO_CANDIDATE, Flag, Flagged
from reporting.numbers import day_text, percent, points
from reporting.words import gettext, reason_words
from runs.payloads import Document, Schema, Unreadable
from stats.results import NotComputable, computable


class Outcome(StrEnum):
    """Kind of result of a study."""

    TOO_SMALL = "too_small"
    UNTESTED = "untested"
    SET_ASIDE = "set_aside"
    NOTHING = "nothing"
    FOUND = "found"


@dataclass(frozen=True)
class Headline:
    """A study in one line.

    Attributes:
        outcome: kind of result.
        reason: why a study is too small or untested; None otherwise.
        worth: number of candidates without a mark in `DOUBTS`.
        aside: for a study without candidates, number of behaviours set aside: those that beat luck, or those that
            appeared after the first signups and could not be compared with luck.
        beat: whether these beat luck.
        later: whether these appeared after the first signups.
        since: the local date, ISO, from which all of them existed; None where unknown.
        first: local date of the first signup, ISO; None where unknown.
    """

    outcome: Outcome
    reason: NotComputable | None = None
    worth: int = 0
    aside: int = 0
    beat: bool = False
    later: bool = False
    since: str | None = None
    first: str | None = None


@dataclass(frozen=True)
class EvidenceLine:
    """The evidence of a moment in one line.

    Attributes:
        did, other: share retained of those who did it and of the others, 0 to 1; None where unknown.
        left: adjusted difference of the two, in shares; None where not computable.
        judged: True when the shares are of users who were not used to choose the number. In lines of version 0.4 and
            before they are of all users.
        trained: these are the training part, since the hold-out found a jump; otherwise the hold-out.
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
    if report.candidates:
        return Headline(Outcome.FOUND, worth=sum(not DOUBTS & set(row.flags) for row in report.candidates))
    if (aside := _set_aside(report)) is not None:
        return aside
    if (untested := report.untested) is not None:
        return Headline(Outcome.UNTESTED, untested)
    return Headline(Outcome.NOTHING)


def came_later(report: Report) -> tuple[Flagged, ...]:
    """The behaviours set aside only because they appeared later: a study of later signups could judge them."""
    others = {row.behaviour for row in report.flags if row.flag in NO_CANDIDATE - {Flag.NOT_AVAILABLE}}
    return tuple(row for row in report.flags if row.flag is Flag.NOT_AVAILABLE and row.behaviour not in others)


def _set_aside(report: Report) -> Headline | None:
    """The line of a study whose behaviours beat luck, or could not be compared with it, and were set aside.

    The null of luck includes all behaviours, also those that may not be candidates.
    """
    beat, tested = _beat_luck(report), _tested(report)
    later = came_later(report)
    for rows in (
        [row for row in later if row.behaviour in beat],
        [row for row in later if row.behaviour not in tested and row.since is not None],
    ):
        if rows:
            dates = [row.since for row in rows]
            since = None if None in dates else max(filter(None, dates))
            better, first = rows[0].behaviour in beat, report.population.first_signup
            return Headline(Outcome.SET_ASIDE, aside=len(rows), beat=better, later=True, since=since, first=first)
    others = {row.behaviour for row in report.flags if row.flag in (Flag.GOAL_LIKE, Flag.FORCED)} & beat
    return Headline(Outcome.SET_ASIDE, aside=len(others), beat=True) if others else None


def _beat_luck(report: Report) -> set[str]:
    grid = report.grid
    cells = zip(grid.behaviour, grid.p_luck, grid.z_luck, strict=True)
    return {report.asked.behaviours[n] for n, p, z in cells if p is not None and p <= ALPHA and z is not None and z > 0}


def _tested(report: Report) -> set[str]:
    cells = zip(report.grid.behaviour, report.grid.p_luck, strict=True)
    return {report.asked.behaviours[number] for number, p in cells if p is not None}


def headline_words(headline: Headline) -> str:
    """The study in one sentence."""
    reason = "" if headline.reason is None else reason_words(headline.reason)
    if headline.outcome is Outcome.TOO_SMALL:
        return too_small(headline.reason).sentence if headline.reason and headline.reason.details else reason
    if headline.outcome is Outcome.UNTESTED:
        text = gettext("No behaviour could be compared with luck: none was tested.")
        return f"{text} {reason}"
    if headline.outcome is Outcome.SET_ASIDE:
        return _aside_words(headline)
    if headline.outcome is Outcome.NOTHING:
        return gettext("No behaviour predicts retention better than luck does.")
    if not headline.worth:
        return gettext("Some behaviours predict retention, but no better than being active does.")
    if headline.worth == 1:
        return gettext("One behaviour is worth an experiment.")
    text = gettext("{n} behaviours are worth an experiment; the first is the best candidate.")
    return text.format(n=headline.worth)


def _aside_words(headline: Headline) -> str:
    if not headline.later:
        text = gettext("Behaviours that beat luck but can't be ranked: {n}. The study's page says why.")
        return text.format(n=headline.aside)
    dates = {"n": headline.aside, "since": day_text(headline.since or ""), "first": day_text(headline.first or "")}
    single = headline.aside == 1
    if headline.since is None or headline.first is None:
        text = gettext(
            "Behaviours that beat luck but can't be ranked: {n}. They did not exist yet when the first of these users "
            "signed up."
        )
    elif headline.beat and single:
        text = gettext(
            "One behaviour beats luck but can't be ranked: it exists only since {since}, and the first of these users "
            "signed up on {first}."
        )
    elif headline.beat:
        text = gettext(
            "{n} behaviours beat luck but can't be ranked: all of them exist only since {since}, and the first of "
            "these users signed up on {first}."
        )
    elif single:
        text = gettext(
            "One behaviour couldn't be judged: it exists only since {since}, and the first of these users signed up "
            "on {first}."
        )
    else:
        text = gettext(
            "{n} behaviours couldn't be judged: all of them exist only since {since}, and the first of these users "
            "signed up on {first}."
        )
    return text.format(**dates)


def stored_headline(document: Document | None) -> str:
    """The sentence from a study's stored headline; "" where it is missing or unreadable."""
    headline = None if document is None else HEADLINE.read(document)
    return "" if headline is None or isinstance(headline, Unreadable) else headline_words(headline)


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
    """The sentence from a moment's stored headline; "" where it is missing or unreadable."""
    line = None if document is None else EVIDENCE_LINE.read(document)
    return "" if line is None or isinstance(line, Unreadable) else evidence_words(line)


def evidence_words(line: EvidenceLine) -> str:
    """The evidence in one sentence."""
    text = gettext("Retained: {did} against {other} ({whom}); adjusted difference: {left}.")
    if line.left is None:
        text = gettext("Retained: {did} against {other} ({whom}); adjusted difference: not estimable.")
    unknown = gettext("unknown")
    return text.format(
        did=unknown if line.did is None else percent(line.did, 0),
        other=unknown if line.other is None else percent(line.other, 0),
        whom=_whom(line),
        left=unknown if line.left is None else gettext("{points} points").format(points=points(line.left)),
    )


def _whom(line: EvidenceLine) -> str:
    if not line.judged:
        return gettext("all users")
    return gettext("training part") if line.trained else gettext("hold-out")
