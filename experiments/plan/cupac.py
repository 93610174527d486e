"""The covariate of CUPAC: the outcome of new users, predicted by a model of earlier users that the warehouse counts."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, timedelta
from math import atanh, sqrt, tanh
from typing import TYPE_CHECKING, Any

import numpy as np

from events.metrics import Active, Funnel, MinDays, MinEvents, Quantile, Ratio, Survival, outcome_window, parse_metric
from events.warehouse import queries
from events.warehouse.activity_bits import days_before, with_days_before
from events.warehouse.arm_marks import Said, of_metric, of_start, refuse_arm_marks
from events.warehouse.columns import bounded, utc
from events.warehouse.session import WarehouseSession, questions
from events.warehouse.unit_values import MOST_LEVELS, level_counts, pooled, signups, with_signup
from experiments.plan.record import DAYS_BEFORE, PREDICTED, UNADJUSTED, Explained, Plan, Predictor
from reporting.words import reason_words
from runs.refusals import Refused
from stats.cells import pool_cells
from stats.results import NotComputable, Reason
from stats.summaries import Array

if TYPE_CHECKING:
    import ibis.expr.types as ir


# The outcome of new users as their covariates predict it, by a model of earlier users: the covariate of CUPAC. Pure.
#
# New users have no history, so the outcome of earlier users with the same platform, channel, … serves as the
# covariate. Source: docs/methods/comparison.md, "Predicted outcome"; Tang et al. 2020 (control using predictions as
# covariates).

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
    columns = [[float(row[places[name]] == level) for row in earlier.labels] for name, level in _levels(earlier)]
    if DAYS_BEFORE in places:
        columns.append([float(row[places[DAYS_BEFORE]]) for row in earlier.labels])
    return np.array(columns).T if columns else np.empty((len(earlier.n), 0))


def _fitted(earlier: Earlier, columns: Array, mask: np.ndarray, *, share: bool) -> tuple[float, Array] | NotComputable:
    """Intercept and weights by penalised least squares or logistic regression on the kept cells' users."""
    from sklearn.linear_model import LogisticRegression, Ridge  # costs a second to import

    n, means, x = earlier.n[mask], earlier.means[mask], columns[mask]
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
    newest = earlier.newest == 1
    judged = int(earlier.n[newest].sum())
    if judged < LEAST_JUDGED:
        return NotComputable(Reason.TOO_FEW_FOR_MODEL, {"n": judged, "needed": LEAST_JUDGED})
    pooled = pool_cells(
        earlier.n[newest],
        earlier.means[newest][:, None],
        earlier.variances[newest][:, None, None],
        predicted[newest][:, None],
    )
    (of_outcome, covariance), (_, of_score) = pooled.covariance.tolist()
    if of_outcome <= 0:
        return NotComputable(Reason.NO_VARIANCE)
    r = min(max(covariance / sqrt(of_outcome * of_score), 0.0), 1 - 1e-9) if of_score > 0 else 0.0
    half = LEVEL / sqrt(judged - 3)
    low, high = (max(tanh(atanh(r) + side * half), 0.0) for side in (-1, 1))
    return Explained(r**2, low**2, high**2, int(earlier.n.sum()) - judged, judged)


# Count earlier users in the warehouse by covariates and outcome. Only aggregated cells leave it, never a user.

TAUGHT = timedelta(days=84)  # earlier users arrived within this time
NEWEST = timedelta(days=21)  # the newest of them validate the model that the others fit
NO_VALUE = (Ratio, Survival, Quantile)
# From this R2 among earlier users on a new plan is proposed with the adjusted comparison (docs/methods/comparison.md).
WORTH_PROPOSING = 0.05


def proposes_adjusted(plan: Plan, worth: Explained | NotComputable | None) -> bool:
    """Whether the adjusted comparison is proposed for a plan that doesn't have one.

    Not for whole clusters, whose covariates explain little between clusters, nor for outcomes without a value per user.
    """
    if plan.adjustment != UNADJUSTED or plan.cluster:
        return False
    if any(isinstance(parse_metric(text), NO_VALUE) for text in plan.primary):
        return False
    return isinstance(worth, Explained) and worth.r_squared >= WORTH_PROPOSING


def worth_of(plan: Plan) -> Explained | NotComputable | None:
    """R2 of the plan's adjustment for the first outcome among earlier users; None without an adjustment.

    Raises:
        Refused: an outcome that has no value per user, an event that the log doesn't have, or no events at all.
    """
    if plan.adjustment == UNADJUSTED or not plan.primary or not (plan.covariates or plan.active_days_before):
        return None
    if isinstance(parse_metric(plan.primary[0]), NO_VALUE):
        return None  # without a value per user there is no R2: the plan is sized as if it had no adjustment
    earlier = earlier_users(plan)
    if plan.adjustment != PREDICTED:
        return explained(earlier)
    predictor = fit_predictor(earlier, plan)
    return predictor.explained if isinstance(predictor, Predictor) else predictor


def predictor_for(plan: Plan) -> Predictor:
    """The model that predicts the plan's first outcome from its covariates, fitted on earlier users.

    Raises:
        Refused: as `worth_of`, and when there are too few users to fit it.
    """
    predictor = fit_predictor(earlier_users(plan), plan)
    if isinstance(predictor, NotComputable):
        raise Refused(
            "The outcome can't be predicted from what earlier users did: {why}. Choose another comparison.",
            why=reason_words(predictor),
        )
    return predictor


def earlier_users(plan: Plan) -> Earlier:
    """Users of the last twelve weeks with a known outcome, in cells that share all of the plan's covariates.

    New users count from their signup; where everybody may be enrolled, from their first event in these weeks.

    Raises:
        Refused: as `worth_of`.
    """
    definition = parse_metric(plan.primary[0])
    if isinstance(definition, Ratio | Survival | Quantile):
        raise Refused("'{metric}' can't be predicted: it has no share or mean per user.", metric=plan.primary[0])
    with questions(day_mode=plan.day_mode) as store:
        start = plan.signup_event or "signup"
        conditions = (Said(name, start) for name in plan.covariates)
        refuse_arm_marks({"": (*of_start(start), *of_metric(definition, start), *conditions)}, store=store)
        end = store.basis.data_end - timedelta(days=outcome_window(definition).days_needed)
        with _counted(store, plan, definition, end) as table:
            rows = _cells(store, table, _names(plan))
        clock = store.basis.clock
        first, last = clock.local_date(end - TAUGHT), clock.local_date(end)
    return Earlier(
        names=_names(plan),
        labels=tuple(tuple(str(row[f"l_{place}"]) for place, _ in enumerate(_names(plan))) for row in rows),
        n=np.array([row["n"] for row in rows], dtype=np.float64),
        means=np.array([row["mean"] for row in rows], dtype=np.float64),
        variances=np.array([row["variance"] if row["n"] > 1 else 0.0 for row in rows], dtype=np.float64),
        newest=np.array([row["newest"] for row in rows], dtype=np.int64),
        share=isinstance(definition, Active | MinDays | MinEvents | Funnel),
        first=first,
        last=last,
    )


def _names(plan: Plan) -> tuple[str, ...]:
    return (*plan.covariates, *([DAYS_BEFORE] if plan.active_days_before else []))


@contextmanager
def _counted(asked: WarehouseSession, plan: Plan, definition: Any, end: Any) -> "Iterator[ir.Table]":
    """One row per user: ``c_0, …``, ``newest`` (1 or 0), ``outcome``; materialised in the warehouse."""
    signup, new = plan.signup_event or "signup", plan.enrolment == "new_units"
    if plan.covariates or new:
        asked.need_event(signup, where="signup_event")
    since = end - TAUGHT
    basis, start = asked.basis.between(since, end), utc(since)
    if new:
        users = replace(asked, basis=basis).cohort(signup)
    else:
        users = queries.cohort(bounded(asked.log, since, None), "*", basis)
    users = users.filter(users.anchor >= start, users.anchor < utc(end))
    users = users.mutate(newest=(users.anchor >= utc(end - NEWEST)).ifelse(1, 0))
    if plan.covariates:
        covariates = {f"c_{place}": name for place, name in enumerate(plan.covariates)}
        known = signups(asked.log, signup, covariates, basis)
        users = with_signup(users, known, covariates, "anchor").drop("signed_up")
    if plan.active_days_before:
        before = days_before(asked.log, users, plan.active_days_before, "anchor", basis)
        users = with_days_before(users, before, plan.active_days_before, f"c_{len(plan.covariates)}")
    with asked.warehouse.kept(users) as known:
        table = queries.outcomes(asked.log, known, basis, {"outcome": definition})
        with asked.warehouse.kept(table.filter(table.outcome.notnull())) as measured:
            yield measured


def _cells(store: WarehouseSession, table: "ir.Table", names: tuple[str, ...]) -> list[dict[str, Any]]:
    levels = {}
    for place, name in enumerate(names):
        column = table[f"c_{place}"]
        if name != DAYS_BEFORE:
            counts = store.run(level_counts(table, f"c_{place}", MOST_LEVELS))
            column = pooled(column, [str(level) for level in counts.level])
        levels[f"l_{place}"] = column
    table = table.mutate(**levels)
    grouped = table.group_by([*levels, "newest"]).aggregate(
        n=table.count(), mean=table.outcome.mean(), variance=table.outcome.var(how="sample")
    )
    rows: Any = store.run(grouped.order_by([*levels, "newest"])).to_dict("records")
    return list(rows)
