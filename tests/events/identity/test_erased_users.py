"""Late events of erased users: dropped and counted, on both sides of the time limit."""

from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from events.models import ErasedUser, OutboxEvent, Source, UnitTraits
from events.outbox import accept, flush
from events.people import tombstones
from tests.events.test_flush import NOW, accept_some, plain_ids

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("event_store")]


@pytest.fixture(autouse=True)
def _new_process() -> None:
    tombstones.forget()


@pytest.mark.parametrize(("passed", "kept"), [(timedelta(days=90, seconds=-5), 0), (timedelta(days=90, seconds=5), 1)])
def test_door__event_of_an_erased_user__is_dropped_until_the_time_is_over(passed: timedelta, kept: int) -> None:
    tombstones.remember(["gone"])
    ErasedUser.objects.update(until=timezone.now() + timedelta(days=90) - passed)
    tombstones.forget()

    receipt = accept_some("a", user="gone")
    other = accept_some("b", user="stays")

    assert (receipt.accepted, receipt.duplicates, other.accepted) == (kept, 0, 1)
    assert ErasedUser.objects.get().late == 1 - kept
    assert tombstones.drop_old() == kept


def test_door__traits_of_an_erased_user__are_not_kept() -> None:
    tombstones.remember(["gone"])
    source = Source.objects.create(name="app")
    said = [{"type": "identify", "userId": "gone", "messageId": "m", "traits": {"a": 1}}]

    accept.accept_events(source_id=source.pk, key_kind="server", events=said, received_at=NOW)

    assert not UnitTraits.objects.exists()


def test_flush__rows_that_slipped_through_the_door__are_dropped_before_a_batch_has_them() -> None:
    accept_some("a", "b", user="gone")
    accept_some("c", user="stays")
    tombstones.remember(["gone"])

    assert flush.flush_events() == 1
    assert flush.flush_events() == 0
    assert plain_ids() == {"c": 1}
    assert not OutboxEvent.objects.exists()
    assert ErasedUser.objects.get().late == 2


def test_flush__nobody_but_erased_users_waits__makes_no_batch() -> None:
    accept_some("a", user="gone")
    tombstones.remember(["gone"])

    assert flush.flush_events() == 0
    assert not OutboxEvent.objects.exists()


def test_door__nobody_was_erased__asks_the_database_once(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    accept_some("a")
    with django_assert_num_queries(0):
        assert tombstones.are_known(["u"]) == []


def test_known__by_another_pepper__is_nobody(settings: Settings) -> None:
    tombstones.remember(["gone"])
    settings.ERASURE_PEPPER = "another"

    assert tombstones.are_known(["gone"]) == []
