"""Cross-fitted models, evaluated out of fold: folds, boosted trees, a logistic model, the skill gate."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
from scipy import special, stats

from runs.parallel import each
from runs.progress import Progress, silent
from segments.search.ranks import Auc, Flags, Floats, Ints, auc
from stats.results import NotComputable, Reason

FOLDS = 5
# With fewer units on one side, five folds have fewer than ten of them each: too few for an interval.
MIN_PER_SIDE = 50
MAX_TREES = 400
PATIENCE = 25
# A fixed number of threads, because the order of float additions changes their sum.
THREADS = 1


@dataclass(frozen=True)
class Skill:
    """Out-of-fold performance of a model, compared with the base rate.

    Attributes:
        units: units judged.
        positives: those with the outcome.
        auc: out-of-fold area under the ROC curve, the mean over the repeats.
        log_loss: mean out-of-fold log loss, in nats per unit.
        base_log_loss: the same when each unit's prediction is the base rate of its training folds.
        gain: base_log_loss - log_loss; positive when the model helps.
        gain_low, gain_high: its interval, paired by unit.
    """

    units: int
    positives: int
    auc: Auc
    log_loss: float
    base_log_loss: float
    gain: float
    gain_low: float
    gain_high: float

    @property
    def beats_base_rate(self) -> bool:
        """The skill gate: the lower limit of the gain is above 0. Otherwise no result of the model is shown."""
        return self.gain_low > 0


@dataclass(frozen=True, eq=False)
class OutOfFold:
    """One cross-fit. Arrays have one entry per unit.

    Attributes:
        fold: the fold whose model was fitted without the unit.
        margin: that model's log-odds for it.
        base_rate: share of the outcome in that model's training folds.
        models: one fitted model per fold (LightGBM boosters for `boosted`).
    """

    fold: Ints
    margin: Floats
    base_rate: Floats
    models: tuple[Any, ...]


def check_matrix(values: Floats, outcome: Flags, names: Sequence[str]) -> None:
    """Raise ValueError, for a caller's mistake, when shapes don't agree or a value is missing or infinite."""
    if values.ndim != 2 or values.shape != (len(outcome), len(names)):
        raise ValueError(f"values of shape {values.shape} for {len(outcome)} units and {len(names)} names")
    if outcome.dtype != np.bool_:
        raise ValueError("the outcome must be an array of booleans")
    if not np.isfinite(values).all():
        raise ValueError("values must be finite numbers")


def too_small(outcome: Flags) -> NotComputable | None:
    """The reason why no model can be evaluated, or None."""
    smaller = int(min(outcome.sum(), (~outcome).sum()))
    if smaller < MIN_PER_SIDE:
        return NotComputable(Reason.TOO_FEW_FOR_MODEL, {"n": smaller, "needed": MIN_PER_SIDE})
    return None


def stratified_folds(outcome: Flags, folds: int, rng: np.random.Generator) -> Ints:
    """A fold number per unit, 0 to folds - 1, with the outcome spread evenly over the folds."""
    fold = np.empty(len(outcome), dtype=np.int64)
    for side in (False, True):
        members = rng.permutation(np.flatnonzero(outcome == side))
        fold[members] = np.arange(len(members)) % folds
    return fold


def fit_boosting(values: Floats, outcome: Flags, *, seed: int) -> Any:
    """A LightGBM booster that predicts log-odds, with early stopping on a seventh of its rows.

    The same rows, seed and library version give a bit-identical model.
    """
    import lightgbm

    validation = stratified_folds(outcome, 7, np.random.default_rng(seed)) == 0
    settings = {
        "objective": "binary",
        "learning_rate": 0.05,
        "num_leaves": 15,
        "min_data_in_leaf": 100,
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
        "feature_fraction": 0.8,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": THREADS,
        "seed": seed % 2**31,
        "verbosity": -1,
    }
    train = lightgbm.Dataset(values[~validation], label=outcome[~validation], free_raw_data=True)
    judge = lightgbm.Dataset(values[validation], label=outcome[validation], reference=train)
    stop = lightgbm.early_stopping(PATIENCE, verbose=False)
    # The result has only the trees up to the best iteration, so SHAP explains what the prediction uses.
    return lightgbm.train(settings, train, MAX_TREES, valid_sets=[judge], callbacks=[stop])


def margin(booster: Any, values: Floats) -> Floats:
    """Log-odds of each row from a booster."""
    return np.asarray(booster.predict(values, raw_score=True, num_threads=THREADS), dtype=np.float64)


def boosted(values: Floats, outcome: Flags, *, seed: int, progress: Progress = silent) -> OutOfFold:
    """A five-fold cross-fit of boosted trees."""
    fold = stratified_folds(outcome, FOLDS, np.random.default_rng(seed))
    result = np.empty(len(outcome))

    def fit(number: int, inner: Progress) -> Any:
        inner("model", 0.0)
        mine = fold == number
        model = fit_boosting(values[~mine], outcome[~mine], seed=seed + number)
        result[mine] = margin(model, values[mine])
        return model

    models = each(range(FOLDS), fit, progress=progress)
    progress("model", 1.0)
    return OutOfFold(fold, result, _base_rates(outcome, fold), tuple(models))


def logistic(values: Floats, outcome: Flags, *, seed: int) -> OutOfFold:
    """A five-fold cross-fit of a logistic model on signed log1p of the values, standardised on the training folds.

    A baseline for the trees: where it is as good, the simpler model is preferable.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    fold = stratified_folds(outcome, FOLDS, np.random.default_rng(seed))
    logs = np.sign(values) * np.log1p(np.abs(values))
    result = np.empty(len(outcome))

    def fit(number: int, _: Progress) -> Any:
        mine = fold == number
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(logs[~mine], outcome[~mine])
        result[mine] = model.decision_function(logs[mine])
        return model

    return OutOfFold(fold, result, _base_rates(outcome, fold), tuple(each(range(FOLDS), fit)))


def _base_rates(outcome: Flags, fold: Ints) -> Floats:
    inside = np.bincount(fold, weights=outcome, minlength=FOLDS)
    sizes = np.bincount(fold, minlength=FOLDS)
    return np.asarray(((outcome.sum() - inside) / (len(outcome) - sizes))[fold])


def log_losses(margins: Floats, outcome: Flags) -> Floats:
    """Log loss of each unit in nats, from log-odds: stable where a probability would round to 0 or 1."""
    return np.asarray(np.logaddexp(0.0, np.where(outcome, -margins, margins)), dtype=np.float64)


def skill(fits: Sequence[OutOfFold], outcome: Flags, *, alpha: float = 0.05) -> Skill:
    """Evaluate one or more cross-fits of the same units by their out-of-fold log loss and AUC.

    Repeats are averaged per unit, which reduces the noise of the folds without counting units several times.

    Source: docs/methods/profiles.md, "Importance"; paired difference with SE = sd / sqrt(n).
    """
    model = np.mean([log_losses(fit.margin, outcome) for fit in fits], axis=0)
    base = np.mean([log_losses(special.logit(fit.base_rate), outcome) for fit in fits], axis=0)
    difference = base - model
    gain = float(difference.mean())
    half = float(difference.std(ddof=1)) / sqrt(len(outcome)) * float(stats.norm.isf(alpha / 2))
    return Skill(
        units=len(outcome),
        positives=int(outcome.sum()),
        auc=auc([fit.margin for fit in fits], outcome, alpha=alpha),
        log_loss=float(model.mean()),
        base_log_loss=float(base.mean()),
        gain=gain,
        gain_low=gain - half,
        gain_high=gain + half,
    )
