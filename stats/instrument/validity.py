"""Tests of a nudge's validity as an instrument: testable implications of exclusion and monotonicity."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from stats.adjustment import cluster_difference
from stats.cells import cross_counts
from stats.multiplicity import holm
from stats.results import NotComputable, Reason, computable
from stats.sequential.looks import Look
from stats.summaries import Joint


@dataclass(frozen=True)
class Inequalities:
    """Result of the instrument inequalities.

    Attributes:
        p_value: smallest Holm-adjusted one-sided p-value, 0 to 1.
        worst: the inequality with that p-value, ``(outcome bin, behaviour)``.
        p_values: the raw one-sided p-values in the order of testing.
    """

    p_value: float
    worst: tuple[int, int]
    p_values: tuple[float, ...]


def over_arms(tests: Sequence[Inequalities | NotComputable | None]) -> list[Inequalities | NotComputable | None]:
    """The tests of several nudge arms with Holm over all of them together: m arms give m chances to reject by luck.

    Args:
        tests: of each arm, in order; None for an arm without a behaviour.

    Returns:
        The same with `p_value` adjusted over all arms; raw p-values and what isn't computable stay.

    Source: Holm 1979; docs/methods/verdict.md, "Verdict", row 4.
    """
    adjusted = iter(holm([p for test in tests if test is not None and computable(test) for p in test.p_values]))
    return [
        replace(test, p_value=min(next(adjusted) for _ in test.p_values))
        if test is not None and computable(test)
        else test
        for test in tests
    ]


def instrument_inequalities(
    outcome: NDArray[np.float64],
    behaviour: NDArray[np.float64],
    nudged: NDArray[np.bool_],
    *,
    bins: int = 5,
    clusters: NDArray[np.int64] | None = None,
) -> Inequalities | NotComputable:
    """Kitagawa's and Huber and Mellace's inequalities, tested one by one and joined by Holm.

    With a random nudge that works only through the behaviour and keeps nobody from it,
    ``P(R=r, D=1 | nudge) >= P(R=r, D=1 | control)`` and ``P(R=r, D=0 | control) >= P(R=r, D=0 | nudge)`` for every r.
    A rejection says that exclusion or monotonicity fails; no rejection proves little, since power is low for small
    direct effects. A numeric outcome is cut at its quintiles first.

    Args:
        outcome: R per unit, 0/1 or numeric, no missing values.
        behaviour: D per unit, 0 or 1.
        nudged: True for the encouraged arm.
        bins: number of quantile bins of a numeric outcome.
        clusters: group per unit when groups were assigned; errors are then between groups.

    Returns:
        The smallest Holm-adjusted one-sided p-value; not computable when no cell has any variation.

    Source: Kitagawa (2015), equation 1.1; Huber and Mellace (2015), section 3; docs/methods/encouragement.md.
    """
    coded = _codes(outcome, bins)
    if clusters is None:
        return inequalities_from_counts(*(_table(coded[arm], behaviour[arm], coded) for arm in (~nudged, nudged)))
    shares = {
        (int(value), did): ((coded == value) & (behaviour == did)).astype(float)
        for value in np.unique(coded)
        for did in (1, 0)
    }
    return inequalities_between_clusters(shares, nudged, clusters)


def inequalities_between_clusters(
    shares: Mapping[tuple[int, int], NDArray[np.float64]],
    nudged: NDArray[np.bool_],
    clusters: NDArray[np.int64],
    n: NDArray[np.float64] | None = None,
) -> Inequalities | NotComputable:
    """The same test with errors between clusters.

    Args:
        shares: by outcome (or its bin) and behaviour, the share of each row's units that have both.
        nudged: True for the encouraged arm, per row.
        clusters: group per row.
        n: units per row; None where rows are units.
    """
    raw: dict[tuple[int, int], float] = {}
    for (value, did), share in shares.items():
        p_value = _clustered_tail(share, nudged, clusters, _forbidden(did), n)
        if p_value is not None:
            raw[value, did] = p_value
    return _joined(raw)


def inequalities_from_counts(control: ArrayLike, variant: ArrayLike) -> Inequalities | NotComputable:
    """The same test from counts: what ``instrument_inequalities`` does without clusters, with the same p-values.

    Args:
        control: units of control by outcome and behaviour, ``counts[bin][d]``: 2 x 2 of a 0/1 outcome, or one row per
            bin of a numeric one (bins fixed over both arms together).
        variant: the same of the variant.

    Raises:
        ValueError: unless both are tables of the same shape, two columns wide.

    Source: Kitagawa (2015), equation 1.1; Huber and Mellace (2015), section 3; docs/methods/encouragement.md.
    """
    tables = [np.asarray(table, dtype=np.float64) for table in (control, variant)]
    if tables[0].shape != tables[1].shape or tables[0].ndim != 2 or tables[0].shape[1] != 2:
        raise ValueError("expected two tables of counts[bin][behaviour] of the same shape")
    sizes = [float(table.sum()) for table in tables]
    if min(sizes) < 2:
        return NotComputable(Reason.TOO_FEW_UNITS, {"n": int(min(sizes)), "needed": 2})
    shares = [table / size for table, size in zip(tables, sizes, strict=True)]
    raw: dict[tuple[int, int], float] = {}
    for value in range(len(tables[0])):
        for did in (1, 0):
            p0, p1 = (float(share[value, did]) for share in shares)
            # Variance with n-1 within each arm, as everywhere in the encouragement analysis.
            variance = sum(p * (1 - p) / (n - 1) for p, n in zip((p0, p1), sizes, strict=True))
            if variance > 0:
                raw[value, did] = float(stats.norm.sf(_forbidden(did) * (p1 - p0) / np.sqrt(variance)))
    return _joined(raw)


def inequalities_from_moments(control: Joint, variant: Joint) -> Inequalities | NotComputable:
    """The same test from each arm's moments of (R, D), both 0/1; a numeric outcome needs its bins' counts."""
    control_counts, variant_counts = cross_counts(control), cross_counts(variant)
    if isinstance(control_counts, NotComputable):
        return control_counts
    return (
        variant_counts
        if isinstance(variant_counts, NotComputable)
        else inequalities_from_counts(control_counts, variant_counts)
    )


def _forbidden(did: int) -> float:
    """Sign of variant minus control in the direction excluded by the assumptions: fewer who did it, more who didn't."""
    return -1.0 if did == 1 else 1.0


def _joined(raw: dict[tuple[int, int], float]) -> Inequalities | NotComputable:
    if not raw:
        return NotComputable(Reason.NO_VARIANCE)
    adjusted = holm(list(raw.values()))
    worst = int(np.argmin(adjusted))
    return Inequalities(float(adjusted[worst]), list(raw)[worst], tuple(raw.values()))


def _table(coded: NDArray[np.int64], behaviour: NDArray[np.float64], whole: NDArray[np.int64]) -> NDArray[np.int64]:
    table = np.zeros((int(whole.max()) + 1 if len(whole) else 0, 2), dtype=np.int64)
    np.add.at(table, (coded, (behaviour == 1).astype(np.int64)), 1)
    return table


def _codes(outcome: NDArray[np.float64], bins: int) -> NDArray[np.int64]:
    values = np.unique(outcome)
    if len(values) <= bins:
        return np.searchsorted(values, outcome).astype(np.int64)
    edges = np.unique(np.quantile(outcome, np.linspace(0, 1, bins + 1)[1:-1]))
    return np.searchsorted(edges, outcome, side="right").astype(np.int64)


def _clustered_tail(
    cell: NDArray[np.float64],
    nudged: NDArray[np.bool_],
    clusters: NDArray[np.int64],
    sign: float,
    n: NDArray[np.float64] | None,
) -> float | None:
    """One-sided p-value of the cell's share: CR2 error, t with Bell and McCaffrey's degrees of freedom."""
    difference = cluster_difference(cell, nudged.astype(np.float64), clusters, n=n)
    if isinstance(difference, NotComputable):
        return None
    half_way = difference.p_value / 2
    return half_way if sign * difference.estimate > 0 else 1 - half_way


def inequalities_at(inequalities: Inequalities | NotComputable, look: Look) -> Inequalities | NotComputable:
    """One-sided tests repeated at several looks: each p as if it were two-sided, which is conservative."""
    if not computable(inequalities) or not look.is_repeated:
        return inequalities
    raw = tuple(look.p_value(2 * p) if p < 0.5 else 1.0 for p in inequalities.p_values)
    return replace(inequalities, p_value=min(holm(raw)), p_values=raw)
