"""Several nudges read together: against ivmodels, by hand, and on moments of which the truth is known."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from stats.instrument.anderson_rubin import Shape, anderson_rubin
from stats.instrument.joint import (
    Agreement,
    BehaviourReading,
    JointMoments,
    JointReading,
    conditional_f,
    effect_statistic,
    moments_of_units,
    read_jointly,
    stack_nudges,
)
from stats.iv_moments import IvMoments, iv_moments
from stats.results import NotComputable, Reason
from stats.summaries import Array, Joint
from tests.stats.make import computed

# 600 units with four instruments, two behaviours and no constant: reduced forms by least squares, (Z'Z)^-1, and the
# covariance of the residuals over n - 4. Made by NumPy's PCG64 of seed 20261130, all values rounded to two digits.
EFFECTS = np.array(
    [
        [0.259079360224712, 0.48640728795213783, 0.11526830048053084],
        [0.048073033481567676, 0.17605657096747052, 0.37452507305111016],
        [0.13868896753045362, 0.165081249746081, -0.030684878009761166],
        [-0.21030798405380763, -0.10533921515643058, 0.20442608087816083],
    ]
)
GRAM = np.array(
    [
        [0.001590314763846376, 8.586564086537119e-05, 6.140950788711543e-05, -1.2986766434801044e-05],
        [8.586564086537119e-05, 0.0017074984823467827, -5.89940471721778e-05, 2.879814393244731e-06],
        [6.140950788711544e-05, -5.899404717217781e-05, 0.0017265487210675703, -8.105200097845906e-05],
        [-1.2986766434801042e-05, 2.879814393244731e-06, -8.105200097845906e-05, 0.0016627336928652975],
    ]
)
RESIDUALS = np.array(
    [
        [3.524451265358141, 1.3707935307406642, -0.9320702834651112],
        [1.3707935307406642, 1.2734832230301891, -0.19104982235349824],
        [-0.9320702834651112, -0.19104982235349824, 1.2415360283347048],
    ]
)


def reference() -> JointMoments:
    return JointMoments(("a", "b", "c", "d"), ("add", "chat"), EFFECTS[:, 0], EFFECTS[:, 1:], np.kron(GRAM, RESIDUALS))


def read(moments: JointMoments) -> JointReading:
    return read_jointly(moments)


def lab(first_stages: Array, effects: Array, *, error: float = 0.004, direct: Array | float = 0.0) -> JointMoments:
    """Moments without noise of nudges that share no user, all with one error and no correlation."""
    first_stages, effects = np.asarray(first_stages, float), np.asarray(effects, float)
    rows = np.column_stack([first_stages @ effects + direct, first_stages])
    blocks = [np.eye(rows.shape[1]) * error**2] * len(rows)
    return stack_nudges(NAMES[: len(rows)], BEHAVIOURS[: len(effects)], list(rows), blocks)


def ends_of(row: BehaviourReading) -> tuple[float, float]:
    """Both ends of a bounded set."""
    effect_set = computed(row.effect_set)
    assert effect_set.low is not None
    assert effect_set.high is not None
    return effect_set.low, effect_set.high


NAMES = tuple(f"nudge {place}" for place in range(12))
BEHAVIOURS = ("add", "chat", "buy", "play")


def test_estimate_and_sets__four_instruments_of_ivmodels__are_its_liml_and_subset_anderson_rubin() -> None:
    add, chat = read(reference()).behaviours

    # ivmodels 0.10.0, fit_intercept=False: KClass("liml").coef_; inverse_anderson_rubin_test(X, W=other).
    assert (add.effect, chat.effect) == pytest.approx((0.66753996, -0.31050193), abs=1e-8)
    assert ends_of(add) == pytest.approx((0.38948707941781596, 0.8988698108794577), abs=1e-6)
    # anderson_rubin_test(beta=0, W=other): 6.921897121186517 a degree of freedom, of which there are three.
    assert add.p_zero == pytest.approx(stats.chi2.sf(3 * 6.921897121186517, 3), rel=1e-6)


def test_agreement__four_instruments_of_ivmodels__is_the_smallest_statistic() -> None:
    agreement = computed(read(reference()).agreement)

    assert agreement.degrees_of_freedom == 2
    assert agreement.p_value == pytest.approx(stats.chi2.sf(3.01993182057659, 2), rel=1e-6)


numbers = st.floats(-0.2, 0.2).map(lambda value: round(value, 4))


@settings(max_examples=40, deadline=None)
@given(itt=numbers, first=numbers, rho=st.floats(-0.9, 0.9))
def test_set__of_one_nudge_and_one_behaviour__is_the_closed_form(itt: float, first: float, rho: float) -> None:
    v_r, v_d = 0.02**2, 0.03**2
    c_rd = rho * (v_r * v_d) ** 0.5
    moments = stack_nudges(("a",), ("add",), [np.array([itt, first])], [np.array([[v_r, c_rd], [c_rd, v_d]])])
    closed = anderson_rubin(IvMoments(itt, first, v_r, v_d, c_rd, 1000, 1000))
    row = read(moments).behaviours[0]

    assert row.told_apart is (closed.shape is Shape.INTERVAL and first**2 / v_d >= 7)
    if closed.low is not None and closed.high is not None and row.told_apart:
        found = computed(row.effect_set)
        assert (found.low, found.high) == pytest.approx((closed.low, closed.high), rel=1e-6, abs=1e-9)
        assert computed(row.p_zero) == pytest.approx(2 * stats.norm.sf(abs(itt) / 0.02), rel=1e-6)
    else:
        assert row.effect_set == NotComputable(Reason.NOT_TOLD_APART)


def test_effects__of_moments_without_noise__are_the_planted_ones_in_any_order_and_unit() -> None:
    first_stages = np.array([[0.12, 0.03, 0.0], [0.02, 0.12, 0.04], [0.05, 0.0, 0.12], [0.06, 0.05, 0.04]])
    planted = np.array([0.15, 0.08, 0.0])
    moments = lab(first_stages, planted)
    found = read(moments)
    turned = read(lab(first_stages[:, ::-1], planted[::-1]))
    scale = np.tile([1000.0, 1, 1, 1], 4)
    in_coins = read(
        JointMoments(
            moments.nudges,
            moments.behaviours,
            moments.itt * 1000,
            moments.first_stages,
            moments.covariance * np.outer(scale, scale),
        )
    )

    assert [row.effect for row in found.behaviours] == pytest.approx(planted, abs=1e-6)
    for row, mirrored, coins in zip(found.behaviours, turned.behaviours[::-1], in_coins.behaviours, strict=True):
        ends = np.array(ends_of(row))
        assert np.array(ends_of(mirrored)) == pytest.approx(ends, abs=1e-6)
        assert np.array(ends_of(coins)) / 1000 == pytest.approx(ends, abs=1e-6)


def test_behaviours__moved_in_one_proportion_by_every_nudge__get_no_number_and_name_each_other() -> None:
    first_stages = np.array([[0.12, 0.06, 0.0], [0.08, 0.04, 0.01], [0.02, 0.01, 0.12]])
    rows = read(lab(first_stages, np.array([0.15, 0.0, 0.05]))).behaviours

    assert [row.confused_with for row in rows[:2]] == ["chat", "add"]
    assert all(row.effect == NotComputable(Reason.NOT_TOLD_APART) for row in rows[:2])
    assert not any(row.told_apart for row in rows[:2])


@pytest.mark.parametrize(("first", "told"), [(0.0264, False), (0.0266, True)])
def test_told_apart__with_as_many_nudges_as_behaviours__from_a_conditional_f_of_seven(first: float, told: bool) -> None:
    # One nudge and behaviour: F is (first / .01)^2, 6.97 and 7.08.
    row = read(lab(np.array([[first]]), np.array([0.1]), error=0.01)).behaviours[0]

    assert row.told_apart is told


@pytest.mark.parametrize(("first", "told"), [(0.0199, False), (0.0201, True)])
def test_told_apart__with_more_nudges__from_a_conditional_f_of_four(first: float, told: bool) -> None:
    # Two nudges of one behaviour: F is the mean of both, 3.96 and 4.04.
    row = read(lab(np.array([[first], [first]]), np.array([0.1]), error=0.01)).behaviours[0]

    assert row.told_apart is told


@pytest.mark.parametrize(("first", "strong"), [(0.0315, False), (0.0317, True)])
def test_shorter_set__stands_beside_the_valid_one__from_a_conditional_f_of_ten(first: float, strong: bool) -> None:
    # Two nudges of one behaviour: F is 9.92 and 10.05.
    row = read(lab(np.array([[first], [first]]), np.array([0.1]), error=0.01)).behaviours[0]

    assert (row.strong_set is not None) is strong
    assert row.told_apart


def test_shorter_set__one_weak_behaviour_of_two__is_given_for_neither() -> None:
    strong, weak = (
        read(lab(np.array([[0.12, 0.0], [0.1, 0.0], [0.0, last]]), np.array([0.1, 0.0]), error=0.01)).behaviours
        for last in (0.12, 0.04)
    )

    assert [row.strong_set is None for row in strong] == [False, False]
    assert [row.strong_set is None for row in weak] == [True, True]
    assert all(row.told_apart for row in weak)


def test_shorter_set__of_four_nudges__ends_where_the_statistic_is_one_quantile_above_its_minimum() -> None:
    moments = lab(np.array([[0.12, 0.03], [0.1, 0.0], [0.0, 0.12], [0.02, 0.1]]), np.array([0.15, 0.0]))
    moments = stack_nudges(
        moments.nudges,
        moments.behaviours,
        list(np.column_stack([moments.itt + np.array([0.003, -0.002, 0.001, 0.002]), moments.first_stages])),
        [np.eye(3) * 0.004**2] * 4,
    )
    found = read(moments)

    lowest = computed(found.agreement).statistic
    for place, row in enumerate(found.behaviours):
        assert row.strong_set is not None
        assert row.strong_set.low is not None
        assert row.strong_set.high is not None
        low, high = ends_of(row)
        assert low < row.strong_set.low < row.strong_set.high < high
        for end in (row.strong_set.low, row.strong_set.high):
            above = effect_statistic(moments, place, end) - lowest
            assert above == pytest.approx(stats.chi2.isf(0.05, 1), abs=1e-4)


def test_shorter_set__as_many_nudges_as_behaviours__would_be_the_valid_one_and_is_left_out() -> None:
    found = read(lab(np.array([[0.12, 0.0], [0.0, 0.12]]), np.array([0.1, 0.0])))

    assert [row.strong_set for row in found.behaviours] == [None, None]


@pytest.mark.slow
def test_shorter_set__of_strong_nudges__holds_the_truth_as_often_as_it_says() -> None:
    """150 draws of two behaviours: by Binomial(150, .05) at most 17 sets of each miss it in 99.9 % of suites."""
    first_stages = np.array([[0.12, 0.04], [0.1, 0.0], [0.0, 0.12], [0.03, 0.1]])
    planted, error = np.array([0.15, 0.0]), 0.01
    draws = np.random.default_rng(17)
    missed = np.zeros(2)
    for _ in range(150):
        rows = np.column_stack([first_stages @ planted, first_stages]) + draws.normal(0, error, (4, 3))
        found = read(stack_nudges(NAMES[:4], BEHAVIOURS[:2], list(rows), [np.eye(3) * error**2] * 4))
        sets = [row.strong_set for row in found.behaviours]
        missed += [one is not None and not one.contains(b) for one, b in zip(sets, planted, strict=True)]

    assert (missed <= stats.binom.isf(0.001, 150, 0.05)).all()


def mvmr(first_stages: Array, errors: Array, behaviour: int) -> float:
    """Conditional F as `strength_mvmr` of the R package MVMR has it: lm without constant, gencov = 0."""
    others = np.delete(first_stages, behaviour, axis=1)
    delta = np.linalg.lstsq(others, first_stages[:, behaviour], rcond=None)[0]
    variance = errors[:, behaviour] ** 2 + (np.delete(errors, behaviour, axis=1) ** 2) @ delta**2
    left = first_stages[:, behaviour] - others @ delta
    return float((left**2 / variance).sum() / (len(left) - (first_stages.shape[1] - 1)))


def test_conditional_f__of_nudges_with_one_error__is_that_of_mvmr() -> None:
    draws = np.random.default_rng(7)
    first_stages = draws.normal(0, 0.1, (8, 3))
    errors = np.tile(draws.uniform(0.01, 0.03, 3), (8, 1))
    rows = [np.array([0.0, *row]) for row in first_stages]
    moments = stack_nudges(NAMES[:8], BEHAVIOURS[:3], rows, [np.diag([0.01**2, *errors[0] ** 2])] * 8)

    for behaviour in range(3):
        expected = mvmr(first_stages, errors, behaviour)
        assert conditional_f(moments, behaviour) == pytest.approx(expected, rel=1e-9)


def test_conditional_f__of_a_behaviour_that_never_varies__is_not_computable() -> None:
    moments = stack_nudges(("a",), ("add",), [np.array([0.1, 0.2])], [np.diag([1e-4, 0.0])])

    assert conditional_f(moments, 0) == NotComputable(Reason.NO_VARIANCE)


def test_agreement__one_nudge_of_six_with_a_direct_effect__names_it_and_gives_no_number_for_what_it_moves() -> None:
    first_stages = np.array([[0.12, 0, 0], [0.10, 0, 0], [0, 0.12, 0], [0, 0.10, 0], [0, 0, 0.12], [0, 0, 0.10]])
    direct = np.array([0.05, 0, 0, 0, 0, 0])
    found = read(lab(first_stages, np.array([0.1, 0.1, 0.1]), direct=direct))
    agreement = computed(found.agreement)

    assert agreement.p_value < 0.05
    assert set(agreement.influential) == {"nudge 0", "nudge 1"}  # without either the other's effect is taken as it is
    assert found.behaviours[0].effect == NotComputable(Reason.NUDGES_DISAGREE)
    assert [row.effect for row in found.behaviours[1:]] == pytest.approx([0.1, 0.1], abs=0.01)


@pytest.mark.parametrize(("apart", "influential"), [(0.0110, ("nudge 2",)), (0.0112, ())])
def test_influential__of_three_nudges__by_one_degree_of_freedom_of_the_other_two(
    apart: float, influential: tuple[str, ...]
) -> None:
    # Without the third, Q = apart^2 / (2 error^2) = 3.78 and 3.92, on both sides of chi-square(1)'s 3.84.
    rows = [np.array([itt, 0.12]) for itt in (0.0, apart, 0.1)]
    moments = stack_nudges(NAMES[:3], ("add",), rows, [np.diag([0.004**2, 1e-18])] * 3)

    assert computed(read(moments).agreement).influential == influential


def test_agreement__as_many_nudges_as_behaviours__cant_be_judged() -> None:
    found = read(lab(np.array([[0.12, 0], [0, 0.12]]), np.array([0.1, 0.1])))

    assert found.agreement == NotComputable(Reason.AS_MANY_NUDGES_AS_BEHAVIOURS)


@pytest.mark.parametrize("nudges", [4, 5])
def test_direct_effect__from_four_nudges_more_than_behaviours__holds_the_planted_one(nudges: int) -> None:
    first_stages = np.linspace(0.02, 0.15, nudges)[:, None]
    found = read(lab(first_stages, np.array([0.1]), direct=0.02, error=0.002)).direct_effect

    if nudges < 5:
        assert found == NotComputable(Reason.TOO_FEW_EXPERIMENTS, {"n": nudges, "needed": 5})
    else:
        assert computed(found).contains(0.02)
        assert not computed(found).contains(0.0)


def test_moments_of_units__of_one_experiment__are_those_of_its_summaries() -> None:
    draws = np.random.default_rng(3)
    arm, act = draws.integers(0, 2, 500).astype(float), (draws.random(500) < 0.4).astype(float)
    outcome = draws.normal(1, 2, 500)
    found = computed(moments_of_units(("a",), ("add",), outcome, act[:, None], arm[:, None]))
    summaries = [Joint.from_columns(np.column_stack([outcome, act])[arm == side]) for side in (0, 1)]
    expected = computed(iv_moments(*summaries))

    assert (found.itt[0], found.first_stages[0, 0]) == pytest.approx((expected.itt, expected.first_stage))
    together = [[expected.v_r, expected.c_rd], [expected.c_rd, expected.v_d]]
    assert found.covariance == pytest.approx(np.array(together))


def test_moments_of_units__of_experiments_that_share_users__covary_by_the_shared_ones_alone() -> None:
    draws = np.random.default_rng(4)
    outcome, acts = draws.normal(size=600), (draws.random((600, 1)) < 0.5).astype(float)
    arms = draws.integers(0, 2, (600, 2)).astype(float)
    apart, same = arms.copy(), arms.copy()
    apart[:300, 0], apart[300:, 1] = np.nan, np.nan
    same[:, 1] = same[:, 0]
    of_apart, of_same = (
        computed(moments_of_units(("a", "b"), ("add",), outcome, acts, each)) for each in (apart, same)
    )

    assert np.all(of_apart.covariance[:2, 2:] == 0)
    assert of_same.covariance[:2, 2:] == pytest.approx(of_same.covariance[:2, :2])


def test_moments_of_units__with_one_user_in_an_arm__are_not_computable() -> None:
    arms = np.array([[1.0], [0], [0], [np.nan]])

    assert moments_of_units(("a",), ("add",), np.zeros(4), np.zeros((4, 1)), arms) == NotComputable(
        Reason.TOO_FEW_UNITS, {"n": 1, "needed": 2}
    )


@pytest.mark.parametrize(
    "parts",
    [
        {"behaviours": ("add", "chat")},  # more behaviours than nudges
        {"behaviours": ()},
        {"itt": np.array([np.nan])},
        {"covariance": np.eye(3)},
    ],
)
def test_moments__that_dont_fit__are_refused(parts: dict[str, Any]) -> None:
    good: dict[str, Any] = {
        "nudges": ("a",),
        "behaviours": ("add",),
        "itt": np.array([0.1]),
        "first_stages": np.array([[0.1]]),
        "covariance": np.eye(2),
    }
    JointMoments(**good)

    with pytest.raises(ValueError, match=r"behaviours need|one outcome effect|finite"):
        JointMoments(**good | parts)


@pytest.mark.slow
def test_sets__of_an_inert_behaviour_that_nudges_spill_on__hold_0_where_each_alone_calls_it_an_effect() -> None:
    """120 draws: by Binomial(120, .05) at most 14 sets may miss the truth in 99.9 % of suites."""
    first_stages = np.array([[0.12, 0.05], [0.04, 0.12], [0.06, 0.03]])
    planted, error = np.array([0.15, 0.0]), 0.005
    draws = np.random.default_rng(11)
    missed, alone = 0, 0
    for _ in range(120):
        noise = draws.normal(0, error, (3, 3))
        rows = np.column_stack([first_stages @ planted, first_stages]) + noise
        found = read(stack_nudges(NAMES[:3], BEHAVIOURS[:2], list(rows), [np.eye(3) * error**2] * 3))
        inert = found.behaviours[1]
        missed += not isinstance(inert.effect_set, NotComputable) and not inert.effect_set.contains(0.0)
        itt, _, chat = rows[1]
        alone += not anderson_rubin(IvMoments(itt, chat, error**2, error**2, 0.0, 1000, 1000)).contains(0.0)

    assert missed <= stats.binom.isf(0.001, 120, 0.05)
    assert alone > 18  # three times what a right test would say


@pytest.mark.parametrize(("disagreement", "silent"), [(7.0, True), (11.5, False)])
def test_agreement__a_nudge_without_which_the_others_hardly_disagree__is_a_suspect_whose_behaviour_has_no_number(
    disagreement: float, silent: bool
) -> None:
    # Three pairs: the first disagrees by the parameter, the second by 5, which alone is p .082 of chi-square(2).
    # Without one of the second the first is left, p .030 or .0032: beyond alpha, on both sides of a tenth of it.
    first_stages = np.array([[0.12, 0, 0], [0.12, 0, 0], [0, 0.12, 0], [0, 0.12, 0], [0, 0, 0.12], [0, 0, 0.12]])
    direct = np.zeros(6)
    direct[[0, 2]] = 0.004 * (2 * 1.025 * np.array([disagreement, 5.0])) ** 0.5
    found = read(lab(first_stages, np.array([0.1, 0.1, 0.1]), direct=direct))
    agreement = computed(found.agreement)

    assert agreement.influential == ("nudge 0", "nudge 1")
    assert agreement.suspects == agreement.influential + (("nudge 2", "nudge 3") if silent else ())
    disagree = NotComputable(Reason.NUDGES_DISAGREE)
    assert [row.effect == disagree for row in found.behaviours] == [True, silent, False]


def test_agreement__rejected__reads_the_rest_without_the_nudge_that_acts_by_itself() -> None:
    # The first nudge adds to the outcome by itself; through adding, its error would reach the other two behaviours.
    first_stages = np.array([[0.12, 0, 0], [0.12, 0.06, 0], [0.12, 0, 0.06], [0, 0.12, 0], [0, 0, 0.12], [0, 0.1, 0.1]])
    found = read(lab(first_stages, np.array([0.1, 0.1, 0.1]), direct=np.array([0.03, 0, 0, 0, 0, 0])))

    assert computed(found.agreement).suspects == ("nudge 0",)
    assert (found.moments.nudges, found.moments.behaviours) == (NAMES[1:6], BEHAVIOURS[:3])
    assert found.behaviours[0].effect == NotComputable(Reason.NUDGES_DISAGREE)
    assert [row.effect for row in found.behaviours[1:]] == pytest.approx([0.1, 0.1], abs=1e-6)
    assert found.behaviours[1].told_apart


def test_influential__is_empty__where_no_single_nudge_explains_the_disagreement() -> None:
    first_stages = np.full((4, 1), 0.12)
    found = read(lab(first_stages, np.array([0.1]), direct=np.array([0.05, 0.05, -0.05, -0.05])))

    assert isinstance(found.agreement, Agreement)
    assert found.agreement.influential == ()
    assert found.behaviours[0].effect == NotComputable(Reason.NUDGES_DISAGREE)


def test_moments_of_units__users_of_clusters__have_the_errors_of_the_clusters() -> None:
    rng = np.random.default_rng(3)
    groups = np.repeat(np.arange(60), 10)
    arms = np.repeat(rng.integers(0, 2, (60, 2)).astype(float), 10, axis=0)
    outcome, acts = rng.normal(0, 1, 60)[groups], (rng.random((60, 2)) < 0.4).astype(float)[groups]
    means, sizes = outcome.reshape(60, 10)[:, 0], arms.reshape(60, 10, 2)[:, 0, 0]

    found = computed(moments_of_units(["a", "b"], ["x", "y"], outcome, acts, arms, groups))

    # Ten equal users a cluster are one of a mean.
    own = sum(float(((means[sizes == side] - means[sizes == side].mean()) ** 2).sum() / (sizes == side).sum() ** 2)
              for side in (0, 1))  # fmt: skip
    assert found.covariance[0, 0] == pytest.approx(own * 60 / 59, rel=0.01)
    few = moments_of_units(["a", "b"], ["x", "y"], outcome, acts, arms, groups % 39)
    assert few == NotComputable(Reason.TOO_FEW_CLUSTERS, {"n": 39, "needed": 40})
