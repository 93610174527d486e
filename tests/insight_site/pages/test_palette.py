"""The palette: what it finds in both languages, and that nobody finds what they can't open."""

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import translation

from events.catalogue import listing
from events.models import EventLabel
from insight_site.access import roles
from insight_site.models import Board
from insight_site.pages import palette
from tests.experiments.make import draft

pytestmark = pytest.mark.django_db
EVERYWHERE = (*palette.PAGES, *palette.NEW, *palette.SETTINGS)


def person(role: str = "", *, staff: bool = False) -> User:
    user = User.objects.create_user(f"{role or 'reader'}{staff}", is_staff=staff)
    user.groups.set(Group.objects.filter(name=role))
    return user


def found(user: User, text: str = "", language: str = "en") -> dict[str, list[str]]:
    with translation.override(language):
        return {group.name: [hit.title for hit in group.hits] for group in palette.find(user, text)}


def test_nothing_typed__offers_what_the_role_may_begin() -> None:
    assert "New" not in found(person())
    assert "Plan an experiment" not in found(person("Analyst"))["New"]
    assert "Plan an experiment" in found(person("PM"))["New"]


@pytest.mark.parametrize("role", ["", *roles.ROLES])
@pytest.mark.parametrize("staff", [False, True])
def test_places__all_that_a_role_finds__open_and_no_other_does(client: Client, role: str, staff: bool) -> None:
    user = person(role, staff=staff)
    client.force_login(user)

    for place in EVERYWHERE:
        hits = palette._places(user, [place], ())
        if hits:
            assert client.get(hits[0].url).status_code == 200, place.route
        elif place.route != "boards:list":  # the list is open to all, making a board is not
            assert client.get(reverse(place.route)).status_code in (302, 403), place.route


def test_words__of_the_other_language__find_the_same() -> None:
    pm = person("PM")

    assert found(pm, "실험 계획")["New"] == ["Plan an experiment"]
    assert len(found(pm, "overlap", "ko")) == len(found(pm, "overlap")) >= 1
    assert found(pm, "대시보드")["Go to"] == ["Boards"]


def test_things__experiments_events_boards_terms_and_methods__are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    pm = person("PM")
    draft("invite", name="친구초대 banner")
    EventLabel.objects.create(event="friend_add", name_en="Added a friend", name_ko="친구 추가")
    Board.objects.create(name="Friends", team=True)
    Board.objects.create(name="Friends of mine", team=False)  # nobody's but its owner's
    entries = tuple(
        listing.EventEntry(name, 1, 1, None, None)  # type: ignore[arg-type]
        for name in ("friend_add", "browse")
    )
    monkeypatch.setattr(palette, "catalogue", lambda: listing.Catalogue(events=entries))

    assert found(pm, "친구초대")["Experiments"] == ["친구초대 banner"]
    assert found(pm, "친구 추가")["Events"] == ["Added a friend"]
    assert "Events" not in found(person(), "friend")
    assert found(pm, "friends")["Boards"] == ["Friends"]
    assert found(pm, "p-value")["Terms"]
    assert found(pm, "power")["Methods"]
    assert found(pm, "pass")["Settings"] == ["Your account", "Second factor"]


def test_answer__is_json_of_at_most_twenty_hits(client: Client) -> None:
    client.force_login(User.objects.create_superuser("boss"))
    for n in range(30):
        draft(f"test-{n}", name=f"Test {n}")

    groups = client.get("/search/find/", {"q": "e"}).json()["groups"]

    assert sum(len(group["hits"]) for group in groups) == palette.MOST
    assert set(groups[0]["hits"][0]) == {"title", "note", "url"}
    assert client.get("/search/find/", {"q": "\x00" * 300}).status_code == 200


def test_queries__thirty_experiments__as_many_as_one(client: Client) -> None:
    client.force_login(User.objects.create_superuser("boss"))
    draft("test-a", name="Test")
    client.get("/search/find/", {"q": "test"})
    with CaptureQueriesContext(connection) as few:
        client.get("/search/find/", {"q": "test"})
    for n in range(30):
        draft(f"test-{n}", name=f"Test {n}")
    with CaptureQueriesContext(connection) as more:
        client.get("/search/find/", {"q": "test"})

    assert len(more) == len(few)


def test_search_page__without_script__finds_pages_too(client: Client) -> None:
    client.force_login(person("PM"))

    text = client.get("/search/", {"q": "overlap"}).content.decode()

    assert 'href="/experiments/-/overlap/"' in text
    assert "Nothing holds" not in text
