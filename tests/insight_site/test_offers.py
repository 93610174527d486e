"""What a page offers somebody they may do: no link and no button of it ends in "you may not"."""

from datetime import timedelta
from typing import Any
from urllib.parse import urljoin, urlsplit

import lxml.html
import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.utils import timezone

from experiments.models import Experiment
from experiments.plan.review import ask_for_review
from insight_site.access import roles
from tests.events.metric_catalogue.make import metric
from tests.experiments.make import do, draft, running

pytestmark = pytest.mark.django_db
PAGES = (
    *("/", "/experiments/", "/experiments/?state=draft", "/aha/studies/", "/aha/moments/", "/segments/"),
    *("/data/", "/data/metrics/", "/data/metrics/calls/", "/experiments/-/templates/", "/experiments/-/holdouts/"),
    *(f"/experiments/{key}/{tab}" for key in ("idea", "live", "over", "done") for tab in ("", "plan/", "setup/")),
    *("/experiments/live/health/", "/experiments/live/history/", "/experiments/done/rollout/", "/upkeep/"),
)
ELSEWHERE = ("/accounts/", "/static/", "/i18n/", "/admin/", "/signin/", "/theme/")


@pytest.fixture
def site() -> None:
    draft("idea")
    running("live")
    for key, moves in {"over": ("stop",), "done": ("stop", "conclude")}.items():
        running(key, flag_key=key)
        for action in moves:
            do(key, action)
    metric("calls")


def person(role: str, name: str = "") -> User:
    made = User.objects.create_user(name or role.split()[0].lower())
    made.groups.add(Group.objects.get(name=role))
    return made


def offered(client: Client) -> dict[str, set[str]]:
    """Addresses by method, each with the page that offers it in front."""
    found: dict[str, set[str]] = {"get": set(), "post": set()}
    for page in PAGES:
        answer = client.get(page)
        if answer.status_code != 200:
            continue
        tree: Any = lxml.html.fromstring(answer.content.decode())
        ways = [("get", one.get("href")) for one in tree.xpath("//main//a[@href]")]
        ways += [(one.get("method", "get").lower(), one.get("action") or page) for one in tree.xpath("//main//form")]
        for method, address in ways:
            whole = urljoin(page, address)
            if whole.startswith("/") and not urlsplit(whole).path.startswith(ELSEWHERE):
                found[method].add(whole.partition("#")[0])
    return found


@pytest.mark.parametrize("role", list(roles.ROLES))
def test_pages__by_role__offer_nothing_that_is_refused(site: None, client: Client, role: str) -> None:
    client.force_login(person(role))
    ways = offered(client)
    assert len(ways["get"]) > 20

    refused = [one for one in sorted(ways["get"]) if client.get(one).status_code == 403]
    refused += [one for one in sorted(ways["post"]) if client.post(one).status_code == 403]

    assert refused == []


def test_home__of_a_named_reviewer__shows_the_request_first_under_many_newer_drafts(client: Client) -> None:
    author, reviewer, other = person("PM", "ann"), person("PM", "ben"), person("PM", "cem")
    draft("old", by=author)
    ask_for_review(key="old", by=author, reviewers=[reviewer])
    for n in range(8):
        draft(f"new{n}")
    Experiment.objects.filter(key="old").update(created_at=timezone.now() - timedelta(days=40))

    client.force_login(reviewer)
    rows = client.get("/").context["waiting"]
    client.force_login(other)
    others = client.get("/").context["waiting"]

    assert (rows[0].url, rows[0].words) == ("/experiments/old/plan/", "You are asked to review this plan.")
    assert len([row for row in rows if "/old/" in row.url]) == 1
    assert not [row for row in others if "/old/" in row.url]


def test_home__of_an_analyst__offers_results_and_no_start(site: None, client: Client) -> None:
    client.force_login(person("Analyst"))

    rows = client.get("/").context["waiting"]

    assert [(row.kind, row.words) for row in rows] == [("To close", "Read the result")]
