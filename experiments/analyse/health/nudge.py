"""Checks of the nudge and the placebo: whether they move the behaviour as planned, or leave it alone. Pure."""

from collections.abc import Iterator

import numpy as np

from experiments.analyse.comparator import Comparator
from experiments.analyse.findings import Detail, Finding, Severity
from experiments.analyse.health.context import Context
from experiments.analyse.health.file_context import FileContext
from experiments.analyse.health.stored_context import StoredContext
from stats.instrument.encouragement import opposite_signs
from stats.results import computable

# Ours: a nudge that moves less than a quarter of the planned take-up needs at least 16 times the planned units.
SHARE_OF_PLANNED_TAKE_UP = 0.25


def check_behaviour(context: FileContext) -> Iterator[Finding]:
    """A behaviour that equals the variant is the assignment under another name."""
    behaviour, column = context.units.behaviour, context.design.behaviour
    if behaviour is None or column is None or len(behaviour) == 0:
        return
    if np.array_equal(behaviour, (context.units.arm != 0).astype(float)):
        yield Finding("behaviour_is_variant", Severity.WARNING, {"column": column})


def check_first_stage(context: StoredContext) -> Iterator[Finding]:
    """Report a take-up far below plan: it can be seen, and fixed, long before the outcome is known.

    For planning only: the planned take-up is no evidence of what the nudge did. Source: docs/methods/verdict.md.
    """
    planned = context.plan.take_up
    for row in context.first_stage:
        if planned is None or not computable(row.take_up) or row.variant == context.placebo:
            continue
        if row.take_up.high < SHARE_OF_PLANNED_TAKE_UP * planned:
            details: dict[str, Detail] = {
                "variant": row.variant,
                "take_up": row.take_up.difference,
                "take_up_high": row.take_up.high,
                "take_up_planned": planned,
            }
            yield Finding("take_up_below_plan", Severity.INFO, details)


def check_first_stage_signs(context: StoredContext) -> Iterator[Finding]:
    """Report segments in which a nudge lowers the behaviour: there monotonicity fails.

    Source: docs/methods/encouragement.md, "First stage".
    """
    for row in context.first_stage:
        opposed = opposite_signs({name: found for name, found in row.by_segment if computable(found)})
        if opposed and row.variant != context.placebo:
            details: dict[str, Detail] = {"variant": row.variant, "segments": ", ".join(opposed)}
            yield Finding("first_stage_signs", Severity.WARNING, details)


def check_placebo(context: Context) -> Iterator[Finding]:
    """Report whether the placebo leaves the behaviour alone, which is shown by an equivalence test.

    Source: Schuirmann 1987; docs/methods/encouragement.md, "Placebo arm".
    """
    if context.placebo is None:
        return
    lines: list[Finding] = []
    for one in context.comparators.values():
        line = _placebo_line(context.placebo, one)
        if line is not None and line not in lines:
            lines.append(line)
    yield from lines


def _placebo_line(placebo: str, one: Comparator) -> Finding | None:
    """The finding about the placebo from one nudge's comparator; None without a test."""
    test, details = one.equivalence, dict[str, Detail](variant=placebo)
    if test is None or not computable(test):
        return None
    details |= {"take_up": test.effect, "take_up_low": test.low, "take_up_high": test.high}
    details |= {"take_up_bound": test.bound}
    return Finding("placebo_serves" if test.shown else "placebo_moves_too", Severity.INFO, details)
