"""The world's counts by hand, through the door, the flush and the questions."""

import random
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from aha.explore.answering import answer
from aha.explore.question import Question
from events import erasure
from events.models import IdLink
from events.outbox.flush import flush_events
from events.warehouse import engine, queries
from events.warehouse.explore_session import Stop
from events.warehouse.session import questions
from insight_site.access import keys
from insight_site.privacy.export import export_person
from runs.progress import silent
from tests.insight_site.identity.world import COUNTED, JOINED, PERSONS, a_key, event, events, post

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _store(tmp_path: Path, settings: Any) -> None:
    settings.EVENTS_URL, settings.EXPLORE_DIR = str(tmp_path / "events"), tmp_path / "explore"
    keys.forget_cached_keys()


def send(given: list[dict[str, Any]]) -> None:
    post("/v1/batch", {"batch": given}, a_key())


def counted() -> dict[str, dict[str, int]]:
    """Events of each person by name, as every question of the store sees them."""
    with engine.connect() as house:
        log = house.events.filter(house.events.event != "$alias")
        rows = house.arrow(house.named(log.group_by("user_id", "event").aggregate(n=log.count()))).to_pylist()
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for row in rows:
        found[row["user_id"]][row["event"]] = row["n"]
    return dict(found)


def explored(view: str = "retention", **more: Any) -> Any:
    return answer(Question(view, signup="*", **more), stop=Stop(), progress=silent)


@pytest.mark.slow
def test_world__through_door_and_flush__is_counted_as_by_hand() -> None:
    send(events())
    flush_events()

    assert counted() == COUNTED
    held = IdLink.objects.filter(state=IdLink.State.HOLDS)
    assert {row.visitor for row in held} == set(JOINED)
    assert sum(week["users"] for week in explored(retention="on_day:0")["weeks"]) == PERSONS


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_world__in_any_order_and_twice_with_flushes_between__is_counted_alike(seed: int) -> None:
    chance, log = random.Random(seed), events()
    log += chance.sample(log, 10)
    chance.shuffle(log)

    for start in range(0, len(log), 12):
        send(log[start : start + 12])
        flush_events()

    assert counted() == COUNTED
    assert sum(week["users"] for week in explored(retention="on_day:0")["weeks"]) == PERSONS


@pytest.mark.slow
def test_explore__that_was_asked_before_a_login__counts_the_person_once_afterwards() -> None:
    send([event(1, "v", None, "visit"), event(2, None, "u", "buy")])
    assert sum(week["users"] for week in explored(retention="on_day:0")["weeks"]) == 2

    send([event(3, "v", "u", "login")])

    assert sum(week["users"] for week in explored(retention="on_day:0")["weeks"]) == 1


def test_person__by_any_of_the_ids__is_looked_up_exported_and_erased_as_one() -> None:
    send(events())
    assert erasure.ids_of(["l"])[0] == {"ann", "p", "l"}  # before any flush
    flush_events()

    document = export_person("p")

    assert document["ids"] == ["ann", "l", "p"]
    assert len(document["places"]["store"]["rows"]) == 7 + 3 + 2  # with their numbers and joins
    assert {row["visitor"] for row in document["places"]["events.IdLink"]["rows"]} == {"p", "l"}


@pytest.mark.parametrize("name", ["visit", "*"])
def test_cohort__over_joined_ids__has_persons(name: str) -> None:
    send(events())

    with questions() as asked:
        users = queries.cohort(asked.log, name, asked.basis)
        found = asked.run(asked.warehouse.named(users)).user_id.tolist()

    visited = {person for person, seen in COUNTED.items() if "visit" in seen}
    assert sorted(found) == sorted(visited if name == "visit" else COUNTED)
