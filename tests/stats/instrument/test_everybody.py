"""From those who were moved to everybody: identities, bounds by hand, and coverage where the effect varies by trait."""

import numpy as np
import pytest

from stats.cells import iv_moments_stratified, joint_of_counts
from stats.instrument.bounds import bounds_of_shares
from stats.instrument.encouragement import wald
from stats.instrument.generalise import Reweighted, bounds_of_the_others, reweighted
from stats.iv_moments import iv_moments
from stats.results import NotComputable, Reason, computable
from stats.trait_cells import TraitCells, TraitColumns, trait_cells
from tests.stats.make import computed

SHARES = np.array([0.5, 0.3, 0.2])
MOVED, EFFECT = np.array([0.10, 0.25, 0.45]), np.array([-0.10, 0.15, 0.35])


def world(
    n: int, seed: int, *, moved: np.ndarray = MOVED, effect: np.ndarray = EFFECT, shares: np.ndarray = SHARES
) -> TraitCells:
    """Users of three levels, who differ in how many the nudge moves and in what the behaviour does."""
    rng = np.random.default_rng(seed)
    level, arm, kind = rng.choice(len(shares), size=n, p=shares), rng.integers(0, 2, n), rng.random(n)
    complier, always = kind < moved[level], (kind >= moved[level]) & (kind < moved[level] + 0.15)
    did = always | (complier & (arm == 1))
    kept = rng.random(n) < 0.3 + 0.1 * complier + 0.2 * always + effect[level] * did
    matrix = np.column_stack([kept, did]).astype(float)
    columns = TraitColumns(("level",), (("a", "b", "c")[: len(shares)],), level[:, None].astype(np.int64))
    return trait_cells(columns, arm, np.ones(n), matrix, np.zeros((n, 2, 2)), proportion=True)


def found_in(n: int, seed: int, **changes: np.ndarray) -> Reweighted:
    return computed(reweighted(world(n, seed, **changes)))


# ── Identities ────────────────────────────────────────────────────────────────
def test_reweighted__one_cell__is_the_complier_effect() -> None:
    whole = world(4_000, 1).without(0)
    one = TraitCells(("level",), (("a",),), np.zeros((1, 1), np.int64), whole.n, whole.means, whole.covariance,
                     np.zeros(1, np.int64), proportion=True)  # fmt: skip
    expected = computed(wald(computed(iv_moments(*one.joints(0)))))
    found = computed(reweighted(one))

    assert (found.effect.estimate, found.effect.standard_error) == pytest.approx(
        (expected.estimate, expected.standard_error)
    )
    assert found.share == 1.0


def test_reweighted__ratios_weighted_by_those_moved__give_the_complier_effect() -> None:
    """Theorem 1's other side: with weights pi_x FS_x the cells' ratios are two-stage least squares with dummies."""
    cells = world(20_000, 2)
    found = computed(reweighted(cells))
    effects = [computed(cell.effect).estimate for cell in found.cells]
    # The Mantel-Haenszel weights of a cell are n1 n0 / N; its ratio's numerator is the weight times its ITT.
    order = np.argsort(-cells.n.sum(axis=1))
    weights = (cells.n.prod(axis=1) / cells.n.sum(axis=1))[order] * [cell.first_stage for cell in found.cells]
    whole = computed(iv_moments_stratified([cells.joints(cell) for cell in range(3)]))

    assert weights @ effects / weights.sum() == pytest.approx(whole.itt / whole.first_stage)
    shares = np.array([cell.share for cell in found.cells])
    assert found.effect.estimate == pytest.approx(shares @ effects)


@pytest.mark.slow
def test_reweighted__same_effect_everywhere__agrees_with_the_complier_effect() -> None:
    found = found_in(200_000, 3, effect=np.full(3, 0.2))

    assert found.effect.low < 0.2 < found.effect.high
    assert found.effect.standard_error < 0.03


def test_reweighted__a_level_that_nobody_is_moved_in__is_left_out_of_the_share() -> None:
    found = found_in(40_000, 4, moved=np.array([0.0, 0.25, 0.45]))

    assert found.share == pytest.approx(0.5, abs=0.02)
    by_level = {cell.combination[0][1]: cell.effect for cell in found.cells}
    assert by_level["a"] == NotComputable(Reason.NO_COMPARABLE_COMPLIERS)
    assert computable(by_level["b"])


def test_reweighted__shares_are_estimated_too__widens_the_error() -> None:
    """With the shares taken for known the error would be sum of squares of the cells' alone."""
    found = found_in(40_000, 5)
    alone = sum((cell.share * computed(cell.effect).standard_error) ** 2 for cell in found.cells)
    spread = sum(cell.share * (computed(cell.effect).estimate - found.effect.estimate) ** 2 for cell in found.cells)

    assert found.effect.standard_error**2 == pytest.approx(alone + spread / 40_000)


@pytest.mark.parametrize(
    ("n", "changes", "reason"), [(300, {}, Reason.NO_TRAITS), (20_000, {"moved": np.zeros(3)}, Reason.NO_TRAITS)]
)
def test_reweighted__nothing_to_go_by__says_why(n: int, changes: dict[str, np.ndarray], reason: Reason) -> None:
    found = reweighted(world(n, 6, **changes))

    assert isinstance(found, NotComputable)
    assert found.reason is reason


def test_reweighted__cells_too_small__give_up_the_trait_named_last() -> None:
    cells = world(6_000, 7)
    rng = np.random.default_rng(7)
    n = 6_000
    codes = np.column_stack([rng.choice(3, size=n, p=SHARES), rng.integers(0, 40, n)])
    columns = TraitColumns(("level", "city"), (("a", "b", "c"), tuple(map(str, range(40)))), codes)
    arm = rng.integers(0, 2, n)
    did = (rng.random(n) < 0.1 + 0.4 * arm).astype(float)
    kept = (rng.random(n) < 0.3 + 0.2 * did).astype(float)
    many = trait_cells(columns, arm, np.ones(n), np.column_stack([kept, did]), np.zeros((n, 2, 2)), proportion=True)

    assert computed(reweighted(many)).traits == ("level",)
    assert computed(reweighted(cells)).traits == ("level",)


# ── The others ────────────────────────────────────────────────────────────────
CONTROL, VARIANT = [[700, 50], [200, 50]], [[450, 200], [150, 200]]


def test_bounds_of_the_others__counts_by_hand() -> None:
    """d0 = .1 with p_11.0 = .05; 1 - d1 = .6 with p_10.1 = .15: (.05 - .1 - .15) / .7, and 1 more."""
    found = computed(bounds_of_the_others(joint_of_counts(CONTROL), joint_of_counts(VARIANT)))

    assert found.low == pytest.approx((0.05 - 0.1 - 0.15) / 0.7)
    assert found.high == pytest.approx(found.low + 1)
    assert found.limit_low is not None
    assert found.limit_high is not None
    assert found.limit_low < found.low < found.high < found.limit_high


def test_bounds_of_the_others__with_those_moved__are_the_bounds_for_everybody() -> None:
    """ITT + (1 - first stage) times the others' bounds: Balke and Pearl's programme, where monotonicity binds."""
    control, variant = joint_of_counts(CONTROL), joint_of_counts(VARIANT)
    others = computed(bounds_of_the_others(control, variant))
    itt, first = (variant.means - control.means).tolist()
    everybody = computed(bounds_of_shares(np.array([CONTROL, VARIANT]) / 1_000))

    assert itt + (1 - first) * others.low == pytest.approx(everybody.low)
    assert itt + (1 - first) * others.high == pytest.approx(everybody.high)


def test_bounds_of_the_others__nudge_away_from_it__swaps_the_arms() -> None:
    towards = computed(bounds_of_the_others(joint_of_counts(CONTROL), joint_of_counts(VARIANT)))
    away = computed(bounds_of_the_others(joint_of_counts(VARIANT), joint_of_counts(CONTROL)))

    assert away == towards


def test_bounds_of_the_others__everybody_moved__has_no_others() -> None:
    found = bounds_of_the_others(joint_of_counts([[60, 0], [40, 0]]), joint_of_counts([[0, 50], [0, 50]]))

    assert found == NotComputable(Reason.NOBODY_UNMOVED)


@pytest.mark.slow
def test_bounds_of_the_others__limits__cover_the_range() -> None:
    """The lower end's error against its spread over 2,000 draws of both arms."""
    rng = np.random.default_rng(8)
    shares = [np.array(counts).ravel() / 1_000 for counts in (CONTROL, VARIANT)]
    truth = (0.05 - 0.1 - 0.15) / 0.7
    inside = []
    for _ in range(2_000):
        control, variant = (joint_of_counts(rng.multinomial(400, share).reshape(2, 2)) for share in shares)
        found = computed(bounds_of_the_others(control, variant))
        assert found.limit_low is not None
        assert found.limit_high is not None
        inside.append(found.limit_low <= truth and truth + 1 <= found.limit_high)

    # Both ends move together, so each of the two limits may miss alone: at most 5 %.
    assert 0.94 <= np.mean(inside) <= 0.965


# ── Coverage ──────────────────────────────────────────────────────────────────
@pytest.mark.slow
@pytest.mark.proof
@pytest.mark.parametrize(("n", "least"), [(5_000, 0.93), (20_000, 0.93)])
def test_reweighted__effect_varies_by_trait__interval_covers(n: int, least: float) -> None:
    """Of the units that lie in cells with comparable compliers, whichever these are: 1,000 experiments each."""
    covers, plain = [], []
    for seed in range(1_000):
        found = reweighted(world(n, 10_000 + seed))
        if not computable(found):
            continue
        kept = ["abc".index(cell.combination[0][1]) for cell in found.cells if computable(cell.effect)]
        truth = SHARES[kept] @ EFFECT[kept] / SHARES[kept].sum()
        covers.append(found.effect.low <= truth <= found.effect.high)
        if len(kept) == 3:
            whole = computed(iv_moments_stratified([world(n, 10_000 + seed).joints(cell) for cell in range(3)]))
            effect = computed(wald(whole))
            plain.append(effect.low <= truth <= effect.high)

    assert len(covers) > 900
    assert np.mean(covers) >= least
    # The complier effect itself is of others: it misses everybody's.
    if n == 20_000:
        assert np.mean(plain) < 0.5
