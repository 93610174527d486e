"""Direct and spillover effects: by hand, against full matrices, of cells as of units, and simulated."""

from typing import Any

import numpy as np
import pytest
from scipy import stats

from stats.results import NotComputable, Reason, computable
from stats.saturation import saturation_effects


def drawn(seed: int, clusters: int = 30, *, shares: tuple[float, ...] = (0.0, 0.5)) -> dict[str, Any]:
    """Clusters of 2 to 40 units with a level of their own; +2 for nudged ones, +1 beside them."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(2, 40, clusters)
    cluster = np.repeat(np.arange(clusters), sizes)
    share = np.array(shares)[np.arange(clusters) % len(shares)][cluster]
    nudged = (rng.random(len(cluster)) < share).astype(float)
    y = rng.normal(size=clusters)[cluster] + rng.normal(size=len(cluster)) + 2 * nudged + (share > 0) * (1 - nudged)
    return {"y": y, "nudged": nudged, "share": share, "clusters": cluster}


def test_effects__four_groups_by_hand() -> None:
    """Two clusters without nudge (means 1 and 3), two with: nudged 8 and 6, not nudged 5 and 3."""
    found = saturation_effects(
        [1, 1, 3, 3, 8, 5, 6, 3],
        [0, 0, 0, 0, 1, 0, 1, 0],
        [0, 0, 0, 0, 0.5, 0.5, 0.5, 0.5],
        ["a", "a", "b", "b", "c", "c", "d", "d"],
        at=0.5,
    )

    assert found.means == (2.0, 4.0, 7.0)
    assert found.units == (4, 2, 2)
    assert (found.clusters, found.control_clusters) == (2, 2)
    # Nudged minus not nudged is 3 in both clusters: nothing is left of it to tell an error by.
    assert found.direct == NotComputable(Reason.NO_VARIANCE)
    for effect, expected in ((found.spillover, 2.0), (found.total, 5.0), (found.overall, 3.5)):
        assert computable(effect)
        assert effect.estimate == pytest.approx(expected)
    # Two clusters an arm, 1 from their mean each: (1/2)^2 twice over 1 - 1/2, in both arms.
    assert computable(found.spillover)
    assert found.spillover.standard_error == pytest.approx(np.sqrt(2))


@pytest.mark.parametrize(
    ("name", "weights"), [("direct", (0, -1, 1)), ("spillover", (-1, 1, 0)), ("overall", (-1, 0.5, 0.5))]
)
def test_errors__equal_those_of_the_full_matrices(name: str, weights: tuple[float, ...]) -> None:
    """CR2 as it is defined: residuals of a cluster times the inverse root of I - H of its rows."""
    data = drawn(1, 12)
    effect = getattr(saturation_effects(**data, at=0.5), name)
    group = np.where(data["share"] == 0, 0, np.where(data["nudged"] == 1, 2, 1))
    used = [place for place, weight in enumerate(weights) if weight]
    kept = np.isin(group, used)
    x = (group[kept][:, None] == used).astype(float)
    y, cluster, contrast = data["y"][kept], data["clusters"][kept], np.array([weights[place] for place in used])
    bread = np.linalg.inv(x.T @ x)
    residual = y - x @ (bread @ x.T @ y)
    hat = x @ bread @ x.T
    variance, rows = 0.0, []
    for one in np.unique(cluster):
        here = cluster == one
        values, vectors = np.linalg.eigh(np.eye(here.sum()) - hat[np.ix_(here, here)])
        root = vectors @ np.diag(np.where(values > 1e-10, np.maximum(values, 1e-10) ** -0.5, 0)) @ vectors.T
        weight = root @ x[here] @ bread @ contrast
        variance += float(weight @ residual[here]) ** 2
        full = np.zeros(len(y))
        full[here] = weight
        rows.append((np.eye(len(y)) - hat) @ full)
    omega = np.array(rows) @ np.array(rows).T
    df = np.trace(omega) ** 2 / (omega**2).sum()

    assert effect.standard_error == pytest.approx(np.sqrt(variance))
    assert (effect.high - effect.estimate) / effect.standard_error == pytest.approx(stats.t.isf(0.025, df))


def test_cells__of_units_that_share_cluster_and_nudge__give_the_same() -> None:
    data = drawn(2)
    keys = np.column_stack([data["clusters"], data["nudged"]])
    cells, place = np.unique(keys, axis=0, return_inverse=True)
    n = np.bincount(place)
    of_cell = {name: np.bincount(place, weights=data[name]) / n for name in ("y", "nudged", "share")}

    units = saturation_effects(**data, at=0.5)
    found = saturation_effects(of_cell["y"], of_cell["nudged"], of_cell["share"], cells[:, 0], at=0.5, n=n)

    for name in ("direct", "spillover", "total", "overall"):
        for ours, theirs in zip(vars(getattr(found, name)).values(), vars(getattr(units, name)).values(), strict=True):
            assert ours == (pytest.approx(theirs) if isinstance(theirs, float) else theirs)
    assert found.units == units.units


def test_share_of_everybody__has_nobody_beside() -> None:
    found = saturation_effects(**drawn(3, shares=(0.0, 1.0)), at=1.0)

    few = NotComputable(Reason.TOO_FEW_CLUSTERS, {"clusters": 0, "needed": 2})
    assert (found.direct, found.spillover) == (few, few)
    assert found.means[1] is None
    assert computable(found.total)
    assert computable(found.overall)
    assert found.total.estimate == found.overall.estimate


def test_other_shares__change_nothing() -> None:
    both, one = drawn(4, 45, shares=(0.0, 0.5, 0.8)), drawn(4, 45, shares=(0.0, 0.5, 0.8))
    kept = one["share"] < 0.8

    assert saturation_effects(**both, at=0.5) == saturation_effects(
        **{name: values[kept] for name, values in one.items()}, at=0.5
    )


@pytest.mark.slow
def test_intervals__simulated__cover_both_effects() -> None:
    covered = {"direct": 0, "spillover": 0, "total": 0}
    truths = {"direct": 1.0, "spillover": 1.0, "total": 2.0}
    for seed in range(600):
        found = saturation_effects(**drawn(seed, 40), at=0.5)
        for name, truth in truths.items():
            effect = getattr(found, name)
            covered[name] += effect.low <= truth <= effect.high

    assert all(0.93 <= n / 600 <= 0.975 for n in covered.values()), covered
