"""Direct and spillover effects: by hand, against full matrices, of cells as of units, and simulated."""

from typing import Any

import numpy as np
import pytest
from scipy import stats

from stats.instrument.anderson_rubin import anderson_rubin
from stats.instrument.encouragement import wald
from stats.iv_moments import iv_moments_adjusted
from stats.results import NotComputable, Reason, computable
from stats.saturation import BehaviourEffect, SaturationEffects, saturation_effects
from tests.rates import at_least, at_most


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


# ── Of the behaviour ──────────────────────────────────────────────────────────
def guilds(seed: int, own: float, peers: float, *, clusters: int = 240, size: int = 25) -> dict[str, Any]:
    """Half of the guilds have half of their units nudged; friends' acts count by their share among the others."""
    rng = np.random.default_rng(seed)
    cluster = np.repeat(np.arange(clusters), size)
    share = np.where(cluster % 2 == 1, 0.5, 0.0)
    nudged = (rng.random(len(cluster)) < share).astype(float)
    kind = rng.random(len(cluster))
    did = ((kind < 0.2) | ((kind < 0.5) & (nudged == 1))).astype(float)
    sums = np.bincount(cluster, weights=did)[cluster]
    friends = (sums - did) / (size - 1)
    chance = 0.3 + rng.normal(0, 0.03, clusters)[cluster] + own * did + peers * friends
    y = (rng.random(len(cluster)) < chance).astype(float)
    return {"y": y, "nudged": nudged, "share": share, "clusters": cluster, "behaviour": did, "friends": friends}


def judged(data: dict[str, Any], **options: Any) -> SaturationEffects:
    return saturation_effects(**{name: one for name, one in data.items() if name != "friends"}, at=0.5, **options)


def known(value: BehaviourEffect | NotComputable | None) -> BehaviourEffect:
    assert isinstance(value, BehaviourEffect)
    return value


def test_behaviour__own_and_peers__are_the_moments_of_their_contrasts() -> None:
    """Own: nudged against the others of the same clusters. Peers': those others against clusters without nudge."""
    data = guilds(1, 0.1, 0.2)
    found = judged(data)

    group, empty = np.where(data["share"] == 0, 0, np.where(data["nudged"] == 1, 2, 1)), np.empty
    for effect, sides, moved in ((found.own, (1, 2), "behaviour"), (found.peers, (0, 1), "friends")):
        here = np.isin(group, sides)
        rows = {name: values[here] for name, values in data.items()}
        treated = (group[here] == sides[1]).astype(float)
        oracle = iv_moments_adjusted(rows["y"], rows[moved], treated, empty((here.sum(), 0)), clusters=rows["clusters"])
        assert computable(oracle)
        ratio, around = wald(oracle), anderson_rubin(oracle)
        assert computable(ratio)
        shown = known(effect)
        assert computable(shown.effect)
        assert computable(shown.moved)
        assert shown.moved.estimate == pytest.approx(oracle.first_stage)
        assert shown.effect.estimate == pytest.approx(ratio.estimate)
        assert (shown.effect_set.low, shown.effect_set.high) == pytest.approx((around.low, around.high))


def test_own__contains_zero__exactly_if_direct_is_not_significant() -> None:
    for seed in range(12):
        found = judged(guilds(seed, 0.05, 0.2, clusters=60))
        assert computable(found.direct)
        assert known(found.own).effect_set.contains(0.0) == (found.direct.p_value >= 0.05)


def test_behaviour__of_cells__is_that_of_units() -> None:
    data = guilds(2, 0.1, 0.2, clusters=40)
    cells = np.column_stack([data["clusters"], data["nudged"]])
    groups, place = np.unique(cells, axis=0, return_inverse=True)
    n = np.bincount(place).astype(float)
    means = {name: np.bincount(place, weights=data[name]) / n for name in ("y", "share", "behaviour")}

    units = judged(data)
    found = saturation_effects(
        means["y"], groups[:, 1], means["share"], groups[:, 0], at=0.5, n=n, behaviour=means["behaviour"]
    )

    for one, other in ((found.own, units.own), (found.peers, units.peers)):
        assert (known(one).effect_set.low, known(one).effect_set.high) == pytest.approx(
            (known(other).effect_set.low, known(other).effect_set.high)
        )


def test_behaviour__not_asked__has_no_effects() -> None:
    found = saturation_effects(**drawn(1), at=0.5)

    assert (found.own, found.peers, found.beside_moved) == (None, None, None)


def test_peers__units_alone_in_their_cluster__have_no_friends() -> None:
    data = guilds(3, 0.1, 0.2, clusters=40)
    alone: dict[str, Any] = {
        "y": [1.0, 0.0],
        "nudged": [0.0, 0.0],
        "share": [0.0, 0.5],
        "clusters": [1_000, 1_001],
        "behaviour": [0.0, 1.0],
    }
    with_them = {name: np.append(data[name], alone[name]) for name in alone}

    assert known(judged(with_them).peers).effect_set == known(judged(data).peers).effect_set
    assert known(judged(with_them).own).effect_set != known(judged(data).own).effect_set


def test_peers__everybody_nudged__has_nobody_beside() -> None:
    data = guilds(4, 0.1, 0.2, clusters=40)
    whole = {**data, "share": np.where(data["share"] > 0, 1.0, 0.0), "nudged": (data["share"] > 0).astype(float)}
    found = saturation_effects(**{name: one for name, one in whole.items() if name != "friends"}, at=1.0)

    assert found.own == NotComputable(Reason.TOO_FEW_CLUSTERS, {"clusters": 0, "needed": 2})
    assert found.peers == NotComputable(Reason.TOO_FEW_CLUSTERS, {"clusters": 0, "needed": 2})


def covering(runs: int, own: float) -> tuple[int, int, int]:
    """Runs whose sets hold the own and the peers' effect, and runs whose own set lies above 0."""
    held, held_peers, above = 0, 0, 0
    for seed in range(runs):
        found = judged(guilds(seed, own, 0.2, clusters=120))
        held += known(found.own).effect_set.contains(own)
        held_peers += known(found.peers).effect_set.contains(0.2)
        low = known(found.own).effect_set.low
        above += low is not None and low > 0
    return held, held_peers, above


def test_behaviour__own_act_worth_nothing__sets_hold_both_truths() -> None:
    held, held_peers, above = covering(60, 0.0)

    assert at_least(held, 60, 0.95)
    assert at_least(held_peers, 60, 0.95)
    assert at_most(above, 60, 0.025)


@pytest.mark.proof
@pytest.mark.parametrize("own", [0.0, 0.1])
def test_behaviour__many_runs__sets_hold_both_truths(own: float) -> None:
    held, held_peers, _above = covering(400, own)

    assert at_least(held, 400, 0.95)
    assert at_least(held_peers, 400, 0.95)
