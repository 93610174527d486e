"""From counts of units to the report: segmentation, profiles on the other half of the days, tiers and drivers."""

from dataclasses import dataclass, replace

import numpy as np

from runs.parallel import calls
from runs.progress import Early, Progress, part, silent, unseen
from segments.search import clustering
from segments.search.features import Flags, Floats, Ints, UnitTable, columns_of, least_days
from segments.search.importance import FeatureGroup
from segments.search.leaving import Share, leaving, rate, share
from segments.search.partial_results import SIZES, Sizes
from segments.search.profiles import Profiles, describe, profile_clusters, suggest_name
from segments.search.question import Inputs
from segments.search.reduction import Method
from segments.search.result import Cluster, Drivers, Points, Report, Tier, Tiers, Units
from segments.search.segmentation import Options, Segmentation, segment
from segments.search.tiers import HIGH, MID, Contrast, Delta, assign_tiers, find_cuts, separate
from stats.results import NotComputable, Reason

# Sample size of tests and drivers, which is precise enough for profiles; sizes and retention use all units.
PROFILE_ROWS = 200_000
DRIVER_ROWS = 50_000
TIER_NAMES = ("low", "mid", "high")


@dataclass(frozen=True)
class Play:
    """Data of the eligible units from the warehouse.

    Attributes:
        whole: counts and activity of the whole window, one row per unit.
        profiled: rows of the units in profiles: `profiled_rows` by the run's seed.
        first_half, second_half: of two random halves of each profiled unit's active days.
        retained: 1.0, 0.0 or NaN where unknown, one per unit; None without a retention definition.
        follow_up: days to churn or to the end of observation, and whether churn was seen, of each profiled unit; None
            when not requested.
        signed_up: units of the cohort, the too young included.
    """

    whole: UnitTable
    profiled: Ints
    first_half: UnitTable
    second_half: UnitTable
    retained: Floats | None
    follow_up: tuple[Floats, Flags] | None
    signed_up: int


@dataclass(frozen=True)
class Composed:
    """The report, and the segmentation with the fitted model that places units."""

    report: Report
    segmentation: Segmentation


def compose(
    play: Play, inputs: Inputs, *, seed: int, progress: Progress = silent, early: Early = unseen
) -> Composed | NotComputable:
    """Find the groups and describe them.

    Args:
        play: the units.
        inputs: inputs of the run.
        seed: of every draw.
        progress: callback; the stages of `segmentation.segment`, then ``profiles`` and ``drivers``.
        early: called with the parts of `segments.search.partial_results` as they are computed; no effect on the result.

    Returns:
        Report and segmentation, or the reason why nothing can be computed.
    """
    options = Options(
        clusters=inputs.clusters,
        activity_weight=inputs.activity_weight,
        outcome_event=inputs.outcome_event,
        min_active_days=least_days(len(inputs.window)),
        seed=seed,
    )
    left = None if play.retained is None else 1.0 - play.retained
    segmentation = segment(play.whole, outcome=left, options=options, progress=part(progress, 0.0, 0.75), early=early)
    if isinstance(segmentation, NotComputable):
        return segmentation
    early(SIZES, Sizes(segmentation.sizes))
    progress("profiles", 0.75)
    tiers, profiles = calls(
        lambda inner: _tiers(play, segmentation.model.preparation.behaviours, seed, inner),
        lambda _: _profiles(play, segmentation),
        progress=part(progress, 0.75, 1.0),
    )
    return Composed(_report(play, inputs, segmentation, profiles, tiers), segmentation)


def profiled_rows(units: int, seed: int) -> Ints:
    """Rows of the units in profiles: all, or a sample by the run's seed."""
    return np.sort(np.random.default_rng(seed).permutation(units)[:PROFILE_ROWS])


def _report(play: Play, inputs: Inputs, segmentation: Segmentation, profiles: Profiles, tiers: Tiers) -> Report:
    heat = _heat(play.whole, segmentation)
    clusters = tuple(
        Cluster(
            f"g{place + 1}",
            segmentation.stability.jaccard[place],
            segmentation.standings[place],
            profile,
            tuple(map(float, heat[place])),
        )
        for place, profile in enumerate(profiles.clusters)
    )
    eligible = len(play.whole)
    units = Units(
        signed_up=play.signed_up,
        too_young=play.signed_up - eligible,
        eligible=eligible,
        too_little_data=segmentation.too_little_data,
        clustered=eligible - segmentation.too_little_data,
        unlike=int(segmentation.unlike.sum()),
    )
    return Report(
        inputs=inputs,
        units=units,
        retention_rate=_rate(play.retained),
        features=segmentation.features,
        dropped=segmentation.dropped,
        scorecard=segmentation.scorecard,
        method=segmentation.method,
        method_reason=segmentation.method_reason,
        k=segmentation.k,
        choice=segmentation.choice,
        k_scores=segmentation.k_scores,
        null=segmentation.null,
        stability=segmentation.stability.mean_ari,
        found=segmentation.clusters_found,
        clusters=clusters,
        association=profiles.association,
        agreement=profiles.agreement,
        tiers=tiers,
        points=_points(play, segmentation),
        fidelity=segmentation.model.fidelity,
        seed=segmentation.seed,
        rows=segmentation.rows,
        gaps=segmentation.gaps,
        shape=segmentation.shape,
    )


def _rate(retained: Floats | None) -> Share | NotComputable:
    if retained is None or not (known := ~np.isnan(retained)).any():
        return NotComputable(Reason.NO_DATA)
    return rate(int(retained[known].sum()), int(known.sum()))


def _profiles(play: Play, segmentation: Segmentation) -> Profiles:
    """Features and tests on a sample; sizes, shares and residuals from all units."""
    rows, second = play.profiled, play.second_half
    names = segmentation.model.preparation.behaviours
    counts = second.counts[:, columns_of(second, names)]
    rates = counts / np.maximum(second.active_days, 1)[:, None]
    half_labels = _half_labels(play.first_half, segmentation)
    half_labels[second.active_days == 0] = -1  # no data to test on
    profiles = profile_clusters(
        segmentation.labels[rows],
        names=names,
        half_labels=half_labels,
        half_rates=rates,
        retained=_flags(play.retained, rows),
        follow_up=play.follow_up,
        tenure=play.whole.tenure[rows],
    )
    if (half_labels < 0).all():
        profiles = _untested(profiles, play.whole.take(rows), segmentation.labels[rows], names)
    return _from_everybody(profiles, play, segmentation)


def _untested(profiles: Profiles, whole: UnitTable, labels: Ints, names: tuple[str, ...]) -> Profiles:
    """Profiles without p-values, where no unit has two active days, so that the same days formed the groups."""
    rates = whole.counts[:, columns_of(whole, names)] / np.maximum(whole.active_days, 1)[:, None]
    described = describe(labels, rates, names=names)
    no_test = NotComputable(Reason.NO_HALVES)
    clusters = []
    for profile in profiles.clusters:
        features = described[profile.cluster]
        if not isinstance(features, NotComputable):
            features = tuple(replace(row, p_value=no_test, adjusted_p_value=no_test) for row in features)
        name = () if isinstance(features, NotComputable) else suggest_name(features)
        clusters.append(replace(profile, features=features, name=name))
    return Profiles(tuple(clusters), profiles.association, profiles.agreement)


def _from_everybody(profiles: Profiles, play: Play, segmentation: Segmentation) -> Profiles:
    retained = _flags(play.retained, slice(None))
    residuals, association = ({}, profiles.association) if retained is None else leaving(segmentation.labels, retained)
    total = int((segmentation.labels >= 0).sum())
    clusters = []
    for profile in profiles.clusters:
        mine = segmentation.labels == profile.cluster
        size = int(mine.sum())
        clusters.append(
            replace(
                profile,
                size=size,
                share=size / total,
                retained=share(retained, mine),
                left=share(None if retained is None else ~retained, mine),
                residual=residuals.get(profile.cluster, profile.residual),
            )
        )
    return Profiles(tuple(clusters), association, profiles.agreement)


def _flags(retained: Floats | None, rows: Ints | slice) -> Flags | None:
    # Eligible units have a whole outcome window, so none is unknown here.
    return None if retained is None else np.asarray(retained[rows] == 1.0)


def _half_labels(half: UnitTable, segmentation: Segmentation) -> Ints:
    """Labels of clusters fitted on one half of the days only, with the same preparation, reduction and number."""
    labels = np.full(len(half), -1, dtype=np.int64)
    rows = np.flatnonzero(half.active_days >= 1)
    if segmentation.method is Method.UMAP:
        rows = rows[: Options().umap_rows]
    values = segmentation.model.preparation.apply(half.take(rows)).values
    if len(values) <= segmentation.k:
        return labels
    space = clustering.embed(values, segmentation.method, seed=segmentation.seed)
    labels[rows] = clustering.kmeans(space, segmentation.k, seed=segmentation.seed).labels
    return labels


def _heat(table: UnitTable, segmentation: Segmentation) -> Floats:
    rows = np.flatnonzero(segmentation.labels >= 0)[:PROFILE_ROWS]
    values, labels = segmentation.model.preparation.apply(table.take(rows)).values, segmentation.labels[rows]
    scaled = values / np.where(values.std(axis=0) == 0, 1.0, values.std(axis=0))
    return np.vstack([scaled[labels == number].mean(axis=0) for number in range(segmentation.k)])


def _points(play: Play, segmentation: Segmentation) -> tuple[Points, ...]:
    return tuple(
        Points(
            name,
            tuple(round(float(value), 4) for value in picture.points[:, 0]),
            tuple(round(float(value), 4) for value in picture.points[:, 1]),
            tuple(map(int, segmentation.labels[picture.rows])),
            tuple(None if play.retained is None else bool(play.retained[row] == 0.0) for row in picture.rows),
        )
        for name, picture in segmentation.pictures.items()
    )


def _tiers(play: Play, names: tuple[str, ...], seed: int, progress: Progress) -> Tiers:
    days = play.whole.active_days.astype(np.int64)
    cuts = find_cuts(days)
    if isinstance(cuts, NotComputable):
        return Tiers(cuts, (), cuts)
    tier = assign_tiers(days, cuts)
    retained = _flags(play.retained, slice(None))
    rows = tuple(
        Tier(name, int((tier == number).sum()), share(retained, tier == number))
        for number, name in enumerate(TIER_NAMES)
    )
    drivers = find_drivers(
        play.whole, names, first=tier == MID, second=tier == HIGH, labels=("mid", "high"), seed=seed, progress=progress
    )
    return Tiers(cuts, rows, drivers)


def find_drivers(
    table: UnitTable,
    names: tuple[str, ...],
    *,
    first: Flags,
    second: Flags,
    labels: tuple[str, str],
    seed: int,
    progress: Progress = silent,
) -> Drivers | NotComputable:
    """What separates two groups of units per active day, for tiers or any two clusters.

    Args:
        table: the units.
        names: behaviours to compare.
        first, second: membership, one flag per unit; no unit may be in both.
        labels: names of the groups.
        seed: of samples and models.
        progress: listener.
    """
    members = np.flatnonzero((first | second) & (table.active_days >= 1))
    rows = np.random.default_rng(seed).permutation(members)[:DRIVER_ROWS]
    sample = table.take(rows)
    separation = separate(
        sample.counts[:, columns_of(sample, names)].astype(np.int64),
        sample.active_days.astype(np.int64),
        first=first[rows],
        second=second[rows],
        names=names,
        seed=seed,
        progress=progress,
    )
    if isinstance(separation, NotComputable):
        return separation
    importance = separation.importance
    if isinstance(importance, NotComputable):
        auc: float | NotComputable = importance
        ranking: tuple[FeatureGroup, ...] | NotComputable = importance
    else:
        auc, ranked = importance.trees.auc.estimate, importance.ranking
        ranking = ranked if isinstance(ranked, NotComputable) else ranked.groups
    return Drivers(
        first=labels[0],
        second=labels[1],
        first_units=int(first.sum()),
        second_units=int(second.sum()),
        exposure_days=separation.exposure_days,
        contrasts=tuple(sorted(separation.contrasts, key=_by_delta)),
        auc=auc,
        ranking=ranking,
    )


def _by_delta(row: Contrast) -> float:
    return -abs(row.delta.estimate) if isinstance(row.delta, Delta) else 0.0
