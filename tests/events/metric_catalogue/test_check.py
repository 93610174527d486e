"""A metric on its own past: counted by hand, from one question; and its false alarms in a simulated log."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from django.core.cache import cache
from pytest_django import Settings

from events.catalogue import check_metric as catalogue_check_metric
from events.catalogue import listing
from events.catalogue.check_metric import check_metric, run_check, start_check
from events.catalogue.check_report import CHECK, CheckReport
from events.catalogue.metric_page import badge_warning, badge_words
from events.metrics.facts import Facts
from events.models import MetricCheck
from events.store import event_table
from events.warehouse.engine import Warehouse
from events.warehouse.session import questions
from runs.refusals import Refused
from stats.false_alarms import FalseAlarms
from stats.results import Interval, NotComputable, Reason
from tests.events.metric_catalogue.make import metric

pytestmark = pytest.mark.django_db
type Line = tuple[str, str, datetime, dict[str, Any]]
BEGIN = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def write(tmp_path: Any, settings: Settings) -> Callable[[list[Line]], None]:
    settings.EVENTS_URL = str(tmp_path / "events")
    listing._read.clear()
    cache.clear()

    def append(lines: list[Line]) -> None:
        stamp = pa.timestamp("us", tz="UTC")
        times = pa.array([line[2] for line in lines], stamp)
        columns = {"user_id": [line[0] for line in lines], "event": [line[1] for line in lines], "time": times}
        columns |= {"properties": [json.dumps(line[3]) for line in lines]}
        columns |= {"message_id": [f"m{place}" for place in range(len(lines))], "received_at": times}
        assert event_table.append(pa.table(columns), app_id="test", version=1)

    return append


def at(day: float) -> datetime:
    return BEGIN + timedelta(days=day)


def asked(definition: str, *, cap: str = "", weeks: int = 2, signup: str = "signup", splits: int = 10) -> CheckReport:
    with questions() as open_:
        return check_metric(
            open_,
            Facts(definition, cap),
            weeks=weeks,
            splits=splits,
            signup_event=signup,
            seed=1,
            progress=lambda _stage, _share: None,
        )


# The data end on day 17 and a user needs 3 days: two weeks, from day 0 and from day 7.
LOG: list[Line] = [
    ("early", "signup", at(-0.5), {}),  # before the weeks
    ("ann", "signup", at(0.5), {}),
    ("ann", "buy", at(0.6), {"price": 10}),
    ("ann", "buy", at(2.9), {"price": 5}),
    ("ann", "buy", at(9), {"price": 99}),  # after her window
    ("bob", "signup", at(6.5), {}),
    ("bob", "buy", at(7), {"price": 1}),
    ("cat", "signup", at(8), {}),
    ("cat", "buy", at(8), {"price": 1000}),
    ("dan", "signup", at(13.5), {}),
    ("young", "signup", at(16), {}),  # too young
    ("young", "buy", at(17.01), {"price": 7}),
]


def test_check__a_dozen_rows__gives_the_weeks_counted_on_fingers(write: Callable[[list[Line]], None]) -> None:
    write(LOG)

    found = asked("sum:buy:price:0-2")

    weeks = [(week.first, week.units, week.value) for week in found.weeks]
    assert [(first, units) for first, units, _value in weeks] == [(date(2026, 3, 1), 2), (date(2026, 3, 8), 2)]
    assert [value.estimate for *_, value in weeks if isinstance(value, Interval)] == [8.0, 500.0]  # (15 + 1) / 2, …
    assert (found.units, found.cap, found.is_share) == (4, None, False)
    assert isinstance(found.badge, NotComputable)
    assert found.badge.reason == Reason.TOO_FEW_VALUES


@pytest.mark.parametrize(
    ("definition", "cap", "values"),
    [
        ("sum:buy:price:0-2", "12", [6.5, 6.0]),  # (12 + 1) / 2, (12 + 0) / 2
        ("sum:buy:price:0-2", "75%", [8.0, 7.5]),  # three of four don't exceed 15
        ("window:0-2", "", [1.0, 1.0]),
        ("min_events:buy:0-2:2", "", [0.5, 0.0]),
        ("sum:buy:price:0-2 / count:buy:0-2", "", [16 / 3, 1000.0]),
        ("quantile:50%:sum:buy:price:0-2", "", []),  # two units say of no median how far it can be off
        ("capped:12:sum:buy:price:0-2 / count:buy:0-2", "", [13 / 3, 12.0]),
    ],
)
def test_check__each_kind__gives_the_values_counted_on_fingers(
    write: Callable[[list[Line]], None], definition: str, cap: str, values: list[float]
) -> None:
    write(LOG)

    found = asked(definition, cap=cap)

    assert [week.value.estimate for week in found.weeks if isinstance(week.value, Interval)] == pytest.approx(values)


def test_check__sql_metric__counts_the_users_with_a_row(write: Callable[[list[Line]], None]) -> None:
    write(LOG)
    sql = "sql:0-2:SELECT user_id, avg(number('price')) AS value FROM events GROUP BY user_id"

    assert [asked(f"{form}{sql}").rows for form in ("", "quantile:50%:")] == [3, 3]  # ann, bob, cat; dan has NULL
    assert asked("sum:buy:price:0-2").rows is None


def test_check__of_whoever_is_around__takes_the_first_event_of_these_weeks(write: Callable[[list[Line]], None]) -> None:
    write([*LOG, ("early", "buy", at(8), {"price": 4})])

    assert [week.units for week in asked("sum:buy:price:0-2", signup="*").weeks] == [2, 3]


def test_check__asks_the_warehouse_once(write: Callable[[list[Line]], None], monkeypatch: pytest.MonkeyPatch) -> None:
    write(LOG)
    calls: list[str] = []

    def counted(name: str) -> Any:
        real = getattr(Warehouse, name)

        def call(self: Warehouse, question: Any) -> Any:
            calls.append(name)
            return real(self, question)

        return call

    for name in ("arrow", "run"):
        monkeypatch.setattr(Warehouse, name, counted(name))

    asked("sum:buy:price:0-2 / count:buy:0-2", splits=500)

    assert calls == ["run", "arrow"]  # the first is the span of the data, which every analysis asks


def test_check__time_to_churn__is_refused(write: Callable[[list[Line]], None]) -> None:
    write(LOG)
    metric("churn", "survival:7")

    with pytest.raises(Refused, match="no number for each user"):
        start_check(key="churn")


@pytest.mark.slow
def test_run__keeps_what_it_found_with_seed_and_version(write: Callable[[list[Line]], None]) -> None:
    write(LOG)
    metric("spent", "sum:buy:price:0-2")
    run = start_check(key="spent", weeks=2, seed=11)

    assert run_check(run.pk)

    run.refresh_from_db()
    assert (run.status, run.version.number, run.seed, run.alarms) == ("done", 1, 11, None)
    found = CHECK.read(run.payload or {})
    assert isinstance(found, CheckReport)
    assert (found.seed, found.splits, found.units) == (11, catalogue_check_metric.SPLITS, 4)
    assert not run_check(run.pk), "a task that comes twice does no harm"
    assert MetricCheck.objects.count() == 1


def simulated(seed: int, users: int = 2_500) -> list[Line]:
    """Users over eight weeks: half buy once, for a usual price and for one with a heavy tail."""
    rng = np.random.default_rng(seed)
    days = rng.uniform(0, 56, users)
    usual, heavy = rng.gamma(2, 10, users), rng.pareto(0.7, users) * 10
    buys, rare = rng.random(users) < 0.5, rng.random(users) < 0.05
    lines: list[Line] = []
    for place, day in enumerate(days):
        lines.append((f"u{place}", "signup", at(day), {}))
        price = {"usual": usual[place] if buys[place] else 0.0, "heavy": heavy[place] if rare[place] else 0.0}
        lines.append((f"u{place}", "buy", at(day + 0.2), price))
    lines.append(("last", "end", at(59.99), {}))
    return lines


@pytest.mark.slow
def test_badge__in_a_simulated_log__is_the_planned_rate_for_a_usual_metric_and_warns_of_a_heavy_tail(
    write: Callable[[list[Line]], None],
) -> None:
    write(simulated(1))

    usual, heavy, capped, share = (
        asked(definition, cap=cap, weeks=8, splits=1_000)
        for definition, cap in (
            ("sum:buy:usual:0-2", ""),
            ("sum:buy:heavy:0-2", ""),
            ("sum:buy:heavy:0-2", "99%"),
            ("window:1-2", ""),
        )
    )

    for found in (usual, heavy, capped):
        print(badge_words(found, 40), badge_warning(found, 40))
    assert isinstance(usual.badge, FalseAlarms)
    assert isinstance(heavy.badge, FalseAlarms)
    assert isinstance(capped.badge, FalseAlarms)
    assert usual.badge.n > 2_300
    assert not usual.badge.is_off()
    assert badge_warning(usual, 1) == ""
    assert heavy.badge.is_off(40)
    assert "Give it a cap" in badge_warning(heavy, 40)
    assert not capped.badge.is_off()
    assert isinstance(share.badge, NotComputable) or share.badge.alarms == 0  # nobody comes back: no variance
