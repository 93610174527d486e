"""The whole segmentation as one pure function: from counts of units to one frozen record.

Sample sizes (all draws by the stored seed): models are fitted on at most 200,000 units, a UMAP on at most 20,000; the
table of K, the scorecard, bootstrap and null use the same at most 5,000 *reference* units (UMAP refits the first 1,500
of them); charts show 3,000. Every unit gets its label from the fitted model.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib.metadata import version

import numpy as np

from runs.parallel import calls, each
from runs.progress import Early, Listeners, Progress, part, silent, unseen
from segments.search import clustering, partial_results, placement, reduction
from segments.search.clustering import FoundGroups, KChoice, KScore, Null, Stability, Standing
from segments.search.features import (
    MIN_ACTIVE_DAYS,
    Dropped,
    Features,
    Flags,
    Floats,
    Ints,
    Preparation,
    UnitTable,
    columns_of,
    learn_features,
    relearn,
)
from segments.search.gaps import Gap, Shape, find_gaps, shape_of
from segments.search.placement import FittedModel
from segments.search.reduction import Method, Picture, ScorecardRow
from stats.results import NotComputable, Reason

MIN_UNITS = 100
METHODS = (Method.PCA, Method.UMAP)
LIBRARIES = ("numpy", "scipy", "scikit-learn", "umap-learn", "numba", "openTSNE", "lightgbm")


@dataclass(frozen=True)
class Options:
    """Options; the defaults are those of docs/methods/segments.md.

    Attributes:
        clusters: K, or None to choose it.
        method: the reduction to cluster on, or None for the recommended one.
        activity_weight: weight of the activity block in the distance.
        outcome_event: event of a `min_events` retention, which then can't be a feature.
        min_active_days: units with fewer have too little data; a window shorter than three days can't ask for three.
        seed: of every draw.
        model_rows, umap_rows, reference_rows, refit_rows, measure_rows, picture_rows: sizes of the samples.
        resamples: bootstrap resamples for PCA and for UMAP.
        null_draws: draws of the null for PCA and for UMAP.
        seeds: number of fits whose agreement is "reproducibility".
    """

    clusters: int | None = None
    method: Method | None = None
    activity_weight: float = 0.0
    outcome_event: str | None = None
    min_active_days: int = MIN_ACTIVE_DAYS
    seed: int = 1
    model_rows: int = 200_000
    umap_rows: int = 20_000
    reference_rows: int = 5_000
    refit_rows: int = 1_500
    measure_rows: int = 3_000
    picture_rows: int = 3_000
    resamples: tuple[int, int] = (50, 20)
    null_draws: tuple[int, int] = (50, 19)
    seeds: int = 5


@dataclass(frozen=True)
class Segmentation:
    """Result of a segmentation, for the page, the document and later placement.

    Attributes:
        unit_ids: all units of the run.
        labels: one per unit; 0 is the largest cluster of the training units, -1 too little data.
        unlike: units farther from every centre than 99 % of the training units.
        too_little_data: units with too few active days.
        features: the columns of the distance.
        dropped: behaviours left out, with the reason.
        scorecard: PCA, then UMAP.
        method: the reduction used.
        method_reason: ``stability``, ``usefulness``, ``tie``, ``given``, or ``fidelity`` (UMAP was better, but
            can't place units).
        explained: share of variance of each PCA component kept.
        parallel: PCA components that beat shuffled data.
        k_scores: the table of K.
        choice: the recommended K and why.
        k: clusters in `labels`; where `choice.k` is None the most stable K, for exploration only.
        stability: bootstrap at `k`; `stability.jaccard` is in the order of the labels.
        standings: recommended use of each cluster.
        null: the silhouette against data without clusters.
        clusters_found: p <= .05 and bootstrap ARI >= .8. False means "no stable clusters"; the labels aren't segments.
        pictures: ``pca``, ``umap`` and ``tsne``.
        model: places units.
        seed: of the run.
        rows: number of units of each sample.
        versions: of the libraries.
        gaps: the test of each pair of neighbours; empty where no clusters were found.
        shape: groups, styles of a continuum, or none.
    """

    unit_ids: "np.ndarray[tuple[int], np.dtype[np.object_]]"
    labels: Ints
    unlike: Flags
    too_little_data: int
    features: tuple[str, ...]
    dropped: tuple[Dropped, ...]
    scorecard: tuple[ScorecardRow, ...]
    method: Method
    method_reason: str
    explained: tuple[float, ...]
    parallel: int
    k_scores: tuple[KScore, ...]
    choice: KChoice
    k: int
    stability: Stability
    standings: tuple[Standing, ...]
    null: Null
    clusters_found: bool
    pictures: dict[str, Picture]
    model: FittedModel
    seed: int
    rows: dict[str, int]
    versions: dict[str, str] = field(default_factory=dict)
    gaps: tuple[Gap, ...] = ()
    shape: Shape = Shape.NONE

    @property
    def sizes(self) -> tuple[int, ...]:
        """Units per cluster."""
        return tuple(map(int, np.bincount(self.labels[self.labels >= 0], minlength=self.k)))


@dataclass(frozen=True)
class _Sample:
    """The reference units of the table of K, the scorecard, bootstrap and null."""

    table: UnitTable
    preparation: Preparation
    values: Floats

    def head(self, rows: int) -> "_Sample":
        return _Sample(self.table.take(np.arange(len(self.table)) < rows), self.preparation, self.values[:rows])

    def redraw(self, rng: np.random.Generator) -> Floats:
        """Draw counts and activity from a copula, and refit the same preparation on them."""
        names, table, learnt = self.preparation.behaviours, self.table, self.preparation
        drawn = self._copula(rng)
        null = UnitTable(table.unit_ids, names, drawn[:, : len(names)], *drawn[:, len(names) :].T)
        again = relearn(
            null,
            names,
            activity_weight=learnt.activity_weight,
            prior_days=learnt.prior_days,
            min_active_days=learnt.min_active_days,
        )
        return again.apply(null).values

    @cached_property
    def _copula(self) -> Callable[[np.random.Generator], Floats]:
        table = self.table
        counts = table.counts[:, columns_of(table, self.preparation.behaviours)]
        activity = [table.active_days, table.sessions, table.tenure, table.recency]
        return clustering.copula(np.column_stack([counts, *activity]))


def segment(
    table: UnitTable,
    *,
    outcome: Floats | None = None,
    options: Options | None = None,
    progress: Progress = silent,
    early: Early = unseen,
) -> Segmentation | NotComputable:
    """Cluster the play patterns of units, and test whether they are more than one unimodal population.

    Args:
        table: counts and activity of the units in the window.
        outcome: per unit 1.0 churned later, 0.0 not, NaN unknown; used only for the scorecard's usefulness, on units
            outside the fit.
        options: see `Options`.
        progress: callback; stages ``features``, ``k``, ``scorecard``, ``model``, ``null``, ``pictures``.
        early: called with the parts of `segments.search.partial_results` as they are computed; no effect on the result.

    Returns:
        The record, whose `clusters_found` may be False, or the reason why nothing can be computed.
    """
    chosen = options or Options()
    progress("features", 0.0)
    eligible = np.flatnonzero(table.active_days >= chosen.min_active_days)
    if len(eligible) < MIN_UNITS:
        details: dict[str, str | int | float] = {"units": len(eligible), "active_days": chosen.min_active_days}
        return NotComputable(Reason.TOO_FEW_ACTIVE_UNITS, details | {"needed": MIN_UNITS})
    train = np.random.default_rng(chosen.seed).permutation(eligible)[: chosen.model_rows]
    learnt = learn_features(
        table.take(train),
        outcome_event=chosen.outcome_event,
        activity_weight=chosen.activity_weight,
        min_active_days=chosen.min_active_days,
    )
    if isinstance(learnt, NotComputable):
        return learnt
    early(partial_results.FEATURES, partial_results.Compared(len(learnt.preparation.names), len(learnt.dropped)))
    return _segment(table, outcome, chosen, train, learnt, (progress, early))


def _segment(
    table: UnitTable, outcome: Floats | None, options: Options, train: Ints, learnt: Features, heard: Listeners
) -> Segmentation:
    progress, early = heard
    preparation = learnt.preparation
    values = preparation.apply(table.take(train)).values
    reference = min(options.reference_rows, int(0.7 * len(train)))
    held = slice(reference, min(len(train), 2 * reference))
    sample = _Sample(table.take(train[:reference]), preparation, values[:reference])
    spaces, pictures, groups = calls(
        lambda inner: each(METHODS, lambda method, _: _spaces(sample, method, options), progress=inner),
        lambda _: reduction.draw(values[: options.picture_rows], train, seed=options.seed),
        lambda inner: _choose_k(sample, Method.PCA, options, inner, early),
        progress=part(progress, 0.02, 0.35),
    )
    judged = (values[held], None if outcome is None else outcome[train[held]])
    progress("scorecard", 0.35)
    both = tuple(zip(METHODS, spaces, strict=True))
    rows = each(both, lambda one, _: _scorecard_row(sample, *one, groups.k, *judged, options))
    progress("scorecard", 0.4)
    method, why, sample, groups, model = _fit(sample, groups, rows, values, options, part(progress, 0.4, 0.6), early)
    progress("model", 0.65)
    null, placed, pca = calls(
        lambda inner: _null(sample, method, groups, options, inner, early),
        lambda _: model.place(table),
        lambda _: reduction.fit_pca(sample.values, rng=np.random.default_rng(options.seed)),
        progress=part(progress, 0.65, 0.9),
    )
    stability = placement.in_order_of(model, sample.values, groups.labels, groups.stability)
    clusters_found = groups.choice.k is not None and null.p_value <= clustering.NULL_LEVEL
    clusters_found &= stability.mean_ari >= clustering.STABLE_ARI
    gaps, shape = _gaps(table.take(train), values, model, early, clusters_found=clusters_found)
    progress("pictures", 0.9)
    return Segmentation(
        unit_ids=table.unit_ids,
        labels=placed.labels,
        unlike=placed.unlike,
        too_little_data=int((placed.labels == placement.TOO_LITTLE_DATA).sum()),
        features=preparation.names,
        dropped=learnt.dropped,
        scorecard=tuple(_with_stability(row, method, stability) for row in rows),
        method=method,
        method_reason=why,
        explained=pca.explained,
        parallel=pca.parallel,
        k_scores=groups.scores,
        choice=groups.choice,
        k=groups.k,
        stability=stability,
        standings=tuple(map(clustering.standing, stability.jaccard)),
        null=null,
        clusters_found=clusters_found,
        pictures=pictures,
        model=model,
        seed=options.seed,
        rows={"units": len(table), "train": len(train), "reference": len(sample.table)},
        versions={name: version(name) for name in LIBRARIES},
        gaps=gaps,
        shape=shape,
    )


def _fit(
    sample: _Sample,
    groups: FoundGroups,
    rows: Sequence[ScorecardRow],
    values: Floats,
    options: Options,
    progress: Progress,
    early: Early,
) -> tuple[Method, str, _Sample, FoundGroups, FittedModel]:
    """The method used with its reason, sample, number of groups and model; `sample` and `groups` are PCA's."""
    method, why = (options.method, "given") if options.method else reduction.recommend(*rows)
    if method is Method.UMAP:
        smaller = sample.head(options.refit_rows)
        umap_groups = _choose_k(smaller, method, options, progress, early)
        model = placement.fit_model(
            sample.preparation, values[: options.umap_rows], method, umap_groups.k, seed=options.seed
        )
        if model.fidelity is None or model.fidelity >= placement.MIN_FIDELITY:
            early(partial_results.METHOD, partial_results.Chosen(method, partial_results.group_count(umap_groups)))
            return method, why, smaller, umap_groups, model
        # Clusters into which units can't be placed can't be published; PCA's can.
        why = "fidelity"
    model = placement.fit_model(sample.preparation, values, Method.PCA, groups.k, seed=options.seed)
    early(partial_results.METHOD, partial_results.Chosen(Method.PCA, partial_results.group_count(groups)))
    return Method.PCA, why, sample, groups, model


def _gaps(
    table: UnitTable, values: Floats, model: FittedModel, early: Early, *, clusters_found: bool
) -> tuple[tuple[Gap, ...], Shape]:
    """The gap test on every training unit, with its number of feature events as activity."""
    gaps: tuple[Gap, ...] = ()
    if clusters_found:
        events = table.counts[:, columns_of(table, model.preparation.behaviours)].sum(axis=1)
        gaps = find_gaps(values, model.labels_of(values), events)
    shape = shape_of(gaps, clusters_found=clusters_found)
    early(partial_results.GAPS, partial_results.neighbours_of(gaps, shape))
    return gaps, shape


def _null(
    sample: _Sample, method: Method, groups: FoundGroups, options: Options, progress: Progress, early: Early
) -> Null:
    observed, draws = clustering.silhouette(sample.values, groups.labels), options.null_draws[method is Method.UMAP]
    null = clustering.compare_with_null(
        observed, sample.redraw, method, groups.k, draws=draws, seed=options.seed, progress=progress
    )
    early(partial_results.CHANCE, partial_results.chance_of(null))
    return null


def _choose_k(sample: _Sample, method: Method, options: Options, progress: Progress, early: Early) -> FoundGroups:
    """The table of K on the sample, and the recommended K."""
    progress("k", 0.0)
    values, seed = sample.values, options.seed
    space = clustering.embed(values, method, seed=seed)
    wanted = clustering.K_RANGE if options.clusters is None else (*clustering.K_RANGE, options.clusters)
    ks = sorted({k for k in wanted if k * 10 <= len(values)})
    base = dict(zip(ks, each(ks, lambda k, _: clustering.kmeans(space, k, seed=seed).labels), strict=True))
    gaps = clustering.gap_statistic(space, [1, *ks], seed=seed)
    resamples = options.resamples[method is Method.UMAP]
    stability = clustering.bootstrap(
        values, method, ks, base, resamples=resamples, seed=seed, progress=part(progress, 0.2, 1.0)
    )
    scores = clustering.score_ks(values, base, stability, gaps)
    choice = clustering.choose_k(scores, clustering.gap_choice(gaps), given=options.clusters)
    k = choice.votes["stability"] if choice.k is None else choice.k
    groups = FoundGroups(scores, choice, k, base[k], stability[k])
    early(partial_results.GROUPS, partial_results.group_count(groups))
    return groups


def _spaces(sample: _Sample, method: Method, options: Options) -> tuple[list[Floats], float]:
    """The sample under a reduction, once per seed; and the shortest fit time in seconds, since fits run in parallel."""

    def embed(seed: int, _: Progress) -> tuple[Floats, float]:
        started = time.perf_counter()
        space = clustering.embed(sample.values, method, seed=seed)
        return space, time.perf_counter() - started

    if method is Method.PCA:  # it is deterministic
        space, seconds = embed(options.seed, silent)
        return [space] * options.seeds, seconds
    embeddings = each(range(options.seed, options.seed + options.seeds), embed)
    return [space for space, _ in embeddings], min(seconds for _, seconds in embeddings)


def _scorecard_row(
    sample: _Sample,
    method: Method,
    fits: tuple[list[Floats], float],
    k: int,
    held: Floats,
    outcome: Floats | None,
    options: Options,
) -> ScorecardRow:
    """Cluster the sample once per seed, and measure the first."""
    from sklearn.neighbors import KNeighborsClassifier

    spaces, seconds = fits
    labels = [clustering.kmeans(space, k, seed=options.seed + place).labels for place, space in enumerate(spaces)]
    pairs = [(a, b) for b in range(len(labels)) for a in range(b)]
    rows = slice(0, options.measure_rows)
    useful = None
    if outcome is not None and len(held):
        nearest = KNeighborsClassifier(reduction.NEIGHBOURS).fit(sample.values, labels[0])
        useful = reduction.eta_squared(outcome, nearest.predict(held).astype(np.int64))
    return ScorecardRow(
        method,
        spaces[0].shape[1],
        reduction.faithfulness(sample.values[rows], spaces[0][rows], rng=np.random.default_rng(options.seed)),
        float(np.mean([clustering.agreement(labels[a], labels[b]) for a, b in pairs])),
        None,
        clustering.silhouette(sample.values, labels[0]),
        useful,
        seconds,
    )


def _with_stability(row: ScorecardRow, method: Method, stability: Stability) -> ScorecardRow:
    return replace(row, stability=stability.mean_ari) if row.method is method else row
