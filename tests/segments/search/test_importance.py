"""Ranking of features: gate, groups, additivity, rank intervals, crossing, and the planted truth."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy import special

from segments.search.importance import Importance, Ranking, explain, group_features, rank_features
from segments.search.learning import (
    MIN_PER_SIDE,
    boosted,
    fit_boosting,
    log_losses,
    logistic,
    margin,
    skill,
    stratified_folds,
)
from stats.results import NotComputable, Reason, computable
from tests.marks import first_in_ci

NAMES = ("cause", "copy", "step", "inert", "constant")


def planted(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A cause with a near-copy, a feature that matters from 3 on, an inert one, and a constant."""
    rng = np.random.default_rng(seed)
    cause, step, inert = rng.poisson((3, 2.5, 2), size=(n, 3)).T.astype(float)
    copy = cause + (rng.random(n) < 0.05)
    outcome = rng.random(n) < special.expit(-2 + 0.5 * cause + 1.0 * (step >= 3))
    return np.column_stack([cause, copy, step, inert, np.ones(n)]), outcome


@cache
def ranked(seed: int = 1) -> Importance:
    values, outcome = planted(4000, 7)
    found = rank_features(values, outcome, names=NAMES, seed=seed, repeats=2, replicates=200)
    assert computable(found)
    return found


def ranking(importance: Importance) -> Ranking:
    assert computable(importance.ranking)
    return importance.ranking


@pytest.mark.slow
def test_rank_features__planted__groups_in_the_planted_order() -> None:
    found = ranking(ranked())

    assert set(found.groups[0].members) == {"cause", "copy"}
    assert found.groups[1].members == ("step",)
    assert [group.rank for group in found.groups] == [1, 2, 3, 4]
    assert [found.groups[feature.group].members.count(feature.name) for feature in found.features] == [1] * 5
    assert all(group.rank_low <= group.rank <= group.rank_high for group in found.groups)


@pytest.mark.slow
def test_rank_features__inert_feature__near_zero() -> None:
    found = ranking(ranked())
    inert = next(group for group in found.groups if group.members == ("inert",))

    assert inert.importance < 0.1 * found.groups[0].importance
    assert found.features[4].importance == 0
    assert isinstance(found.features[4].direction, NotComputable)


@pytest.mark.slow
def test_rank_features__directions__follow_the_plant() -> None:
    cause, _, step, *_ = ranking(ranked()).features

    assert computable(cause.direction)
    assert computable(step.direction)
    assert cause.direction > 0.8
    assert step.direction > 0.5


def test_rank_features__explained__is_additive_and_out_of_fold() -> None:
    values, outcome = planted(4000, 7)
    importance = ranked()
    explained = ranking(importance).explained

    gap = explained.base + explained.shap.sum(axis=1) - explained.margin

    assert np.abs(gap).max() < 1e-4
    assert np.array_equal(explained.values, values[explained.rows])
    # Had units been explained by models that saw them, the margins would fit better than the judged ones.
    assert log_losses(explained.margin, outcome[explained.rows]).mean() == pytest.approx(
        importance.trees.log_loss, rel=0.01
    )


def test_rank_features__group_importance__sums_members_before_the_absolute_value() -> None:
    values, outcome = planted(2000, 3)
    found = rank_features(values, outcome, names=NAMES, seed=2, repeats=1, replicates=10)
    assert computable(found)

    first = ranking(found).groups[0]

    shap = ranking(found).explained.shap
    assert set(first.members) == {"cause", "copy"}
    assert first.importance == pytest.approx(np.abs(shap[:, 0] + shap[:, 1]).mean())


@pytest.mark.slow
def test_rank_features__same_seed__same_result() -> None:
    values, outcome = planted(2000, 3)

    first, second = (rank_features(values, outcome, names=NAMES, seed=4, repeats=1, replicates=20) for _ in range(2))

    assert computable(first)
    assert computable(second)
    assert (first.trees, first.logistic) == (second.trees, second.logistic)
    assert ranking(first).groups == ranking(second).groups
    assert np.array_equal(ranking(first).explained.shap, ranking(second).explained.shap)


def test_rank_features__outcome_of_coins__no_ranking_but_its_skill() -> None:
    values, _ = planted(2000, 3)
    outcome = np.random.default_rng(5).random(2000) < 0.4

    found = rank_features(values, outcome, names=NAMES, seed=4, repeats=2)

    assert computable(found)
    assert not found.trees.beats_base_rate
    assert isinstance(found.ranking, NotComputable)
    assert found.ranking.reason is Reason.NO_SKILL
    assert abs(found.trees.auc.estimate - 0.5) < 0.05


@pytest.mark.parametrize(("positives", "refused"), [(MIN_PER_SIDE - 1, True), (MIN_PER_SIDE, False)])
def test_rank_features__fewer_than_fifty_on_a_side__refused(positives: int, refused: bool) -> None:
    values, _ = planted(400, 3)

    found = rank_features(values, np.arange(400) < positives, names=NAMES, seed=1, repeats=1, replicates=5)

    assert (isinstance(found, NotComputable) and found.reason is Reason.TOO_FEW_FOR_MODEL) is refused


def test_rank_features__samples__stay_inside_their_limits() -> None:
    values, outcome = planted(3000, 3)

    found = rank_features(
        values, outcome, names=NAMES, seed=1, repeats=1, replicates=5, max_units=2000, max_explained=300
    )

    assert computable(found)
    assert found.trees.units == 2000
    explained = ranking(found).explained
    assert len(set(explained.rows.tolist())) == 300
    assert np.array_equal(explained.values, values[explained.rows])


def test_rank_features__fewer_explained_than_folds__still_additive() -> None:
    values, outcome = planted(1500, 3)

    found = rank_features(values, outcome, names=NAMES, seed=1, repeats=1, replicates=5, max_explained=2)

    assert computable(found)
    explained = ranking(found).explained
    assert explained.base + explained.shap.sum(axis=1) == pytest.approx(explained.margin)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_rank_features__value_not_finite__raises(bad: float) -> None:
    values, outcome = planted(200, 1)
    values[3, 2] = bad

    with pytest.raises(ValueError, match="finite"):
        rank_features(values, outcome, names=NAMES, seed=1)


def test_rank_features__shapes_that_differ__raise() -> None:
    values, outcome = planted(200, 1)

    with pytest.raises(ValueError, match="shape"):
        rank_features(values, outcome, names=NAMES[:-1], seed=1)
    with pytest.raises(ValueError, match="booleans"):
        rank_features(values, outcome.astype(float), names=NAMES, seed=1)


@pytest.mark.slow
def test_explain__any_booster__base_plus_sum_is_the_margin_and_shap_gives_the_same() -> None:
    import shap as library

    values, outcome = planted(2000, 9)
    booster = fit_boosting(values, outcome, seed=1)

    base, shap = explain(booster, values)

    own = library.TreeExplainer(booster)(values, check_additivity=False)
    assert np.abs(base + shap.sum(axis=1) - margin(booster, values)).max() < 1e-4
    assert np.allclose(shap, own.values)
    assert np.allclose(base, own.base_values)


def test_boosted__every_unit__is_predicted_by_the_model_of_its_fold() -> None:
    values, outcome = planted(1000, 9)

    fit = boosted(values, outcome, seed=3)

    for number, model in enumerate(fit.models):
        mine = fit.fold == number
        assert np.array_equal(fit.margin[mine], margin(model, values[mine]))
        assert fit.base_rate[mine] == pytest.approx(outcome[~mine].mean())


def test_stratified_folds__sizes_and_outcome__are_even() -> None:
    outcome = np.arange(103) < 21

    fold = stratified_folds(outcome, 5, np.random.default_rng(0))

    assert np.ptp(np.bincount(fold[outcome])) <= 1
    assert np.ptp(np.bincount(fold[~outcome])) <= 1


def test_skill__base_rate_as_margin__gains_nothing() -> None:
    values, outcome = planted(1000, 2)
    fit = logistic(values, outcome, seed=1)

    blind = replace(fit, margin=special.logit(fit.base_rate))

    found = skill([blind], outcome)
    assert found.gain == pytest.approx(0, abs=1e-12)
    assert not found.beats_base_rate
    assert skill([fit], outcome).beats_base_rate


def test_skill__against_scikit_learn() -> None:
    from sklearn.metrics import log_loss

    values, outcome = planted(1000, 2)
    fit = logistic(values, outcome, seed=1)

    found = skill([fit], outcome)

    assert found.log_loss == pytest.approx(log_loss(outcome, special.expit(fit.margin)))
    assert found.base_log_loss == pytest.approx(log_loss(outcome, fit.base_rate))


def test_log_losses__extreme_margins__stay_finite() -> None:
    assert log_losses(np.array([800.0, -800.0]), np.array([False, False])).tolist() == [800.0, 0.0]


def test_group_features__threshold__both_sides_and_sign() -> None:
    rng = np.random.default_rng(0)
    one = rng.normal(size=4000)
    near, far = one + rng.normal(size=4000) * 0.8, one + rng.normal(size=4000) * 1.2  # Spearman about .77 and .62
    values = np.column_stack([one, near, -one, np.zeros(4000)])

    assert len(set(group_features(values[:, :3]).tolist())) == 1
    assert len(set(group_features(np.column_stack([one, far])).tolist())) == 2
    assert group_features(values)[3] not in group_features(values)[:3]
    assert group_features(values[:, :1]).tolist() == [0]


@pytest.mark.slow
@pytest.mark.parametrize("repeats", first_in_ci([1, 3]))
def test_rank_features__permuted_feature__importance_near_zero(repeats: int) -> None:
    values, outcome = planted(10_000, 11)
    before = rank_features(values, outcome, names=NAMES, seed=1, repeats=repeats)
    values[:, 2] = np.random.default_rng(1).permutation(values[:, 2])

    after = rank_features(values, outcome, names=NAMES, seed=1, repeats=repeats)

    assert computable(before)
    assert computable(after)
    assert ranking(after).features[2].importance < 0.1 * ranking(before).features[2].importance


@pytest.mark.slow
def test_rank_features__outcomes_of_coins__seldom_pass_the_gate() -> None:
    values, _ = planted(2000, 11)
    passed = 0
    for seed in range(20):
        coins = np.random.default_rng(100 + seed).random(2000) < 0.3
        noise = rank_features(values, coins, names=NAMES, seed=seed, repeats=1)
        assert computable(noise)
        passed += computable(noise.ranking)
    # A one-sided 2.5 % gate: three or more of twenty happen once in seventy times.
    assert passed <= 2
