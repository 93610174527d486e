"""The report record of a segmentation, read by page, command line, API and charts, and how it is stored."""

from dataclasses import dataclass

from runs.payloads import Schema
from runs.run_times import Spent
from segments.search.clustering import KChoice, KScore, Null, Standing
from segments.search.features import Dropped
from segments.search.gaps import Gap, Shape
from segments.search.importance import FeatureGroup
from segments.search.leaving import Association, Share
from segments.search.placement import FittedModel
from segments.search.profiles import Agreement, Profile
from segments.search.question import Inputs
from segments.search.reduction import Method, ScorecardRow
from segments.search.tiers import Contrast, Cuts
from stats.results import NotComputable


@dataclass(frozen=True)
class Units:
    """Numbers of units; ``signed_up = too_young + eligible`` and ``eligible = clustered + too_little_data``.

    Attributes:
        signed_up: units of the cohort.
        too_young: units whose window, or the retention's, isn't complete.
        eligible: the others.
        too_little_data: units with fewer than three active days in the window, too few for a pattern.
        clustered: units with a cluster.
        unlike: clustered units farther from every centre than 99 % of the training units.
    """

    signed_up: int
    too_young: int
    eligible: int
    too_little_data: int
    clustered: int
    unlike: int


@dataclass(frozen=True)
class Cluster:
    """One group of units.

    Attributes:
        key: ``g1`` for the largest, and so on.
        stability: mean best Jaccard over resamples, 0 to 1.
        standing: recommended use.
        profile: size, retention, distinctive features.
        heat: mean scaled value of each feature, in the order of `Report.features`; 0 is the average unit.
    """

    key: str
    stability: float
    standing: Standing
    profile: Profile
    heat: tuple[float, ...]


@dataclass(frozen=True)
class Tier:
    """One activity tier: low, mid or high by stored cuts of active days."""

    name: str
    units: int
    retained: Share | NotComputable


@dataclass(frozen=True)
class Drivers:
    """What separates the second group from the first, per active day.

    Attributes:
        first, second: names of the groups.
        first_units, second_units: their sizes.
        exposure_days: active days to which unit-level measures were made equal.
        contrasts: one per behaviour, the largest |Cliff's delta| first.
        auc: how well a model of the rates separates the groups out of fold, or why there is none.
        ranking: groups of behaviours by grouped out-of-fold SHAP, or why none may be shown.
    """

    first: str
    second: str
    first_units: int
    second_units: int
    exposure_days: int
    contrasts: tuple[Contrast, ...]
    auc: float | NotComputable
    ranking: tuple[FeatureGroup, ...] | NotComputable


@dataclass(frozen=True)
class Tiers:
    """Activity tiers and what separates high from mid."""

    cuts: Cuts | NotComputable
    tiers: tuple[Tier, ...]
    drivers: Drivers | NotComputable


@dataclass(frozen=True)
class Points:
    """A sample of units in two dimensions, for a chart only; its distances are no evidence.

    Attributes:
        name: ``pca``, ``umap`` or ``tsne``.
        x, y: coordinates.
        cluster: per point, -1 for none.
        left: per point, True when the unit left later, None when unknown.
    """

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    cluster: tuple[int, ...]
    left: tuple[bool | None, ...]


@dataclass(frozen=True)
class Report:
    """One finished segmentation.

    Attributes:
        inputs: inputs of the run.
        units: numbers of units.
        retention_rate: of all eligible units, or why there is none.
        features: names of the feature columns.
        dropped: behaviours left out, with the reason.
        scorecard: PCA, then UMAP.
        method: the reduction that was clustered.
        method_reason: why that one was chosen.
        k: number of groups shown; where `choice.k` is None they are for exploration only.
        choice: the recommended number of groups and the reason.
        k_scores: every number of groups that was tried.
        null: the silhouette against data without groups.
        stability: mean bootstrap adjusted Rand index at `k`.
        found: False means "no stable clusters": the groups aren't segments.
        clusters: the largest first.
        association: whether churn differs by cluster.
        agreement: how well the clusters of half of the days are the shown ones.
        tiers: activity tiers and their drivers.
        points: coordinates of charts.
        fidelity: out-of-fold agreement of the placing model with the clusters; None when placing is exact.
        seed: of every draw.
        rows: number of units of each sample.
        gaps: the test of each pair of neighbours; empty where no clusters were found.
        shape: groups, styles of a continuum, or none; None in runs of version 0.3, which didn't test for gaps.
        spent: time and memory of the computation; None in runs of earlier versions.
    """

    inputs: Inputs
    units: Units
    retention_rate: Share | NotComputable
    features: tuple[str, ...]
    dropped: tuple[Dropped, ...]
    scorecard: tuple[ScorecardRow, ...]
    method: Method
    method_reason: str
    k: int
    choice: KChoice
    k_scores: tuple[KScore, ...]
    null: Null
    stability: float
    found: bool
    clusters: tuple[Cluster, ...]
    association: Association | NotComputable
    agreement: Agreement | NotComputable
    tiers: Tiers
    points: tuple[Points, ...]
    fidelity: float | None
    seed: int
    rows: dict[str, int]
    gaps: tuple[Gap, ...] = ()
    shape: Shape | None = None
    spent: Spent | None = None


# Parse stored payloads of segmentations, of any version. Pure.

SEGMENTATION, FITTED, PROFILE = Schema(Report), Schema(FittedModel), Schema(Profile)
