"""A metric on data before it is used: counted by hand, by the page's door, and not for ever."""

from collections.abc import Callable
from datetime import date
from threading import Timer
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from events.catalogue.check_metric import PREVIEW_SECONDS, preview_metric
from events.warehouse import engine
from stats.results import Interval
from tests.events.metric_catalogue.make import metric
from tests.events.metric_catalogue.test_check import LOG, Line, write  # noqa: F401 - a fixture

pytestmark = pytest.mark.django_db
SQL = "sql:0-2:SELECT user_id, sum(number('price')) AS value FROM events WHERE event = 'buy' GROUP BY user_id"
ADDRESS = "/pick/preview/?of=line"
type Write = Callable[[list[Line]], None]


def shown(client: Client, line: str, **more: str) -> str:
    answer = client.post(ADDRESS, {"line": line, **more}, headers={"Accept-Language": "en"})
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def test_preview__a_dozen_rows__is_counted_on_fingers(write: Write) -> None:  # noqa: F811
    write(LOG)

    found = preview_metric(SQL, signup_event="signup")

    assert (found.users, found.rows) == (5, 3)  # early, ann, bob, cat, dan; young is too young
    assert isinstance(found.value, Interval)
    assert found.value.estimate == (15 + 1 + 1000) / 5
    assert found.value.low < found.value.estimate < found.value.high
    assert (sorted(found.some), found.spread) == ([1, 15, 1000], (1, 15, 1000))
    assert (found.first, found.last) == (date(2026, 2, 15), date(2026, 3, 14))


def test_preview__by_its_page__shows_users_with_and_without_a_row(write: Write, admin_client: Client) -> None:  # noqa: F811
    write(LOG)

    page = shown(admin_client, SQL, signup_event="signup")

    for name, words in {"Users": "5", "With a row": "3", "Without a row, counted as 0": "2"}.items():
        assert f"<dt>{name}</dt> <dd>{words}</dd>" in " ".join(page.split())
    assert "ann" not in page
    assert "Users who came from Feb 15, 2026 to Mar 14, 2026; day 0: signup." in page


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("sql:0-2:SELECT pg_sleep(9)", "An SQL metric reads FROM events"),
        ("survival:7", "Time to churn has no number"),
        ("", "is no retention definition"),
    ],
)
def test_preview__that_cannot_be_made__says_why(write: Write, admin_client: Client, line: str, said: str) -> None:  # noqa: F811
    write(LOG)

    assert said in shown(admin_client, line)


def test_preview__asks__under_a_lock_that_ends_after_seconds(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    write(LOG)
    limits: list[float] = []

    class Watched(Timer):
        def __init__(self, seconds: float, stop: Any) -> None:
            limits.append(seconds)
            super().__init__(seconds, stop)

    monkeypatch.setattr(engine, "Timer", Watched)

    preview_metric(SQL, signup_event="signup")

    assert limits
    assert set(limits) == {PREVIEW_SECONDS}


def test_preview__for_roles__is_for_those_who_ask_the_data(write: Write, client: Client) -> None:  # noqa: F811
    write(LOG)
    metric("calls", SQL)
    for role, status in {"Analyst": 200, "PM": 200, "Service owner": 403}.items():
        person = User.objects.create_user(role)
        person.groups.add(Group.objects.get(name=role))
        client.force_login(person)

        assert client.post(ADDRESS, {"line": SQL}).status_code == status
        assert ('id="preview"' in client.get("/data/metrics/calls/").content.decode()) == (status == 200)


def test_metric_page__of_another_metric__has_no_preview(admin_client: Client) -> None:
    metric("revenue")

    assert 'id="preview"' not in admin_client.get("/data/metrics/revenue/").content.decode()


def test_form__with_sql_typed__offers_the_preview(admin_client: Client) -> None:
    given: dict[str, Any] = {"first": SQL.replace("buy", "signup")}
    found = admin_client.post("/pick/definition/?of=first&kinds=active+line&changed=line", given).content.decode()

    assert "/pick/preview/?of=first" in found
    assert (
        "/pick/preview/"
        not in admin_client.get(
            "/pick/definition/", {"of": "first", "kinds": "active", "changed": "line", "line": "on_day:7"}
        ).content.decode()
    )
