"""What is in the store: counted on a log that one can count on fingers; searched; kept and made anew."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from django.utils import translation
from pytest_django import DjangoAssertNumQueries

from events.catalogue import labels, listing, refresh
from events.catalogue.listing import Catalogue, EventEntry, PropertyEntry
from events.models import CatalogueSnapshot, EventLabel, UnitTraits
from runs.models import Job
from tests.events.catalogue.conftest import LOG, Line

pytestmark = pytest.mark.django_db
Write = Callable[[list[Line]], None]


def made() -> Catalogue:
    assert refresh.make_catalogue()
    return listing.catalogue()


def event(found: Catalogue, name: str) -> EventEntry:
    entry = found.find(name)
    assert entry is not None
    return entry


def test_catalogue__of_an_empty_store__is_empty_and_not_pending(write: Write) -> None:
    found = refresh.ready_catalogue()

    assert (found.is_empty, found.pending, found.made_at, found.guess_signup()) == (True, False, None, "*")
    assert not CatalogueSnapshot.objects.exists()


def test_catalogue__of_a_log__counts_events_users_days_and_reach(write: Write) -> None:
    write(LOG)

    found = made()

    assert (found.names, found.users, found.total_events, found.unlisted) == (3, 4, 8, 0)
    assert (found.first_day, found.last_day) == (date(2026, 3, 1), date(2026, 3, 11))
    assert found.guess_signup() == "signup"
    assert [(entry.name, entry.events, entry.users) for entry in found.events] == [
        ("play", 4, 3),
        ("signup", 3, 3),
        ("Experiment Viewed", 1, 1),
    ]
    play = event(found, "play")
    assert play.first_seen == datetime(2026, 3, 1, 9, tzinfo=UTC)
    assert play.last_seen == datetime(2026, 3, 11, tzinfo=UTC)
    # Ann alone: Bob played before his signup, and Dan is no new user.
    assert (play.reached, play.reached_of) == (1, 3)
    assert play.reach == pytest.approx(1 / 3)
    assert found.first_week == date(2026, 2, 23)
    assert (play.weeks, event(found, "signup").weeks) == ((1, 1, 2), (2, 1))


def test_properties__have_kinds_carriers_and_top_values(write: Write) -> None:
    write(LOG)

    found = made()

    platform, age, vip = (event(found, "signup").find(name) for name in ("platform", "age", "vip"))
    assert platform == PropertyEntry("platform", "text", 3, 3, 3, 3, 2, (("ios", 2), ("android", 1)))
    assert age is not None
    assert (age.kind, age.events, age.values) == ("mixed", 2, (("31", 1), ("n/a", 1)))
    assert vip is not None
    assert (vip.kind, vip.values) == ("boolean", (("true", 1),))
    assert vip.share == pytest.approx(1 / 3)
    score, items, odd = (event(found, "play").find(name) for name in ("score", "items", "odd*name"))
    assert score is not None
    assert (score.kind, score.least, score.greatest, score.of_events) == ("number", 10, 25.5, 4)
    assert items is not None
    assert (items.kind, items.values) == ("nested", ())
    assert odd is not None
    assert (odd.kind, odd.events, odd.values) == ("unknown", 1, ())


def test_catalogue__without_a_signup__takes_every_users_first_event(write: Write) -> None:
    write([(user, "sent", f"2026-03-0{day}T10:00", {}) for user in ("a", "b", "c") for day in (1, 2, 3)])

    found = made()

    assert found.guess_signup() == "*"
    assert (event(found, "sent").reached, event(found, "sent").reached_of) == (3, 3)


def test_catalogue__of_more_names_than_are_listed__says_how_many_are_missing(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refresh, "LISTED", 2)
    monkeypatch.setattr(refresh, "DETAILED", 1)
    write(LOG)

    found = made()

    assert ([entry.name for entry in found.events], found.names, found.unlisted) == (["play", "signup"], 3, 1)
    assert [entry.detailed for entry in found.events] == [True, False]
    assert found.users == 4  # of the store, not of the listed names


def test_traits__of_the_latest_users__are_listed(write: Write) -> None:
    write(LOG)
    UnitTraits.objects.create(user_id="ann", traits={"platform": "ios", "paid": True, "tags": ["a"]})
    UnitTraits.objects.create(user_id="bob", traits={"platform": "ios", "paid": False})

    found = {entry.name: entry for entry in made().traits}

    assert (found["platform"].kind, found["platform"].values) == ("text", (("ios", 2),))
    assert (found["paid"].kind, found["paid"].users, found["paid"].of_users) == ("boolean", 2, 2)
    assert (found["tags"].kind, found["tags"].share) == ("nested", 0.5)


def test_search__begins_before_contains__then_by_users() -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    names = [("shop", 9), ("open_shop", 8), ("shopping", 7), ("Experiment Viewed", 6), ("bag", 5)]
    entries = tuple(EventEntry(name, users, users, now, now) for name, users in names)
    found = Catalogue(events=entries, _by_name={entry.name: entry for entry in entries})

    assert [entry.name for entry in found.search("SHOP")] == ["shop", "shopping", "open_shop"]
    assert [entry.name for entry in found.search("shop", 2)] == ["shop", "shopping"]
    assert [entry.name for entry in found.search("")] == ["shop", "open_shop", "shopping", "bag"]
    assert "Experiment Viewed" in [entry.name for entry in found.search("", exposures=True)]
    assert (found.nearest("shoping"), found.nearest("Open Shop"), found.nearest("zzz")) == (
        "shopping",
        "open_shop",
        None,
    )


def test_search__display_names_and_descriptions__in_both_languages() -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    entries = tuple(EventEntry(name, 1, 1, now, now) for name in ("friend_add", "noise"))
    found = Catalogue(events=entries, _by_name={entry.name: entry for entry in entries})
    EventLabel.objects.create(event="friend_add", name_ko="친구 추가", description_en="A friendship begins")
    EventLabel.objects.create(event="noise", hidden=True)

    assert [entry.name for entry in found.search("친구")] == ["friend_add"]
    assert [entry.name for entry in found.search("begins")] == ["friend_add"]
    assert found.search("noise") == ()
    assert [entry.name for entry in found.search("noise", hidden=True)] == ["noise"]
    assert found.nearest("친구추가") == "friend_add"


def test_label__in_the_active_language__or_the_name_itself() -> None:
    EventLabel.objects.create(event="buy", name_en="Purchase", description_ko="구매")
    EventLabel.objects.create(event="buy", property="amt", name_ko="금액")

    with translation.override("en"):
        assert (labels.label("buy"), labels.label("buy", "amt"), labels.label("sell")) == ("Purchase", "amt", "sell")
    with translation.override("ko"):
        assert (labels.label("buy"), labels.label("buy", "amt"), labels.description("buy")) == ("buy", "금액", "구매")


def test_labels__within_a_request__are_read_once(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    EventLabel.objects.create(event="buy", name_en="Purchase")

    with django_assert_num_queries(3), labels.shown_here():  # a savepoint around the one question
        assert [labels.label("buy"), labels.label("sell"), labels.label("buy")] == ["Purchase", "sell", "Purchase"]


def test_catalogue__read_twice__costs_one_small_query(
    write: Write, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    write(LOG)
    first = made()

    with django_assert_num_queries(1):
        again = listing.catalogue()

    assert again is first


@pytest.mark.slow
def test_refresh__only_when_the_store_has_changed(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refresh, "PATIENCE", 0)
    write(LOG)

    assert refresh.refresh_if_due()
    first = listing.catalogue()
    assert not refresh.refresh_if_due()
    write([("eve", "jump", "2026-03-12T00:00", {})])
    assert refresh.refresh_if_due()

    assert listing.catalogue() is not first
    assert listing.catalogue().find("jump") is not None
    assert CatalogueSnapshot.objects.count() == 1


@pytest.mark.slow
def test_refresh__a_list_that_cost_long__waits_in_proportion(write: Write) -> None:
    write(LOG)
    made()
    CatalogueSnapshot.objects.update(seconds=60.0)
    write([("eve", "jump", "2026-03-12T00:00", {})])

    assert not refresh.refresh_if_due()
    CatalogueSnapshot.objects.update(made_at=datetime.now(UTC) - timedelta(seconds=60 * refresh.PATIENCE + 1))
    assert refresh.refresh_if_due()


def test_make__while_another_process_makes_one__does_nothing(write: Write) -> None:
    write(LOG)
    CatalogueSnapshot.objects.create()

    assert not refresh.make_catalogue()
    CatalogueSnapshot.objects.update(started_at=datetime.now(UTC) - refresh.LOST_AFTER - timedelta(seconds=1))
    assert refresh.make_catalogue()


def test_ready__of_a_small_store__makes_it_at_once__of_a_large_one_asks_a_worker(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refresh, "AT_ONCE_ROWS", len(LOG) - 1)
    write(LOG)

    large = refresh.ready_catalogue()
    monkeypatch.setattr(refresh, "AT_ONCE_ROWS", len(LOG))
    small = refresh.ready_catalogue()

    assert (large.is_empty, large.pending) == (True, True)
    assert [job.task for job in Job.objects.all()] == [refresh.TASK]
    assert (small.is_empty, small.pending) == (False, False)


@pytest.mark.slow
def test_read__a_row_of_another_version__is_empty_and_made_anew(write: Write) -> None:
    write(LOG)
    made()
    listing._read.clear()
    CatalogueSnapshot.objects.update(payload={"schema": listing.SCHEMA + 1})

    assert listing.catalogue().is_empty
    assert refresh.refresh_if_due()
    assert not listing.catalogue().is_empty


def test_weeks__of_a_test_event_years_later__leave_each_line_its_own_range(write: Write) -> None:
    write([*LOG, ("ann", "test", "2031-05-01T10:00", {})])

    found = made()

    assert (event(found, "play").weeks, event(found, "test").weeks) == ((1, 1, 2), (1,))
