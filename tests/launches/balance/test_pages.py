"""Balances on their pages, by REST and as runs: play, move a threshold, promise, compare, begin the next one."""

import os
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import User
from django.test import Client
from hypothesis import given, settings
from hypothesis import strategies as st

from events.simulation.event_worlds import EVENT_FIRST, EVENT_WORLDS, RULES, write_event
from insight_site.privacy import erasure, erasure_requests
from launches.balance import kept, runs
from launches.balance.rules import Rules, read, with_points, write
from launches.balance.simulation import BALANCE, BalanceReport, balance, threshold_for
from launches.models import BalanceRun
from runs.models import Job
from runs.refusals import Refused
from tests.aha.store import load_file
from tests.experiments.api.make import Api
from tests.launches.balance.make import rules, world_past

pytestmark = pytest.mark.django_db
USERS = 300
FIELDS: dict[str, Any] = {
    "title": "Summer event", "first": "2025-06-04", "days": "14", "segment": "", "seed": "1",
    "low": "0", "middle": "10", "high": "30",
    "rules-0-behaviour": "battle", "rules-0-points": "10", "rules-0-cap_times": "5", "rules-0-multiplier": "2",
    "rules-0-weekdays": ["sat", "sun"], "rules-1-behaviour": "craft", "rules-1-points": "15",
    "rules-1-cap_points": "30", "rules-1-dates": "", "rules-2-behaviour": "",
    "steps-0-name": "Bronze", "steps-0-points": "100", "steps-0-cost": "0.2",
    "steps-1-name": "Gold", "steps-1-points": "500", "steps-1-cost": "5", "steps-1-stock": "400", "steps-2-name": "",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _places(tmp_path: Path, settings: Any) -> None:
    settings.EVENTS_URL, settings.UPLOADS_DIR = str(tmp_path / "store"), tmp_path / "uploads"


@pytest.fixture
def boss(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("boss"))
    return client


@pytest.fixture
def log(tmp_path: Path) -> None:
    write_event(EVENT_WORLDS["event_response"], 3, USERS, tmp_path)
    load_file(tmp_path / "events.parquet", "--user", "user_id", "--event", "event", "--time", "time")


def done(**given: Any) -> BalanceRun:
    """A finished balance of a world, whose past is kept."""
    own, past = rules(**given), world_past(EVENT_WORLDS["event"], 1, USERS)[0]
    payload = BALANCE.store(BalanceReport(balance(past, own)))
    run = BalanceRun.objects.create(title=own.title, inputs=write(own), status="done", payload=payload)
    kept.keep(run.pk, past)
    return run


def page(client: Client, path: str, **headers: str) -> str:
    answer = client.get(path, headers=headers)
    assert answer.status_code == 200, answer.content[:300]
    return answer.content.decode().replace("\u00a0", " ")


# ── The form ──────────────────────────────────────────────────────────────────
def test_form__of_rows__makes_the_same_rules_as_a_file(boss: Client, log: None) -> None:
    answer = boss.post("/launches/balances/new/", FIELDS)

    run = BalanceRun.objects.get()
    assert answer["location"] == f"/launches/balances/{run.pk}/"
    assert Job.objects.filter(task="launches.tasks.run_balance").exists()
    expected = {**RULES, "response": {"low": 0.0, "middle": 0.1, "high": 0.3}}
    expected["steps"] = [expected["steps"][0], expected["steps"][2]]
    assert runs.rules_of(run) == read(expected)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"steps-1-points": "90"}, "more points than the step above are needed"),
        ({"rules-0-behaviour": "", "rules-1-behaviour": ""}, "at least one row is needed"),
        ({"rules-0-weekdays": []}, "say on which weekdays or dates the multiplier holds"),
        ({"rules-0-points": "-1"}, "A row below isn&#x27;t right yet"),
        ({"rules-1-dates": "yesterday"}, "is no date such as 2027-01-15"),
        ({"low": "40"}, "Low, middle and high response rise in this order"),
        ({"rules-0-behaviour": "batle"}, "batle"),
    ],
)
def test_form__with_a_wrong_row__names_it_and_keeps_what_was_typed(
    boss: Client, log: None, change: dict[str, Any], said: str
) -> None:
    answer = boss.post("/launches/balances/new/", FIELDS | change)

    assert said in answer.content.decode()
    assert "Summer event" in answer.content.decode()
    assert not BalanceRun.objects.exists()


def test_form__asked_for_a_row__has_one_more_and_plays_nothing(boss: Client) -> None:
    shown = boss.post("/launches/balances/new/", FIELDS | {"more_rules": "1"}).content.decode()

    assert 'name="rules-3-behaviour"' in shown
    assert 'name="steps-3-name"' not in shown
    assert not BalanceRun.objects.exists()


# ── The run ───────────────────────────────────────────────────────────────────
def test_run__plays_keeps_the_past_and_is_the_same_from_it(log: None) -> None:
    run = runs.start_balance(rules=rules())

    runs.run_balance(run.pk)

    run.refresh_from_db()
    report = BALANCE.of(run)
    assert isinstance(report, BalanceReport)
    played = kept.played(run.pk, rules())
    assert (played.steps, played.cost, played.groups) == (
        report.balance.steps, report.balance.cost, report.balance.groups,
    )  # fmt: skip
    assert played.sensitivity == ()


def test_kept_past__is_the_past_and_plays_to_the_same_numbers() -> None:
    past = world_past(EVENT_WORLDS["event_response"], 2, USERS)[0]
    kept.keep(7, past)

    found = kept.read_past(7)

    assert (found.behaviours, found.groups, found.one_in, found.last) == (
        past.behaviours, past.groups, past.one_in, past.last,
    )  # fmt: skip
    for mine, theirs in zip(past.blocks, found.blocks, strict=True):
        assert mine.first == theirs.first
        for name in ("group", "user", "day", "times"):
            np.testing.assert_array_equal(getattr(mine, name), getattr(theirs, name))
    own = rules(response={"low": -0.1, "middle": 0.2, "high": 1.4})
    assert balance(found, own) == balance(past, own)


def test_kept_pasts__more_than_the_most__lose_the_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "MOST_KEPT", 2)
    past = world_past(EVENT_WORLDS["event"], 1, 60)[0]
    for run in (1, 2, 3):
        kept.keep(run, past)
        os.utime(kept._path(run), (run, run))
    kept.keep(4, past)

    assert [run for run in (1, 2, 3, 4) if kept.is_kept(run)] == [3, 4]


def test_kept_pasts__after_somebody_is_erased__are_gone() -> None:
    run = done()

    erasure.perform_erasure(erasure_requests.request_erasure(ids=["user-0000001"], later=False).pk)

    assert not kept.is_kept(run.pk)
    with pytest.raises(Refused, match="isn't kept any more"):
        kept.played(run.pk, rules())


@settings(max_examples=15, deadline=None)
@given(points=st.lists(st.integers(20, 900), min_size=3, max_size=3, unique=True).map(sorted))
def test_moved_thresholds__by_held_points__are_those_of_a_fresh_play(points: list[float]) -> None:
    run = done()
    own = rules(response={"low": 0.0, "middle": 0.1, "high": 0.3})
    moved = with_points(own, points, vars(own.response))

    held = kept.played(run.pk, moved)

    fresh = balance(world_past(EVENT_WORLDS["event"], 1, USERS)[0], moved)
    assert (held.steps, held.cost) == (fresh.steps, fresh.cost)


def test_held_points__of_another_run_or_response__are_not_mixed_up() -> None:
    first, own = done(), rules()
    other = rules(response={"low": 0.0, "middle": 0.5, "high": 0.5})
    before = kept.played(first.pk, own).steps
    second = BalanceRun.objects.create(title="b", inputs=write(own), status="done")
    kept.keep(second.pk, world_past(EVENT_WORLDS["event_weeks"], 9, USERS)[0])

    assert kept.played(first.pk, other).steps != before
    assert kept.played(second.pk, own).steps != before
    assert kept.played(first.pk, own).steps == before


# ── The page ──────────────────────────────────────────────────────────────────
def test_page__moves_a_threshold_and_answers_with_the_part_that_is_asked_for(boss: Client) -> None:
    run = done()
    address = f"/launches/balances/{run.pk}/"
    whole = page(boss, address)
    expected = balance(world_past(EVENT_WORLDS["event"], 1, USERS)[0], with_points(rules(), [90, 250, 400], {}))

    part = page(
        boss, f"{address}play/?points_0=90&points_1=250&points_2=400", **{"HX-Request": "true", "HX-Target": "result"}
    )
    without_script = page(boss, f"{address}play/?points_0=90&points_1=250&points_2=400")

    share = f"{100 * expected.steps[-1].share.estimate:.1f}%"
    assert f"Gold is won by {share}" in part
    assert "<html" not in part
    assert f"Gold is won by {share}" in without_script
    assert 'value="400' in without_script
    assert f"Gold is won by {share}" not in whole


def test_page__finds_the_threshold_that_a_share_reaches(boss: Client) -> None:
    run = done()
    found = threshold_for(world_past(EVENT_WORLDS["event"], 1, USERS)[0], rules(), 0.3)

    shown = page(boss, f"/launches/balances/{run.pk}/play/?share=30&step=1")

    assert f"at {found.points:,.10g} points; 30.0% were asked for" in shown
    assert f'value="{found.points:.10g}"' in shown


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("points_0=300&points_1=250&points_2=400", "more points than the step above are needed"),
        ("points_0=x", "Enter a number"),
        ("share=200", "less than or equal to 99.9"),
        ("share=99&step=2", "which isn&#x27;t between the steps beside it"),
    ],
)
def test_page__with_numbers_that_do_not_fit__says_so(boss: Client, query: str, said: str) -> None:
    run = done()

    assert said in page(boss, f"/launches/balances/{run.pk}/play/?{query}")


def test_page__whose_past_is_gone__shows_the_result_and_says_that_nothing_moves(boss: Client) -> None:
    run = done()
    kept.remove([])

    shown = page(boss, f"/launches/balances/{run.pk}/")

    assert "isn't kept any more" in shown
    assert "Gold is won by" in shown
    assert "Play the rules anew" in page(boss, f"/launches/balances/{run.pk}/play/?points_0=90")


# ── The promise ───────────────────────────────────────────────────────────────
def test_promise__before_the_event__is_kept_and_the_first_one_stands(boss: Client) -> None:
    run = done(first=(date.today() + timedelta(days=3)).isoformat())  # noqa: DTZ011 - tests run in UTC

    boss.post(f"/launches/balances/{run.pk}/promise/")
    run.refresh_from_db()
    first = run.promised_at
    boss.post(f"/launches/balances/{run.pk}/promise/")
    run.refresh_from_db()

    assert first is not None
    assert run.promised_at == first
    assert str(run.promised_by) == "boss"
    assert "Promised by boss" in page(boss, f"/launches/balances/{run.pk}/")
    assert "Promise this" not in page(boss, f"/launches/balances/{run.pk}/")


def test_promise__of_an_event_that_has_begun__is_refused(boss: Client) -> None:
    run = done()

    assert (
        "a promise is made before" in boss.post(f"/launches/balances/{run.pk}/promise/", follow=True).content.decode()
    )
    run.refresh_from_db()
    assert run.promised_at is None


def test_comparison__stands_beside_the_promise_and_its_response_begins_the_next(boss: Client, log: None) -> None:
    run = runs.start_balance(rules=rules())
    runs.run_balance(run.pk)
    boss.post(f"/launches/balances/{run.pk}/compare/")
    comparison = BalanceRun.objects.get(of=run)
    runs.run_balance(comparison.pk)

    shown = page(boss, f"/launches/balances/{comparison.pk}/")
    again = page(boss, f"/launches/balances/new/?from={comparison.pk}")

    report = BALANCE.of(BalanceRun.objects.get(pk=comparison.pk))
    assert isinstance(report, BalanceReport)
    assert report.happened is not None
    assert report.happened.response is not None
    assert "Promised and happened" in shown
    assert "Begin the next event from this one" in shown
    assert f'value="{round(100 * report.happened.response.middle, 1):g}"' in again
    assert runs.next_rules(BalanceRun.objects.get(pk=comparison.pk)).response == report.happened.response


def test_comparison__before_the_event_is_over__is_refused() -> None:
    run = done(first=(date.today() + timedelta(days=1)).isoformat())  # noqa: DTZ011 - tests run in UTC

    with pytest.raises(Refused, match="isn't over"):
        runs.start_comparison(run=run)
    with pytest.raises(Refused, match="Only a finished balance"):
        runs.start_comparison(run=BalanceRun(title="a", inputs=write(rules())))


# ── REST ──────────────────────────────────────────────────────────────────────
def test_api__plays_reads_moves_promises_and_compares(log: None) -> None:
    api = Api()
    made = api("POST", "/api/v1/balances", {"rules": RULES})
    assert made.status_code == 202
    pk = made.json()["id"]
    assert api.ok("GET", f"/api/v1/balances/{pk}")["report"] is None
    runs.run_balance(pk)

    read_back = api.ok("GET", f"/api/v1/balances/{pk}")
    moved = api.ok("GET", f"/api/v1/balances/{pk}/play?points=90,250,400")

    assert read_back["status"] == "done"
    assert (
        read_back["report"]["balance"]["steps"][2]["share"]["estimate"]
        < moved["balance"]["steps"][2]["share"]["estimate"]
    )
    assert api("POST", f"/api/v1/balances/{pk}/promise").status_code == 409
    assert api("POST", f"/api/v1/balances/{pk}/compare").status_code == 202
    assert [row["of"] for row in api.ok("GET", "/api/v1/balances")["results"]] == [pk, None]


@pytest.mark.parametrize(
    ("points", "said"),
    [("90,250", "One number for each of the 3 steps"), ("a", "Write numbers with commas"), ("3,2,1", "more points")],
)
def test_api__with_other_thresholds_that_do_not_fit__is_refused(points: str, said: str) -> None:
    run = done()

    answer = Api()("GET", f"/api/v1/balances/{run.pk}/play?points={points}")

    assert answer.status_code in (400, 409)
    assert said in answer.content.decode()


def test_rules_of_the_worlds__begin_on_the_event() -> None:
    assert isinstance(rules(), Rules)
    assert rules().first == EVENT_FIRST
