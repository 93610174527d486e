"""Churn prediction for a segment: a calibrated model on play pattern, with reasons per unit.

The score is predictive, not causal: what raises it needn't be what makes people leave.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special, stats

from runs.payloads import Schema
from runs.progress import Progress, part, silent
from segments.search.importance import MAX_UNITS, explain, group_features
from segments.search.learning import (
    FOLDS,
    OutOfFold,
    Skill,
    boosted,
    check_matrix,
    fit_boosting,
    margin,
    skill,
    too_small,
)
from segments.search.leaving import rate
from segments.search.ranks import Flags, Floats, Ints
from stats.results import NotComputable, Reason

REASONS = 3
MAX_BINS = 10
UNITS_PER_BIN = 50
DOCUMENT_VERSION = 1


@dataclass(frozen=True)
class Coefficient:
    """A number with its 95 % interval."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True)
class Bin:
    """Units with neighbouring scores.

    Attributes:
        n: units.
        predicted: mean score, 0 to 1.
        observed: share that left, 0 to 1, with its Wilson interval `low` to `high`.
    """

    n: int
    predicted: float
    observed: float
    low: float
    high: float


@dataclass(frozen=True)
class Quality:
    """Quality of the calibrated scores, on units that the model was not fitted on.

    Attributes:
        skill: AUC and log loss against the base rate.
        brier: mean squared error of the scores, 0 to 1.
        base_brier: the same when every unit is given the base rate.
        slope: calibration slope: 1 when right, below 1 when scores are too extreme.
        intercept: calibration intercept: 0 when scores are right on average, positive when too low (log-odds).
        table: units in bins of equal size by score.
    """

    skill: Skill
    brier: float
    base_brier: float
    slope: Coefficient
    intercept: Coefficient
    table: tuple[Bin, ...]


@dataclass(frozen=True)
class ChurnModel:
    """A fitted model of text and numbers: can be stored as JSON and score units later.

    Attributes:
        names: features in the order that `score` expects.
        groups: features that share their credit, as positions in `names`.
        trees: LightGBM's text form.
        slope, intercept: calibrated log-odds = intercept + slope * raw log-odds.
    """

    names: tuple[str, ...]
    groups: tuple[tuple[int, ...], ...]
    trees: str
    slope: float
    intercept: float


@dataclass(frozen=True, eq=False)
class Scores:
    """Scores of units.

    Attributes:
        probability: of leaving, 0 to 1, shape (n,).
        reason_group: positions in `ChurnModel.groups` of the (at most) three largest reasons, largest first, (n, k).
        reason_effect: what each adds to the log-odds of leaving, (n, k); positive raises the risk.
    """

    probability: Floats
    reason_group: Ints
    reason_effect: Floats


@dataclass(frozen=True, eq=False)
class ChurnRisk:
    """A churn model that beats the base rate, and its scores.

    Attributes:
        model: to score other units with.
        quality: out-of-fold.
        scores: of all units; those of training units are out-of-fold.
        out_of_fold: true for the training units.
        seed: of every random draw; reproduces the result.
    """

    model: ChurnModel
    quality: Quality
    scores: Scores
    out_of_fold: Flags
    seed: int


def fit_churn(
    values: Floats,
    churned: Flags,
    *,
    names: Sequence[str],
    seed: int,
    max_units: int = MAX_UNITS,
    progress: Progress = silent,
) -> ChurnRisk | NotComputable:
    """Fit, calibrate and evaluate a churn model.

    Boosted trees in five folds; Platt's sigmoid on their log-odds, cross-fitted (each fold is calibrated by the other
    four). Sigmoid, not isotonic: it keeps the order of the scores, never gives exactly 0 or 1, and needs two numbers
    where isotonic regression needs about a thousand leavers; log-loss trees are off by little more than a slope.

    Args:
        values: units x features of the window, finite.
        churned: whether the unit left after the window.
        names: one per feature.
        seed: of sample, folds and trees.
        max_units: the model is fitted on at most this many units and scores the others.
        progress: called with the stage and the share done, 0 to 1.

    Returns:
        The model with its quality and every unit's score, or ``NotComputable``: too few units on one side, or the
        calibrated scores don't beat the base rate (lower 95 % limit of the paired log-loss gain not above 0).

    Raises:
        ValueError: shapes that don't agree, or values that aren't finite.

    Source: Platt 1999; Niculescu-Mizil and Caruana 2005; the gate: docs/methods/profiles.md, "Churn risk".
    """
    check_matrix(values, churned, names)
    rng = np.random.default_rng(seed)
    rows = np.arange(len(churned))
    if len(rows) > max_units:
        rows = np.sort(rng.choice(rows, size=max_units, replace=False))
    x, y = values[rows], churned[rows]
    missing = too_small(y)
    if missing is not None:
        return missing
    fit = boosted(x, y, seed=int(rng.integers(2**31 - FOLDS)), progress=part(progress, 0.0, 0.6))
    calibrated = _cross_calibrated(fit, y)
    judged = skill([OutOfFold(fit.fold, calibrated, fit.base_rate, ())], y)
    if not judged.beats_base_rate:
        return NotComputable(Reason.NO_SKILL, {"auc": judged.auc.estimate, "gain": judged.gain})
    booster = fit_boosting(x, y, seed=int(rng.integers(2**31)))
    coefficients, _ = _sigmoid(fit.margin, y)
    group = group_features(x)
    groups = tuple(tuple(int(j) for j in np.flatnonzero(group == number)) for number in range(group.max() + 1))
    model = ChurnModel(tuple(names), groups, booster.model_to_string(), float(coefficients[1]), float(coefficients[0]))
    progress("scores", 0.7)
    scores = score(model, values)
    _overwrite_training(scores, model, fit, x, rows, calibrated)
    trained = np.zeros(len(churned), dtype=np.bool_)
    trained[rows] = True
    progress("scores", 1.0)
    return ChurnRisk(model, _quality(judged, calibrated, fit.base_rate, y), scores, trained, seed)


def score(model: ChurnModel, values: Floats) -> Scores:
    """Score units with a stored model; a unit's score doesn't depend on the other units.

    Args:
        model: as fitted or read back.
        values: units x features, in the order of ``model.names``.

    Raises:
        ValueError: another number of features.
    """
    import lightgbm

    if values.ndim != 2 or values.shape[1] != len(model.names):
        raise ValueError(f"the model needs {len(model.names)} features, not values of shape {values.shape}")
    booster = lightgbm.Booster(model_str=model.trees)
    log_odds = model.intercept + model.slope * margin(booster, values)
    group, effect = _reasons(booster, model, values)
    return Scores(np.asarray(special.expit(log_odds), dtype=np.float64), group, effect)


def to_document(model: ChurnModel) -> dict[str, Any]:
    """The model as a JSON document."""
    return {
        "version": DOCUMENT_VERSION,
        "names": list(model.names),
        "groups": [list(members) for members in model.groups],
        "trees": model.trees,
        "slope": model.slope,
        "intercept": model.intercept,
    }


def _overwrite_training(
    scores: Scores, model: ChurnModel, fit: OutOfFold, x: Floats, rows: Ints, calibrated: Floats
) -> None:
    """Replace the training units' scores and reasons by out-of-fold ones."""
    scores.probability[rows] = special.expit(calibrated)
    for number, booster in enumerate(fit.models):
        mine = fit.fold == number
        scores.reason_group[rows[mine]], scores.reason_effect[rows[mine]] = _reasons(booster, model, x[mine])


def _reasons(booster: Any, model: ChurnModel, values: Floats) -> tuple[Ints, Floats]:
    """The largest grouped SHAP values of each unit, in calibrated log-odds."""
    _, shap = explain(booster, values)
    grouped = model.slope * np.column_stack([shap[:, list(members)].sum(axis=1) for members in model.groups])
    order = np.argsort(-np.abs(grouped), axis=1, kind="stable")[:, :REASONS]
    return order, np.take_along_axis(grouped, order, axis=1)


def _sigmoid(margins: Floats, outcome: Flags, *, offset: bool = False) -> tuple[Floats, Floats]:
    """Intercept and slope of the outcome on log-odds, with standard errors; `offset` holds the slope at 1.

    Platt's targets keep both finite where scores separate the outcomes completely.
    """
    import statsmodels.api as sm

    positives = int(outcome.sum())
    targets = np.where(outcome, (positives + 1) / (positives + 2), 1 / (len(outcome) - positives + 2))
    ones = np.ones((len(outcome), 1))
    design = ones if offset else np.column_stack([ones, margins])
    fitted = sm.GLM(targets, design, family=sm.families.Binomial(), offset=margins if offset else None).fit()
    return np.asarray(fitted.params, dtype=np.float64), np.asarray(fitted.bse, dtype=np.float64)


def _cross_calibrated(fit: OutOfFold, outcome: Flags) -> Floats:
    """Calibrated log-odds; each unit is calibrated by a sigmoid fitted without it."""
    result = np.empty(len(outcome))
    for number in range(FOLDS):
        mine = fit.fold == number
        (intercept, slope), _ = _sigmoid(fit.margin[~mine], outcome[~mine])
        result[mine] = intercept + slope * fit.margin[mine]
    return result


def _quality(judged: Skill, log_odds: Floats, base_rate: Floats, outcome: Flags) -> Quality:
    probability = special.expit(log_odds)
    both, both_errors = _sigmoid(log_odds, outcome)
    large, large_errors = _sigmoid(log_odds, outcome, offset=True)
    bins = max(1, min(MAX_BINS, len(outcome) // UNITS_PER_BIN))
    order = np.argsort(probability, kind="stable")
    return Quality(
        skill=judged,
        brier=float(np.mean((probability - outcome) ** 2)),
        base_brier=float(np.mean((base_rate - outcome) ** 2)),
        slope=_coefficient(both[1], both_errors[1]),
        intercept=_coefficient(large[0], large_errors[0]),
        table=tuple(_bin(probability[part_], outcome[part_]) for part_ in np.array_split(order, bins)),
    )


def _coefficient(estimate: float, error: float) -> Coefficient:
    half = float(error) * float(stats.norm.isf(0.025))
    return Coefficient(float(estimate), float(estimate) - half, float(estimate) + half)


def _bin(probability: Floats, outcome: Flags) -> Bin:
    left = rate(int(outcome.sum()), len(outcome))
    return Bin(left.n, float(probability.mean()), left.estimate, left.low, left.high)


# What is stored of a churn model. Pure record.


@dataclass(frozen=True)
class ChurnResult:
    """A finished churn model.

    Attributes:
        definition: of retention, as a SPEC.
        units: number of the segment's units that were scored.
        known: number of those whose outcome is known.
        quality: how good the scores are, or why there are none.
        mean_risk: mean probability of leaving, 0 to 1; None without scores.
    """

    definition: str
    units: int
    known: int
    quality: Quality | NotComputable
    mean_risk: float | None = None


# Parse stored payloads of churn models, of any version. Pure.

CHURN = Schema(ChurnResult)
