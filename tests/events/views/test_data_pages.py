"""Pages under /data/: who may, what they show, and that they stay small whatever is in the store."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from events.calendar import entries
from events.catalogue import listing
from events.models import CatalogueSnapshot, EventLabel, Rejected, Source, UnitTraits
from tests.events.catalogue.conftest import LOG, Line, write  # noqa: F401 - a fixture

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("write")]
Write = Callable[[list[Line]], None]


def as_role(role: str) -> Client:
    user = User.objects.create_user(role.split()[0].lower())
    user.groups.add(Group.objects.get(name=role))
    client = Client()
    client.force_login(user)
    return client


@pytest.mark.slow
@pytest.mark.parametrize("role", ["Analyst", "PM", "Service owner", "Admin"])
def test_pages__by_role__are_read_by_all_and_labelled_by_researchers(role: str, write: Write) -> None:  # noqa: F811
    write(LOG)
    client = as_role(role)
    may_label = 403 if role == "Service owner" else 200

    pages = ["/data/", "/data/events/", "/data/event/?name=play", "/data/event/trend/?name=play", "/data/live/"]
    assert {page: client.get(page).status_code for page in pages} == dict.fromkeys(pages, 200)
    assert client.get("/data/event/label/?name=play").status_code == may_label
    assert client.post("/data/event/label/?name=play", {"name_en": "Match"}).status_code == (
        302 if may_label == 200 else 403
    )
    assert EventLabel.objects.exists() == (may_label == 200)


def test_overview__of_an_empty_site__begins_with_the_first_event(admin_client: Client) -> None:
    page = admin_client.get("/data/").content.decode()

    assert 'id="connect"' in page
    assert "Make the key" in page
    assert "Fill with made-up data" in page
    assert 'id="store"' not in page


def test_overview__with_events__shows_store_and_sources(admin_client: Client, write: Write) -> None:  # noqa: F811
    write(LOG)
    Source.objects.create(name="shop")

    page = admin_client.get("/data/").content.decode()

    assert 'id="connect"' not in page
    assert "shop" in page
    assert "No live key: nothing can be sent. Make a key." in page


def test_list__search_sort_and_hidden(admin_client: Client, write: Write) -> None:  # noqa: F811
    write(LOG)
    EventLabel.objects.create(event="play", name_en="Match", hidden=True)

    everything = admin_client.get("/data/events/?sort=name&hidden=1").content.decode()
    rows = admin_client.get("/data/events/?q=sig", headers={"HX-Request": "true"}).content.decode()
    nothing = admin_client.get("/data/events/?q=signn&sort=nonsense&page=99").content.decode()
    hidden = admin_client.get("/data/events/").content.decode()

    assert everything.index("Experiment Viewed") < everything.index(">Match</a>") < everything.index(">signup</a>")
    assert "<html" not in rows
    assert "33.3" in everything  # one of three new users played
    assert "signup" in rows
    assert "Did you mean" in nothing
    assert ">Match</a>" not in hidden


def test_event__trend_by_day_and_week__counts_and_fills_gaps(admin_client: Client, write: Write) -> None:  # noqa: F811
    write(LOG)

    days = admin_client.get("/data/event/trend/?name=play").context["table"].rows
    weeks = admin_client.get("/data/event/trend/?name=play&by=week").context["table"].rows

    assert (days[0], days[-1], len(days)) == (("2026-03-11", "1", "1"), ("2026-03-01", "1", "1"), 11)
    assert days[1] == ("2026-03-10", "0", "0")
    assert weeks == (("2026-03-09", "2"), ("2026-03-02", "1"), ("2026-02-23", "1"))


@pytest.mark.parametrize(("by", "place"), [("", "Mar 10, 2026"), ("&by=week", "Week of Mar 9, 2026")])
def test_event__trend__says_what_happened(admin_client: Client, write: Write, by: str, place: str) -> None:  # noqa: F811
    write(LOG)
    entries.add(entry=entries.Written("release", "4.2", date(2026, 3, 10)), by=None)

    text = admin_client.get(f"/data/event/trend/?name=play{by}").content.decode()

    (line,) = [part for part in text.split("<line") if "4.2&#9;" in part]
    assert f'aria-label="{place}' in line


@pytest.mark.slow
def test_event__page__shows_properties_and_the_name_as_sent(admin_client: Client, write: Write) -> None:  # noqa: F811
    write(LOG)
    EventLabel.objects.create(event="signup", name_en="Registration", description_en="An account is made")
    EventLabel.objects.create(event="signup", property="platform", name_en="System")

    page = admin_client.get("/data/event/?name=signup").content.decode()

    assert "<h1>Registration" in page
    assert "<code>signup</code>" in page
    assert "An account is made" in page
    assert 'System <code class="raw">platform</code>' in " ".join(page.split())
    assert "66.7" in page  # ios, of three


@pytest.mark.parametrize("query", ["", "?name=", "?name=a%00b", "?name=" + "x" * 257])
def test_event__of_no_name__is_not_found(admin_client: Client, query: str) -> None:
    assert admin_client.get(f"/data/event/{query}").status_code == 404


def test_list__traits_of_users__are_below_it(admin_client: Client, write: Write) -> None:  # noqa: F811
    write(LOG)
    UnitTraits.objects.create(user_id="ann", traits={"tier": "gold"})

    page = admin_client.get("/data/events/").content.decode()

    assert 'id="traits"' in page
    assert "<code>gold</code> 100.0" in page
    assert 'id="traits"' not in admin_client.get("/data/events/", headers={"HX-Request": "true"}).content.decode()


@pytest.mark.slow
def test_event__unknown__names_the_nearest(admin_client: Client, write: Write) -> None:  # noqa: F811
    write(LOG)

    answer = admin_client.get("/data/event/?name=sginup")

    assert answer.status_code == 404
    assert ">signup</a>" in answer.content.decode()


def test_label__emptied__is_gone(admin_client: Client) -> None:
    EventLabel.objects.create(event="play", name_en="Match")

    admin_client.post("/data/event/label/?name=play", {"name_en": " "})

    assert not EventLabel.objects.exists()


def test_label__too_long__is_told_beside_the_field(admin_client: Client) -> None:
    answer = admin_client.post("/data/event/label/?name=play", {"name_ko": "가" * 81})

    assert answer.status_code == 200
    assert answer.context["form"].errors["name_ko"]


def test_live__what_was_sent__is_for_those_who_may_read_it(write: Write) -> None:  # noqa: F811
    Rejected.objects.create(received_at=datetime.now(UTC), code="bad_number", message="x", payload='{"a": 1}')

    pages = {role: as_role(role).get("/data/live/").content.decode() for role in ("Analyst", "Service owner")}

    assert all("numbers must be finite" in page for page in pages.values())
    assert ["&quot;a&quot;: 1" in page for page in pages.values()] == [False, True]


def test_list__of_many_names__is_a_small_page(
    admin_client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    row: dict[str, Any] = {
        "events": 9, "users": 3, "first_seen": "2026-03-01T00:00:00+00:00", "last_seen": "2026-03-02T00:00:00+00:00",
        "reached": 1, "reached_of": 3, "weeks": [1, 2], "properties": [], "detailed": False,
    }  # fmt: skip
    payload = {
        "schema": listing.SCHEMA, "events": [{"name": f"event-{place}", **row} for place in range(5_000)],
        "names": 300_000, "users": 10, "total_events": 10**6, "first_time": row["first_seen"],
        "last_time": row["last_seen"], "first_week": "2026-02-23", "signup": "*", "traits": [], "one_in": 3,
    }  # fmt: skip
    listing._read.clear()
    CatalogueSnapshot.objects.create(made_at=datetime.now(UTC), payload=payload)

    with django_assert_max_num_queries(12):
        answer = admin_client.get("/data/events/?q=event-49")

    page = answer.content.decode()
    assert len(answer.content) < 120_000
    assert page.count("<tr>") == 1 + 50
    assert "The 5,000 most frequent of 300,000 names are listed" in page
    assert "≈ 3" in page
    listing._read.clear()
