"""Cross-fitted predictions of behaviour and outcome: each unit is predicted by models that were fitted without it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runs.parallel import each
from runs.progress import Progress, part, silent

type Floats = NDArray[np.float64]
type Flags = NDArray[np.bool_]
type Codes = NDArray[np.int64]
type Predict = Callable[[Flags], Floats]

FOLDS = 5
BOOSTING = {
    "learning_rate": 0.1,
    "num_leaves": 7,
    "min_data_in_leaf": 50,
    "verbosity": -1,
    "num_threads": 1,
    "deterministic": True,
    "force_row_wise": True,
}
ROUNDS = 50
# The two models are compared on this many rows; the remaining folds are fitted with the better one only.
JUDGED_ROWS = 5_000


@dataclass(frozen=True, eq=False)
class Nuisance:
    """Out-of-fold predictions for each unit, from models fitted without it. Arrays have one entry per unit.

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

    The loss is log loss where the target is 0/1, squared error otherwise, measured out of fold on the first folds, as
    many as hold 5,000 rows: all of them below 6,250 rows, one from 25,000 on. Choosing between two models uses those
    rows' outcomes; the effect is negligible beside the standard error. With `unit`, the number of each row's unit, all
    rows of a unit are in one fold: a model would otherwise be fitted on the outcome that it predicts.
    """
    fold = _folds(did, seed) if unit is None else _folds_of_units(did, unit, seed)
    everyone = np.ones(len(did), dtype=np.bool_)
    design = ReadyCovariates.of(covariates, seed)
    tasks = ((did.astype(np.float64), everyone), (outcome, did), (outcome, ~did))
    chosen = each(tasks, lambda task, inner: _best(design, *task, fold, inner), progress=progress)
    (first, propensity), (second, mean_with), (third, mean_without) = chosen
    return Nuisance(propensity, mean_with, mean_without, (first, second, third))


def _folds(did: Flags, seed: int) -> Codes:
    """Fold of each unit; every fold has the same share of doers."""
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
    design: "ReadyCovariates", target: Floats, rows: Flags, fold: Codes, progress: Progress
) -> tuple[str, Floats]:
    """Name and out-of-fold predictions, for everyone, of the model that predicts best among `rows`."""
    predictions = {name: np.empty(len(target)) for name in MODELS}
    judges = min(FOLDS, -(-JUDGED_ROWS * FOLDS // len(target)))

    def predict(which: tuple[str, int], inner: Progress) -> None:
        inner("adjustment", 0.0)
        name, out = which
        inside, held_out = np.flatnonzero(rows & (fold != out)), fold == out
        predictions[name][held_out] = _fit(name, design, target, inside)(held_out)

    each([(name, out) for out in range(judges) for name in MODELS], predict, progress=part(progress, 0, 0.5))
    judged = rows & (fold < judges)
    best = min(predictions, key=lambda name: _loss(target[judged], predictions[name][judged]))
    each([(best, out) for out in range(judges, FOLDS)], predict, progress=part(progress, 0.5, 1))
    progress("adjustment", 1.0)
    return best, predictions[best]


@dataclass(frozen=True, eq=False)
class ReadyCovariates:
    """Covariates, scaled once for all folds and targets; independent of the targets.

    Attributes:
        covariates: units × columns.
        scaled: the same, each column with mean 0 and deviation 1.
        seed: of the models.
    """

    covariates: Floats
    scaled: NDArray[np.float32]
    seed: int

    @classmethod
    def of(cls, covariates: Floats, seed: int) -> "ReadyCovariates":
        """Scale by the covariates of all rows, including those that a fold predicts: no target is used."""
        deviation = covariates.std(axis=0)
        scaled = (covariates - covariates.mean(axis=0)) / np.where(deviation > 0, deviation, 1.0)
        return cls(covariates, scaled.astype(np.float32), seed)


def _is_binary(target: Floats) -> bool:
    return bool(np.isin(target, (0.0, 1.0)).all())


def _loss(target: Floats, prediction: Floats) -> float:
    if not _is_binary(target):
        return float(((target - prediction) ** 2).mean())
    safe = np.clip(prediction, 1e-9, 1 - 1e-9)
    return float(-(target * np.log(safe) + (1 - target) * np.log1p(-safe)).mean())


def _fit(name: str, design: ReadyCovariates, target: Floats, inside: Codes) -> Predict:
    """A model fitted on the rows `inside`; the mean where nothing varies, since libraries refuse such data."""
    if design.covariates.shape[1] and np.ptp(target[inside]) > 0:
        return MODELS[name](design, target[inside], inside)
    mean = float(target[inside].mean())
    return lambda rows: np.full(int(rows.sum()), mean)


def _fit_linear(design: ReadyCovariates, target: Floats, inside: Codes) -> Predict:
    """Logistic regression of a 0/1 target, ridge regression of another, on the standardised columns."""
    from sklearn.linear_model import LogisticRegression, Ridge

    scaled = design.scaled
    if _is_binary(target):
        model = LogisticRegression(max_iter=1000).fit(scaled[inside], target)
        return lambda rows: np.asarray(model.predict_proba(scaled[rows])[:, 1], dtype=np.float64)
    ridge = Ridge().fit(scaled[inside].astype(np.float64), target)
    return lambda rows: np.asarray(ridge.predict(scaled[rows].astype(np.float64)), dtype=np.float64)


def _fit_boosted(design: ReadyCovariates, target: Floats, inside: Codes) -> Predict:
    """A small LightGBM model: 50 trees of 7 leaves, one thread so that sums don't depend on the machine."""
    import lightgbm

    parameters = {**BOOSTING, "objective": "binary" if _is_binary(target) else "regression"}
    # Bins shared by all folds (`Dataset.subset`) would save a tenth more, but corrupt memory now and then.
    rows_of = lightgbm.Dataset(design.covariates[inside], target)
    model = lightgbm.train({**parameters, "seed": design.seed % 2**31}, rows_of, num_boost_round=ROUNDS)
    return lambda rows: np.asarray(model.predict(design.covariates[rows], num_threads=1), dtype=np.float64)


MODELS: dict[str, Callable[[ReadyCovariates, Floats, Codes], Predict]] = {
    "linear": _fit_linear,
    "boosted": _fit_boosted,
}
