"""A log written by hand: moments, exposures, events, and the plan that asks about them."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from events.windows import Clock, DayMode
from experiments.plan.derived import Question

START = datetime(2026, 3, 2, tzinfo=UTC)  # a Monday
END = START + timedelta(days=20)
PLAN = Question("x", ("control", "nudge"), ("window:2-3",), "add", times=2, days=2)
SEOUL = Clock(DayMode.CALENDAR, "Asia/Seoul")
NEW_YORK = Clock(DayMode.CALENDAR, "America/New_York")


def at(hours: float) -> datetime:
    return (START + timedelta(hours=hours)).replace(tzinfo=None)


def met(user: str, variant: str, hours: float, *, name: str = "Experiment Viewed", **more: Any) -> tuple[Any, ...]:
    return (user, name, at(hours), json.dumps({"experiment_id": "x", "variation_id": variant, **more}))


def did(user: str, event: str, hours: float, *, arrived: float | None = None, **said: Any) -> tuple[Any, ...]:
    return (user, event, at(hours), json.dumps(said), None if arrived is None else at(arrived))
