"""Does a stored experiment's split fit its plan: overall, mature, by segment, over time? Source: METHODS 4.2. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from experiments.analyse.gather.answers import Answers, Cells
from experiments.analyse.health.context import (
    Context,
    expected_shares,
    exposed_by_arm,
    mature_units,
    segment_shares,
    units_in,
)
from experiments.analyse.health.file_checks import (
    SAMPLE_RATIO_ALARM,
    SAMPLE_RATIO_UNITS,
    SAMPLE_RATIO_WATCH,
    Finding,
    Severity,
    exact_split,
    large_enough,
)
from experiments.plan.planned import Planned
from stats.results import NotComputable, computable
from stats.srm import SampleRatio, any_look_p, evidence_against_split, sample_ratio

# How the nightly tests share one error rate of .001; they sum to 1. Segments divide theirs again.
OVERALL, MATURE, SEGMENTS = 9 / 15, 1 / 15, 5 / 15


def check_sample_ratio(context: Context) -> Iterator[Finding]:
    """Exposed units against the plan: p < .001, at the final look by chi-square, before by a test for any look.

    Source: METHODS 4.2.
    """
    counts, result = exposed_by_arm(context.answers), context.sample_ratio
    if context.standing.final or not computable(result):
        yield from _split_findings("sample_ratio", counts, result)
        return
    if not large_enough(counts, result) and sum(counts.values()) < SAMPLE_RATIO_UNITS:
        yield Finding("sample_ratio_small", Severity.INFO, {"n": sum(counts.values())})
    p_value = any_look_p(_evidence(context, context.answers.cells.exposed), share=OVERALL)
    details = {"p_value": p_value, **_sizes(counts, result)}
    if p_value < SAMPLE_RATIO_ALARM:
        yield Finding("sample_ratio", Severity.ERROR, details, invalid="srm")
    elif p_value < SAMPLE_RATIO_WATCH:
        yield Finding("sample_ratio_watch", Severity.WARNING, details)


def check_sample_ratio_mature(context: Context) -> Iterator[Finding]:
    """The same among mature units: arms may also lose units on the way."""
    standing = context.standing
    if standing.mature == standing.exposed:
        return
    cells = context.answers.cells
    mature = mature_units(context.plan, cells)
    found = sample_ratio(standing.mature, expected_shares(context.plan, cells, mature))
    if not computable(found):
        return
    if standing.final:
        if found.p_value < SAMPLE_RATIO_ALARM:
            yield from _split_findings("sample_ratio_mature", standing.mature, found)
        return
    p_value = any_look_p(_evidence(context, mature), share=MATURE)
    if p_value < SAMPLE_RATIO_ALARM:
        details = {"p_value": p_value, **_sizes(standing.mature, found)}
        yield Finding("sample_ratio_mature", Severity.ERROR, details, invalid="srm")


def check_sample_ratio_by_segment(context: Context) -> Iterator[Finding]:
    """Inside each segment at .001/K; before the final look by the test for any look at .001/(3K). METHODS 4.2."""
    cells, final = context.answers.cells, context.standing.final
    tested = []
    # Segments that come in later must not have been cheaper before: the plan's number counts where it is larger.
    share = SEGMENTS / max(len(cells.segments), len(context.plan.shares))
    for code, label in enumerate(cells.segments):
        here = cells.segment == code
        counts = units_in(context.answers, here)
        shares = dict(zip(context.plan.variants, segment_shares(context.plan, label), strict=True))
        result = sample_ratio(counts, shares)
        if not computable(result) or (final and not large_enough(counts, result)):
            continue
        if not final:
            p_value = any_look_p(evidence_against_split([(counts, shares)]), share=share)
            result = replace(result, p_value=p_value)
        tested.append((label or "–", counts, result))
    alarm = SAMPLE_RATIO_ALARM / max(len(tested), 1) if final else SAMPLE_RATIO_ALARM
    yield from _worst("sample_ratio_by_segment", "segment", tested, alarm, invalid="srm", severity=Severity.ERROR)


def at_any_look(plan: Planned, answers: Answers, split: SampleRatio | NotComputable) -> SampleRatio | NotComputable:
    """The test of all exposed units with the p-value that decides while the experiment is looked at every night."""
    if not computable(split):
        return split
    evidence = evidence_against_split(_parts(plan, answers.cells, answers.cells.exposed))
    return replace(split, any_look=any_look_p(evidence, share=OVERALL))


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
        alarm = SAMPLE_RATIO_ALARM / len(tested)
        yield from _worst("sample_ratio_over_time", "week", tested, alarm, invalid=None, severity=Severity.WARNING)


def _evidence(context: Context, units: np.ndarray) -> float:
    return evidence_against_split(_parts(context.plan, context.answers.cells, units))


def _parts(plan: Planned, cells: Cells, units: np.ndarray) -> Iterator[tuple[dict[str, int], dict[str, float]]]:
    """Units and planned shares, one pair for each different split of the plan: segments of one split are one part."""
    splits: dict[tuple[float, ...], np.ndarray] = {}
    for code, label in enumerate(cells.segments):
        shares = segment_shares(plan, label)
        splits[shares] = splits.get(shares, np.zeros(len(units), dtype=bool)) | (cells.segment == code)
    for shares, here in splits.items():
        sums = np.bincount(cells.variant[here], weights=units[here], minlength=len(cells.variants))
        counts = {label: int(n) for label, n in zip(cells.variants, sums, strict=True)}
        yield counts, dict(zip(plan.variants, shares, strict=True))


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
    alarm: float,
    *,
    invalid: str | None,
    severity: Severity,
) -> Iterator[Finding]:
    bad = [row for row in tested if row[2].p_value < alarm]
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
