"""Profiles of clusters; features are tested on data that did not form the clusters.

Each unit's active days are split at random into two halves: half 1 forms clusters, half 2 describes and tests them.
Retention and survival are measured after the window, so they use the shown clusters and all units.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from scipy import stats

from runs.parallel import each
from segments.search.leaving import Association, Curve, Residual, Share, curve, leaving, share
from segments.search.ranks import Flags, Floats, Ints, standardised_difference
from stats.multiplicity import benjamini_hochberg
from stats.results import NotComputable, Reason

NAME_PARTS = 3
_ABSENT = NotComputable(Reason.NO_DATA)


class Direction(StrEnum):
    """How a cluster differs from the rest in one feature."""

    MORE = "more"
    LESS = "less"


@dataclass(frozen=True)
class FeatureContrast:
    """One feature in a cluster against all other clustered units, on half 2.

    Attributes:
        name: the feature.
        median, rest_median: of the units' rates.
        smd: standardised mean difference, cluster minus rest.
        doing, rest_doing: share of units with a rate above 0, 0 to 1.
        wasserstein: earth mover's distance of the two distributions, in the feature's unit.
        p_value: Welch's t, two-sided.
        adjusted_p_value: Benjamini-Hochberg over features x clusters.
    """

    name: str
    median: float
    rest_median: float
    smd: float | NotComputable
    doing: float
    rest_doing: float
    wasserstein: float
    p_value: float | NotComputable
    adjusted_p_value: float | NotComputable


@dataclass(frozen=True)
class Profile:
    """One cluster.

    Attributes:
        cluster: its number, 0 for the largest.
        size: units.
        share: of all clustered units, 0 to 1.
        retained, left: after the window; they add up to 1.
        residual: of the leavers.
        survival: time to churn.
        tenure_median: in days.
        features: in the caller's order, or the reason why half 1 has no such cluster.
        name: up to three features with the largest |SMD| and their direction; pages turn it into words.
    """

    cluster: int
    size: int
    share: float
    retained: Share | NotComputable
    left: Share | NotComputable
    residual: Residual | NotComputable
    survival: Curve | NotComputable
    tenure_median: float | NotComputable
    features: tuple[FeatureContrast, ...] | NotComputable
    name: tuple[tuple[str, Direction], ...]


@dataclass(frozen=True)
class Agreement:
    """Agreement of the clusters of half 1 with the shown ones.

    Attributes:
        pairs: (half-1 cluster, shown cluster), matched to maximise the units in common.
        units: units with a cluster in both.
        share: of these, those whose half-1 cluster is matched to the shown one, 0 to 1.
        adjusted_rand: 0 by chance, 1 at best.
    """

    pairs: tuple[tuple[int, int], ...]
    units: int
    share: float
    adjusted_rand: float


@dataclass(frozen=True)
class Profiles:
    """Profiles of all clusters, and results about them together."""

    clusters: tuple[Profile, ...]
    association: Association | NotComputable
    agreement: Agreement | NotComputable


def profile_clusters(
    labels: Ints,
    *,
    names: Sequence[str],
    half_labels: Ints,
    half_rates: Floats,
    retained: Flags | None = None,
    follow_up: tuple[Floats, Flags] | None = None,
    tenure: Floats | None = None,
) -> Profiles:
    """Profile the shown clusters.

    Args:
        labels: shown cluster per unit, made from all data; negative for units in none.
        names: one per feature.
        half_labels: cluster per unit, made from half 1 alone; negative for none.
        half_rates: units x features on half 2, per active day of half 2: unscaled, 0 when it wasn't done.
        retained: whether the unit was retained after the window.
        follow_up: days to churn or to the end of observation, and whether churn was observed.
        tenure: days since the first event.

    Returns:
        One profile per shown cluster in the order of their numbers. Shares, residuals and curves of clusters below 50
        units are ``NotComputable(SMALL_GROUP)``; what wasn't given is ``NotComputable(NO_DATA)``.

    Raises:
        ValueError: shapes that don't agree.

    Source: docs/methods/profiles.md, "Profiles".
    """
    if half_labels.shape != labels.shape or half_rates.shape != (len(labels), len(names)):
        raise ValueError(f"{len(labels)} units, but half 2 has the shape {half_rates.shape} for {len(names)} names")
    clusters = [int(number) for number in np.unique(labels[labels >= 0])]
    agreement = match_halves(labels, half_labels)
    described = describe(_matched(half_labels, agreement), half_rates, names=names)
    residuals, association = ({}, _ABSENT) if retained is None else leaving(labels, retained)
    total = int((labels >= 0).sum())
    profiles = []
    for number in clusters:
        mine = labels == number
        size = int(mine.sum())
        features = described.get(number, _ABSENT)
        profiles.append(
            Profile(
                cluster=number,
                size=size,
                share=size / total,
                retained=share(retained, mine),
                left=share(None if retained is None else ~retained, mine),
                residual=residuals.get(number, _ABSENT),
                survival=_ABSENT if follow_up is None else curve(*(x[mine] for x in follow_up)),
                tenure_median=_ABSENT if tenure is None else float(np.median(tenure[mine])),
                features=features,
                name=() if isinstance(features, NotComputable) else suggest_name(features),
            )
        )
    return Profiles(tuple(profiles), association, agreement)


def describe(
    labels: Ints, rates: Floats, *, names: Sequence[str]
) -> dict[int, tuple[FeatureContrast, ...] | NotComputable]:
    """Every feature of every cluster against the other clustered units.

    Args:
        labels: cluster per unit, negative for none; must not be formed from `rates`, else the p-values are invalid.
        rates: units x features.
        names: one per feature.

    Returns:
        By cluster, features in the order of `names`. Needs two units in the cluster and two outside it.
    """
    by_cluster: dict[int, tuple[FeatureContrast, ...] | NotComputable] = {}
    clustered = labels >= 0
    raw: list[tuple[int, list[FeatureContrast]]] = []
    for number in (int(n) for n in np.unique(labels[clustered])):
        mine, rest = rates[labels == number], rates[clustered & (labels != number)]
        smaller = min(len(mine), len(rest))
        if smaller < 2:
            by_cluster[number] = NotComputable(Reason.TOO_FEW_UNITS, {"n": smaller, "needed": 2})
        else:
            columns = list(zip(names, mine.T, rest.T, strict=True))
            raw.append((number, each(columns, lambda column, _: _contrast(*column))))
    tested = [c.p_value for _, contrasts in raw for c in contrasts if not isinstance(c.p_value, NotComputable)]
    family = iter(benjamini_hochberg(tested))
    for number, contrasts in raw:
        by_cluster[number] = tuple(
            c if isinstance(c.p_value, NotComputable) else replace(c, adjusted_p_value=next(family)) for c in contrasts
        )
    return by_cluster


def _contrast(name: str, mine: Floats, rest: Floats) -> FeatureContrast:
    smd = standardised_difference(rest, mine)
    nothing = NotComputable(Reason.NO_VARIANCE)
    p = nothing if smd is None else float(stats.ttest_ind(mine, rest, equal_var=False).pvalue)
    return FeatureContrast(
        name=name,
        median=float(np.median(mine)),
        rest_median=float(np.median(rest)),
        smd=nothing if smd is None else smd,
        doing=float((mine > 0).mean()),
        rest_doing=float((rest > 0).mean()),
        wasserstein=float(stats.wasserstein_distance(mine, rest)),
        p_value=p,
        adjusted_p_value=p,
    )


def suggest_name(features: Sequence[FeatureContrast]) -> tuple[tuple[str, Direction], ...]:
    """Up to three features with the largest |SMD|, largest first, and whether the cluster does more or less of them."""
    known = [(f.name, f.smd) for f in features if not isinstance(f.smd, NotComputable) and f.smd != 0]
    known.sort(key=lambda pair: -abs(pair[1]))
    return tuple((name, Direction.MORE if smd > 0 else Direction.LESS) for name, smd in known[:NAME_PARTS])


def match_halves(labels: Ints, half_labels: Ints) -> Agreement | NotComputable:
    """Match the clusters of half 1 to the shown ones, maximising the units in common. Source: Kuhn 1955."""
    from scipy.optimize import linear_sum_assignment
    from sklearn.metrics import adjusted_rand_score

    both = (labels >= 0) & (half_labels >= 0)
    if not both.any():
        return NotComputable(Reason.NO_DATA)
    halves, half_place = np.unique(half_labels[both], return_inverse=True)
    shown, shown_place = np.unique(labels[both], return_inverse=True)
    size = len(halves) * len(shown)
    table = np.bincount(half_place * len(shown) + shown_place, minlength=size).reshape(len(halves), len(shown))
    rows, columns = linear_sum_assignment(table, maximize=True)
    return Agreement(
        pairs=tuple((int(halves[row]), int(shown[column])) for row, column in zip(rows, columns, strict=True)),
        units=int(both.sum()),
        share=float(table[rows, columns].sum() / both.sum()),
        adjusted_rand=float(adjusted_rand_score(labels[both], half_labels[both])),
    )


def _matched(half_labels: Ints, agreement: Agreement | NotComputable) -> Ints:
    """Half-1 labels under the numbers of the shown clusters they are matched to; unmatched clusters are -1."""
    result = np.full(len(half_labels), -1, dtype=np.int64)
    if not isinstance(agreement, NotComputable):
        for half, shown in agreement.pairs:
            result[half_labels == half] = shown
    return result
