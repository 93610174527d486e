"""Count earlier users in the warehouse by covariates and outcome. Only aggregated cells leave it, never a user."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from events.arm_marks import Said, of_metric, of_start, refuse_arm_marks
from events.asking import Questions, questions
from events.counting import queries
from events.counting.day_index import utc
from events.counting.known_before import MOST_LEVELS, level_counts, pooled, with_active_days, with_signup
from events.metrics import Active, Funnel, MinDays, MinEvents, Quantile, Ratio, Survival, outcome_window, parse_metric
from experiments.plan.earlier.prediction import Earlier, explained, fit_predictor
from experiments.plan.earlier.predictor import PREDICTED, UNADJUSTED, Explained, Predictor
from experiments.plan.record import DAYS_BEFORE, Plan
from reporting.words import reason_words
from runs.refusals import Refused
from stats.results import NotComputable

if TYPE_CHECKING:
    import ibis.expr.types as ir

TAUGHT = timedelta(days=84)  # earlier users arrived within this time
NEWEST = timedelta(days=21)  # the newest of them validate the model that the others fit
NO_VALUE = (Ratio, Survival, Quantile)


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
    found = fit_predictor(earlier, plan)
    return found.explained if isinstance(found, Predictor) else found


def predictor_for(plan: Plan) -> Predictor:
    """The model that predicts the plan's first outcome from its covariates, fitted on earlier users.

    Raises:
        Refused: as `worth_of`, and when there are too few users to fit it.
    """
    found = fit_predictor(earlier_users(plan), plan)
    if isinstance(found, NotComputable):
        raise Refused(
            "The outcome can't be predicted from what earlier users did: {why}. Choose another comparison.",
            why=reason_words(found),
        )
    return found


def earlier_users(plan: Plan) -> Earlier:
    """Users of the last twelve weeks with a known outcome, in cells that share all of the plan's covariates.

    New users count from their signup; where everybody may be enrolled, from their first event in these weeks.

    Raises:
        Refused: as `worth_of`.
    """
    definition = parse_metric(plan.primary[0])
    if isinstance(definition, Ratio | Survival | Quantile):
        raise Refused("'{metric}' can't be predicted: it has no share or mean per unit.", metric=plan.primary[0])
    with questions(day_mode=plan.day_mode) as asked:
        start = plan.signup_event or "signup"
        said = (Said(name, start) for name in plan.covariates)
        refuse_arm_marks({"": (*of_start(start), *of_metric(definition, start), *said)}, store=asked)
        end = asked.basis.data_end - timedelta(days=outcome_window(definition).days_needed)
        with _counted(asked, plan, definition, end) as table:
            rows = _cells(asked, table, _names(plan))
        clock = asked.basis.clock
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
def _counted(asked: Questions, plan: Plan, definition: Any, end: Any) -> "Iterator[ir.Table]":
    """One row per user: ``c_0, …``, ``newest`` (1 or 0), ``outcome``; materialised in the warehouse."""
    signup, new = plan.signup_event or "signup", plan.enrolment == "new_units"
    if plan.covariates or new:
        asked.need_event(signup, where="signup_event")
    basis, start = asked.basis, utc(end - TAUGHT)
    log = asked.log if new else asked.log.filter(asked.log.time >= start)
    users = queries.cohort(log, signup if new else "*", basis)
    users = users.filter(users.anchor >= start, users.anchor < utc(end))
    users = users.mutate(newest=(users.anchor >= utc(end - NEWEST)).ifelse(1, 0))
    if plan.covariates:
        said = {f"c_{place}": name for place, name in enumerate(plan.covariates)}
        users = with_signup(asked.log, users, signup, said, "anchor", basis).drop("signed_up")
    if plan.active_days_before:
        column = f"c_{len(plan.covariates)}"
        users = with_active_days(asked.log, users, plan.active_days_before, column, "anchor", basis)
    with asked.warehouse.kept(users) as known:
        table = queries.outcomes(asked.log, known, basis, {"outcome": definition})
        with asked.warehouse.kept(table.filter(table.outcome.notnull())) as kept:
            yield kept


def _cells(asked: Questions, table: "ir.Table", names: tuple[str, ...]) -> list[dict[str, Any]]:
    levels = {}
    for place, name in enumerate(names):
        column = table[f"c_{place}"]
        if name != DAYS_BEFORE:
            found = asked.run(level_counts(table, f"c_{place}", MOST_LEVELS))
            column = pooled(column, [str(level) for level in found.level])
        levels[f"l_{place}"] = column
    table = table.mutate(**levels)
    grouped = table.group_by([*levels, "newest"]).aggregate(
        n=table.count(), mean=table.outcome.mean(), variance=table.outcome.var(how="sample")
    )
    rows: Any = asked.run(grouped.order_by([*levels, "newest"])).to_dict("records")
    return list(rows)
