"""The candidates side by side, and what was picked of every behaviour. Pure."""

from aha.report.candidate.jump import step_words
from aha.report.claim import choice_caption, claim_words, number_words
from aha.report.marks import mark_words
from aha.report.past.expected import gain_cell, promise_cell, rests_on
from aha.report.past.verdict_of_all import summary_words
from aha.study.result import Judged, Report
from events.metrics import display_name
from reporting.counted import days_words, times_words
from reporting.numbers import difference, number, p_text, percent, share
from reporting.table import Table
from reporting.words import gettext, reason_words
from stats.results import computable


def side_by_side(report: Report) -> Table:
    """All candidates side by side."""
    columns = (
        gettext("candidate"),
        gettext("does it jump?"),
        gettext("reach"),
        gettext("retained if did it"),
        gettext("retained if not"),
        gettext("J where it was not chosen"),
        gettext("left when all is held equal, points"),
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
        "Shares over all eligible users with the 95% CI of one cell; a chosen cell looks too good, so read J where "
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
    """Every behaviour: what the rule picked, whether retention jumps, what was taken, and its marks."""
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
        # A p-value never stands without its word: small alone it is no jump, large alone no smooth curve.
        p = step.adjusted_p_value
        jump = gettext("{words} (largest step at {times} within {days}; {p})").format(
            words=step_words(step.verdict, step.smooth_range, step.levels_off),
            times=times_words(step.times),
            days=days_words(step.days),
            p=p_text(p) if computable(p) else reason_words(p),
        )
    taken = number_words(row.chosen.times, row.chosen.days) if computable(row.chosen) else ""
    return (*picked, jump, taken, mark_words(row.flags))
