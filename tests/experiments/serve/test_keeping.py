"""The one statement of a first call (PostgreSQL) keeps what the long way keeps, and gives way where it can't decide."""

from typing import Any

import pytest
from django.db import connection

from events.models import MessageId, OutboxEvent
from events.schema import mark_of
from experiments.draw.evaluation import Evaluation
from experiments.models import Assignment
from experiments.serve import assign, store_assignment
from tests.experiments.make import IOS, do, running

pytestmark = pytest.mark.django_db(transaction=True)
UNITS = [f"u{number}" for number in range(40)]


def ask(unit: str, *, expose: bool = True, visitor: str | None = None, **context: Any) -> Evaluation:
    answer = assign.evaluate("exp", unit, context, expose=expose, visitor=visitor)
    assert isinstance(answer, Evaluation)
    return answer


def kept() -> tuple[list[Any], list[Any]]:
    rows = Assignment.objects.order_by("unit").values_list(
        "unit", "variant__key", "segment_key", "bucket", "cluster", "visit"
    )
    events = OutboxEvent.objects.order_by("user_id").values_list("user_id", "message_id", "event", "properties")
    assert not Assignment.objects.filter(exposed_at=None).exists() or not events
    return list(rows), list(events)


@pytest.mark.parametrize("fields", [{}, {"cluster": "guild"}], ids=["units", "clusters"])
@pytest.mark.parametrize("visitor", [None, "203.0.113.9"], ids=["server key", "client key"])
@pytest.mark.parametrize("expose", [True, False])
def test_first_call__both_ways__keep_the_same(
    monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any], expose: bool, visitor: str | None
) -> None:
    running(audience=[{"coverage": 5_000}], **fields)
    answers = [ask(unit, expose=expose, visitor=visitor, guild=f"guild {unit}") for unit in UNITS]
    short = kept()
    Assignment.objects.all().delete()
    OutboxEvent.objects.all().delete()
    MessageId.objects.all().delete()
    store_assignment.forget()
    monkeypatch.setattr(assign, "keep_first", lambda *args, **options: None)

    assert [ask(unit, expose=expose, visitor=visitor, guild=f"guild {unit}") for unit in UNITS] == answers
    assert kept() == short
    assert 0 < len(short[0]) < len(UNITS)
    assert len(short[1]) == (len(short[0]) if expose else 0)
    marks = {row[-1] for row in short[0]} | {mark_of(row[1]) for row in short[1]}
    assert len(marks) == 1
    assert ("" in marks) is (visitor is None)


@pytest.mark.parametrize("expose", [True, False])
def test_unit_that_a_client_key_asked_for_first__a_server_key_names_once(
    expose: bool, django_assert_num_queries: Any
) -> None:
    running()
    ask("u1", expose=expose, visitor="203.0.113.9")
    ask("u1", expose=expose, visitor="203.0.113.8")
    assert Assignment.objects.get().named_at is None

    ask("u1", expose=expose)

    row = Assignment.objects.get()
    assert row.visit != ""
    assert row.named_at is not None
    assert OutboxEvent.objects.count() == expose  # a unit is exposed once, whoever asks
    with django_assert_num_queries(0):  # the process knows it now
        ask("u1", expose=expose)
        ask("u1", expose=expose, visitor="203.0.113.9")


def test_unit_that_a_client_key_asked_for__a_server_key_exposes__by_a_servers_exposure() -> None:
    running()
    ask("u1", expose=False, visitor="203.0.113.9")

    ask("u1")

    assert mark_of(OutboxEvent.objects.get().message_id) == ""
    assert Assignment.objects.get().named_at is not None


def test_first_call__of_a_plain_flag__is_one_question(django_assert_num_queries: Any) -> None:
    running()
    ask("somebody")  # the configuration is read

    # PostgreSQL's one statement is prepared by psycopg, past the cursors that Django counts.
    with django_assert_num_queries(0 if connection.vendor == "postgresql" else 7):
        answer = ask("u1")

    assert answer.metadata["sticky"] is False
    assert OutboxEvent.objects.filter(user_id="u1").count() == 1


def test_row__that_is_there__decides_whatever_would_be_drawn_now() -> None:
    running()
    drawn = ask("u1").variant
    row = Assignment.objects.get()
    other = next(arm for arm in row.experiment.variants.all() if arm.pk != row.variant_id)
    Assignment.objects.update(variant=other)
    store_assignment.forget()

    assert drawn != other.key
    assert (ask("u1").variant, ask("u1").metadata["sticky"]) == (other.key, True)
    assert OutboxEvent.objects.count() == 1


def test_row__that_was_not_exposed__is_exposed_by_the_long_way() -> None:
    running()
    ask("u1", expose=False)
    store_assignment.forget()

    ask("u1")

    assert OutboxEvent.objects.count() == 1
    assert Assignment.objects.get().exposed_at is not None


def test_race__that_is_lost__takes_the_winners_row(monkeypatch: pytest.MonkeyPatch) -> None:
    running()
    ask("u1")
    store_assignment.forget()
    lost: list[str] = []

    def losing(unit: str, *args: Any, **options: Any) -> None:
        lost.append(unit)  # what PostgreSQL answers when another call's row was not yet to be seen

    monkeypatch.setattr(assign, "keep_first", losing)

    assert ask("u1").metadata["sticky"] is True
    assert lost == ["u1"]
    assert Assignment.objects.count() == OutboxEvent.objects.count() == 1


@pytest.mark.parametrize(
    "fields", [{"audience": [{"segment_key": "ios", "rule": IOS}, {}]}, {"enrolment": "new_units"}], ids=["rule", "new"]
)
def test_flag__that_needs_a_look_up__goes_the_long_way(monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any]) -> None:
    running(**fields)
    monkeypatch.setattr(assign, "keep_first", None)  # would be an error if it were called

    assert ask("u1", platform="ios").reason == "SPLIT"


def test_enrolment__closed__goes_the_long_way(monkeypatch: pytest.MonkeyPatch) -> None:
    running()
    do("exp", "close_enrolment")
    monkeypatch.setattr(assign, "keep_first", None)

    assert ask("u1").reason == "STATIC"


def test_statement__names_the_columns_of_both_tables() -> None:
    columns = {field.column for field in Assignment._meta.fields} | {field.column for field in OutboxEvent._meta.fields}

    joined = {"drawn_by", "former_variant"}  # null in a row that a unit has drawn itself
    assert all(str(column) in store_assignment.FIRST_CALLS for column in columns - joined)
