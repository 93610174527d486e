"""What a plan of a holdout report may ask: on both sides of each rule."""

from datetime import date, timedelta
from typing import Any

import pytest

from experiments.analyse.across.holdout_question import Population, check_question
from runs.refusals import Refused
from tests.experiments.analyse.holdout_report.test_side_moments import asked

TODAY = date(2026, 3, 10)
FINE = {"since": date(2026, 3, 2), "readings": (date(2026, 3, 20),)}


def field_refused(**changes: Any) -> str | None:
    try:
        check_question(asked(**{**FINE, **changes}), TODAY)
    except Refused as refusal:
        return refusal.at
    return None


def days(*offsets: int) -> tuple[date, ...]:
    return tuple(TODAY + timedelta(days=offset) for offset in offsets)


PLANNED = {"method": "group_sequential", "planned_units": 100}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({}, None),
        ({"signup_event": ""}, "signup_event"),
        ({"signup_event": "", "population": Population.FIRST_SEEN}, None),
        ({"alpha": 0.0}, "alpha"),
        ({"alpha": 0.2}, None),
        ({"alpha": 0.21}, "alpha"),
        ({"method": "when_it_looks_good"}, "method"),
        ({"readings": ()}, "readings"),
        ({"readings": days(0)}, "readings"),
        ({"readings": days(1)}, None),
        ({"readings": days(1, 2)}, "readings"),
        ({"since": TODAY, "readings": days(4)}, "readings"),  # window:2-3 takes four days
        ({"since": TODAY, "readings": days(5)}, None),
        ({**PLANNED, "readings": days(1)}, "readings"),
        ({**PLANNED, "readings": days(1, 2)}, None),
        ({**PLANNED, "readings": days(2, 1)}, "readings"),
        ({**PLANNED, "readings": days(1, 1)}, "readings"),
        ({**PLANNED, "readings": days(*range(1, 11))}, None),
        ({**PLANNED, "readings": days(*range(1, 12))}, "readings"),
        ({**PLANNED, "planned_units": 99, "readings": days(1, 2)}, "planned_units"),
        ({**PLANNED, "planned_units": None, "readings": days(1, 2)}, "planned_units"),
        ({"method": "always_valid", "planned_units": None}, "planned_units"),
        ({"outcome": "nonsense"}, "outcome"),
        ({"outcome": "survival:7"}, "outcome"),
        ({"outcome": "unbounded:3"}, "outcome"),
        ({"outcome": "quantile:90%:count:buy:0-3"}, "outcome"),
        ({"outcome": "capped:99.9%:count:buy:0-3"}, "outcome"),
        ({"outcome": "capped:5:count:buy:0-3"}, None),
        ({"outcome": "count:buy:0-3 / active_days:0-3"}, None),
        ({"outcome": "count:Experiment Viewed:0-3"}, "outcome"),
        ({"outcome": "active_days:0-3 / capped:5:count:experiment_viewed:0-3"}, "outcome"),
        ({"outcome": "min_events:Experiment Viewed:0-3:1"}, "outcome"),
    ],
)
def test_check__each_rule__names_its_field(changes: dict[str, Any], field: str | None) -> None:
    assert field_refused(**changes) == field
