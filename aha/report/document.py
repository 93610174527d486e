"""A study as the JSON document of `discover --json`. Other programs read it: keys are added, never renamed."""

from collections.abc import Iterator
from typing import Any

from aha.evidence.expected_gain import ExpectedGain
from aha.report.past import summary_document
from aha.study.cells import Grid
from aha.study.result import Candidate, Report
from aha.study.step import LevelsOff, SmoothRange
from events.metrics.sentences import sentence
from reporting.document import chosen, dump, outward
from reporting.words import reason_words
from stats.results import NotComputable, Reason, computable

COUNTS = ("A", "B", "C", "O")
NUMBERS = ("j", "phi", "ppv", "recall")


def document(report: Report) -> dict[str, Any]:
    """The document. What can't be computed is ``{"not_computable": reason}`` in place of the number or object."""
    population, model = report.population, report.model
    rate = population.rate
    untested = report.untested
    content: dict[str, Any] = {
        "units": {"eligible": population.eligible, "excluded": population.excluded},
        "retention": {
            "definition": sentence(report.asked.inputs.definition),
            "rate": rate.estimate if computable(rate) else rate,
        },
        "model": (
            {"auc": model.trees.auc.estimate, "beats_base_rate": model.trees.beats_base_rate}
            if computable(model)
            else model
        ),
        "ranking": _ranking(report),
        "cells": [*_cells(report), *_invalid(report)],
        "candidates": ([_candidate(row) for row in report.candidates] if untested is None else untested),
        "spent": None if report.spent is None else dump(report.spent),
    }
    written: dict[str, Any] = outward(content)
    return written


def _ranking(report: Report) -> Any:
    ranking = report.model.ranking if computable(report.model) else report.model
    if not computable(ranking):
        return ranking
    behaviours = [
        {"behaviour": row.name, **chosen(row, "importance", "rank_low", "rank_high", "group")}
        for row in ranking
        if row.kind == "behaviour"
    ]
    return behaviours if behaviours or report.untested is None else report.untested


def _cells(report: Report) -> Iterator[dict[str, Any]]:
    grid = report.grid
    no_data = NotComputable(Reason.NO_DATA)
    why = report.luck if isinstance(report.luck, NotComputable) else NotComputable(Reason.NO_CELL_TO_TEST)
    untested = report.floor or why
    for place in range(grid.size):
        p = grid.p_luck[place]
        yield {
            "behaviour": report.asked.behaviours[grid.behaviour[place]],
            "days": grid.days[place],
            "times": grid.times[place],
            "A": grid.a[place],
            "B": grid.b[place],
            "C": grid.c[place],
            "O": grid.o[place],
            **{name: _or(getattr(grid, name)[place], no_data) for name in NUMBERS},
            "difference": _difference(grid, place, no_data),
            "adjusted_p_value": untested if p is None else p,
            "valid": True,
            "reason": None,
        }


def _invalid(report: Report) -> Iterator[dict[str, Any]]:
    """Cells whose days overlap the retention window: listed with the reason, never computed."""
    for row in report.asked.invalid_days:
        for behaviour, times in zip(report.asked.behaviours, report.asked.times, strict=True):
            for z in times:
                names = (*COUNTS, *NUMBERS, "difference", "adjusted_p_value")
                cell = {"behaviour": behaviour, "days": row.days, "times": z, **dict.fromkeys(names, row.reason)}
                yield {**cell, "valid": False, "reason": reason_words(row.reason)}


def _difference(grid: Grid, place: int, no_data: NotComputable) -> Any:
    estimate, low, high = grid.difference[place], grid.difference_low[place], grid.difference_high[place]
    if estimate is None or low is None or high is None:
        return no_data
    return {"estimate": estimate, "low": low, "high": high}


def _candidate(row: Candidate) -> dict[str, Any]:
    e_value, robustness = row.e_value, row.robustness
    return {
        "behaviour": row.behaviour,
        "days": row.days,
        "times": row.times,
        "j": _estimate(row.cell.j),
        "hold_out_j": _estimate(row.hold_out_j),
        "later_cohort_j": _estimate(row.later_cohort_j),
        "honest_j": _estimate(row.honest_j),
        "judged_by": row.judged_by.value,
        "pick_share": row.pick_share,
        "indifference": [[pick.days, pick.times] for pick in row.indifference],
        "step": row.step.value,
        "smooth_range": _smooth_range(row.smooth_range),
        "levels_off": _levels_off(row.levels_off),
        "ladder": [{"rung": rung.name.value, **_interval(rung.difference)} for rung in row.ladder.rungs],
        "e_value": e_value.point if computable(e_value) else e_value,
        "robustness_value": robustness.value if computable(robustness) else robustness,
        "robustness_value_limit": robustness.limit if computable(robustness) else robustness,
        "negative_outcomes": [
            {"outcome": outcome.name, "rung": outcome.rung.value, **_interval(outcome.difference)}
            for outcome in row.earlier_outcomes
        ],
        "flags": list(row.flags),
        "expected_gain": _expected(row.expected),
        "rank_by_promise": row.rank_by_promise,
        "past_experiments": None if row.past is None else summary_document(row.past),
    }


def _expected(gain: ExpectedGain | NotComputable) -> Any:
    """The expected causal gain and its components."""
    if not computable(gain):
        return gain
    return {
        **chosen(gain, "estimate", "low", "high", "level", "promise"),
        "ratio": {**chosen(gain.ratio, "estimate", "low", "high", "level"), "assumed": gain.assumed},
        **chosen(gain, "experiments", "headroom", "take_up"),
        "take_up_measured": gain.measured,
    }


def _smooth_range(smooth_range: SmoothRange | None) -> dict[str, int] | None:
    return (
        None
        if smooth_range is None
        else {"days": smooth_range.days, "from": smooth_range.first, "to": smooth_range.last}
    )


def _levels_off(levels_off: LevelsOff | None) -> dict[str, int] | None:
    return None if levels_off is None else {"days": levels_off.days, "times": levels_off.times}


def _interval(number: Any) -> dict[str, Any]:
    names = ("estimate", "low", "high")
    interval: dict[str, Any] = chosen(number, *names) if computable(number) else dict.fromkeys(names, number)
    return interval


def _estimate(number: Any) -> Any:
    return number if isinstance(number, float | NotComputable) else number.estimate


def _or(value: float | None, missing: NotComputable) -> float | NotComputable:
    return missing if value is None else value
