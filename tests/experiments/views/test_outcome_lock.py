"""The lock of the outcome holds wherever an experiment can be read: tabs, lists, comparison, files, share link, API.

Two worlds differ in their outcomes alone. While the outcome is locked every page and file is the same in both, to the
letter; so nothing on it can tell of the outcome. Once it is open they differ, so the walk would see a leak.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.core.cache import cache
from django.test import Client

from experiments.analyse.result import AnalysisResult
from experiments.models import Analysis
from insight_site.exports import takeaway
from tests.experiments.analyse.labs.lab_world import draw_users, lab_plan
from tests.experiments.analyse.labs.lab_world import read as read_lab
from tests.experiments.make_locked import keep, two_worlds
from tests.experiments.make_readout import make_readout, stored

pytestmark = pytest.mark.django_db
TABS = ("", "health/", "plan/", "setup/", "setup/live/", "history/", "peek/", "amend/", "do/stop/", "do/pause/")
LISTS = ("/", "/experiments/?q=exp", "/experiments/?view=board&q=exp", "/experiments/-/compare/?a=exp&b=other")
FILES = ("html", "csv", "json")
# What differs from one request to the next, whatever is shown.
CHANCE = re.compile(r'csrfmiddlewaretoken" value="\w+"|note-[\w-]+|<footer.*?</footer>', re.DOTALL)


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    cache.clear()
    monkeypatch.setattr("experiments.status.connection.first_events", lambda _row, *, ask: None)
    yield
    cache.clear()


def someone(role: str) -> Client:
    user = User.objects.create_user(role or "reader", is_staff=role == "PM")
    if role:
        user.groups.add(Group.objects.get(name=role))
    client = Client()
    client.force_login(user)
    return client


def read(client: Client, addresses: list[str]) -> dict[str, str]:
    """Each page as it is shown, titles included."""
    found = {}
    for path in addresses:
        answer = client.get(path)
        assert answer.status_code == 200, path
        found[path] = CHANCE.sub("", answer.content.decode())
    return found


def addresses(row: Analysis, role: str) -> list[str]:
    """All that somebody with this role may open."""
    tabs = {"PM": TABS, "Analyst": TABS[:7], "": TABS[:6]}[role]
    return [
        *(f"/takeaway/experiments.Analysis/{row.pk}.{kind}" for kind in FILES),  # first: it draws the pictures
        *(f"/experiments/exp/{tab}" for tab in tabs),
        *LISTS,
        f"/experiments/exp/{row.pk}/",
    ]


def two_labs(*, is_open: bool) -> tuple[AnalysisResult, AnalysisResult]:
    """Two labs of the same users, of whom those stay in one who leave in the other."""
    locked: dict[str, Any] = {"enrolment_ended": None, "planned_units": 50_000}
    planned = lab_plan() if is_open else lab_plan(**locked)
    users = draw_users(planned, 8_000, 1, moves=[[0.2, 0.05], [0.05, 0.2]], effects=[0.4, 0.0])
    return read_lab(planned, users), read_lab(planned, replace(users, kept=1 - users.kept))


def differing(
    client: Client, row: Analysis, paths: list[str], *, is_open: bool, worlds: Callable[..., Any] = two_worlds
) -> set[str]:
    """Addresses whose answers tell both worlds apart."""
    found: list[dict[str, Any]] = []
    for world in worlds(is_open=is_open):
        keep(row, world)
        found.append(read(client, paths))
    return {path for path in paths if found[0][path] != found[1][path]}


@pytest.mark.slow
@pytest.mark.parametrize("role", ["PM", "Analyst", ""])
def test_locked__every_page_and_file__is_the_same_whatever_the_outcome(role: str) -> None:
    row = stored("exp", two_worlds(is_open=False)[0], moment=True)
    stored("other", make_readout(key="other"))

    assert differing(someone(role), row, addresses(row, role), is_open=False) == set()


@pytest.mark.slow
def test_locked_lab__every_page_and_file__is_the_same_whatever_the_outcome() -> None:
    row = stored("exp", two_labs(is_open=False)[0], moment=True)
    stored("other", make_readout(key="other"))
    client, paths = someone("PM"), addresses(row, "PM")

    assert differing(client, row, paths, is_open=False, worlds=two_labs) == set()
    told = differing(client, row, paths, is_open=True, worlds=two_labs)
    assert {"/experiments/exp/", *(f"/takeaway/experiments.Analysis/{row.pk}.{kind}" for kind in FILES)} <= told


@pytest.mark.slow
def test_locked__by_a_share_link__is_the_same_whatever_the_outcome() -> None:
    row = stored("exp", two_worlds(is_open=False)[0], moment=True)
    _link, token = takeaway.create_link(run=row, days=7, by=None)

    assert differing(Client(), row, [f"/shared/{token}/"], is_open=False) == set()


@pytest.mark.slow
def test_open__the_same_walk__sees_the_outcome() -> None:
    row = stored("exp", two_worlds(is_open=True)[0], moment=True)
    stored("other", make_readout(key="other"))
    _link, token = takeaway.create_link(run=row, days=7, by=None)
    client = someone("Analyst")

    told = differing(client, row, [*addresses(row, "Analyst"), f"/shared/{token}/"], is_open=True)

    assert {
        "/experiments/exp/",
        "/experiments/?q=exp",
        "/experiments/?view=board&q=exp",
        "/experiments/-/compare/?a=exp&b=other",
        f"/experiments/exp/{row.pk}/",
        f"/shared/{token}/",
        *(f"/takeaway/experiments.Analysis/{row.pk}.{kind}" for kind in FILES),
    } <= told


def test_locked__its_columns_for_lists__hold_nothing_of_the_outcome() -> None:
    row = stored("exp", two_worlds(is_open=False)[0])

    assert (row.figures, row.verdict) == (None, "")
