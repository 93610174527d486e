"""The admin's first page: what a new site shows, and what a busy one does."""

import pytest
from django.test import Client

from aha.moments import promote
from experiments.analyse.codes import Code
from experiments.standing import overview
from experiments.standing.health_light import health
from insight_site.admin import dashboard
from insight_site.admin.sidebar import navigation
from tests.experiments.make import draft, running

pytestmark = pytest.mark.django_db


def test_dashboard__new_site__says_what_to_do_next(admin_client: Client) -> None:
    page = admin_client.get("/admin/").content.decode()

    for address in ("/aha/studies/new/", "/segments/runs/new/", "/admin/experiments/experiment/new/"):
        assert f'href="{address}"' in page
    assert "Nothing runs." in page


def test_dashboard__busy__shows_progress_claims_and_what_waits(admin_client: Client) -> None:
    moment = promote.create_moment(
        name="Three friends", behaviour="friend_add", times=3, days=7, signup_event="signup", retention="window:14-20"
    )
    running("live", name="Guild banner", planned_units=2_000)
    draft("idea", name="An idea")

    page = admin_client.get("/admin/").content.decode()

    assert "0 of 2,000 planned units were shown their variant (0 %)." in page
    assert "no verdict yet" in page
    assert "An idea" in page
    assert f"/admin/experiments/experiment/new/?moment={moment.key}" in page
    assert "What to do next" not in page


def test_concern_words__every_code__has_a_sentence() -> None:
    from experiments.standing.health_light import concern_words
    from experiments.standing.overview import Concern, Light

    for code in ("nobody_exposed", "sample_ratio", "past_end", "paused"):
        assert concern_words(Concern(code, Light.WATCH, {"p": 0.002})).endswith((".", "?"))


@pytest.mark.parametrize("code", list(Code))
def test_verdict__code_of_an_analysis__is_a_tag_in_words(code: str) -> None:
    tag = dashboard.verdict(code)

    assert tag is not None
    assert tag["text"]
    assert dashboard.verdict("") is None


def test_menu__every_link__opens(admin_client: Client, admin_user: object) -> None:
    request = type("Request", (), {"user": admin_user})()

    links = [one["link"] for group in navigation(request) for one in group["items"]]

    assert len(links) > 20
    assert {link: admin_client.get(link).status_code for link in links} == dict.fromkeys(links, 200)


def test_standing__is_what_the_dashboard_asks() -> None:
    at = overview.standing(running("exp"))

    assert health(at) == {"light": "none", "sentence": "Nobody was assigned yet."}
