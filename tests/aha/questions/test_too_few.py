"""A study below its floors is refused before it runs, with its numbers and what would mend it, at every door."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.core.cache import cache
from django.test import Client
from pytest_django import Settings

from aha.models import Study
from aha.questions.preview import data_objections
from aha.study import null
from aha.study.question import Inputs
from aha.study.studies import create_study
from runs.refusals import Refused
from tests.aha.questions.test_new_study import post, said
from tests.events.catalogue.conftest import Line, _lists, lister, write  # noqa: F401 - the fixtures

START = datetime(2026, 3, 1, 10, tzinfo=UTC)
SENTENCE = "{} of {} users were retained; a study needs at least 200 users, 50 who were retained and 50 who were not."


def line(user: int, event: str, day: float) -> Line:
    moment = START + timedelta(hours=user, days=day)
    return (f"u{user:03}", event, moment.strftime("%Y-%m-%dT%H:%M"), {})


def log() -> list[Line]:
    """300 users, one an hour: 39 play on day 8, 100 on day 5; the last event lies on day 40."""
    found = [line(user, "signup", 0) for user in range(300)]
    found += [line(user, "play", 8.5) for user in range(39)]
    found += [line(user, "play", 5.5) for user in range(100)]
    return [*found, line(0, "play", 40)]


@pytest.fixture(autouse=True)
def few(lister: Callable[[list[Line]], None], settings: Settings, tmp_path: object) -> None:  # noqa: F811
    settings.EXPLORE_DIR = f"{tmp_path}/explore"
    cache.clear()
    lister(log())


@pytest.fixture(autouse=True)
def low_floors() -> None:
    """Those of today."""
    assert (null.LEAST_UNITS, null.LEAST_PER_OUTCOME) == (200, 50)


@pytest.fixture
def pm(client: Client) -> Client:
    person = User.objects.create_user("pm")
    person.user_permissions.set(Permission.objects.filter(codename="add_study"))
    client.force_login(person)
    return client


def test_form__too_few_stayed__numbers_and_the_nearest_window_with_enough(pm: Client) -> None:
    answer = post(pm, retention="window:7-13")

    assert said(answer) == {
        "retention": (SENTENCE.format(39, 300), [("retention", "window:4-10", "Measure retention on days 4–10")])
    }
    assert not Study.objects.exists()
    looked = post(pm, path="/aha/studies/preview/", retention="window:7-13").content.decode()
    assert SENTENCE.format(39, 300) in looked
    assert 'data-value="window:4-10"' in looked
    post(pm, retention="window:4-10")
    assert Study.objects.get().inputs["retention"] == "window:4-10"


def test_form__behaviours_have_days_of_their_own__no_window_begins_before_they_end(pm: Client) -> None:
    assert said(post(pm, retention="window:7-13", days="1 5")) == {"retention": (SENTENCE.format(39, 300), [])}


def test_form__too_few_signups_in_the_dates__offers_all_dates(pm: Client) -> None:
    found = said(post(pm, retention="window:4-10", last_date="2026-03-05"))

    assert found == {"retention": (SENTENCE.format(100, 110), [("last_date", "", "Take all until the last day")])}


@pytest.mark.parametrize("retention", ["window:7-13", "min_days:4-10:2"])
def test_services__too_few_stayed__refuse_in_one_sentence(retention: str) -> None:
    with pytest.raises(Refused) as refused:
        create_study(inputs=Inputs("signup", (1, 3), retention), for_ranking=True)

    stayed = 39
    assert refused.value.sentence == SENTENCE.format(stayed, 300)
    assert not Study.objects.exists()


def test_objections__enough__none() -> None:
    assert list(data_objections(Inputs("signup", (1, 3), "window:4-10"))) == []
