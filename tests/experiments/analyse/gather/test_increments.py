"""An analysis that goes on from an earlier one: the same answers as from the whole log, and only what came is read."""

import json
import random
from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pytest_django import Settings

from events.outbox.rows import count_as
from events.store import event_table, place
from events.warehouse import increments
from events.warehouse.session import questions
from experiments.analyse.gather.answers import Answers, Cells
from experiments.analyse.gather.gather import gather
from experiments.plan.derived import Question
from tests.events.conftest import erased, wipe_dates

pytestmark = pytest.mark.django_db
FIRST = datetime(2026, 1, 1, 15, tzinfo=UTC)
EVERY = Question(
    experiment="exp",
    variants=("control", "nudge"),
    outcomes=(
        "on_day:1",
        "min_days:1-4:2",
        "min_events:play:0-3:2",
        "count:play:0-2",
        "capped:3:sum:buy:price:0-6",
        "active_days:1-5",
        "quantile:90%:count:play:0-6",
        "sum:buy:price:0-6 / count:buy:0-6",
    ),
    behaviour="add",
    times=2,
    days=6,
    others=(("play", 1),),
)
SIGNUP: dict[str, Any] = {"clock": "signup", "covariates": ("plan",), "active_days_before": 3}
PLANS = {
    "rolling": replace(EVERY, covariates=("plan",), active_days_before=40),
    "calendar": replace(EVERY, day_mode="calendar", clustered=True, **SIGNUP),
    "whole windows": replace(EVERY, outcomes=("funnel:add:play:0-3", "count:buy#price:0-6")),
}


@pytest.fixture
def event_store(tmp_path: Path, settings: Settings) -> Path:
    settings.EVENTS_URL = str(tmp_path / "events")
    return tmp_path / "events"


type Event = tuple[str, str, datetime, dict[str, Any]]


def at(day: float) -> datetime:
    return FIRST + timedelta(days=day)


def store(events: Sequence[Event], version: int) -> None:
    times = pa.array([moment for _, _, moment, _ in events], pa.timestamp("us", tz="UTC"))
    table = pa.table(
        {
            "user_id": [user for user, *_ in events],
            "event": [event for _, event, _, _ in events],
            "time": times,
            "properties": [json.dumps(said) for *_, said in events],
            "message_id": [f"{version}-{place}" for place in range(len(events))],
            "received_at": times,
        }
    )
    event_table.append(table, app_id="test", version=version)


def lived(day: int, chance: random.Random) -> list[Event]:
    """What happens on a day: four people sign up, most meet the experiment at some time, and all go on as they like."""
    events = [(f"u{day}-{k}", "signup", at(day + k / 4), {"plan": chance.choice("ab")}) for k in range(4)]
    for user in (f"u{born}-{k}" for born in range(day + 1) for k in range(4)):
        if chance.random() < 0.3:
            arm = chance.choice(["control", "nudge", "0"]) if chance.random() < 0.05 else EVERY.variants[len(user) % 2]
            said: dict[str, Any] = {"experiment_id": "exp", "variation_id": arm, "cluster": user[:2]}
            events.append((user, "Experiment Viewed", at(day + chance.random()), said))
        for name in ("play", "add", "buy", "open"):
            if chance.random() < 0.3:
                said = {"price": chance.randint(1, 3)} if name == "buy" else {}
                events.append((user, name, at(day + chance.random()), said))
    return events


def answered(plan: str, **changes: Any) -> tuple[Answers, Answers]:
    """The answers that go on from what is kept, and those of the whole log."""
    question = replace(PLANS[plan], **changes)
    with questions(day_mode=question.day_mode, time_zone="Asia/Seoul") as session:
        found = gather(session, question, primary=question.outcomes[:1])
        whole = replace(session, warehouse=replace(session.warehouse, snapshot=None))
        return found, gather(whole, question, primary=question.outcomes[:1])


def same(plan: str, **changes: Any) -> None:
    found, right = answered(plan, **changes)
    for field in fields(Answers):
        if field.name != "cells":
            assert getattr(found, field.name) == getattr(right, field.name), field.name
    for field in fields(Cells):
        one, other = getattr(found.cells, field.name), getattr(right.cells, field.name)
        if field.name == "blocks":
            for text, block in other.items():
                assert np.array_equal(one[text].n, block.n), text
                np.testing.assert_allclose(one[text].means, block.means, rtol=1e-9, atol=1e-12, err_msg=text)
                np.testing.assert_allclose(one[text].covariance, block.covariance, rtol=1e-9, atol=1e-9, err_msg=text)
        elif isinstance(other, np.ndarray):
            assert np.array_equal(one, other), field.name
        else:
            assert one == other, field.name


def bytes_read(question: Question) -> int:
    """How much an analysis reads from files."""
    before = _read_so_far()
    with questions(day_mode=question.day_mode) as session:
        gather(session, question, primary=question.outcomes[:1])
    return _read_so_far() - before


def _read_so_far() -> int:
    return int(Path("/proc/self/io").read_text().split()[1])


# ── the same answers ──────────────────────────────────────────────────────────
@pytest.mark.parametrize("plan", PLANS)
def test_analysis__of_each_day__answers_as_the_whole_log_does(event_store: Path, plan: str) -> None:
    chance = random.Random(plan)
    late: list[Event] = []
    for day in range(9):
        events = [*lived(day, chance), *late]
        late = [event for event in events if chance.random() < 0.1]  # a tenth of all comes a day later
        store([event for event in events if event not in late] or events, day + 1)
        if day == 5:
            assert event_table.compact()["added"]
        if day == 6:
            assert count_as({"u1-1": "u0-1", "u2-2": "u6-0", "u5-3": "u5-1"})
        if day == 7:
            assert erased("u3-0")
            increments.forget()
        if day > (6 if plan == "whole windows" else 3):
            same(plan)


def test_analysis__of_a_version_that_was_analysed__is_that_one(event_store: Path) -> None:
    store(lived(0, random.Random(1)) + lived(1, random.Random(2)), 1)
    same("rolling")
    same("rolling")


def test_analysis__after_an_erasure_that_forgot_nothing__is_that_of_the_whole_log(event_store: Path) -> None:
    store([event for day in range(4) for event in lived(day, random.Random(day))], 1)
    same("rolling")

    assert erased("u0-1")

    same("rolling")


def test_analysis__of_an_outcome_that_is_another_now__takes_nothing_of_the_former(event_store: Path) -> None:
    store([event for day in range(5) for event in lived(day, random.Random(day))], 1)
    same("rolling", outcomes=("count:play:0-2",))
    same("rolling", outcomes=("count:buy:0-2",))
    same("rolling", behaviour="open")


# ── what is read ──────────────────────────────────────────────────────────────
@pytest.mark.parametrize("day_mode", ["rolling", "calendar"])
def test_second_day__reads_a_small_part_of_what_the_first_did(event_store: Path, day_mode: str) -> None:
    known: dict[str, Any] = {"covariates": ("plan",), "active_days_before": 4}
    chance, question = random.Random(3), replace(EVERY, day_mode=day_mode, **known)
    for day in range(40):
        store([event for _ in range(20) for event in lived(day, chance)], day + 1)
    first = bytes_read(question)
    store(lived(40, chance), 41)
    near = [at(day).date() for day in range(33, 42)]  # whoever is new has two more days than four before day 0
    assert wipe_dates(event_store, lambda day: day not in near and day.day > 1) > 25

    second = bytes_read(question)

    assert second < first / 5


def test_erasure__leaves_nothing_that_was_kept(event_store: Path) -> None:
    store([event for day in range(4) for event in lived(day, random.Random(day))], 1)
    same("rolling")
    assert any((event_store / place.RUNNING).rglob("*.parquet"))

    assert increments.forget()

    assert not any((event_store / place.RUNNING).rglob("*.parquet"))


def test_tidy__keeps_what_can_be_gone_on_from__and_takes_the_rest(event_store: Path) -> None:
    store([event for day in range(4) for event in lived(day, random.Random(day))], 1)
    same("rolling")
    assert increments.tidy() == 0

    assert erased("u0-1")

    assert increments.tidy() > 0
    assert not any((event_store / place.RUNNING).rglob("*.parquet"))
