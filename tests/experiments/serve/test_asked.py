"""Who asked for a flag is noted in steps: the first call at once, later ones together, and never at a call's cost."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest
from django.db import OperationalError

from events.schema import Caller
from experiments.models import FlagAsk
from experiments.serve import flag_usage
from experiments.serve.flag_usage import Door, note_ask

pytestmark = pytest.mark.django_db
SERVER = Caller("sk_12345", "server", 1, frozenset({"assign:read"}))


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    flag_usage._forget()
    now = [1_000.0]
    monkeypatch.setattr("experiments.serve.flag_usage.time.monotonic", lambda: now[0])
    yield now
    flag_usage._forget()


def rows() -> list[tuple[Any, ...]]:
    return list(FlagAsk.objects.order_by("flag_key").values_list("flag_key", "door", "key_prefix", "times"))


def test_first_call__is_noted_at_once_and_the_next_together(clock: list[float], django_assert_num_queries: Any) -> None:
    note_ask(SERVER, Door.FLAG, "exp")
    assert rows() == [("exp", "flag", "sk_12345", 1)]

    with django_assert_num_queries(0):
        for _ in range(100):
            note_ask(SERVER, Door.FLAG, "exp")
    clock[0] += flag_usage.EVERY - 0.1
    note_ask(SERVER, Door.FLAG, "exp")
    assert rows()[0][-1] == 1

    clock[0] += 0.1
    note_ask(SERVER, Door.FLAG, "exp")
    assert rows() == [("exp", "flag", "sk_12345", 103)]


def test_calls__of_other_flags_doors_and_keys__are_counted_apart() -> None:
    note_ask(SERVER, Door.FLAG, "a")
    note_ask(SERVER, Door.FLAG, "b")
    note_ask(SERVER, Door.BULK)
    note_ask(None, Door.FLAG, "a")

    assert rows() == [("", "bulk", "sk_12345", 1), ("a", "flag", "sk_12345", 1), ("b", "flag", "sk_12345", 1)]


def test_database_away__costs_the_caller_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_args: Any) -> None:
        raise OperationalError("away")

    monkeypatch.setattr(flag_usage, "_write", away)
    note_ask(SERVER, Door.FLAG, "exp")

    assert rows() == []


def test_memory__is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flag_usage, "MOST", 3)
    for n in range(10):
        note_ask(SERVER, Door.FLAG, f"f{n}")

    assert len(flag_usage._written) <= 4
    assert FlagAsk.objects.count() == 10


def days() -> tuple[Any, ...]:
    return tuple(FlagAsk.objects.values_list("day", "day_times", "day_before", "day_before_times").get())


def test_calls__of_a_day__are_counted_beside_those_of_the_day_before(monkeypatch: pytest.MonkeyPatch) -> None:
    def at(text: str, times: int) -> None:
        monkeypatch.setattr("experiments.serve.flag_usage.timezone.now", lambda: datetime.fromisoformat(text))
        flag_usage._write(flag_usage._Ask("exp", "flag", "sk_12345"), times)

    first, second, later = date(2026, 11, 24), date(2026, 11, 25), date(2026, 11, 28)
    at("2026-11-24T23:59:59+00:00", 3)
    at("2026-11-25T08:59:59+09:00", 4)  # the same second, told elsewhere
    assert days() == (first, 7, None, 0)

    at("2026-11-25T00:00:00+00:00", 5)
    at("2026-11-24T23:59:59+00:00", 1)  # a process whose clock is behind
    assert days() == (second, 6, first, 7)

    at("2026-11-28T10:00:00+00:00", 2)
    assert days() == (later, 2, second, 6)
    assert FlagAsk.objects.get().times == 15


def test_row__of_the_release_before__begins_its_first_day(monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime(2026, 11, 24, tzinfo=UTC)
    FlagAsk.objects.create(flag_key="exp", door="flag", key_prefix="sk_12345", times=9, first_at=now, last_at=now)
    monkeypatch.setattr("experiments.serve.flag_usage.timezone.now", lambda: now)

    flag_usage._write(flag_usage._Ask("exp", "flag", "sk_12345"), 2)

    assert days() == (date(2026, 11, 24), 2, None, 0)
    assert FlagAsk.objects.get().times == 11
