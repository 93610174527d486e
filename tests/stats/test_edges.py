"""Refusals and borders: n = 0, 1, 2, no variance, everybody converted, exactly 0."""

from collections.abc import Callable
from math import erfc, sqrt
from typing import Any

import numpy as np
import pytest

from reporting.words import reason_words
from stats import adjustment, compare, multiplicity, srm, stratified
from stats.instrument.encouragement import (
    IvMoments,
    anderson_rubin,
    as_treated,
    first_stage,
    iv_moments,
    iv_moments_adjusted,
    two_stage,
    wald,
)
from stats.results import Estimate, NotComputable, Reason, check_alpha
from stats.score import score_z
from stats.summaries import Joint, Mean
from tests.stats.make import computed

ONE, HALF = Mean(1, 0.0, 0.0), Mean.from_counts(50, 100)
FLAT, NUMBER = Mean(10, 3.0, 0.0), Mean(10, 3.5, 2.0)
LONE = Joint(1, np.zeros(2), np.zeros((2, 2)))
PAIR = Joint.from_columns([[1.0, 0.0], [2.0, 1.0], [4.0, 1.0], [3.0, 0.0]])
STILL = Joint.from_columns([[2.0, 1.0]] * 4)
NO_X, G = np.zeros((8, 0)), np.array([0, 0, 0, 0, 1, 1, 1, 1.0])
Y, D = np.arange(8.0) ** 2, np.array([0, 0, 1, 0, 1, 0, 1, 1.0])

WIDE, UNITS = np.random.default_rng(1).random((8, 7)), np.arange(8)
EXACT = Estimate(1.0, 0.0, 1.0, 1.0, 0.0, 0.95, "unpooled-z")

REFUSALS: list[tuple[str, Callable[[], Any], Reason]] = [
    ("proportions, one unit", lambda: compare.compare_proportions(ONE, HALF), Reason.TOO_FEW_UNITS),
    ("proportions, numbers", lambda: compare.compare_proportions(NUMBER, HALF), Reason.NOT_A_PROPORTION),
    ("means, one unit", lambda: compare.compare_means(ONE, NUMBER), Reason.TOO_FEW_UNITS),
    ("means, flat", lambda: compare.compare_means(FLAT, FLAT), Reason.NO_VARIANCE),
    ("unpooled, one unit", lambda: compare.compare_unpooled(NUMBER, ONE), Reason.TOO_FEW_UNITS),
    ("unpooled, flat", lambda: compare.compare_unpooled(FLAT, FLAT), Reason.NO_VARIANCE),
    ("wilson, nobody", lambda: compare.wilson(0, 0), Reason.NO_DATA),
    ("newcombe, nobody", lambda: compare.newcombe_interval(Mean.from_counts(0, 0), HALF), Reason.NO_DATA),
    ("newcombe, numbers", lambda: compare.newcombe_interval(NUMBER, HALF), Reason.NOT_A_PROPORTION),
    ("lift, one unit", lambda: compare.lift(ONE, HALF), Reason.TOO_FEW_UNITS),
    ("lift, no control success", lambda: compare.lift(Mean.from_counts(0, 9), HALF), Reason.CONTROL_MEAN_NEAR_ZERO),
    ("lift, no variant success", lambda: compare.lift(HALF, Mean.from_counts(0, 9)), Reason.MEANS_NOT_POSITIVE),
    ("lift, control near 0", lambda: compare.lift(Mean(9, 0.1, 4.0), NUMBER), Reason.CONTROL_MEAN_NEAR_ZERO),
    ("lift, control below 0", lambda: compare.lift(Mean(9, -3.0, 1.0), NUMBER), Reason.MEANS_NOT_POSITIVE),
    ("srm, unplanned", lambda: srm.sample_ratio({"a": 3, "x": 1}, {"a": 1, "b": 1}), Reason.NO_PLANNED_SHARE),
    ("srm, one arm", lambda: srm.sample_ratio({"a": 3}, {"a": 1, "b": 0}), Reason.NO_DATA),
    ("lin, one unit", lambda: adjustment.lin(LONE, PAIR), Reason.TOO_FEW_UNITS),
    ("lin, constant covariate", lambda: adjustment.lin(STILL, PAIR), Reason.COLLINEAR_COVARIATES),
    ("cuped, one unit", lambda: adjustment.cuped(LONE, PAIR), Reason.TOO_FEW_UNITS),
    ("cuped, flat", lambda: adjustment.cuped(STILL, STILL), Reason.NO_VARIANCE),
    ("clusters, one per arm", lambda: adjustment.cluster_difference(Y, G, G), Reason.TOO_FEW_CLUSTERS),
    ("clusters, flat", lambda: adjustment.cluster_difference(Y * 0, G, np.arange(8)), Reason.NO_VARIANCE),
    ("lin clustered, one per arm", lambda: adjustment.lin_clustered(Y, G, Y[:, None], G), Reason.TOO_FEW_CLUSTERS),
    ("lin clustered, constant", lambda: adjustment.lin_clustered(Y, G, G[:, None], UNITS), Reason.COLLINEAR_COVARIATES),
    ("lin clustered, wide", lambda: adjustment.lin_clustered(Y, G, WIDE[:, :3], UNITS), Reason.TOO_FEW_UNITS),
    ("strata, none", lambda: stratified.risk_difference([(Mean(0, 0, 0), HALF)]), Reason.TOO_FEW_STRATA),
    ("strata, one unit", lambda: stratified.risk_difference([(Mean(1, 7.0, 0), NUMBER)]), Reason.TOO_FEW_UNITS),
    ("strata, flat", lambda: stratified.risk_difference([(FLAT, FLAT)]), Reason.NO_VARIANCE),
    ("odds, numbers", lambda: stratified.odds_ratio([(NUMBER, NUMBER)]), Reason.NOT_A_PROPORTION),
    ("odds, none failed", lambda: stratified.odds_ratio([(HALF, Mean.from_counts(9, 9))]), Reason.SPARSE_TABLE),
    ("cmh, none", lambda: stratified.cmh_test([]), Reason.TOO_FEW_STRATA),
    ("cmh, flat", lambda: stratified.cmh_test([(Mean.from_counts(0, 9), Mean.from_counts(0, 9))]), Reason.NO_VARIANCE),
    ("odds, none", lambda: stratified.odds_ratio([]), Reason.TOO_FEW_STRATA),
    ("breslow-day, none", lambda: stratified.breslow_day([]), Reason.TOO_FEW_STRATA),
    ("breslow-day, one", lambda: stratified.breslow_day([(HALF, HALF)]), Reason.TOO_FEW_STRATA),
    ("breslow-day, sparse", lambda: stratified.breslow_day([(HALF, Mean.from_counts(9, 9))] * 2), Reason.SPARSE_TABLE),
    ("q, no error", lambda: stratified.heterogeneity([EXACT, EXACT]), Reason.NO_VARIANCE),
    ("q, one", lambda: stratified.heterogeneity([]), Reason.TOO_FEW_STRATA),
    ("iv, one unit", lambda: iv_moments(LONE, PAIR), Reason.TOO_FEW_UNITS),
    ("iv adjusted, one unit", lambda: iv_moments_adjusted(Y[:5], D[:5], G[:5], NO_X[:5]), Reason.TOO_FEW_UNITS),
    ("iv adjusted, wide", lambda: iv_moments_adjusted(Y, D, G, WIDE), Reason.TOO_FEW_UNITS),
    ("iv adjusted, nudge again", lambda: iv_moments_adjusted(Y, D, G, G[:, None]), Reason.COLLINEAR_COVARIATES),
    ("iv adjusted, clusters", lambda: iv_moments_adjusted(Y, D, G, NO_X, G), Reason.TOO_FEW_CLUSTERS),
    ("wald, no first stage", lambda: wald(IvMoments(1, 0, 1, 1, 0, 9, 9)), Reason.NO_FIRST_STAGE),
    ("wald, exact", lambda: wald(IvMoments(2, 1, 4, 1, 2, 9, 9)), Reason.NO_VARIANCE),
    ("2sls, one unit", lambda: two_stage(Y[:5], D[:5], G[:5], NO_X[:5]), Reason.TOO_FEW_UNITS),
    ("2sls, no first stage", lambda: two_stage(Y, D * 0, G, NO_X), Reason.NO_FIRST_STAGE),
    ("as treated, all", lambda: as_treated(STILL, STILL), Reason.NO_VARIANCE),
]


@pytest.mark.parametrize(("name", "call", "reason"), REFUSALS, ids=[row[0] for row in REFUSALS])
def test_method__data_not_enough__names_the_reason(name: str, call: Callable[[], Any], reason: Reason) -> None:
    answer = call()
    assert isinstance(answer, NotComputable)
    assert answer.reason is reason
    assert reason_words(answer).endswith(".")


MISTAKES: list[Callable[[], Any]] = [
    lambda: check_alpha(0.0),
    lambda: check_alpha(float("nan")),
    lambda: Mean(2, 1.0, -1.0),
    lambda: Mean.from_values([1.0, float("nan")]),
    lambda: Mean.from_counts(3, 2),
    lambda: Joint(2, np.zeros(2), np.zeros((3, 3))),
    lambda: Joint.from_columns([1.0]),
    lambda: PAIR + Joint.from_columns([[1.0]]),
    lambda: compare.wilson(2, 1),
    lambda: srm.sample_ratio({"a": 1}, {"a": -1}),
    lambda: srm.sample_ratio({"a": -1}, {"a": 1}),
    lambda: multiplicity.holm([0.1, float("nan")]),
    lambda: multiplicity.holm([0.1, 1.01]),
    lambda: adjustment.cluster_difference(Y, G, G[:3]),
    lambda: adjustment.cluster_difference(Y, G[:3], G),
    lambda: adjustment.lin_clustered(Y, G + 1, Y[:, None], G),
    lambda: iv_moments_adjusted(Y, D, G[:3], NO_X),
    lambda: iv_moments_adjusted(Y, D, G + 1, NO_X),
    lambda: IvMoments(1, 1, -1, 1, 0, 9, 9),
    lambda: anderson_rubin(IvMoments(1, 1, 1, 1, 0, 9, 9), q=0),
]


@pytest.mark.parametrize("call", MISTAKES)
def test_method__callers_mistake__raises(call: Callable[[], Any]) -> None:
    with pytest.raises(ValueError, match=r"\w+ \w+"):
        call()


@pytest.mark.parametrize(("x0", "x1"), [(0, 0), (50, 50), (0, 50), (50, 0)])
def test_proportions__nobody_or_everybody__stay_finite(x0: int, x1: int) -> None:
    result = computed(compare.compare_proportions(Mean.from_counts(x0, 50), Mean.from_counts(x1, 50)))
    assert -1 <= result.low <= result.estimate <= result.high <= 1
    assert result.low < result.high
    assert (result.p_value == 1.0) == (x0 == x1)


def test_unpooled__by_hand__is_the_z_of_both_variances() -> None:
    found = computed(compare.compare_unpooled(Mean(100, 0.40, 0.24), Mean(200, 0.50, 0.25)))

    error = sqrt(0.24 / 100 + 0.25 / 200)
    assert (found.low, found.high) == pytest.approx((0.1 - 1.959964 * error, 0.1 + 1.959964 * error), abs=1e-7)
    assert found.p_value == pytest.approx(erfc(0.1 / error / sqrt(2)))


@pytest.mark.parametrize(("n", "method"), [(200, "boschloo-exact"), (300, "fisher-exact")])
def test_proportions__expected_count_below_five__takes_an_exact_p(n: int, method: str) -> None:
    assert computed(compare.compare_proportions(Mean.from_counts(1, n), Mean.from_counts(8, n))).method == method
    assert (
        computed(compare.compare_proportions(Mean.from_counts(2, n), Mean.from_counts(8, n))).method == "score-interval"
    )


def test_score_z__impossible_hypothesis__is_infinite() -> None:
    assert score_z((5, 5), (10, 10), 1.0) == -float("inf")
    assert score_z((5, 5), (10, 10), -1.0) == float("inf")


def test_lift__variant_mean_near_zero__takes_fieller() -> None:
    result = computed(compare.lift(Mean(100, 10.0, 100.0), Mean(100, 0.5, 100.0)))
    assert result.method == "fieller-lift"
    for x in (result.low + 1, result.high + 1):
        assert abs(0.5 - 10 * x) / (1 + x * x) ** 0.5 == pytest.approx(1.959964, abs=1e-5)


def test_sample_ratio__arm_of_weight_zero__leaves_sum_and_degrees() -> None:
    found = computed(srm.sample_ratio({"a": 60, "b": 40, "c": 7}, {"a": 1, "b": 1, "c": 0}))
    assert (found.statistic, found.degrees_of_freedom, found.expected) == (4.0, 1, {"a": 0.5, "b": 0.5})


def test_sample_ratio__arm_without_a_planned_share__counts_once_a_unit_is_in_it() -> None:
    shares = {"a": 1, "b": 1}
    assert computed(srm.sample_ratio({"a": 5, "b": 5, "old": 0}, shares)).expected == {"a": 0.5, "b": 0.5}
    found = srm.sample_ratio({"a": 5, "b": 5, "old": 1}, shares)
    assert found == NotComputable(Reason.NO_PLANNED_SHARE, {"arm": "old"})


def test_holm__more_than_one__is_one() -> None:
    assert multiplicity.holm([0.6, 0.9]) == [1.0, 1.0]


def test_families__empty__stay_empty() -> None:
    assert multiplicity.holm([]) == multiplicity.benjamini_hochberg([]) == []


def test_breslow_day__common_odds_of_exactly_one__is_finite() -> None:
    strata = [(Mean.from_counts(10, 20), Mean.from_counts(10, 20))] * 2
    assert computed(stratified.breslow_day(strata)).statistic == pytest.approx(0.0)
    assert computed(stratified.odds_ratio(strata)).estimate == 1.0


def test_two_stage__clusters__divides_by_the_first_stage() -> None:
    clusters = np.arange(8) // 2
    found = computed(two_stage(Y, D, G, NO_X, clusters=clusters))
    assert found.estimate == pytest.approx((Y[4:].mean() - Y[:4].mean()) / 0.5)
    moments = computed(iv_moments_adjusted(Y, D, G, NO_X, clusters))
    assert found.standard_error == pytest.approx(computed(wald(moments)).standard_error)
    # Four clusters, two in each arm, of the same spread: Satterthwaite gives 2 degrees of freedom at the most.
    assert moments.degrees_of_freedom is not None
    assert 1 <= moments.degrees_of_freedom <= 2


@pytest.mark.parametrize(
    ("moments", "shape", "low", "high"),
    [
        (IvMoments(1, 1, 1, 0, 0, 9, 9), "interval", 0, 2),
        (IvMoments(3, 0.5, 1, 1, 0, 9, 9), "rays", None, None),
        (IvMoments(0.5, 0.5, 1, 1, 0, 9, 9), "line", None, None),
        (IvMoments(0.5, 0, 1, 0, 0, 9, 9), "line", None, None),
        (IvMoments(2, 0, 1, 0, 0, 9, 9), "empty", None, None),
        (IvMoments(2, 1, 1, 1, 0, 9, 9), "half_line", 0.75, None),
        (IvMoments(-2, 1, 1, 1, 0, 9, 9), "half_line", None, -0.75),
        (IvMoments(0, 1, 0, 0, 0, 9, 9), "interval", 0, 0),
    ],
)
def test_anderson_rubin__each_case__has_its_shape(
    moments: IvMoments, shape: str, low: float | None, high: float | None
) -> None:
    found = anderson_rubin(moments, q=1.0)
    assert found.shape == shape
    if shape == "rays":
        ends = sorted(np.roots([0.25 - 1, -3.0, 8.0]))
        assert (found.low, found.high) == pytest.approx(tuple(ends))
        assert found.contains(-100)
        assert found.contains(100)
        assert not found.contains(0.0)
        return
    assert (found.low, found.high) == (low, high)
    assert found.contains(0.0) == (moments.itt**2 <= moments.v_r)


def test_first_stage__no_variance_of_the_behaviour__has_no_f() -> None:
    assert isinstance(first_stage(IvMoments(1, 1, 1, 0, 0, 9, 9), 0, 1).f_statistic, NotComputable)


def test_joint__empty_group__changes_nothing() -> None:
    empty = Joint.from_columns(np.zeros((0, 2)))
    assert (empty + PAIR) is PAIR
    assert (PAIR + empty) is PAIR


def test_mean__counts__has_the_error_of_its_values() -> None:
    mean = Mean.from_counts(3, 10)
    assert mean.variance == pytest.approx(Mean.from_values([1.0] * 3 + [0.0] * 7).variance)
    assert mean.standard_error == pytest.approx((7 / 300) ** 0.5)
    assert Mean(0, 0.0, 0.0).standard_error == 0.0
    assert not Mean(3, 0.5, 0.25).is_proportion
    assert not Mean.from_values([0.0, 0.5, 1.0, 0.5]).is_proportion
