"""Does a stored experiment's split fit its plan: overall, mature, by segment, over time? Source: METHODS 4.2. Pure."""

from collections.abc import Iterator, Mapping

import numpy as np

from events.reasons import NotComputable, computable
from experiments.health import (
    SAMPLE_RATIO_ALARM,
    SAMPLE_RATIO_UNITS,
    SAMPLE_RATIO_WATCH,
    Finding,
    Severity,
    exact_split,
    large_enough,
)
from experiments.live_context import (
    Context,
    expected_shares,
    exposed_by_arm,
    mature_units,
    segment_shares,
    units_in,
)
from experiments.stats.srm import SampleRatio, sample_ratio


def check_sample_ratio(context: Context) -> Iterator[Finding]:
    """Exposed units against the plan: p < .001. Source: METHODS 4.2."""
    yield from _split_findings("sample_ratio", exposed_by_arm(context.answers), context.sample_ratio)


def check_sample_ratio_mature(context: Context) -> Iterator[Finding]:
    """The same among mature units: arms may also lose units on the way."""
    standing = context.standing
    if standing.mature == standing.exposed:
        return
    cells = context.answers.cells
    mature = mature_units(context.plan, cells)
    found = sample_ratio(standing.mature, expected_shares(context.plan, cells, mature))
    if computable(found) and found.p_value < SAMPLE_RATIO_ALARM:
        yield from _split_findings("sample_ratio_mature", standing.mature, found)


def check_sample_ratio_by_segment(context: Context) -> Iterator[Finding]:
    """Inside each segment at .001/K. Source: METHODS 4.2."""
    cells = context.answers.cells
    tested = []
    for code, label in enumerate(cells.segments):
        counts = units_in(context.answers, cells.segment == code)
        shares = dict(zip(context.plan.variants, segment_shares(context.plan, label), strict=True))
        result = sample_ratio(counts, shares)
        if computable(result) and large_enough(counts, result):
            tested.append((label or "–", counts, result))
    yield from _worst("sample_ratio_by_segment", "segment", tested, invalid="srm", severity=Severity.ERROR)


def check_sample_ratio_over_time(context: Context) -> Iterator[Finding]:
    """Week by week at .001/K: an allocation that changed can balance in total and still mix effect with time."""
    cells = context.answers.cells
    tested = []
    for code, week in enumerate(cells.weeks):
        counts = units_in(context.answers, cells.week == code)
        shares = expected_shares(context.plan, cells, np.where(cells.week == code, cells.exposed, 0))
        result = sample_ratio(counts, shares)
        if computable(result) and large_enough(counts, result):
            tested.append((week.isoformat(), counts, result))
    if len(tested) > 1:
        yield from _worst("sample_ratio_over_time", "week", tested, invalid=None, severity=Severity.WARNING)


def _split_findings(check: str, counts: Mapping[str, int], result: SampleRatio | NotComputable) -> Iterator[Finding]:
    if not computable(result):
        return
    if sum(counts.values()) >= SAMPLE_RATIO_UNITS and not large_enough(counts, result):
        # An arm planned to be this small has no chi-square; the exact test of each arm against the rest has.
        p_value = exact_split(counts, result)
        if p_value < SAMPLE_RATIO_ALARM:
            yield Finding(check, Severity.ERROR, {"p_value": p_value, **_sizes(counts, result)}, invalid="srm")
        return
    if not large_enough(counts, result):
        yield Finding("sample_ratio_small", Severity.INFO, {"n": sum(counts.values())})
        return
    details = {"p_value": result.p_value, **_sizes(counts, result)}
    if result.p_value < SAMPLE_RATIO_ALARM:
        yield Finding(check, Severity.ERROR, details, invalid="srm")
    elif result.p_value < SAMPLE_RATIO_WATCH:
        yield Finding("sample_ratio_watch", Severity.WARNING, details)


def _worst(
    check: str,
    name: str,
    tested: list[tuple[str, dict[str, int], SampleRatio]],
    *,
    invalid: str | None,
    severity: Severity,
) -> Iterator[Finding]:
    bad = [row for row in tested if row[2].p_value < SAMPLE_RATIO_ALARM / len(tested)]
    if not bad:
        return
    label, counts, result = min(bad, key=lambda row: row[2].p_value)
    details: dict[str, str | int | float] = {
        name: label, "bad": len(bad), f"{name}s": len(tested), "p_value": result.p_value, **_sizes(counts, result)
    }  # fmt: skip
    yield Finding(check, severity, details, invalid=invalid)


def _sizes(counts: Mapping[str, int], result: SampleRatio) -> dict[str, str | int | float]:
    total = sum(counts.values())
    seen = ", ".join(f"{label} {n:,}" for label, n in counts.items())
    planned = ", ".join(f"{label} {result.expected.get(label, 0) * total:,.0f}" for label in counts)
    return {"counts": seen, "expected": planned}
