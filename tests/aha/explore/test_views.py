"""Pages of Explore: an address is a question; wrong ones get a sentence; files hold numbers."""

import csv
import io
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from aha.explore import answering
from aha.explore.question import VIEWS, Question
from events.catalogue import refresh
from events.warehouse.explore_session import Stop
from runs.progress import Cancelled, Progress
from tests.aha.explore.conftest import FINGERS
from tests.segments.levels import publish_levels

pytestmark = [pytest.mark.once, pytest.mark.django_db(transaction=True)]  # asked in threads of their own


@pytest.fixture
def viewer(client: Client, places: Any, monkeypatch: pytest.MonkeyPatch) -> Client:
    monkeypatch.setattr(answering, "PATIENCE", 60.0)
    monkeypatch.setattr(answering.ask, "__kwdefaults__", {"patience": 60.0})
    person = User.objects.create_user("ann")
    person.user_permissions.set(Permission.objects.filter(codename="add_study"))
    client.force_login(person)
    return client


def page(client: Client, address: str, **more: Any) -> str:
    response = client.get(address, follow=True, **more)
    assert response.status_code == 200
    return str(response.content.decode().replace("\u00a0", " "))


@pytest.mark.slow
@pytest.mark.usefixtures("fingers")
@pytest.mark.parametrize("view", VIEWS)
def test_view__without_a_question__asks_one_that_fits_the_log(viewer: Client, view: str) -> None:
    publish_levels()

    text = page(viewer, f"/explore/{view}/")

    assert 'class="lead"' in text
    assert "<svg" in text
    assert 'class="errorlist"' not in text
    assert 'aria-busy="true"' not in text


@pytest.mark.slow
@pytest.mark.usefixtures("fingers")
@pytest.mark.parametrize(("language", "words"), [("en", "50.0% of 4 users stayed (95%: "), ("ko", "50.0%")])
def test_retention__address__holds_the_whole_question(viewer: Client, language: str, words: str) -> None:
    address = "/explore/retention/?signup_event=signup&retention=on_day%3A7&day_mode=rolling"

    text = page(viewer, address, headers={"accept-language": language})

    assert words in text
    assert address.replace("&", "&amp;") in text


@pytest.mark.slow
@pytest.mark.usefixtures("fingers")
def test_form__that_sends_more__is_led_to_the_address_to_share(viewer: Client) -> None:
    response = viewer.get("/explore/retention/?retention=D7&retention_kind=active&first_date=&signup_event=signup")

    assert response.status_code == 302
    assert response["Location"] == "/explore/retention/?signup_event=signup&retention=on_day%3A7&day_mode=rolling"


@pytest.mark.slow
@pytest.mark.usefixtures("fingers")
def test_dates__presets_and_own_dates__keep_the_question_and_stand_in_the_address(viewer: Client) -> None:
    asked = "signup_event=signup&retention=on_day%3A7&day_mode=rolling"

    both = page(viewer, f"/explore/retention/?{asked}&dates=30&first_date=2024-03-05")
    own = page(viewer, f"/explore/retention/?{asked}&first_date=2024-03-05")

    escaped = asked.replace("&", "&amp;")
    assert f'href="/explore/retention/?{escaped}&amp;dates=90"' in both
    assert '&amp;dates=30" aria-current="true">Last 30 days</a>' in both  # and the other date is dropped
    assert 'name="first_date"' in own
    assert 'value="2024-03-05"' in own
    assert f'/explore/retention/?{escaped}">All</a>' in own
    assert "/explore/lifecycle/?signup_event=signup&amp;first_date=2024-03-05&amp;day_mode=rolling" in own


@pytest.mark.slow
@pytest.mark.usefixtures("fingers")
@pytest.mark.parametrize(
    ("view", "query", "words"),
    [
        ("activity", "behaviour=plya", "play"),
        ("times", "behaviour=Experiment+Viewed", "by its own analysis"),
        ("retention", "signup_event=Experiment+Viewed", "by its own analysis"),
        ("funnel", "steps=Experiment+Viewed&steps=signup", "by its own analysis"),
        ("retention", "retention=soon", "soon"),
        ("retention", "retention=survival:99", "at most 31 days"),
        ("retention", "retention=window:1-999", "730"),
        ("times", "days=0&behaviour=play", "greater than or equal to 1"),
        ("times", "days=x&behaviour=play", "whole number"),
        ("funnel", "steps=signup", "two to five"),
        ("funnel", "steps=signup&steps=play%23mode", "no property"),
        ("lifecycle", "first_date=2024-02-30", "valid date"),
        ("lifecycle", "first_date=2024-03-09&last_date=2024-03-01", "lies before the first"),
        ("lifecycle", "segment=nope", "There is no segment"),
        ("lifecycle", "day_mode=lunar", "lunar"),
        ("lifecycle", "dates=31", "31"),
        ("retention", "group=trait:nothing", "trait:nothing"),
        ("retention", "group=experiment:nothing", "experiment:nothing"),
        ("activity", "behaviour=play&by=year", "year"),
        ("retention", "by=year", "year"),
    ],
)
def test_field__wrong__is_marked_with_a_sentence_and_nothing_is_asked(
    viewer: Client, view: str, query: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answering, "ask", lambda *_, **__: pytest.fail("it was asked"))

    text = page(viewer, f"/explore/{view}/?{query}")

    marked = text[text.index('class="errorlist"') :]
    assert words in marked
    assert "see the marked fields" in text


@pytest.mark.slow
def test_funnel__step_of_different_values__offers_the_events_alone(viewer: Client, put: Callable[..., None]) -> None:
    put(FINGERS, properties='{"mode": "ranked"}')

    text = page(viewer, "/explore/funnel/?steps=signup&steps=play%23mode")

    assert "A step happens once" in text
    assert "mend=" not in page(viewer, "/explore/funnel/?steps=signup&steps=play%23mode&mend=steps=signup%0Aplay")


@pytest.mark.slow
@pytest.mark.usefixtures("fingers")
@pytest.mark.parametrize(
    "query",
    [
        "behaviour=%3Cscript%3Ealert(1)%3C/script%3E",
        "behaviour='%3B+DROP+TABLE+log%3B--",
        "behaviour=play%5Bmode%3D'%22%5C%5D",
        "behaviour=" + "x" * 5000,
        "behaviour=play%00",
        "segment=%00&behaviour=play",
        "behaviour=play&days=99999999999999999999",
        "signup_event=%F0%9F%98%80&behaviour=play",
        "behaviour=play&behaviour=shop&first_date=9999-12-31",
        "mend=behaviour=play&behaviour=zzz",
        "mend=zzz",
    ],
)
def test_address__hostile__is_a_page(viewer: Client, query: str) -> None:
    text = page(viewer, f"/explore/activity/?{query}")

    assert "<script>alert" not in text


@pytest.mark.parametrize("address", ["/explore/nothing/", "/explore/nothing/numbers.csv", "/explore/retention/x.svg"])
def test_address__unknown__is_404(viewer: Client, address: str) -> None:
    assert viewer.get(address).status_code == 404


def test_store__without_events__says_what_will_be_here(viewer: Client) -> None:
    text = page(viewer, "/explore/")

    assert "There are no events yet." in text


def test_stranger__is_sent_to_the_login(client: Client) -> None:
    assert client.get("/explore/retention/")["Location"].startswith("/login/")


@pytest.mark.usefixtures("fingers")
def test_levels__without_a_published_segmentation__say_what_to_do(viewer: Client) -> None:
    assert "publish one by play pattern first" in page(viewer, "/explore/levels/")


@pytest.mark.slow
@pytest.mark.usefixtures("fingers")
@pytest.mark.parametrize("view", VIEWS)
def test_csv__of_each_view__holds_numbers(viewer: Client, view: str) -> None:
    publish_levels()
    query = "signup_event=signup&day_mode=rolling&behaviour=play&days=7&times=1&by=day&retention=window%3A7-8"
    response = viewer.get(f"/explore/{view}/numbers.csv?{query}&steps=signup&steps=play&levels=loyal")

    assert response["Content-Type"].startswith("text/csv")
    names, *rows = csv.reader(io.StringIO(response.content.decode("utf-8-sig")))
    assert rows
    for name in names:
        if name in (
            "users",
            "retained",
            "share",
            "low",
            "high",
            "new",
            "dormant",
            "events",
            "reached",
            "median_seconds",
        ):
            for row in rows:
                cell = row[names.index(name)]
                assert cell == "" or float(cell) >= 0, (name, cell)


@pytest.mark.slow
@pytest.mark.usefixtures("fingers")
def test_pictures__svg_and_png__are_files(viewer: Client) -> None:
    query = "signup_event=signup&day_mode=rolling&retention=on_day%3A7"

    drawn = viewer.get(f"/explore/retention/retention.svg?{query}")
    numbers = viewer.get(f"/explore/retention/numbers.csv?{query}&by=week")
    painted = viewer.get(f"/explore/retention/retention.png?{query}")

    assert drawn.content.startswith(b"<svg xmlns")
    assert painted.content.startswith(b"\x89PNG")
    assert b",0,6," in numbers.content


@pytest.mark.slow
@pytest.mark.usefixtures("fingers")
def test_buttons__lead_to_a_study_with_the_same_question(viewer: Client) -> None:
    text = page(
        viewer,
        "/explore/times/?behaviour=play&days=3&times=1&retention=window%3A7-8&signup_event=signup&day_mode=calendar",
    )

    assert (
        "/aha/studies/new/?signup_event=signup&amp;retention=window%3A7-8&amp;day_mode=calendar&amp;behaviours=play"
        "&amp;days=3"
    ) in text


# ── Patience ──────────────────────────────────────────────────────────────────
QUESTION = Question("lifecycle", "signup")


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch, places: Any) -> dict[str, Any]:
    """An answer that waits until it is let go or stopped."""
    told: dict[str, Any] = {"go": threading.Event(), "asked": 0, "stopped": 0}

    def answer(question: Question, *, stop: Stop, progress: Progress) -> dict[str, Any]:
        told["asked"] += 1
        progress("counting", 0.5)
        while not told["go"].wait(0.02):
            if stop.asked:
                told["stopped"] += 1
                raise Cancelled
        return {"users": 0}

    monkeypatch.setattr(answering, "answer", answer)
    return told


def test_ask__slow_answer__is_asked_again_and_computed_once(slow: dict[str, Any]) -> None:
    first = answering.ask(QUESTION, patience=1)
    second = answering.ask(QUESTION, patience=0.05)
    slow["go"].set()
    third = answering.ask(QUESTION, patience=60)

    assert (first.is_open, first.stage, first.share) == (True, "counting", 0.5)
    assert second.is_open
    assert third.payload == {"users": 0}
    assert slow["asked"] == 1


def test_ask__nobody_waits_any_more__the_question_is_ended(
    slow: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answering, "LEFT_AFTER", 0.3)
    monkeypatch.setattr(answering, "WATCH_EVERY", 0.1)
    assert answering.ask(QUESTION, patience=0.1).is_open

    until = time.monotonic() + 60
    while not slow["stopped"] and time.monotonic() < until:
        time.sleep(0.05)

    assert slow["stopped"] == 1


def test_ask__many_questions__so_many_work_as_the_settings_allow(slow: dict[str, Any], settings: Any) -> None:
    asked = [Question("lifecycle", f"signup{n}") for n in range(20)]

    outcomes = [answering.ask(question, patience=0.05) for question in asked]

    assert all(outcome.is_open for outcome in outcomes)
    assert slow["asked"] <= settings.EXPLORE_QUESTIONS
    assert len(answering._at_work) <= answering.MOST_WAITING
    slow["go"].set()


def test_ask__answer_breaks__says_so_and_the_next_tries_again(places: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*_: Any, **__: Any) -> dict[str, Any]:
        raise RuntimeError("broken")

    monkeypatch.setattr(answering, "answer", breaks)

    assert answering.ask(QUESTION, patience=60).failed
    monkeypatch.setattr(answering, "answer", lambda *_, **__: {"users": 0})
    assert answering.ask(QUESTION, patience=60).payload == {"users": 0}


@pytest.mark.slow
@pytest.mark.usefixtures("fingers")
def test_page__slow_answer__comes_with_a_skeleton_and_htmx_gets_the_answer_alone(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    refresh.make_catalogue()
    client.force_login(User.objects.create_user("ann"))
    let_go = threading.Event()
    real = answering.answer

    def answer(*given: Any, **more: Any) -> Any:
        let_go.wait(20)
        return real(*given, **more)

    monkeypatch.setattr(answering, "answer", answer)
    monkeypatch.setattr(answering.ask, "__kwdefaults__", {"patience": 0.1})

    first = page(client, "/explore/lifecycle/?signup_event=signup&day_mode=rolling")
    let_go.set()
    monkeypatch.setattr(answering.ask, "__kwdefaults__", {"patience": 60.0})
    later = page(client, "/explore/lifecycle/?signup_event=signup&day_mode=rolling", headers={"hx-request": "true"})

    assert 'class="skeleton chart"' in first
    assert first.lower().count("counting") == 1
    assert 'hx-trigger="load delay:1s"' in first
    assert later.lstrip().startswith('<div id="answer"')
    assert "<svg" in later
    assert "hx-get" not in later
