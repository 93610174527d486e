"""The outcome of new users as their covariates predict it, by a model of earlier users: the covariate of CUPAC. Pure.

New users have no history, so the outcome of earlier users with the same platform, channel, … serves as the covariate.
Source: docs/methods/comparison.md, "Predicted outcome"; Tang et al. 2020 (control using predictions as covariates).
"""

from dataclasses import dataclass
from datetime import date
from math import atanh, sqrt, tanh
from typing import Any

import numpy as np

from experiments.plan.earlier.predictor import Explained, Predictor
from experiments.plan.record import DAYS_BEFORE, Plan
from stats.cells import pool_cells
from stats.results import NotComputable, Reason
from stats.summaries import Array

LEVEL = 1.96
# Ours: with fewer, ten levels of a covariate have about thirty users each, and the error of R2 is about a tenth.
LEAST_LEARNED, LEAST_JUDGED = 1_000, 300
PENALTY = 1.0  # of one squared coefficient, in users: only matters for levels that hardly any user has


@dataclass(frozen=True)
class Earlier:
    """Earlier users in cells that share all covariates.

    Attributes:
        names: of the covariates; `labels` their levels, one row per cell ("" missing, "other" rare).
        n, means, variances: users per cell with a known outcome, its mean and n-1 variance.
        newest: 1 for cells of the newest users, which validate the fit on the others.
        share: True when the outcome is 0 or 1.
        first, last: local dates between which they arrived.
    """

    names: tuple[str, ...]
    labels: tuple[tuple[str, ...], ...]
    n: Array
    means: Array
    variances: Array
    newest: np.ndarray
    share: bool
    first: date
    last: date


def explained(earlier: Earlier) -> Explained | NotComputable:
    """R2 of a linear regression of the outcome on the covariates, with active days before as a number."""
    columns = _columns(earlier)
    fit = _fitted(earlier, columns, earlier.newest == 0, share=False)
    return fit if isinstance(fit, NotComputable) else _judged(earlier, fit[0] + columns @ fit[1])


def fit_predictor(earlier: Earlier, plan: Plan) -> Predictor | NotComputable:
    """Fit on all earlier users; R2 is that of a fit without the newest ones, measured on them."""
    columns = _columns(earlier)
    first = _fitted(earlier, columns, earlier.newest == 0, share=earlier.share)
    if isinstance(first, NotComputable):
        return first
    worth = _judged(earlier, first[0] + columns @ first[1])
    whole = _fitted(earlier, columns, np.ones(len(earlier.n), dtype=bool), share=earlier.share)
    if isinstance(worth, NotComputable) or isinstance(whole, NotComputable):
        return worth if isinstance(worth, NotComputable) else NotComputable(Reason.TOO_FEW_FOR_MODEL)
    weights: dict[str, dict[str, float]] = {name: {} for name in earlier.names}
    for (name, level), weight in zip(_levels(earlier), whole[1].tolist(), strict=True):
        weights[name][level] = weight
    return Predictor(
        outcome=plan.primary[0],
        signup_event=plan.signup_event or "signup",
        link="logit" if earlier.share else "identity",
        intercept=whole[0],
        weights=weights,
        explained=worth,
        units=int(earlier.n.sum()),
        first=earlier.first,
        last=earlier.last,
    )


def _levels(earlier: Earlier) -> list[tuple[str, str]]:
    """Covariate and level of each dummy column; active days before are one number instead."""
    return [
        (name, level)
        for place, name in enumerate(earlier.names)
        if name != DAYS_BEFORE
        for level in sorted({row[place] for row in earlier.labels})
    ]


def _columns(earlier: Earlier) -> Array:
    places = {name: place for place, name in enumerate(earlier.names)}
    found = [[float(row[places[name]] == level) for row in earlier.labels] for name, level in _levels(earlier)]
    if DAYS_BEFORE in places:
        found.append([float(row[places[DAYS_BEFORE]]) for row in earlier.labels])
    return np.array(found).T if found else np.empty((len(earlier.n), 0))


def _fitted(earlier: Earlier, columns: Array, kept: np.ndarray, *, share: bool) -> tuple[float, Array] | NotComputable:
    """Intercept and weights by penalised least squares or logistic regression on the kept cells' users."""
    from sklearn.linear_model import LogisticRegression, Ridge  # costs a second to import

    n, means, x = earlier.n[kept], earlier.means[kept], columns[kept]
    if n.sum() < LEAST_LEARNED:
        return NotComputable(Reason.TOO_FEW_FOR_MODEL, {"n": int(n.sum()), "needed": LEAST_LEARNED})
    if np.average(means, weights=n) in (0.0, 1.0) and share:
        return NotComputable(Reason.NO_VARIANCE)
    model: Any
    if share:
        model = LogisticRegression(C=1 / PENALTY, tol=1e-8, max_iter=1_000)
        weights = np.concatenate([n * means, n * (1 - means)])
        model.fit(np.vstack([x, x]), np.repeat([1, 0], len(n)), sample_weight=weights)
        return float(model.intercept_[0]), np.asarray(model.coef_[0])
    model = Ridge(alpha=PENALTY, solver="cholesky").fit(x, means, sample_weight=n)
    return float(model.intercept_), np.asarray(model.coef_)


def _judged(earlier: Earlier, predicted: Array) -> Explained | NotComputable:
    """Squared correlation of the prediction, on its additive scale, with the newest users' outcomes."""
    kept = earlier.newest == 1
    judged = int(earlier.n[kept].sum())
    if judged < LEAST_JUDGED:
        return NotComputable(Reason.TOO_FEW_FOR_MODEL, {"n": judged, "needed": LEAST_JUDGED})
    pooled = pool_cells(
        earlier.n[kept], earlier.means[kept][:, None], earlier.variances[kept][:, None, None], predicted[kept][:, None]
    )
    (of_outcome, both), (_, of_score) = pooled.covariance.tolist()
    if of_outcome <= 0:
        return NotComputable(Reason.NO_VARIANCE)
    r = min(max(both / sqrt(of_outcome * of_score), 0.0), 1 - 1e-9) if of_score > 0 else 0.0
    half = LEVEL / sqrt(judged - 3)
    low, high = (max(tanh(atanh(r) + side * half), 0.0) for side in (-1, 1))
    return Explained(r**2, low**2, high**2, int(earlier.n.sum()) - judged, judged)
