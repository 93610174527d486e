"""Light or dark and the tours that were dismissed: cookies for this browser, kept with the account for the next."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

import insight_site
from insight_site.models import Preference
from insight_site.pages import whats_new
from insight_site.pages.tours import TOURS, tour_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def ann() -> User:
    return User.objects.create_user("ann", password="correct horse")


def log_in(client: Client) -> None:
    client.post("/login/", {"username": "ann", "password": "correct horse"})


@pytest.mark.parametrize(
    ("chosen", "shown"), [("dark", 'data-theme="dark"'), ("light", 'data-theme="light"'), ("", "<html")]
)
def test_theme__chosen__is_on_every_page_and_on_the_next_machine(ann: User, chosen: str, shown: str) -> None:
    here, there = Client(), Client()
    log_in(here)

    answer = here.post("/theme/", {"theme": chosen, "next": "/glossary/"})
    log_in(there)

    assert answer.headers["Location"] == "/glossary/"
    for client in (here, there):
        page = client.get("/glossary/").content.decode()
        assert shown in page
        assert ("data-theme" in page) == bool(chosen)
    assert Preference.objects.get().theme == chosen


def test_theme__chosen_on_the_site__reaches_the_admin(admin_client: Client) -> None:
    admin_client.post("/theme/", {"theme": "dark"})

    assert 'class="dark"' in admin_client.get("/admin/").content.decode()


@pytest.mark.parametrize("where", ["https://elsewhere.example/", "//elsewhere.example", "javascript:alert(1)", ""])
def test_theme__another_site_to_go_to__stays_here(client: Client, where: str) -> None:
    assert client.post("/theme/", {"theme": "dark", "next": where}).headers["Location"] == "/"


def test_theme__nonsense__changes_nothing(client: Client) -> None:
    answer = client.post("/theme/", {"theme": "purple"})

    assert "theme" not in answer.cookies


@pytest.mark.parametrize("route", TOURS)
def test_tour__every_page__has_three_to_five_notes(route: str) -> None:
    assert 3 <= len(tour_of(route)) <= 5


def test_tour__dismissed__stays_away_on_every_machine_and_the_question_mark_brings_it_back(ann: User) -> None:
    here, there = Client(), Client()
    log_in(here)
    assert 'id="tour"' in here.get("/aha/studies/").content.decode()

    here.post("/tours/dismiss/", {"route": "aha:studies", "next": "/"})
    log_in(there)

    for client in (here, there):
        assert 'id="tour"' not in client.get("/aha/studies/").content.decode()
        assert 'id="tour"' in client.get("/aha/studies/?tour").content.decode()
    assert 'id="tour"' in here.get("/segments/").content.decode()
    assert Preference.objects.get().tours == ["aha:studies"]


def test_tours__all_hidden_at_once__stay_away_from_every_page(ann: User) -> None:
    client = Client()
    log_in(client)

    client.post("/tours/dismiss/", {"route": "aha:studies", "next": "/", "all": "1"})

    assert Preference.objects.get().tours == sorted(TOURS)
    for path in ("/aha/studies/", "/segments/", "/experiments/"):
        assert 'id="tour"' not in client.get(path).content.decode()
        assert 'id="tour"' in client.get(f"{path}?tour").content.decode()


def test_tour__unknown_route__is_not_kept(ann: User) -> None:
    client = Client()
    log_in(client)

    client.post("/tours/dismiss/", {"route": "../../etc"})

    assert not Preference.objects.exists()


def test_language__account_that_chose_a_theme_alone__keeps_the_browsers(ann: User) -> None:
    Preference.objects.create(user=ann, theme="dark")
    client = Client()
    log_in(client)

    text = client.get("/glossary/", headers={"accept-language": "ko"}).content.decode()

    assert '<html lang="ko" data-theme="dark">' in text


def test_tour__dismissed_after_it_was_asked_for__stays_away_on_a_reload(ann: User) -> None:
    client = Client()
    log_in(client)

    given = {"route": "aha:studies", "next": "/aha/studies/"}
    answer = client.post("/tours/dismiss/", given, headers={"hx-request": "true"})

    assert answer.headers["HX-Replace-Url"] == "/aha/studies/"
    assert answer.content == b""


def test_tour__next_person_at_this_browser__gets_it(ann: User) -> None:
    client = Client()
    log_in(client)
    client.post("/tours/dismiss/", {"route": "aha:studies", "next": "/"})
    client.post("/logout/")
    User.objects.create_user("bob", password="correct horse")

    client.post("/login/", {"username": "bob", "password": "correct horse"})

    assert 'id="tour"' in client.get("/aha/studies/").content.decode()


def test_whats_new__dot_until_opened_once__on_every_machine(client: Client) -> None:
    user = User.objects.create_user("news")
    client.force_login(user)
    dot = 'class="news"'
    assert dot in client.get("/glossary/").content.decode()

    assert client.get("/whats-new/").status_code == 200

    assert dot not in client.get("/glossary/").content.decode()
    assert Preference.objects.get(user=user).tours == [whats_new.SEEN]


def test_whats_new__every_entry__leads_to_a_page_and_is_of_this_version() -> None:
    assert insight_site.__version__.startswith(whats_new.VERSION)
    assert all(str(item.title) and str(item.text) and item.url for item in whats_new.NEWS)
