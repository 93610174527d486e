"""The admin's first page: what a new site shows, and what a busy one does."""

from dataclasses import replace

import pytest
from django.contrib.auth.models import User
from django.test import Client

from experiments.status import overview
from experiments.status.overview import health
from insight_site.admin.sidebar import navigation
from tests.experiments.make import running

pytestmark = pytest.mark.django_db


def test_dashboard__lists_the_areas_and_points_to_the_first_page(admin_client: Client) -> None:
    page = admin_client.get("/admin/").content.decode()

    assert 'href="/"' in page
    for address in ("/admin/insight_site/apikey/", "/admin/events/source/", "/admin/experiments/experiment/"):
        assert f'href="{address}"' in page


def test_dashboard__person_who_may_less__sees_fewer_areas(client: Client) -> None:
    client.force_login(User.objects.create_user("reader", is_staff=True))

    page = client.get("/admin/").content.decode()

    assert "/admin/insight_site/apikey/" not in page


def test_concern_words__every_code__has_a_sentence() -> None:
    from experiments.status.overview import Concern, Light, concern_words

    for code in ("nobody_exposed", "sample_ratio", "past_end", "paused"):
        assert concern_words(Concern(code, Light.WATCH, {"p": 0.002})).endswith((".", "?"))


@pytest.mark.slow
def test_menu__every_link__opens(admin_client: Client, admin_user: object) -> None:
    request = type("Request", (), {"user": admin_user})()

    links = [one["link"] for group in navigation(request) for one in group["items"]]

    assert len(links) > 20
    assert {link: admin_client.get(link).status_code for link in links} == dict.fromkeys(links, 200)


def test_standing__is_what_the_dashboard_asks() -> None:
    at = overview.standing(running("exp"))

    assert health(at) == {"light": "none", "word": "No data yet", "sentence": "Nobody was assigned yet."}


@pytest.mark.parametrize(
    ("exposed", "light", "word"), [(4, "none", "Too early"), (99, "none", "Too"), (100, "good", "Healthy")]
)
def test_health__of_few_exposed_users__is_too_early_to_tell(exposed: int, light: str, word: str) -> None:
    at = replace(overview.standing(running("exp")), assigned=200, exposed=exposed)

    found = health(at)

    assert found["light"] == light
    assert found["word"].startswith(word)
    assert light == "good" or found["sentence"] == f"{exposed} of 100 users exposed so far."
