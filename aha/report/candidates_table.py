"""The candidates of a study as rows with bars: what a page shows first. Pure."""

from dataclasses import dataclass

from aha.report.candidate.jump import step_words
from aha.report.claim import Pair, pair
from aha.report.marks import flag_sentence, flag_words
from aha.study.cell_metrics import Number
from aha.study.result import Candidate, Report
from aha.study.step import StepVerdict
from events.metrics import display_name
from reporting.counted import days_words
from reporting.numbers import Absent, difference, percent, points
from reporting.words import gettext, reason_words
from stats.results import computable

SIGNS = {StepVerdict.JUMP: "↥", StepVerdict.LEVELS_OFF: "↱", StepVerdict.SMOOTH: "∕", StepVerdict.CANNOT_TELL: "?"}


@dataclass(frozen=True)
class CandidateRow:
    """One candidate.

    Attributes:
        place: from 1; its page's address.
        candidate: the record behind it.
        name: the behaviour; `number`: how often within how long.
        pair: retention of both groups and on whom it was measured.
        did, other, gap: the same as text; `gap` in points.
        reach: share of all eligible users, as text; `reach_share` for its bar.
        adjusted: what is left of the gap, with its interval, or the reason why there is none.
        sign, jump, jump_words: whether retention jumps at the number: a sign, two words, a sentence.
        marks: short name and meaning of each mark.
    """

    place: int
    candidate: Candidate
    name: str
    number: str
    pair: Pair
    did: str
    other: str
    gap: str
    reach: str
    reach_share: float | None
    adjusted: str
    sign: str
    jump: str
    jump_words: str
    marks: tuple[tuple[str, str], ...]


def rows(report: Report) -> tuple[CandidateRow, ...]:
    """All candidates, the most promising first."""
    return tuple(_row(place, one) for place, one in enumerate(report.candidates, start=1))


def caption(found: tuple[CandidateRow, ...]) -> str:
    """On whom the shares were measured, said once."""
    if found and all(row.pair.judged for row in found):
        return gettext("Retention is that of users who had no part in choosing the number; reach is that of all.")
    return gettext("Retention is that of the users named in each row; reach is that of all.")


def _row(place: int, one: Candidate) -> CandidateRow:
    shares, left = pair(one), one.ladder.headline.difference
    reach = one.cell.reach
    gap = ""
    if computable(shares.did) and computable(shares.other):
        gap = points(shares.did.estimate - shares.other.estimate, 0)
    short = {
        StepVerdict.JUMP: gettext("jump at {number}").format(number=one.times),
        StepVerdict.LEVELS_OFF: step_words(StepVerdict.LEVELS_OFF, None, one.levels_off),
        StepVerdict.SMOOTH: gettext("no jump"),
        StepVerdict.CANNOT_TELL: gettext("not clear"),
    }
    return CandidateRow(
        place,
        one,
        display_name(one.behaviour),
        gettext("{times} within {days}").format(times=_times(one.times), days=days_words(one.days)),
        shares,
        _share(shares.did),
        _share(shares.other),
        gap,
        _share(reach),
        reach.estimate if computable(reach) else None,
        difference(left),
        SIGNS[one.step],
        short[one.step],
        step_words(one.step, one.smooth_range, one.levels_off),
        tuple((flag_words(code), flag_sentence(code)) for code in one.flags),
    )


def _times(times: int) -> str:
    return gettext("once or more") if times == 1 else gettext("{n}+ times").format(n=times)


def _share(value: Number) -> str:
    return percent(value.estimate, 0) if computable(value) else Absent(reason_words(value))
