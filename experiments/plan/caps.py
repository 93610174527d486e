"""At the start, convert caps planned as a share of units into numbers, from units before the start.

Source: docs/methods/comparison.md, "Capped mean".
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from events.metrics import Capped, Metric, days_needed, open_caps, parse_metric, with_caps
from events.warehouse import queries
from events.warehouse.columns import bounded, utc
from events.warehouse.session import WarehouseSession, questions
from events.warehouse.unit_values import quantile_points
from experiments.models import Experiment
from experiments.plan.fields import Enrolment
from experiments.plan.planned_power import WEEKS
from runs.refusals import Refused

ANY_EVENT = "*"
LISTS = ("primary_metrics", "secondary_metrics", "guardrail_metrics")


def measured_caps(experiment: Experiment) -> dict[str, str]:
    """The metrics with open caps, each mapped to the metric with measured caps. Queries the warehouse.

    Raises:
        Refused: there are no units before the start, or the cap would be 0.
    """
    texts = [text for name in LISTS for text in getattr(experiment, name)]
    metrics = {text: parse_metric(text) for text in texts if has_open_cap(text)}
    if not metrics:
        return {}
    with questions(day_mode=experiment.day_mode, time_zone=experiment.zone) as store:
        new = experiment.enrolment == Enrolment.NEW_UNITS
        return {
            text: str(fixed_now(store, metric, experiment.signup_event if new else ANY_EVENT))
            for text, metric in metrics.items()
        }


def fixed_now(store: WarehouseSession, metric: Metric, signup_event: str) -> Metric:
    """The metric with its caps measured from units of four weeks whose outcome days are complete.

    Raises:
        Refused: as `measured_caps`.
    """
    caps = open_caps(metric)
    if not caps:
        return metric
    complete = store.basis.data_end - timedelta(days=days_needed(metric))
    since = complete - WEEKS
    store = replace(store, basis=store.basis.between(since, complete))
    if signup_event == ANY_EVENT:
        users = queries.cohort(bounded(store.log, since, None), ANY_EVENT, store.basis)
    else:
        users = store.cohort(signup_event)
    users = users.filter(users.anchor >= utc(since), users.anchor < utc(complete))
    return with_caps(metric, {cap: _value(store, users, cap) for cap in caps})


def use_caps(experiment: Experiment, caps: dict[str, str]) -> list[str]:
    """Put the measured caps into an unsaved row; returns the changed columns.

    Raises:
        Refused: a cap is open that was not measured, because the plan has changed in between.
    """
    changed = []
    for name in LISTS:
        before: list[str] = getattr(experiment, name)
        after = [caps.get(text, text) for text in before]
        refuse_open_caps(after)
        if after != before:
            setattr(experiment, name, after)
            changed.append(name)
    rules: dict[str, Any] = experiment.guardrail_rules
    if any(text in caps for text in rules):
        experiment.guardrail_rules = {caps.get(text, text): rule for text, rule in rules.items()}
        changed.append("guardrail_rules")
    return changed


def refuse_open_caps(texts: Iterable[str]) -> None:
    """Refuse open caps: after the start a cap must be a number.

    Raises:
        Refused: for the first open cap.
    """
    for text in texts:
        if has_open_cap(text):
            raise Refused(
                "'{metric}': after the start a cap is a number, so that no outcome can choose it.", metric=text
            )


def has_open_cap(text: str) -> bool:
    """True for a readable metric with a cap that is a share of units."""
    try:
        return bool(open_caps(parse_metric(text)))
    except Refused:  # reported by `validation.problems`
        return False


def _value(store: WarehouseSession, users: Any, cap: Capped) -> float:
    table = queries.outcomes(store.log, users, store.basis, {"v": cap.of}).mutate(everybody=1)
    rows = store.warehouse.arrow(quantile_points(table, "v", {"at": cap.share or 0.0}, by="everybody")).to_pylist()
    if not rows:
        raise Refused("'{metric}': nobody came before the start to compute its cap from.", metric=cap)
    value = float(rows[0]["at"])
    if value <= 0:
        raise Refused("'{metric}': that share of users has 0, so that the cap would leave nothing.", metric=cap)
    return value
