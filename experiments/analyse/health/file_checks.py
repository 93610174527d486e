"""Can the data be trusted? One small function per check; thresholds and their sources on top.

A check returns what it found as codes and figures; `experiments.report.words` turns them into sentences. A finding with
``invalid`` set makes the verdict INVALID: the data then can't answer, whatever the effect looks like.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from scipy import stats

from experiments.plan.design import Design, Floats, Kind, Units
from stats.clusters import count_by_arm, reach_across
from stats.results import NotComputable, computable
from stats.srm import SampleRatio, sample_ratio

# Fabijan et al. 2019: .001 keeps the false alarms of a check that runs on every experiment rare.
SAMPLE_RATIO_ALARM = 0.001
SAMPLE_RATIO_WATCH = 0.01
# The chi-square approximation needs expected counts of at least 5 (Cochran 1954); below 100 units nothing is alarming.
SAMPLE_RATIO_UNITS = 100
SAMPLE_RATIO_EXPECTED = 5
# METHODS 4.2: units in several variants.
SEVERAL_VARIANTS_SHARE = 0.01
SEVERAL_VARIANTS_UNITS = 10
BALANCE_ALARM = 0.001
MISSING_SHARE = 0.05
MISSING_DIFFERS = 0.001
# METHODS 5: rows 2-7 of the verdict table need 50 units per arm.
TINY_VARIANT = 50
# One unit with a fifth of an arm's whole variance: its presence or absence decides the interval.
OUTLIER_SHARE = 0.2
OUTLIER_UNITS = 50
# Of effective clusters: below, few clusters decide the outcome. METHODS 4.12.
FEW_CLUSTERS = 20
# Effective clusters below this share of the clusters: sizes differ enough to say so.
UNEQUAL_CLUSTERS = 0.8


class Severity(StrEnum):
    """How much a finding should worry the reader."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


type Detail = str | int | float


@dataclass(frozen=True)
class Finding:
    """What a check found.

    Attributes:
        check: code of the check.
        severity: how much it matters.
        details: figures and names for the sentence.
        invalid: reason code when the finding makes the verdict INVALID.
    """

    check: str
    severity: Severity
    details: Mapping[str, Detail] = field(default_factory=dict)
    invalid: str | None = None


@dataclass(frozen=True)
class Context:
    """All that a check may look at."""

    design: Design
    units: Units
    sample_ratio: SampleRatio | NotComputable


def split_of(design: Design, units: Units) -> SampleRatio | NotComputable:
    """The sample-ratio test of the units that were assigned: clusters when groups were assigned, else units."""
    return sample_ratio(_assigned(units, np.ones(len(units.arm), dtype=bool)), _shares(design, units))


def check_sample_ratio(context: Context) -> Iterator[Finding]:
    """Do the arms have the planned sizes? Pearson's chi-square at .001. Source: METHODS 4.2."""
    result = context.sample_ratio
    counts = _assigned(context.units, np.ones(len(context.units.arm), dtype=bool))
    for label, share in _shares(context.design, context.units).items():
        if share == 0 and counts.get(label, 0) > 0:
            yield Finding("unplanned_units", Severity.ERROR, {"variant": label, "n": counts[label]}, invalid="srm")
    if not computable(result):
        return
    if sum(counts.values()) >= SAMPLE_RATIO_UNITS and not large_enough(counts, result):
        # An arm planned to be this small has no chi-square; the exact test of each arm against the rest has.
        p_value = exact_split(counts, result)
        if p_value < SAMPLE_RATIO_ALARM:
            details = {"p_value": p_value, **_sizes(counts, result.expected)}
            yield Finding("sample_ratio", Severity.ERROR, details, invalid="srm")
        return
    if not large_enough(counts, result):
        yield Finding("sample_ratio_small", Severity.INFO, {"n": sum(counts.values())})
        return
    details = {"p_value": result.p_value, **_sizes(counts, result.expected)}
    if result.p_value < SAMPLE_RATIO_ALARM:
        yield Finding("sample_ratio", Severity.ERROR, details, invalid="srm")
    elif result.p_value < SAMPLE_RATIO_WATCH:
        yield Finding("sample_ratio_watch", Severity.WARNING, details)


def check_sample_ratio_by_segment(context: Context) -> Iterator[Finding]:
    """The same inside each segment at .001/K: totals can balance while the parts don't. Source: METHODS 4.2."""
    units = context.units
    if units.segment is None:
        return
    shares = _shares(context.design, units)
    tested: list[tuple[str, dict[str, int], SampleRatio]] = []
    for code, label in enumerate(units.segment_labels):
        counts = _assigned(units, units.segment == code)
        result = sample_ratio(counts, shares)
        if computable(result) and large_enough(counts, result):
            tested.append((label, counts, result))
    bad = [row for row in tested if row[2].p_value < SAMPLE_RATIO_ALARM / len(tested)]
    if bad:
        label, counts, result = min(bad, key=lambda row: row[2].p_value)
        yield Finding(
            "sample_ratio_by_segment",
            Severity.ERROR,
            {
                "segment": label,
                "bad": len(bad),
                "segments": len(tested),
                "p_value": result.p_value,
                **_sizes(counts, result.expected),
            },
            invalid="srm",
        )


def check_several_variants(context: Context) -> Iterator[Finding]:
    """Units seen in more than one variant were left out; many of them mean that assignment leaks. METHODS 4.2."""
    seen = context.units.several_variants
    if seen == 0:
        return
    share = seen / (seen + len(context.units.arm))
    leaks = share >= SEVERAL_VARIANTS_SHARE and seen >= SEVERAL_VARIANTS_UNITS
    yield Finding(
        "several_variants",
        Severity.ERROR if leaks else Severity.WARNING,
        {"n": seen, "share": share},
        invalid="multi_exposure" if leaks else None,
    )


def check_left_out(context: Context) -> Iterator[Finding]:
    """Rows without a variant, a unit id or a cluster can't be used."""
    for reason in ("missing_variant", "missing_unit", "missing_cluster"):
        n = context.units.excluded.get(reason, 0)
        if n:
            yield Finding(reason, Severity.WARNING, {"n": n, "share": n / context.units.rows})


def check_sizes(context: Context) -> Iterator[Finding]:
    """Empty variants can't be compared, and below 50 units no verdict is given."""
    for label, n in context.units.counts.items():
        if n == 0:
            yield Finding("empty_variant", Severity.ERROR, {"variant": label})
        elif n < TINY_VARIANT:
            yield Finding("tiny_variant", Severity.WARNING, {"variant": label, "n": n, "needed": TINY_VARIANT})


def check_missing_values(context: Context) -> Iterator[Finding]:
    """Missing values per column; worse when one arm has more of them than chance would give (chi-square at .001)."""
    sizes = np.array(list(context.units.counts.values()))
    for column, by_arm in context.units.missing.items():
        absent = np.array(by_arm)
        if not absent.sum():
            continue
        share = absent.sum() / sizes.sum()
        details: dict[str, Detail] = {"column": column, "n": int(absent.sum()), "share": float(share)}
        used = sizes > 0
        table = np.array([absent[used], (sizes - absent)[used]])
        differs = (table.sum(axis=1) > 0).all() and used.sum() > 1
        p_value = float(stats.chi2_contingency(table, correction=False).pvalue) if differs else 1.0
        if p_value < MISSING_DIFFERS and context.units.cluster is None:
            yield Finding("missing_differs", Severity.WARNING, {**details, "p_value": p_value})
        else:
            harmless = column in {row.name for row in context.design.covariates}
            grave = share >= MISSING_SHARE and not harmless
            yield Finding("missing_values", Severity.WARNING if grave else Severity.INFO, details)


def check_variation(context: Context) -> Iterator[Finding]:
    """An outcome or behaviour without variation in an arm carries no information there."""
    columns = [(outcome.name, outcome.values) for outcome in context.units.outcomes]
    if context.units.behaviour is not None and context.design.behaviour is not None:
        columns.append((context.design.behaviour, context.units.behaviour))
    for name, values in columns:
        for code, label in enumerate(context.units.labels):
            kept = values[(context.units.arm == code) & ~np.isnan(values)]
            if len(kept) > 1 and kept.min() == kept.max():
                yield Finding(
                    "no_variation", Severity.WARNING, {"column": name, "variant": label, "value": float(kept[0])}
                )


def check_outliers(context: Context) -> Iterator[Finding]:
    """One unit that carries a fifth of an arm's variance decides the interval alone."""
    for outcome in context.units.outcomes:
        if outcome.kind is not Kind.MEAN:
            continue
        for code, label in enumerate(context.units.labels):
            kept = outcome.values[(context.units.arm == code) & ~np.isnan(outcome.values)]
            finding = _outlier(outcome.name, label, kept)
            if finding is not None:
                yield finding


def check_unit_of_assignment(context: Context) -> Iterator[Finding]:
    """Rows of a group that always share a variant were assigned together; their errors aren't independent."""
    hint = context.units.group_hint
    if hint is not None and context.design.cluster is None:
        yield Finding(
            "unit_of_assignment",
            Severity.WARNING,
            {"column": hint.column, "groups": hint.groups, "rows": hint.rows},
        )


def check_clusters(context: Context) -> Iterator[Finding]:
    """Few effective clusters let one of them decide; clusters in several variants weren't assigned as a whole."""
    units, cluster = context.units, context.units.cluster
    if cluster is None:
        return
    counts = count_by_arm(cluster, units.arm, units.labels)
    label, fewest = min(counts.items(), key=lambda row: row[1].effective)
    details: dict[str, Detail] = {"variant": label, "n": fewest.clusters, "effective": round(fewest.effective, 1)}
    if fewest.effective < FEW_CLUSTERS:
        yield Finding("few_clusters", Severity.WARNING, {**details, "needed": FEW_CLUSTERS})
    elif fewest.effective < UNEQUAL_CLUSTERS * fewest.clusters:
        yield Finding("unequal_clusters", Severity.INFO, details)
    pairs = np.unique(np.column_stack([cluster, units.arm]), axis=0)
    mixed = int((np.bincount(pairs[:, 0]) > 1).sum())
    if mixed:
        yield Finding("mixed_clusters", Severity.WARNING, {"n": mixed, "clusters": len(np.unique(pairs[:, 0]))})


def check_balance(context: Context) -> Iterator[Finding]:
    """Do the covariates predict the arm? Likelihood-ratio test, p < .001. Source: METHODS 4.2."""
    units = context.units
    if units.covariates is None or len(np.unique(units.arm)) < 2:
        return
    arm, covariates = units.arm, units.covariates
    if units.cluster is not None:
        # Groups were assigned, so groups are compared; units of a group repeat each other.
        first = np.unique(units.cluster, return_index=True)[1]
        sizes = np.bincount(units.cluster)
        sums = [np.bincount(units.cluster, weights=column) for column in covariates.T]
        arm, covariates = arm[first], np.column_stack(sums) / sizes[:, None]
    p_value = _balance_p(arm, covariates)
    if p_value is None:
        yield Finding("balance_unknown", Severity.INFO)
    elif p_value < BALANCE_ALARM:
        yield Finding("imbalance", Severity.WARNING, {"p_value": p_value})


def check_behaviour(context: Context) -> Iterator[Finding]:
    """A behaviour that equals the variant is the assignment under another name."""
    behaviour, column = context.units.behaviour, context.design.behaviour
    if behaviour is None or column is None or len(behaviour) == 0:
        return
    if np.array_equal(behaviour, (context.units.arm != 0).astype(float)):
        yield Finding("behaviour_is_variant", Severity.WARNING, {"column": column})


CHECKS: tuple[Callable[[Context], Iterator[Finding]], ...] = (
    check_sample_ratio,
    check_sample_ratio_by_segment,
    check_several_variants,
    check_left_out,
    check_sizes,
    check_missing_values,
    check_variation,
    check_outliers,
    check_unit_of_assignment,
    check_clusters,
    check_balance,
    check_behaviour,
)
ORDER = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}


def examine(context: Context) -> tuple[Finding, ...]:
    """Run every check; the gravest findings first. A check that breaks becomes a finding itself."""
    found: list[Finding] = []
    for check in CHECKS:
        try:
            found.extend(check(context))
        except (ArithmeticError, ValueError, IndexError) as error:
            found.append(
                Finding("check_failed", Severity.WARNING, {"check": check.__name__, "error": type(error).__name__})
            )
    return sorted_findings(found)


def sorted_findings(found: Iterable[Finding]) -> tuple[Finding, ...]:
    """The gravest first; otherwise in the order given."""
    return tuple(sorted(found, key=lambda finding: ORDER[finding.severity]))


def _shares(design: Design, units: Units) -> dict[str, float]:
    if design.shares is None:
        return dict.fromkeys(units.labels, 1 / len(units.labels))
    return dict(design.shares)


def _assigned(units: Units, kept: np.ndarray) -> dict[str, int]:
    """Assigned things per label: groups when groups were assigned, else units."""
    arm = units.arm[kept]
    if units.cluster is not None and not reach_across(units.cluster, units.arm):
        arm = np.unique(np.column_stack([units.cluster[kept], arm]), axis=0)[:, 1]
    sizes = np.bincount(arm, minlength=len(units.labels))
    return {label: int(n) for label, n in zip(units.labels, sizes, strict=True)}


def large_enough(counts: Mapping[str, int], result: SampleRatio) -> bool:
    """Enough units for the chi-square approximation of the split."""
    total = sum(counts.values())
    return total >= SAMPLE_RATIO_UNITS and all(
        share * total >= SAMPLE_RATIO_EXPECTED for share in result.expected.values()
    )


def exact_split(counts: Mapping[str, int], result: SampleRatio) -> float:
    """Smallest exact binomial p of an arm against the rest, times the number of arms (Bonferroni)."""
    total = sum(counts[label] for label in result.expected)
    p_values = [stats.binomtest(counts[label], total, share).pvalue for label, share in result.expected.items()]
    return min(1.0, len(p_values) * float(min(p_values)))


def _sizes(counts: dict[str, int], expected: dict[str, float]) -> dict[str, Detail]:
    total = sum(counts.values())
    seen = ", ".join(f"{label} {n:,}" for label, n in counts.items())
    planned = ", ".join(f"{label} {expected.get(label, 0) * total:,.0f}" for label in counts)
    return {"counts": seen, "expected": planned}


def _outlier(column: str, label: str, values: Floats) -> Finding | None:
    if len(values) < OUTLIER_UNITS:
        return None
    squares = (values - values.mean()) ** 2
    total = squares.sum()
    worst = int(squares.argmax())
    if total == 0 or squares[worst] / total < OUTLIER_SHARE:
        return None
    rest = np.delete(values, worst)
    return Finding(
        "outlier",
        Severity.WARNING,
        {
            "column": column,
            "variant": label,
            "value": float(values[worst]),
            "share": float(squares[worst] / total),
            "mean": float(values.mean()),
            "mean_without": float(rest.mean()),
        },
    )


def _balance_p(arm: np.ndarray, covariates: Floats) -> float | None:
    """p of the likelihood-ratio test of the arms on the covariates in the normal linear model (Wilks' lambda).

    Unlike a logit it has an answer when a covariate separates the arms. Bartlett's chi-square approximation. None when
    no covariate varies or there are too few units.
    """
    scale = covariates.std(axis=0)
    kept = covariates[:, scale > 0]
    arms = np.unique(arm)
    n = len(arm)
    if kept.shape[1] == 0 or n <= kept.shape[1] + len(arms) + 1:
        return None
    scaled = (kept - kept.mean(axis=0)) / kept.std(axis=0)
    # Redundant dummies repeat what other columns say: keep the directions that the columns span.
    values, vectors = np.linalg.eigh(scaled.T @ scaled / n)
    spanned = values > 1e-9
    basis = scaled @ vectors[:, spanned] / np.sqrt(values[spanned] * n)
    groups = np.column_stack([arm == code for code in arms[1:]]).astype(float)
    groups -= groups.mean(axis=0)
    residual = groups - basis @ (basis.T @ groups)
    total = np.linalg.slogdet(groups.T @ groups)[1]
    sign, left = np.linalg.slogdet(residual.T @ residual)
    if sign <= 0 or left - total < -60:
        return 0.0
    rank, others = int(spanned.sum()), groups.shape[1]
    statistic = (n - 1 - (rank + others + 1) / 2) * (total - left)
    return float(stats.chi2.sf(statistic, rank * others))
