"""Checks of the split between arms. Source: docs/methods/integrity.md, "Sample ratio". Pure."""

from collections.abc import Iterable, Iterator, Mapping

from scipy import stats

from experiments.analyse.codes import Detail, Finding, FindingCode, Severity
from experiments.analyse.health.context import Context, FileContext, Split, StoredContext, planned_shares
from stats.results import computable
from stats.srm import SampleRatio

# Fabijan et al. 2019: .001 keeps the false alarms of a check that runs on every experiment rare.
SAMPLE_RATIO_ALARM = 0.001
SAMPLE_RATIO_WATCH = 0.01
# The chi-square approximation needs expected counts of at least 5 (Cochran 1954); below 100 units there is no alarm.
SAMPLE_RATIO_UNITS = 100
SAMPLE_RATIO_EXPECTED = 5
# docs/methods/integrity.md, "Several variants": share of units in several variants, for all reasons together.
SEVERAL_VARIANTS_SHARE = 0.01
SEVERAL_VARIANTS_UNITS = 10
# docs/methods/integrity.md, "Assignment audit": share of stored arms that differ from the recomputed hash.
AUDIT_SHARE = 0.001


def check_sample_ratio(context: Context) -> Iterator[Finding]:
    """Test all units against the planned split at .001: chi-square at one look, an any-look test every night."""
    split, n = context.split, sum(context.split.counts.values())
    if not computable(split.found):
        return
    if n < SAMPLE_RATIO_UNITS:
        yield Finding("sample_ratio_small", Severity.INFO, {"n": n})
    p_value = _deciding_p(split)
    if p_value is None:
        return
    if p_value < SAMPLE_RATIO_ALARM:
        yield Finding("sample_ratio", Severity.ERROR, _details(split, p_value), invalid="srm")
    elif p_value < SAMPLE_RATIO_WATCH and _approximates(split, split.found):
        yield Finding("sample_ratio_watch", Severity.WARNING, _details(split, p_value))


def check_sample_ratio_mature(context: StoredContext) -> Iterator[Finding]:
    """The same among mature units, since arms may also lose units after assignment."""
    split = context.mature
    p_value = None if split.counts == context.split.counts else _deciding_p(split)
    if p_value is not None and p_value < SAMPLE_RATIO_ALARM:
        yield Finding("sample_ratio_mature", Severity.ERROR, _details(split, p_value), invalid="srm")


def check_sample_ratio_by_segment(context: Context) -> Iterator[Finding]:
    """The same inside each segment at .001/K: totals can balance while the parts don't.

    Nightly p-values, which hold at any look, are already corrected for K.
    """
    tested = _tested(context.segments)
    nightly = any(test.any_look is not None for _, test in tested)
    bad = _below(SAMPLE_RATIO_ALARM if nightly else SAMPLE_RATIO_ALARM / max(len(tested), 1), tested)
    if bad:
        details = _worst("segment", bad, tested)
        yield Finding("sample_ratio_by_segment", Severity.ERROR, details, invalid="srm")


def check_sample_ratio_over_time(context: StoredContext) -> Iterator[Finding]:
    """Week by week at .001/K: an allocation that changed can balance in total and still confound effect with time."""
    tested = _tested(context.weeks)
    bad = _below(SAMPLE_RATIO_ALARM / max(len(tested), 1), tested)
    if bad and len(tested) > 1:
        yield Finding("sample_ratio_over_time", Severity.WARNING, _worst("week", bad, tested))


def check_unplanned_units(context: FileContext) -> Iterator[Finding]:
    """Report units in an arm with planned share 0; the sample ratio test leaves such arms out."""
    for label, share in planned_shares(context.design, context.units).items():
        n = context.split.counts.get(label, 0)
        if share == 0 and n > 0:
            yield Finding("unplanned_units", Severity.ERROR, {"variant": label, "n": n}, invalid="srm")


def check_several_variants(context: FileContext) -> Iterator[Finding]:
    """Report units of several variants: left out, since a file doesn't say which came first. Many suggest a leak."""
    seen = context.units.several_variants
    if seen:
        yield _several("several_variants", seen, seen, seen + sum(context.counts.values()))


def check_met_several(context: StoredContext) -> Iterator[Finding]:
    """Report units and joined persons of several variants, who count in the first; many suggest a leak."""
    answers = context.answers
    seen, joined = answers.several_variants + answers.no_first_arm, answers.identity_conflicts
    units = answers.no_first_arm + sum(context.counts.values())
    if seen:
        yield _several("met_several", seen, seen + joined, units)
    if joined:
        yield _several("joined_several", joined, seen + joined, units)


def check_first_variants(context: StoredContext) -> Iterator[Finding]:
    """Test the first arms of units with several: if nudges affect further exposure, arms can't be compared."""
    split = context.first_arms
    p_value = None if split is None else _first_p(split)
    if split is not None and p_value is not None and p_value < SAMPLE_RATIO_ALARM:
        details = {"n": sum(split.counts.values()), **_details(split, p_value)}
        yield Finding("first_variants", Severity.ERROR, details, invalid="multi_exposure")


def _several(code: FindingCode, seen: int, of_both: int, units: int) -> Finding:
    leaks = of_both / units >= SEVERAL_VARIANTS_SHARE and of_both >= SEVERAL_VARIANTS_UNITS
    return Finding(
        code,
        Severity.ERROR if leaks else Severity.WARNING,
        {"n": seen, "share": seen / units},
        invalid="multi_exposure" if leaks else None,
    )


def check_unknown_variants(context: StoredContext) -> Iterator[Finding]:
    """Exposures that name an arm which the plan doesn't have."""
    for label, n in context.answers.unknown_variants.items():
        yield Finding("unknown_variant", Severity.WARNING, {"variant": label, "n": n})


def check_assignments(context: StoredContext) -> Iterator[Finding]:
    """Report stored arms that differ from their recomputed draws in more than .1 % of cases."""
    audit = context.audit
    if audit.checked and audit.differ / audit.checked > AUDIT_SHARE:
        share = audit.differ / audit.checked
        details: dict[str, Detail] = {"n": audit.differ, "checked": audit.checked, "share": share}
        yield Finding("bucket_mismatch", Severity.ERROR, details, invalid="bucket_mismatch")


# ── The tests ─────────────────────────────────────────────────────────────────
def _deciding_p(split: Split) -> float | None:
    """The p-value that decides: the any-look one, else the chi-square's, else an exact one; None below 100 units."""
    test = split.found
    if not computable(test):
        return None
    if _approximates(split, test):
        return _p_value(test)
    # The chi-square is invalid for an arm this small; use exact tests of each arm against the rest.
    return exact_split(split.counts, test) if sum(split.counts.values()) >= SAMPLE_RATIO_UNITS else None


def _first_p(split: Split) -> float | None:
    """The any-look p-value, else the exact one for two arms, else the chi-square's where it is valid."""
    test = split.found
    if not computable(test):
        return None
    if test.any_look is not None:
        return test.any_look
    total = sum(split.counts[label] for label in test.expected)
    if len(test.expected) == 2:
        label, share = next(iter(test.expected.items()))
        return float(stats.binomtest(split.counts[label], total, share).pvalue)
    enough = all(share * total >= SAMPLE_RATIO_EXPECTED for share in test.expected.values())
    return test.p_value if enough else exact_split(split.counts, test)


def _approximates(split: Split, test: SampleRatio) -> bool:
    """Enough units for the chi-square approximation; the any-look test needs no minimum."""
    total = sum(split.counts.values())
    return test.any_look is not None or (
        total >= SAMPLE_RATIO_UNITS and all(share * total >= SAMPLE_RATIO_EXPECTED for share in test.expected.values())
    )


def _p_value(test: SampleRatio) -> float:
    return test.p_value if test.any_look is None else test.any_look


def exact_split(counts: Mapping[str, int], test: SampleRatio) -> float:
    """Smallest exact binomial p of an arm against the rest, times the number of arms (Bonferroni)."""
    total = sum(counts[label] for label in test.expected)
    p_values = [stats.binomtest(counts[label], total, share).pvalue for label, share in test.expected.items()]
    return min(1.0, len(p_values) * float(min(p_values)))


type Assigned = list[tuple[Split, SampleRatio]]


def _tested(splits: Iterable[Split]) -> Assigned:
    """The segments or weeks with enough units for their test."""
    pairs = [(split, split.found) for split in splits]
    return [(split, test) for split, test in pairs if computable(test) and _approximates(split, test)]


def _below(alarm: float, tested: Assigned) -> Assigned:
    return [(split, test) for split, test in tested if _p_value(test) < alarm]


def _worst(name: str, bad: Assigned, tested: Assigned) -> dict[str, Detail]:
    split, test = min(bad, key=lambda row: _p_value(row[1]))
    return {name: split.label, "bad": len(bad), f"{name}s": len(tested), **_details(split, _p_value(test))}


def _details(split: Split, p_value: float) -> dict[str, Detail]:
    """The p-value with counts and planned counts as text."""
    total = sum(split.counts.values())
    expected = split.found.expected if computable(split.found) else {}
    seen = ", ".join(f"{label} {n:,}" for label, n in split.counts.items())
    planned = ", ".join(f"{label} {expected.get(label, 0) * total:,.0f}" for label in split.counts)
    return {"p_value": p_value, "counts": seen, "expected": planned}
