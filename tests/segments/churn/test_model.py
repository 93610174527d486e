"""Churn risk: refusals, calibration, reasons, and a model that survives storage."""

from functools import cache

import numpy as np
import pytest
from scipy import special

from segments.published.churn_model import ChurnRisk, fit_churn, score
from segments.search.learning import MIN_PER_SIDE
from stats.results import NotComputable, Reason, computable
from tests.segments.worlds import world_matrix

NAMES = ("visits", "copy", "errors", "inert")


def leavers(n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Counts, who left, and the true probability of leaving."""
    rng = np.random.default_rng(seed)
    visits, errors, inert = rng.poisson((4, 1, 2), size=(n, 3)).T.astype(float)
    truth = special.expit(1 - 0.5 * visits + 0.7 * errors)
    return np.column_stack([visits, visits + (rng.random(n) < 0.05), errors, inert]), rng.random(n) < truth, truth


@cache
def fitted() -> ChurnRisk:
    values, churned, _ = leavers(3000, 1)
    risk = fit_churn(values, churned, names=NAMES, seed=5, max_units=2500)
    assert computable(risk)
    return risk


@pytest.mark.slow
def test_fit_churn__scores__approach_the_truth() -> None:
    _, churned, truth = leavers(3000, 1)
    risk = fitted()

    error = risk.scores.probability - truth

    assert np.sqrt(np.mean(error**2)) < 0.08
    assert risk.quality.brier < risk.quality.base_brier
    assert risk.quality.brier == pytest.approx(
        np.mean((risk.scores.probability - churned)[risk.out_of_fold] ** 2), abs=1e-12
    )


@pytest.mark.slow
def test_fit_churn__calibration__slope_one_and_intercept_zero() -> None:
    quality = fitted().quality

    assert quality.slope.low < 1 < quality.slope.high
    assert quality.intercept.low < 0 < quality.intercept.high
    assert sum(each.n for each in quality.table) == 2500
    assert [each.predicted for each in quality.table] == sorted(each.predicted for each in quality.table)


def test_fit_churn__units_beyond_the_sample__are_scored_by_the_final_model() -> None:
    values, _, _ = leavers(3000, 1)
    risk = fitted()
    outside = ~risk.out_of_fold

    again = score(risk.model, values[outside])

    assert risk.out_of_fold.sum() == 2500
    assert np.array_equal(risk.scores.probability[outside], again.probability)
    assert not np.array_equal(risk.scores.probability[~outside], score(risk.model, values[~outside]).probability)


def test_score__alone_or_in_bulk__is_the_same() -> None:
    values, _, _ = leavers(40, 8)
    model = fitted().model

    bulk = score(model, values)
    single = [score(model, values[i : i + 1]) for i in range(len(values))]
    assert bulk.probability.tolist() == [float(each.probability[0]) for each in single]
    assert bulk.reason_group.tolist() == [each.reason_group[0].tolist() for each in single]


def test_score__reasons__are_the_largest_group_effects_in_calibrated_log_odds() -> None:
    import lightgbm

    values, _, _ = leavers(60, 8)
    model = fitted().model
    booster = lightgbm.Booster(model_str=model.trees)

    found = score(model, values)

    own = np.asarray(booster.predict(values, pred_contrib=True))
    effects = np.column_stack([own[:, list(members)].sum(axis=1) for members in model.groups]) * model.slope
    base = model.intercept + model.slope * own[:, -1]
    assert special.logit(found.probability) == pytest.approx(base + effects.sum(axis=1))
    # visits and its copy are one group, so three groups are all there are, largest first.
    assert (0, 1) in model.groups
    assert found.reason_effect.shape == (60, 3)
    assert (np.diff(np.abs(found.reason_effect), axis=1) <= 0).all()
    assert np.allclose(found.reason_effect, np.take_along_axis(effects, found.reason_group, axis=1))


def test_score__reasons_of_a_frequent_visitor__lower_the_risk() -> None:
    model = fitted().model

    found = score(model, np.array([[9.0, 9, 0, 2], [0.0, 0, 4, 2]]))

    assert found.probability[0] < 0.15 < 0.85 < found.probability[1]
    assert model.groups[found.reason_group[0, 0]] == (0, 1)
    assert found.reason_effect[0, 0] < 0 < found.reason_effect[1, 0]


def test_score__other_number_of_features__raises() -> None:
    with pytest.raises(ValueError, match="4 features"):
        score(fitted().model, np.zeros((2, 3)))


def test_fit_churn__outcome_of_coins__refused_with_its_skill() -> None:
    values, _, _ = leavers(2000, 1)

    found = fit_churn(values, np.random.default_rng(3).random(2000) < 0.3, names=NAMES, seed=1)

    assert isinstance(found, NotComputable)
    assert found.reason is Reason.NO_SKILL
    assert isinstance(found.details["auc"], float)
    assert abs(found.details["auc"] - 0.5) < 0.05


@pytest.mark.parametrize(("left", "reason"), [(MIN_PER_SIDE - 1, Reason.TOO_FEW_FOR_MODEL), (MIN_PER_SIDE, None)])
def test_fit_churn__fewer_than_fifty_leavers__refused(left: int, reason: Reason | None) -> None:
    values = np.column_stack([np.arange(600.0), np.ones(600)])

    found = fit_churn(values, np.arange(600) < left, names=("a", "b"), seed=1)

    assert (found.reason if isinstance(found, NotComputable) else None) is reason


def test_fit_churn__outcome_fully_separated__keeps_finite_scores() -> None:
    values = np.arange(1000.0).reshape(-1, 1)

    found = fit_churn(values, np.arange(1000) < 500, names=("a",), seed=1)

    assert computable(found)
    assert ((found.scores.probability > 0) & (found.scores.probability < 1)).all()
    assert np.isfinite(found.quality.slope.high)


@pytest.mark.slow
def test_fit_churn__step_world__calibrated_and_ranks_leavers() -> None:
    world = world_matrix("step", 10_000, 3, 14)
    values = np.column_stack([world.counts, world.active_days]).astype(float)

    risk = fit_churn(values, ~world.retained, names=(*world.names, "active_days"), seed=2)

    assert computable(risk)
    assert risk.quality.skill.auc.low > 0.9
    assert risk.quality.slope.low < 1 < risk.quality.slope.high
    inside = [each.low <= each.predicted <= each.high for each in risk.quality.table]
    assert sum(inside) >= 7


@pytest.mark.slow
def test_fit_churn__noise_world_many_seeds__refuses() -> None:
    world = world_matrix("noise", 2_000, 1, 7)
    passed = 0
    for seed in range(20):
        coins = np.random.default_rng(seed).random(2_000) < 0.3
        passed += computable(fit_churn(world.counts.astype(float), coins, names=world.names, seed=seed))

    # A one-sided 2.5 % gate: three or more of twenty happen once in seventy times.
    assert passed <= 2
