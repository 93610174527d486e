"""Cross-fitted predictions of behaviour and outcome: each unit is predicted by models that were fitted without it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runs.parallel import each
from runs.progress import Progress, silent

type Floats = NDArray[np.float64]
type Flags = NDArray[np.bool_]
type Codes = NDArray[np.int64]
type Predict = Callable[[Floats], Floats]

FOLDS = 5
BOOSTING = {"learning_rate": 0.05, "num_leaves": 7, "min_data_in_leaf": 50, "verbosity": -1, "num_threads": 1}
ROUNDS = 100


@dataclass(frozen=True, eq=False)
class Nuisance:
    """What the models say about each unit, from models that never saw it. Arrays have one entry per unit.

    Attributes:
        propensity: probability of doing the behaviour, given the covariates.
        mean_with, mean_without: expected outcome with and without the behaviour, given the covariates.
        models: which model was chosen for the three, in this order: "linear", "boosted" or "given".
    """

    propensity: Floats
    mean_with: Floats
    mean_without: Floats
    models: tuple[str, str, str] = ("given", "given", "given")


def dummies(codes: Codes) -> Floats:
    """One 0/1 column per value but the first; no column when all are the same."""
    values = np.unique(codes)
    return np.asarray(codes[:, None] == values[None, 1:], dtype=np.float64)


def fit_nuisance(
    outcome: Floats,
    did: Flags,
    covariates: Floats,
    *,
    seed: int,
    unit: Codes | None = None,
    progress: Progress = silent,
) -> Nuisance:
    """Out-of-fold predictions (5 folds, stratified by D): for each of the three, the model with the smaller loss.

    The loss is log loss where the target is 0/1, squared error otherwise, measured out of fold. The choice between two
    models sees all folds; that costs nothing at the order of the standard error. With `unit`, the number of each row's
    unit, all rows of a unit lie in one fold: a model would otherwise know the outcome of whom it predicts.
    """
    fold = _folds(did, seed) if unit is None else _folds_of_units(did, unit, seed)
    everyone = np.ones(len(did), dtype=np.bool_)
    tasks = ((did.astype(np.float64), everyone), (outcome, did), (outcome, ~did))
    chosen = each(tasks, lambda task, inner: _best(covariates, *task, fold, seed, inner), progress=progress)
    (first, propensity), (second, mean_with), (third, mean_without) = chosen
    return Nuisance(propensity, mean_with, mean_without, (first, second, third))


def _folds(did: Flags, seed: int) -> Codes:
    """Fold of each unit, with the share of doers the same in all."""
    rng = np.random.default_rng(seed)
    fold = np.empty(len(did), dtype=np.int64)
    for rows in (np.flatnonzero(did), np.flatnonzero(~did)):
        fold[rng.permutation(rows)] = np.arange(len(rows)) % FOLDS
    return fold


def _folds_of_units(did: Flags, unit: Codes, seed: int) -> Codes:
    """Fold of each row, one for all rows of a unit; stratified by whether the unit ever did it."""
    units, place = np.unique(unit, return_inverse=True)
    ever = np.bincount(place, weights=did, minlength=len(units)) > 0
    return _folds(np.asarray(ever), seed)[place]


def _best(
    covariates: Floats, target: Floats, rows: Flags, fold: Codes, seed: int, progress: Progress
) -> tuple[str, Floats]:
    """Name and out-of-fold predictions, for everyone, of the model that predicts best among `rows`."""
    predictions = {name: np.empty(len(target)) for name in MODELS}

    def predict(which: tuple[str, int], inner: Progress) -> None:
        inner("adjustment", 0.0)
        name, out = which
        inside, held_out = rows & (fold != out), fold == out
        predictions[name][held_out] = MODELS[name](covariates[inside], target[inside], seed)(covariates[held_out])

    each([(name, out) for name in MODELS for out in range(FOLDS)], predict, progress=progress)
    progress("adjustment", 1.0)
    best = min(predictions, key=lambda name: _loss(target[rows], predictions[name][rows]))
    return best, predictions[best]


def _is_binary(target: Floats) -> bool:
    return bool(np.isin(target, (0.0, 1.0)).all())


def _loss(target: Floats, prediction: Floats) -> float:
    if not _is_binary(target):
        return float(((target - prediction) ** 2).mean())
    safe = np.clip(prediction, 1e-9, 1 - 1e-9)
    return float(-(target * np.log(safe) + (1 - target) * np.log1p(-safe)).mean())


def _constant(covariates: Floats, target: Floats) -> Predict | None:
    """The only possible model when nothing varies; libraries refuse such data."""
    if covariates.shape[1] and np.ptp(target) > 0:
        return None
    mean = float(target.mean())
    return lambda rows: np.full(len(rows), mean)


def _fit_linear(covariates: Floats, target: Floats, seed: int) -> Predict:
    """Logistic regression of a 0/1 target, ridge regression of another; columns are standardised."""
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    constant = _constant(covariates, target)
    if constant is not None:
        return constant
    if _is_binary(target):
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(covariates, target)
        return lambda rows: np.asarray(model.predict_proba(rows)[:, 1], dtype=np.float64)
    ridge = make_pipeline(StandardScaler(), Ridge()).fit(covariates, target)
    return lambda rows: np.asarray(ridge.predict(rows), dtype=np.float64)


def _fit_boosted(covariates: Floats, target: Floats, seed: int) -> Predict:
    """A small LightGBM model: 100 trees of 7 leaves, one thread so that sums don't depend on the machine."""
    import lightgbm

    constant = _constant(covariates, target)
    if constant is not None:
        return constant
    objective = "binary" if _is_binary(target) else "regression"
    parameters = {**BOOSTING, "objective": objective, "seed": seed % 2**31, "deterministic": True}
    parameters["force_row_wise"] = True
    model = lightgbm.train(parameters, lightgbm.Dataset(covariates, target), num_boost_round=ROUNDS)
    return lambda rows: np.asarray(model.predict(rows, num_threads=1), dtype=np.float64)


MODELS = {"linear": _fit_linear, "boosted": _fit_boosted}
