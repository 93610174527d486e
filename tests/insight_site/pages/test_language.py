"""The language of an account follows it from machine to machine."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from insight_site.models import Preference

pytestmark = pytest.mark.django_db
ENGLISH = {"accept-language": "en"}


@pytest.fixture
def ann() -> User:
    return User.objects.create_user("ann", password="correct horse")


def log_in(client: Client) -> None:
    client.post("/login/", {"username": "ann", "password": "correct horse"}, headers=ENGLISH)


def heading(client: Client) -> str:
    text = client.get("/glossary/", headers=ENGLISH).content.decode()
    return text.split('<html lang="')[1][:2]


def test_language__chosen_by_an_account__is_spoken_on_another_machine(ann: User) -> None:
    here, there = Client(), Client()
    log_in(here)

    here.post("/language/", {"language": "ko", "next": "/"}, headers=ENGLISH)
    log_in(there)

    assert Preference.objects.get().language == "ko"
    assert heading(there) == "ko"


def test_language__another_choice_on_that_machine_before__gives_way_at_login(ann: User) -> None:
    Preference.objects.create(user=ann, language="ko")
    there = Client()
    there.post("/language/", {"language": "en"})
    assert heading(there) == "en"

    log_in(there)

    assert heading(there) == "ko"


def test_language__never_chosen__the_browsers_stays(ann: User) -> None:
    client = Client()
    log_in(client)

    assert heading(client) == "en"
    assert not Preference.objects.exists()


@pytest.mark.parametrize(("logged_in", "language"), [(False, "ko"), (True, "fr"), (True, "")])
def test_language__stranger_or_nonsense__is_not_kept(ann: User, logged_in: bool, language: str) -> None:
    client = Client()
    if logged_in:
        client.force_login(ann)

    client.post("/language/", {"language": language, "next": "/"})

    assert not Preference.objects.exists()


def test_language__asked_by_get__changes_nothing(ann: User) -> None:
    client = Client()
    client.force_login(ann)

    client.get("/language/?language=ko")

    assert not Preference.objects.exists()
