"""AIPW: equal to statsmodels with the same predictions, near it with our own, refused without overlap."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from numpy.typing import NDArray
from statsmodels.discrete.discrete_model import Probit
from statsmodels.regression.linear_model import OLS
from statsmodels.treatment.treatment_effects import TreatmentEffect

from aha.evidence import nuisance as models
from aha.evidence.aipw import CLIP, adjust, measure_overlap, weigh
from aha.evidence.nuisance import Floats, Nuisance, fit_nuisance
from stats.results import NotComputable, Reason
from tests.stats.make import computed

# Stata 17 `teffects aipw` of Cattaneo's birth weights, as in statsmodels' test results.
STATA_EFFECT, STATA_ERROR = -230.99, 26.21


@pytest.fixture(scope="module")
def births() -> pd.DataFrame:
    """Cattaneo (2010): birth weight by the mother's smoking; the file comes with statsmodels."""
    return pd.read_csv(Path(statsmodels.__file__).parent / "treatment/tests/results/cataneo2.csv")


@pytest.fixture(scope="module")
def reference(births: pd.DataFrame) -> TreatmentEffect:
    probit = Probit.from_formula("mbsmoke_ ~ mmarried_ + mage + mage2 + fbaby_ + medu", births).fit(disp=0)
    outcome = OLS.from_formula("bweight ~ prenatal1_ + mmarried_ + mage + fbaby_", births)
    return TreatmentEffect(outcome, births["mbsmoke_"].to_numpy(), results_select=probit)


def predictions(reference: TreatmentEffect) -> Nuisance:
    exog = reference.model_pool.exog
    return Nuisance(reference.prob_select, reference.results1.predict(exog), reference.results0.predict(exog))


def confounded(n: int, seed: int, effect: float = 0.1) -> tuple[Floats, NDArray[np.bool_], Floats]:
    """Outcome, did, covariates: two covariates drive both; the truth is a difference of `effect` for everyone."""
    rng = np.random.default_rng(seed)
    covariates = rng.normal(size=(n, 2))
    drive = 1 / (1 + np.exp(-covariates.sum(axis=1)))
    did = rng.random(n) < 0.1 + 0.7 * drive
    outcome = (rng.random(n) < 0.1 + 0.6 * drive + effect * did).astype(np.float64)
    return outcome, did, covariates


def test_weigh__predictions_of_statsmodels__gives_its_point(
    births: pd.DataFrame, reference: TreatmentEffect, monkeypatch: pytest.MonkeyPatch
) -> None:
    weight, smokes = births["bweight"].to_numpy(float), births["mbsmoke_"].to_numpy() == 1
    given_predictions = predictions(reference)

    ours = computed(weigh(weight, smokes, given_predictions))
    monkeypatch.setattr(reference, "prob_select", np.clip(reference.prob_select, CLIP, 1 - CLIP))
    theirs = reference.aipw(return_results=False)

    # The reference clips nothing: 8 of 4,642 propensities are below .02, which moves the third digit behind the point.
    assert (ours.difference.estimate, ours.mean_without, ours.mean_with) == pytest.approx(theirs, rel=1e-12)
    assert ours.difference.estimate == pytest.approx(STATA_EFFECT, abs=0.005)
    assert ours.difference.standard_error == pytest.approx(STATA_ERROR, rel=0.05)
    assert ours.models == ("given", "given", "given")


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_adjust__our_own_models__within_one_error_of_stata(births: pd.DataFrame, seed: int) -> None:
    columns = births[["prenatal1_", "mmarried_", "mage", "mage2", "fbaby_", "medu"]].to_numpy(float)

    ours = computed(adjust(births["bweight"].to_numpy(float), births["mbsmoke_"].to_numpy() == 1, columns, seed=seed))

    assert abs(ours.difference.estimate - STATA_EFFECT) < STATA_ERROR
    assert ours.difference.high < 0
    assert ours.n_with == 864
    assert ours.n_without == 3778


def test_adjust__confounded_truth__covered_while_raw_is_not() -> None:
    outcome, did, covariates = confounded(4000, seed=3)

    adjusted = computed(adjust(outcome, did, covariates, seed=1)).difference
    raw = computed(adjust(outcome, did, covariates[:, :0], seed=1)).difference

    assert adjusted.low < 0.1 < adjusted.high
    assert raw.low > 0.15
    assert raw.estimate == pytest.approx(outcome[did].mean() - outcome[~did].mean(), abs=1e-3)


@pytest.mark.slow
def test_adjust__same_seed__same_result_to_the_last_bit() -> None:
    outcome, did, covariates = confounded(1500, seed=4)

    first, again, other = (adjust(outcome, did, covariates, seed=seed, max_units=1000) for seed in (7, 7, 8))

    assert first == again
    assert first != other
    assert computed(first).n_with + computed(first).n_without == 1000


def test_nuisance__curved_propensity__takes_the_boosted_model() -> None:
    rng = np.random.default_rng(5)
    covariates = rng.normal(size=(3000, 1))
    did = rng.random(3000) < np.where(np.abs(covariates[:, 0]) < 0.7, 0.8, 0.2)
    outcome = (rng.random(3000) < 1 / (1 + np.exp(-covariates[:, 0]))).astype(np.float64)

    chosen = fit_nuisance(outcome, did, covariates, seed=1).models

    assert chosen == ("boosted", "linear", "linear")


def test_nuisance__own_outcome_turned__own_prediction_unmoved() -> None:
    outcome, did, covariates = confounded(600, seed=6)
    turned = outcome.copy()
    turned[0] = 1 - turned[0]
    design, fold = models.ReadyCovariates.of(covariates, 1), models._folds(did, 1)

    before, after = (
        models._best(design, target, np.ones(600, dtype=bool), fold, lambda stage, share: None)
        for target in (outcome, turned)
    )

    same_fold = fold == fold[0]
    assert before[0] == after[0]
    assert_array_equal(before[1][same_fold], after[1][same_fold])
    assert (before[1][~same_fold] != after[1][~same_fold]).any()


def test_folds__few_doers__spread_evenly() -> None:
    did = np.arange(103) < 52

    fold = models._folds(did, 9)

    assert {int((fold[did] == number).sum()) for number in range(5)} == {10, 11}
    assert {int((fold[~did] == number).sum()) for number in range(5)} == {10, 11}


def alternating(n: int) -> Floats:
    return (np.arange(n) % 2).astype(np.float64)


def flat_nuisance(n: int, propensity: float = 0.5) -> Nuisance:
    return Nuisance(np.full(n, propensity), np.full(n, 0.4), np.full(n, 0.3))


@pytest.mark.parametrize(("beyond", "enough"), [(100, True), (101, False)])
def test_weigh__share_clipped__refused_above_a_tenth(beyond: int, enough: bool) -> None:
    did = np.arange(1000) >= 500
    propensity = np.where(np.arange(1000) < beyond, 0.001, 0.5)

    result = weigh(alternating(1000), did, replace(flat_nuisance(1000), propensity=propensity))

    assert (not isinstance(result, NotComputable)) == enough
    if isinstance(result, NotComputable):
        assert result.reason == Reason.NO_OVERLAP
        assert result.details["clipped"] == 0.101
    else:
        assert result.overlap.clipped == result.overlap.outside == 0.1


@pytest.mark.parametrize(("rare", "enough"), [(7, True), (8, False)])
def test_weigh__few_units_carry_all_weight__refused_below_a_tenth(rare: int, enough: bool) -> None:
    # By hand: 7 weights of 50 and 993 of 1/.98 leave (350 + 1013.27)^2 / (17500 + 1033.94) = 100.28 of 1,000 units;
    # 8 and 992 leave (400 + 1012.24)^2 / (20000 + 1032.90) = 94.82.
    did = np.arange(2000) < 1000
    propensity = np.where(np.arange(2000) < rare, 0.02, np.where(did, 0.98, 0.5))

    result = weigh(alternating(2000), did, replace(flat_nuisance(2000), propensity=propensity))

    effective = measure_overlap(did, propensity).effective_with
    assert effective == pytest.approx(0.10028 if enough else 0.09482, abs=1e-5)
    assert (not isinstance(result, NotComputable)) == enough


@pytest.mark.parametrize(("n", "reason"), [(49, Reason.TOO_FEW_FOR_MODEL), (50, None)])
def test_adjust__smaller_group__needs_fifty(n: int, reason: Reason | None) -> None:
    did = np.arange(200) < n

    result = adjust((np.arange(200) % 2).astype(float), did, np.random.default_rng(1).normal(size=(200, 1)), seed=1)

    assert (result.reason if isinstance(result, NotComputable) else None) == reason


def test_weigh__one_doer__too_few() -> None:
    result = weigh(np.zeros(10), np.arange(10) < 1, flat_nuisance(10))

    assert result == NotComputable(Reason.TOO_FEW_UNITS, {"n": 1, "needed": 2})


def test_weigh__nothing_varies__says_so() -> None:
    nothing = Nuisance(np.full(10, 0.5), np.zeros(10), np.zeros(10))

    assert weigh(np.zeros(10), np.arange(10) < 5, nothing) == NotComputable(Reason.NO_VARIANCE)


def test_weigh__potential_mean_of_zero__has_a_difference_but_no_ratio() -> None:
    did = np.arange(100) < 50
    nobody_else = Nuisance(np.full(100, 0.5), np.full(100, 0.4), np.zeros(100))
    outcome = (did & (np.arange(100) % 2 == 0)).astype(float)

    result = computed(weigh(outcome, did, nobody_else))

    assert result.ratio == NotComputable(Reason.MEANS_NOT_POSITIVE)
    assert result.difference.estimate == pytest.approx(0.5)


@pytest.mark.parametrize("alpha", [0.0, 1.0, float("nan")])
def test_weigh__alpha_out_of_range__raises(alpha: float) -> None:
    with pytest.raises(ValueError, match="alpha"):
        weigh(np.zeros(10), np.arange(10) < 5, flat_nuisance(10), alpha=alpha)


def test_weigh__nothing_to_adjust__errors_of_two_independent_shares() -> None:
    # Constant predictions equal to the groups' own rates: 30 of 60 against 20 of 140.
    did = np.arange(200) < 60
    outcome = np.concatenate([np.arange(60) < 30, np.arange(140) < 20]).astype(np.float64)
    own = Nuisance(np.full(200, 0.3), np.full(200, 1 / 2), np.full(200, 1 / 7))

    result = computed(weigh(outcome, did, own))

    correction = (200 / 199) ** 0.5  # n-1 in place of n
    unpooled = (1 / 4 / 60 + 6 / 49 / 140) ** 0.5
    katz = (1 / 30 - 1 / 60 + 1 / 20 - 1 / 140) ** 0.5
    ratio = computed(result.ratio)
    assert result.difference.standard_error == pytest.approx(unpooled * correction)
    assert ratio.estimate == pytest.approx(3.5)
    assert np.log(ratio.high / ratio.low) / 2 == pytest.approx(1.959964 * katz * correction, rel=1e-6)


def test_weigh__outcome_exactly_doubled__ratio_of_two_without_error() -> None:
    did, without = np.arange(100) % 2 == 0, 1 + np.arange(100.0)

    result = computed(
        weigh(np.where(did, 2 * without, without), did, Nuisance(np.full(100, 0.5), 2 * without, without))
    )

    ratio = computed(result.ratio)
    assert (ratio.low, ratio.estimate, ratio.high) == pytest.approx((2.0, 2.0, 2.0))
    assert result.difference.standard_error == pytest.approx(without.std(ddof=1) / 10)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(20, 200))
def test_weigh__any_sample__turns_and_doubles_as_it_should(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    did = np.arange(n) < max(2, n // 3)
    outcome = (rng.random(n) < 0.5).astype(float)
    nuisance = Nuisance(rng.uniform(0.1, 0.9, n), rng.uniform(0.1, 0.9, n), rng.uniform(0.1, 0.9, n))

    result = computed(weigh(outcome, did, nuisance))
    turned = computed(
        weigh(1 - outcome, did, Nuisance(nuisance.propensity, 1 - nuisance.mean_with, 1 - nuisance.mean_without))
    )
    swapped = computed(
        weigh(outcome, ~did, Nuisance(1 - nuisance.propensity, nuisance.mean_without, nuisance.mean_with))
    )
    twice = Nuisance(np.tile(nuisance.propensity, 2), np.tile(nuisance.mean_with, 2), np.tile(nuisance.mean_without, 2))
    double = computed(weigh(np.tile(outcome, 2), np.tile(did, 2), twice))

    for other in (turned.difference, swapped.difference):
        assert other.estimate == pytest.approx(-result.difference.estimate, abs=1e-12)
        assert other.standard_error == pytest.approx(result.difference.standard_error)
    assert double.difference.estimate == pytest.approx(result.difference.estimate, abs=1e-12)
    halved = result.difference.standard_error**2 * (n - 1) / (2 * n - 1)
    assert double.difference.standard_error**2 == pytest.approx(halved)
    if not isinstance(result.ratio, NotComputable) and not isinstance(swapped.ratio, NotComputable):
        assert swapped.ratio.estimate == pytest.approx(1 / result.ratio.estimate)
        assert swapped.ratio.low == pytest.approx(1 / result.ratio.high)


@pytest.mark.slow
@pytest.mark.proof
def test_adjust__many_samples__intervals_cover_the_truth() -> None:
    truth, samples = 0.1, 200

    found = [computed(adjust(*confounded(1000, seed), seed=seed)) for seed in range(samples)]

    # 190 of 200 expected; four binomial errors below are 178.
    covered = sum(each.difference.low <= truth <= each.difference.high for each in found)
    assert covered >= 178
    estimates = np.array([each.difference.estimate for each in found])
    errors = np.array([each.difference.standard_error for each in found])
    assert abs(estimates.mean() - truth) < 4 * estimates.std(ddof=1) / samples**0.5
    assert errors.mean() == pytest.approx(estimates.std(ddof=1), rel=0.2)


def straight(n: int, seed: int) -> tuple[Floats, NDArray[np.bool_], Floats]:
    """A world in which both models are logistic."""
    rng = np.random.default_rng(seed)
    covariates = rng.normal(size=(n, 3))
    chance = 1 / (1 + np.exp(-covariates @ [0.5, -0.5, 0.2]))
    did, stays = (rng.random((2, n)) < chance).astype(bool)
    return stays.astype(np.float64), did, covariates


def test_nuisance__many_rows__judged_on_the_first_fold_and_predicted_out_of_fold(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    outcome, did, covariates = straight(25_000, seed=7)
    fitted: list[str] = []

    def counted(name: str, fit: Any) -> Any:
        def one(*given: Any) -> Any:
            fitted.append(name)
            return fit(*given)

        return one

    for name, fit in models.MODELS.items():
        monkeypatch.setitem(models.MODELS, name, counted(name, fit))

    chosen = fit_nuisance(outcome, did, covariates, seed=1).models

    assert chosen == ("linear", "linear", "linear")
    assert (fitted.count("linear"), fitted.count("boosted")) == (15, 3)
