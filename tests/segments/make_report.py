"""A small segmentation report by hand: two groups, one reduction each, all numbers readable."""

from dataclasses import replace
from typing import Any

from segments.search.clustering import KChoice, KReason, KScore, Null, standing
from segments.search.features import Drop, Dropped
from segments.search.importance import FeatureGroup
from segments.search.leaving import Association, Residual, Share
from segments.search.profiles import Agreement, Direction, FeatureContrast, Profile
from segments.search.question import Inputs
from segments.search.reduction import Faithfulness, Method, ScorecardRow
from segments.search.result import Cluster, Drivers, Points, Report, Tier, Tiers, Units
from segments.search.tiers import Contrast, Cuts, Delta, Rate
from stats.results import NotComputable, Reason

NO_DATA = NotComputable(Reason.NO_DATA)


def share(count: int, n: int) -> Share:
    estimate = count / n
    return Share(count, n, estimate, max(estimate - 0.05, 0.0), min(estimate + 0.05, 1.0))


def cluster(number: int, *, stability: float = 0.9, retained: int = 300, heat: tuple[float, ...]) -> Cluster:
    features = tuple(
        FeatureContrast(name, 0.5, 0.25, smd, 0.6, 0.4, 0.3, 0.001, 0.002)
        for name, smd in (("battle", 0.8 - number), ("shop", 0.1))
    )
    profile = Profile(
        cluster=number,
        size=1_000,
        share=0.5,
        retained=share(retained, 1_000),
        left=share(1_000 - retained, 1_000),
        residual=Residual(-2.0, 0.045, 0.09),
        survival=NO_DATA,
        tenure_median=30.0,
        features=features,
        name=(("battle", Direction.MORE if number == 0 else Direction.LESS),),
    )
    return Cluster(f"g{number + 1}", stability, standing(stability), profile, heat)


def points(name: str) -> Points:
    return Points(name, (0.0, 1.0, 2.0), (0.0, 1.0, 0.5), (0, 1, 1), (True, False, True))


def drivers() -> Drivers:
    rate = Rate(1.0, 0.9, 1.1)
    contrasts = (
        Contrast("battle", rate, Rate(2.0, 1.9, 2.1), Rate(1.0, 0.8, 1.2), 0.5, Delta(0.4, 0.3, 0.5, 1e-9, 1e-8)),
        Contrast("shop", rate, rate, Rate(0.0, -0.1, 0.1), 0.0, Delta(0.0, -0.1, 0.1, 0.9, 0.9)),
    )
    ranking = (FeatureGroup(("battle",), 0.4, 1, 1, 1), FeatureGroup(("shop",), 0.01, 2, 2, 2))
    return Drivers("mid", "high", 600, 700, 3, contrasts, 0.7, ranking)


def report(**changes: Any) -> Report:
    """Two stable groups; `changes` replace fields."""
    row = ScorecardRow(Method.PCA, 2, Faithfulness(0.95, 0.94, 0.6, 0.9), 0.99, 0.95, 0.3, 0.02, 0.01)
    umap = ScorecardRow(Method.UMAP, 10, Faithfulness(0.97, 0.93, 0.4, 0.6), 0.97, None, 0.28, 0.02, 5.0)
    scores = tuple(
        KScore(k, 0.3 - 0.02 * k, 1.0 + k, 500.0 / k, 0.4, 0.01, 0.99 - 0.1 * (k - 2), 0.3, k <= 3) for k in (2, 3, 4)
    )
    made = Report(
        inputs=Inputs("signup", 0, 13, retention="window:21-27"),
        units=Units(signed_up=2_500, too_young=100, eligible=2_400, too_little_data=400, clustered=2_000, unlike=20),
        retention_rate=share(800, 2_400),
        features=("battle", "shop"),
        dropped=(Dropped("login", Drop.CONSTANT), Dropped("fight", Drop.NEAR_DUPLICATE, "battle")),
        scorecard=(row, umap),
        method=Method.PCA,
        method_reason="tie",
        k=2,
        choice=KChoice(
            2, KReason.GAP, 2, {"silhouette": 2, "davies_bouldin": 3, "calinski_harabasz": 2, "stability": 2}
        ),
        k_scores=scores,
        null=Null(0.3, tuple(0.1 + 0.001 * place for place in range(50)), 1 / 51, 1.0),
        stability=0.95,
        found=True,
        clusters=(cluster(0, heat=(1.5, -0.5)), cluster(1, retained=500, heat=(-1.4, 0.4))),
        association=Association(80.0, 1, 1e-18, 0.2),
        agreement=Agreement(((0, 0), (1, 1)), 1_900, 0.97, 0.88),
        tiers=Tiers(
            Cuts(2, 5),
            tuple(Tier(name, 800, share(kept, 800)) for name, kept in (("low", 40), ("mid", 200), ("high", 560))),
            drivers(),
        ),
        points=(points("pca"), points("umap"), points("tsne")),
        fidelity=None,
        seed=1,
        rows={"units": 2_400, "train": 2_000, "reference": 1_400},
    )
    return replace(made, **changes)


def nothing_found(**changes: Any) -> Report:
    """The same without stable groups."""
    votes = report().choice.votes
    choice = KChoice(None, KReason.NONE_ADMISSIBLE, 1, votes)
    return report(**({"found": False, "choice": choice, "stability": 0.5} | changes))
