"""The first day in a browser: from an empty site to a user who met a variant. Every snippet runs as it is shown."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.utils import timezone, translation
from django.utils.translation import gettext
from pytest_django import Settings

from aha.models import Study
from events.catalogue import listing
from events.models import OutboxEvent
from experiments.models import Assignment, Experiment
from reporting.numbers import day_text
from tests.browser.conftest import log_in
from tests.browser.test_a11y import violations
from tests.conftest import missing
from tests.experiments.make import running
from tests.marks import first_in_ci

pytestmark = [pytest.mark.once, pytest.mark.django_db(transaction=True)]
STARTS = (
    ("curl", "a.sh", "bash"),
    ("python", "a.py", sys.executable),
    ("node", "a.mjs", "node"),
    ("java", "A.java", "java"),
)
DONE = "li.done"
MAIL = '{"userId": "ann@example.com", "event": "order 20260131", "timestamp": "2026-01-31T08:00:00Z"}'


@pytest.fixture(autouse=True)
def _empty(tmp_path: Path, settings: Settings) -> None:
    settings.EVENTS_URL = str(tmp_path / "events")
    cache.clear()
    listing._read.clear()


def connect(page: Any, kind: str = "server") -> None:
    page.fill("#id_name", "Shop")
    page.locator(f"input[name=kind][value={kind}]").check()
    page.locator("#connect button[type=submit]").first.click()
    page.wait_for_selector("#received.waiting")


def run(command: str) -> str:
    """What it says; a snippet that fails shows why."""
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def said(language: str, text: str) -> str:
    with translation.override(language):
        return gettext(text)


def shown(page: Any, place: str) -> str:
    return str(page.locator(place).text_content())


@pytest.mark.slow
@pytest.mark.parametrize("language", first_in_ci(["en", "ko"]))
def test_first_day__of_an_empty_site__every_step_ticks_until_the_list_is_gone(
    open_page: Callable[..., Any], pm: User, language: str
) -> None:
    home = open_page(language, pm)
    home.goto("/")
    assert home.locator(f"#first-day {DONE}").count() == 0
    page = home.context.new_page()
    page.goto("/")
    page.locator("#first-source a").click()

    connect(page)
    home.wait_for_selector("#first-source.done")  # by itself, in the page that was left open
    assert '"accepted": 1' in run(shown(page, "#snippet-curl"))
    page.wait_for_selector("#received.arrived")
    told = page.locator("#received").inner_text()
    assert "user-1" in told
    assert day_text(timezone.localdate()) in told
    assert said(language, "Nothing about it seems wrong.") in told
    home.wait_for_selector("#first-event.done")

    page.locator("#received a.button").click()
    page.wait_for_selector("#checks li")
    assert page.locator("#checks li").count() == 7
    assert said(language, "Signup") in page.locator("#checks").inner_text()
    assert violations(page) == []
    page.locator("main form button").click()
    page.wait_for_selector("#first-data.done")
    assert page.locator("#first-day .here").get_attribute("id") == "first-study"

    Study.objects.create(title="First", status="done", inputs={})
    page.goto("/")
    assert page.locator("#first-day .here").get_attribute("id") == "first-plan"
    flag = running("guild").flag_key
    page.goto("/data/connect/")
    connect(page)
    page.goto("/")
    assert page.locator("#first-day .here").get_attribute("id") == "first-exposure"
    assert violations(page) == []

    Assignment.objects.create(
        unit="user-1", experiment=Experiment.objects.get(flag_key=flag), variant_id=_variant(flag), bucket=1,
        assigned_at=timezone.now(), exposed_at=timezone.now(),
    )  # fmt: skip
    page.goto("/")
    assert page.locator("#first-day").count() == 0
    assert page.locator("#loop").count() == 1


def _variant(flag: str) -> int:
    return int(Experiment.objects.get(flag_key=flag).variants.values_list("pk", flat=True)[0])


@pytest.mark.slow
def test_snippets__of_every_language_that_runs_here__do_what_they_say(
    open_page: Callable[..., Any], pm: User, tmp_path: Path
) -> None:
    for tool in ("curl", "node", "java"):
        if shutil.which(tool) is None:
            missing(tool)
    running("guild")
    page = open_page("en", pm)
    page.goto("/data/connect/")
    connect(page, "client")

    told: dict[tuple[str, str], str] = {}
    for slug, name, start in STARTS:
        for part in ("snippet", "ask"):
            (tmp_path / name).write_text(shown(page, f"#{part}-{slug}"), encoding="utf-8")
            told[part, slug] = run(f"cd '{tmp_path}' && {start} {name}")
    page.evaluate(f"(async () => {{ {shown(page, '#snippet-browser')} }})()")
    told["ask", "browser"] = str(
        page.evaluate(f"(async () => {{ {shown(page, '#ask-browser').replace('console.log', 'return [].concat')} }})()")
    )

    assert {slug for (part, slug), text in told.items() if part == "snippet" and '"accepted": 1' in text} == {
        "curl", "python", "node", "java",
    }  # fmt: skip
    assert OutboxEvent.objects.filter(event="signup", user_id="user-1").count() == 5  # the browser's is one of them
    values = {str(row.value) for row in Experiment.objects.get(key="guild").variants.all()}
    assert all(any(value in text for value in values) for (part, _slug), text in told.items() if part == "ask"), told
    assert Assignment.objects.get(unit="user-1").exposed_at is not None
    assert run(shown(page, "#snippet-batch")).count('"accepted": 2') == 1


@pytest.mark.slow
def test_received__an_event_with_odd_things__names_them(open_page: Callable[..., Any], pm: User) -> None:
    page = open_page("en", pm)
    page.goto("/data/connect/")
    connect(page)
    command = shown(page, "#snippet-curl")
    begin, end = command.index("{"), command.rindex("}") + 1

    run(command[:begin] + MAIL + command[end:])

    page.wait_for_selector("#received.arrived")
    odd = page.locator("#received .odd").inner_text()
    assert "seems to be a mail address" in odd
    assert "holds a long number" in odd
    assert "over a day before it arrived" in odd


@pytest.mark.slow
def test_list__dismissed__stays_away_on_this_machine_and_the_next(open_page: Callable[..., Any], pm: User) -> None:
    page = open_page("en", pm)
    OutboxEvent.objects.create(
        message_id="1:s:1", user_id="u", event="e", time=timezone.now(), properties="{}", received_at=timezone.now()
    )
    page.goto("/")
    page.locator("#first-day form.push button").click()
    page.locator("#first-day").wait_for(state="detached")

    page.goto("/")
    elsewhere = open_page("en")
    log_in(elsewhere, pm)
    elsewhere.goto("/")

    assert (page.locator("#first-day").count(), elsewhere.locator("#first-day").count()) == (0, 0)
