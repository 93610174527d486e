"""The candidates of a study as a table with bars, at the top of its page. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from aha.report.claim import Pair, cell_words, choice_caption, claim_words, number_words, pair
from aha.report.honesty import step_words
from aha.report.past import gain_cell, promise_cell, rests_on, summary_words
from aha.study.candidates import ACTIVITY_ONLY, AS_STRONG_AS_INERT, NO_BETTER_THAN_EVERYBODY
from aha.study.cells import RECOMMENDED_REACH
from aha.study.numbers import Number
from aha.study.result import Candidate, Judged, Report
from aha.study.step import StepVerdict
from aha.study.window_guard import Flag
from events.metrics import display_name
from reporting.numbers import Absent, decimal, difference, number, p_text, percent, points, share
from reporting.table import Table
from reporting.words import days_words, gettext, later, reason_words, times_words
from stats.results import computable

# The marks of behaviours: short names, what each means, and the table of the marked ones. Pure.

# By mark: its short name, and what it means.
MARKS: dict[str, tuple[str, str]] = {
    Flag.GOAL_LIKE: (later("is the goal"), later("Retention itself counts this event, so it can't be its own reason.")),
    Flag.ACTIVITY_LIKE: (
        later("mirrors activity"),
        later("Its count follows the number of active days almost exactly."),
    ),
    Flag.FORCED: (
        later("forced"),
        later("Nearly everybody does it, or does it in the first session, so it separates nobody."),
    ),
    Flag.NOT_AVAILABLE: (later("came later"), later("It did not exist yet when the first of these users signed up.")),
    Flag.INERT: (
        later("negative control"),
        later("An analyst says that it can't cause retention; it shows what the method finds anyway."),
    ),
    Flag.DUPLICATE: (later("duplicate"), later("Users who do one also do the other: they can't be separated.")),
    ACTIVITY_ONLY: (
        later("activity only"),
        later("Among equally active users it makes no difference that could be shown."),
    ),
    NO_BETTER_THAN_EVERYBODY: (
        later("no better than everybody"),
        later("Counting everybody would describe those who stay as well."),
    ),
    AS_STRONG_AS_INERT: (
        later("as strong as inert behaviours"),
        later("Behaviours that can't cause anything come out as strong as this one."),
    ),
}


def table(report: Report) -> Table | None:
    """Marks of behaviours and what each means; None when there is none."""
    if not report.flags:
        return None
    rows = tuple(
        (
            display_name(row.behaviour),
            name,
            "" if row.value is None else decimal(row.value, 2),
            display_name(row.other or ""),
            meaning,
        )
        for row in report.flags
        for name, meaning in [mark(row.flag)]
    )
    columns = (gettext("behaviour"), gettext("mark"), gettext("measured"), gettext("with"), gettext("what it means"))
    return Table(gettext("Marked behaviours"), columns, rows)


def mark_words(codes: Iterable[str]) -> str:
    """The short names of marks."""
    return ", ".join(mark(code)[0] for code in codes)


def mark(code: str) -> tuple[str, str]:
    """Short name and meaning of a mark."""
    name, meaning = MARKS[code]
    return gettext(name), gettext(meaning)


# Tables of all candidates, and of the cell chosen for every behaviour. Pure.


def side_by_side(report: Report) -> Table:
    """All candidates side by side."""
    columns = (
        gettext("candidate"),
        gettext("does it jump?"),
        gettext("reach"),
        gettext("retained if did it"),
        gettext("retained if not"),
        gettext("J where it was not chosen"),
        gettext("difference left after adjustment, points"),
        gettext("expected causal gain, points of all users"),
        gettext("place and raw difference of the correlation"),
        gettext("past experiments"),
        gettext("marks"),
    )
    rows = tuple(
        (
            claim_words(row),
            step_words(row.step, row.smooth_range, row.levels_off),
            share(row.cell.reach),
            share(row.cell.ppv),
            share(row.cell.retained_without),
            number(row.honest_j),
            difference(row.ladder.rungs[3].difference),
            gain_cell(row.expected),
            promise_cell(row),
            summary_words(row.past),
            mark_words(row.flags),
        )
        for row in report.candidates
    )
    note = gettext(
        "Shares over all eligible users with the 95% CI of one cell; a chosen cell seems too good, so read J where "
        "it was not chosen. Order: a jump first, marks that speak against an experiment last; inside these by the "
        "expected causal gain."
    )
    if report.candidates:
        note += " " + rests_on(report.candidates[0].expected)
    if report.more_candidates:
        more = gettext("Behaviours that would qualify, too, and are not followed up: {n}.")
        note += " " + more.format(n=report.more_candidates)
    return Table(gettext("Candidates side by side"), columns, rows, note)


def all_behaviours(report: Report) -> Table:
    """Every behaviour: the rule's choice, the step test, the cell taken, and its marks."""
    columns = (
        gettext("behaviour"),
        gettext("pick of the rule"),
        gettext("share of picks"),
        gettext("does it jump? (p, adjusted)"),
        gettext("taken"),
        gettext("marks"),
    )
    rows = tuple((display_name(row.behaviour), *_judged(row)) for row in report.judged)
    return Table(gettext("All behaviours"), columns, rows, choice_caption())


def _judged(row: Judged) -> tuple[str, ...]:
    choice, step = row.choice, row.step
    picked = (
        (number_words(choice.recommended.times, choice.recommended.days), percent(choice.recommended.share, 0))
        if computable(choice)
        else (reason_words(choice), "")
    )
    if step is None:
        jump = gettext("not tested: negative control")
    elif step.reason is not None:
        jump = reason_words(step.reason)
    else:
        # A p-value is always shown with its verdict: a small one alone is no jump, a large one alone no smooth curve.
        p = step.adjusted_p_value
        jump = gettext("{words} (largest step at {times} within {days}; {p})").format(
            words=step_words(step.verdict, step.smooth_range, step.levels_off),
            times=times_words(step.times),
            days=days_words(step.days),
            p=p_text(p) if computable(p) else reason_words(p),
        )
    taken = number_words(row.chosen.times, row.chosen.days) if computable(row.chosen) else ""
    return (*picked, jump, taken, mark_words(row.flags))


# Behaviours that a study without candidates set aside: their best number, and why they are no candidates. Pure.

MOST = 5


@dataclass(frozen=True)
class SetAside:
    """A behaviour excluded from the candidates by its marks.

    Attributes:
        cell: behaviour, number of times and days, in words: the largest J at a recommended reach.
        did, other: retention of those who did it and of the others, of all eligible users.
        reach: share of the eligible users who did.
        marks: short name and meaning of each mark.
        fields: the same cell as form values for a moment made by hand.
    """

    cell: str
    did: str
    other: str
    reach: str
    marks: tuple[tuple[str, str], ...]
    fields: dict[str, str]


def set_aside(report: Report) -> tuple[SetAside, ...]:
    """Up to five excluded behaviours, the largest J first; none where the study has candidates or is too small.

    The numbers were chosen and measured on the same users, so they are optimistic: the page warns of it.
    """
    if report.candidates or report.floor is not None:
        return ()
    places = sorted(_best_cells(report), key=lambda place: -(report.grid.j[place] or 0.0))
    return tuple(_without_claims_row(report, place) for place in places[:MOST])


def _best_cells(report: Report) -> Iterator[int]:
    grid = report.grid
    least, most = RECOMMENDED_REACH
    best: dict[int, int] = {}
    for place, (which, reach, j) in enumerate(zip(grid.behaviour, grid.reach, grid.j, strict=True)):
        if reach is None or j is None or not least <= reach <= most:
            continue
        if which not in best or j > (grid.j[best[which]] or 0.0):
            best[which] = place
    yield from best.values()


def _without_claims_row(report: Report, place: int) -> SetAside:
    grid, inputs = report.grid, report.asked.inputs
    behaviour = report.asked.behaviours[grid.behaviour[place]]
    times, days = grid.times[place], grid.days[place]
    codes = [row.flag.value for row in report.flags if row.behaviour == behaviour]
    fields = {
        "name": display_name(behaviour).replace("_", " ").capitalize() + f" {times}+",
        "behaviour": behaviour,
        "times": str(times),
        "days": str(days),
        "signup_event": inputs.signup_event,
        "retention": inputs.retention,
    }
    return SetAside(
        cell=cell_words(behaviour, times, days),
        did=percent(grid.ppv[place] or 0.0),
        other=percent(grid.retained_without[place] or 0.0),
        reach=percent(grid.reach[place] or 0.0),
        marks=tuple(map(mark, codes)),
        fields=fields,
    )


SIGNS = {StepVerdict.JUMP: "↥", StepVerdict.LEVELS_OFF: "↱", StepVerdict.SMOOTH: "∕", StepVerdict.CANNOT_TELL: "?"}


@dataclass(frozen=True)
class CandidateRow:
    """One candidate, as a row of the table.

    Attributes:
        place: from 1; part of its page's URL.
        candidate: the record behind it.
        name: the behaviour; `number`: how often within how long.
        pair: retention of both groups, and the users it was measured on.
        did, other, gap: the same as text; `gap` in points.
        reach: share of all eligible users, as text; `reach_share` for its bar.
        adjusted: the adjusted gap with its interval, or the reason why there is none.
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
    """All candidates in the report's order."""
    return tuple(_row(place, candidate) for place, candidate in enumerate(report.candidates, start=1))


def caption(claims: tuple[CandidateRow, ...]) -> str:
    """Table caption: on which users the shares were measured."""
    if claims and all(row.pair.judged for row in claims):
        return gettext(
            "Retention is that of users who had no part in choosing the number; the share who do it is that of all."
        )
    return gettext("Retention is that of the users named in each row; the share who do it is that of all.")


def _row(place: int, candidate: Candidate) -> CandidateRow:
    shares, left = pair(candidate), candidate.ladder.headline.difference
    reach = candidate.cell.reach
    gap = ""
    if computable(shares.did) and computable(shares.other):
        gap = points(shares.did.estimate - shares.other.estimate, 0)
    short = {
        StepVerdict.JUMP: gettext("jump at {number}").format(number=candidate.times),
        StepVerdict.LEVELS_OFF: step_words(StepVerdict.LEVELS_OFF, None, candidate.levels_off),
        StepVerdict.SMOOTH: gettext("no jump"),
        StepVerdict.CANNOT_TELL: gettext("not clear"),
    }
    return CandidateRow(
        place,
        candidate,
        display_name(candidate.behaviour),
        gettext("{times} within {days}").format(times=_times(candidate.times), days=days_words(candidate.days)),
        shares,
        _share(shares.did),
        _share(shares.other),
        gap,
        _share(reach),
        reach.estimate if computable(reach) else None,
        difference(left),
        SIGNS[candidate.step],
        short[candidate.step],
        step_words(candidate.step, candidate.smooth_range, candidate.levels_off),
        tuple(map(mark, candidate.flags)),
    )


def _times(times: int) -> str:
    return gettext("once or more") if times == 1 else gettext("{n}+ times").format(n=times)


def _share(value: Number) -> str:
    return percent(value.estimate, 0) if computable(value) else Absent(reason_words(value))
