"""Through numbering, keeping and bits: the made-up world and public logs give what the counting package gives."""

from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import override_settings
from pytest_django import Settings

from aha.explore.answering import answer
from aha.explore.question import Question
from aha.study import queries as study_queries
from events.metrics import parse_behaviour, parse_retention
from events.simulation import WORLDS, simulate, write_files
from events.warehouse import engine as warehouse_engine
from events.warehouse import queries as warehouse_queries
from events.warehouse.explore_session import Stop
from events.warehouse.session import questions
from runs.progress import silent
from tests.aha.store import IMPORT
from tests.marks import first_in_ci

pytestmark = [pytest.mark.django_db, pytest.mark.slow, pytest.mark.once]
ROLLING, SEOUL, NEW_YORK = ("rolling", "UTC"), ("calendar", "Asia/Seoul"), ("calendar", "America/New_York")
MESSAGES = ("--separator", " ", "--user", "source", "--time", "weight", "--time-format", "unix_s")
DEFINITIONS = ["on_day:1", "on_day:7", "window:14-20", "unbounded:7", "min_days:7-13:2"]


def load(path: Path, *options: str) -> None:
    call_command("import_events", str(path), *options, verbosity=0)


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Path], str]:
    """The store of a log, imported once for all tests that ask it; what Explore prepares is each test's own."""

    @cache
    def store(name: str, real_data: Path) -> str:
        folder = tmp_path_factory.mktemp(name)
        with override_settings(EVENTS_URL=str(folder / "store")):
            if name == "made_up":
                write_files(simulate(WORLDS["step"], 1_500, 3), folder / "world")
                load(folder / "world/events.parquet", *IMPORT, "--message-id", "message_id")
            else:
                message = (*MESSAGES, "--event-name", "message", "--properties", "target")
                load(real_data / "events/CollegeMsg.txt", *message)
        return str(folder / "store")

    return store


@pytest.fixture(params=["made_up", "messages"])
def names(
    request: pytest.FixtureRequest,
    stores: Callable[[str, Path], str],
    real_data: Path,
    places: Path,
    settings: Settings,
) -> tuple[str, str]:
    """The signup event of a log, and one of its behaviours."""
    settings.EVENTS_URL = stores(request.param, real_data)
    return ("signup", "friend_add") if request.param == "made_up" else ("*", "message")


def ask(view: str, **more: Any) -> dict[str, Any]:
    return answer(Question(view, **more), stop=Stop(), progress=silent)


@pytest.mark.parametrize(("mode", "zone"), [ROLLING, *first_in_ci([NEW_YORK, SEOUL])])
def test_log__retention_and_times__are_those_of_the_counting_package(
    names: tuple[str, str], settings: Settings, mode: str, zone: str
) -> None:
    settings.TIME_ZONE = zone
    signup, event = names
    with questions(day_mode=mode) as asked:
        users = warehouse_queries.cohort(asked.log, signup, asked.basis)
        with asked.warehouse.kept(users) as kept:
            for text in [*DEFINITIONS, f"min_events:{event}:7-13:2"]:
                definition = parse_retention(text)
                table = warehouse_queries.retention(asked.log, kept, asked.basis, definition)
                ready = table.filter(table.mature)
                expected = asked.run(ready.aggregate(e=ready.count(), r=ready.retained.sum())).iloc[0]

                found = ask("retention", signup=signup, day_mode=mode, retention=text)

                place = next(place for place, column in enumerate(found["columns"]) if column[3])
                assert found["curves"][""][place] == [expected.e, expected.r], text
            behaviour = parse_behaviour(event)
            grid = study_queries.reached_by_week(asked.log, kept, asked.basis, behaviour, days=7, times=3)
            weeks = asked.run(grid)

    counted = ask("times", signup=signup, day_mode=mode, behaviour=event, days=7)["counts"]
    assert sum(users for _, _, users, _ in counted) == weeks.eligible.sum()
    assert sum(users for _, times, users, _ in counted if times >= 3) == weeks.reached.sum()


@pytest.mark.parametrize(("mode", "zone"), [ROLLING, SEOUL])
def test_log__a_behaviour_by_date__is_counted_as_by_hand(
    names: tuple[str, str], settings: Settings, mode: str, zone: str
) -> None:
    settings.TIME_ZONE = zone
    signup, event = names
    with questions(day_mode=mode) as asked:
        basis = asked.basis
        frame = asked.units(asked.log.select("user_id", "event", "time"))
    start: dict[str, Any] = {}
    acts: list[dict[Any, Any]] = frame.sort_values("time").to_dict("records")
    for act in acts:
        if signup in ("*", act["event"]):
            start.setdefault(act["user_id"], act["time"])
    seen: dict[Any, set[str]] = {}
    events = Counter[Any]()
    end = basis.data_end.replace(tzinfo=None)
    for act in acts:
        if act["event"] == event and act["user_id"] in start and start[act["user_id"]] <= act["time"] < end:
            at = basis.clock.local_date(act["time"].to_pydatetime()).isoformat()
            seen.setdefault(at, set()).add(act["user_id"])
            events[at] += 1

    found = ask("activity", signup=signup, day_mode=mode, behaviour=event)["rows"]

    assert {row["at"]: (row["users"], row["events"]) for row in found if row["users"]} == {
        row["at"]: (len(seen[row["at"]]), events[row["at"]]) for row in found if row["at"] in seen
    }


def test_log__in_two_batches__is_the_log_in_one(places: Path, settings: Settings) -> None:
    world = simulate(WORLDS["step"], 800, 5)
    write_files(world, places / "world")
    path = places / "world/events.parquet"
    with warehouse_engine.bounded(memory="1GB", scratch=places / "spill") as engine:
        rows = engine.read([path])
        middle = engine.run(rows.aggregate(at=rows.time.median()))["at"][0]
        engine.write(rows.filter(rows.time < middle), places / "first.parquet")
        engine.write(rows.filter(rows.time >= middle), places / "second.parquet")
    load(path, *IMPORT, "--message-id", "message_id")

    def both() -> list[dict[str, Any]]:
        found = [ask("lifecycle", signup="signup"), ask("retention", signup="signup", retention="on_day:7")]
        return [{name: value for name, value in answer.items() if name != "counted_at"} for answer in found]

    whole = both()

    settings.EVENTS_URL = str(places / "other")
    load(places / "first.parquet", *IMPORT, "--message-id", "message_id")
    ask("lifecycle", signup="signup")
    load(places / "second.parquet", *IMPORT, "--message-id", "message_id")

    assert both() == whole
