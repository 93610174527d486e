"""The planned end is the end of enrolment, and the result has one day, on every page: from the button to the running
experiment. Where the log is too old to plan by, the plan says what it needs, and is never silent about the power."""

import random
import re
from datetime import date, timedelta
from html import unescape
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from django.utils.formats import date_format

from aha.models import AhaMoment
from experiments.models import Experiment
from experiments.pages import step_preview
from experiments.plan import drafts, size
from experiments.plan.planned_power import Inflow
from experiments.plan.registration import registration_of
from experiments.plan_page import known_numbers
from experiments.status import overview
from stats.results import NotComputable, Reason
from tests.experiments.api.make import Api
from tests.experiments.make import draft
from tests.experiments.steps.test_steps import PLAN, outlook, step

pytestmark = pytest.mark.django_db
NOBODY = Inflow(
    date(2014, 7, 2),
    date(2014, 7, 29),
    0,
    0.0,
    NotComputable(Reason.NO_RECENT_USERS),
    None,
    20,
    NotComputable(Reason.NO_RECENT_USERS),
)
STUDY = {"cell": {"a": 60, "b": 36, "c": 24, "o": 262}}  # 382 users: 25.1 % retained, 15.7 % did it


def came(monkeypatch: pytest.MonkeyPatch, found: Inflow) -> None:
    """What the warehouse answers."""
    cache.clear()
    for module in (size, drafts):
        monkeypatch.setattr(module, "base_rate_and_inflow", lambda *_args, **_options: found)


def random_plan(seed: int) -> tuple[Inflow, dict[str, Any], dict[str, Any]]:
    """What comes, the fields of a draft, and what is typed into step 5."""
    draw = random.Random(seed)
    first = draw.randint(1, 30)
    outcomes = [draw.choice([f"window:{first}-{first + draw.randint(0, 20)}", f"count:play:0-{first}"])]
    if draw.random() < 0.4:
        outcomes.append(f"on_day:{draw.randint(1, 60)}")  # its window may be the longer one
    mean = outcomes[0].startswith("count")
    base, sd = (3.0, 4.0) if mean else (draw.uniform(0.05, 0.8), None)
    inflow = Inflow(
        date(2026, 1, 1), date(2026, 1, 28), 999, draw.uniform(5, 900), base, sd, first, None, clusters=None
    )
    arms = draw.randint(2, 4)
    weights = [10_000 // arms + (at < 10_000 % arms) for at in range(arms)]
    fields: dict[str, Any] = {
        "primary_metrics": outcomes,
        "variants": [{"key": f"arm{at}", "value": f"v{at}", "weight": one} for at, one in enumerate(weights)],
        "audience": draw.choice([(), [{"coverage": draw.randint(500, 10_000)}]]),
        "planned_units": None,
        "planned_end": None,
        "nudge": "A banner",
    }
    effect = "0.4" if mean else draw.choice(["2 points", "5 points", "10 points"])
    typed = {"smallest_effect": effect, "method": draw.choice([*["fixed"] * 4, "group_sequential", "always_valid"])}
    return inflow, fields, typed


def shown_days(page: str, label: str) -> str:
    """The value beside a label of the plan's page."""
    found = re.search(rf"{label}</dt>\s*<dd>(.*?)</dd>", page, re.DOTALL)
    return "" if found is None else unescape(re.sub(r"<.*?>", "", found[1])).strip()


def test_button__thirty_random_plans__end_and_result_are_the_same_on_every_page(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module, slow, instead in (  # a second each, and no date in them
        (step_preview, "costs", ()),
        (step_preview, "trade_off", ()),
        (known_numbers, "curve_of", NotComputable(Reason.NO_MARGIN)),
    ):
        monkeypatch.setattr(module, slow, lambda *_args, _instead=instead: _instead)
    for seed in range(30):
        inflow, fields, typed = random_plan(seed)
        came(monkeypatch, inflow)
        row = draft(f"exp-{seed}", **fields)
        given = {**PLAN, **typed}

        filled = admin_client.post(step(row, "plan"), {**given, "suggest": "1"})
        form = filled.context["form"]
        end, units = form["planned_end"].value(), form["planned_units"].value()
        beside = filled.context["result_said"]
        aside = admin_client.get(
            outlook(row, "plan"), {"step": "plan", **given, "planned_units": units, "planned_end": end}
        )
        admin_client.post(step(row, "plan"), {**given, "planned_units": units, "planned_end": end, "seen": "too_long"})
        review = admin_client.post(step(row, "review"), {"sure": "1"}, follow=True)

        row.refresh_from_db()
        assert row.status == "running", (seed, unescape(review.content.decode())[:300])
        until = overview.until(row)
        assert until.enrolment == date.fromisoformat(end) == row.planned_end
        assert row.planned_end is not None
        assert until.result is not None
        said = until.said
        assert f"Result on {date_format(until.result)}" in said
        assert f"enrolment until {date_format(row.planned_end)}" in said
        assert (beside, aside.context["result_said"]) == (said, said)
        lines = {label: value for label, value, _about in aside.context["lines"]}
        assert (lines["Enrolment ends"], lines["Last outcome known"]) == (
            date_format(row.planned_end),
            date_format(until.result),
        ), seed
        running = unescape(review.content.decode())
        assert said in running
        plan = unescape(admin_client.get(f"/experiments/{row.key}/plan/").content.decode())
        assert shown_days(plan, "Planned end") == date_format(row.planned_end)
        assert shown_days(plan, "Result on") == date_format(until.result)
        registered = registration_of(row)
        assert registered is not None
        assert f"Planned end of enrolment: {end}\n" in registered.text
        assert f"Result on, if enrolment ends then: {until.result.isoformat()}\n" in registered.text
        Experiment.objects.update(status="archived")  # the next start asks nothing of this one


def test_rest__states_the_result_beside_the_planned_end(monkeypatch: pytest.MonkeyPatch) -> None:
    api = Api()
    came(monkeypatch, Inflow(date(2026, 1, 1), date(2026, 1, 28), 999, 50.0, 0.4, None, 20, None))
    end = timezone.localdate() + timedelta(days=30)
    draft("exp", planned_end=end)

    whole, listed = api.ok("GET", "exp"), api.ok("GET", "")["results"][0]
    suggested = api.ok("GET", "exp/power")

    result = (timezone.localdate() + timedelta(days=30 + 21)).isoformat()
    assert (whole["planned_end"], whole["result_on"]) == (end.isoformat(), result)
    assert (listed["planned_end"], listed["result_on"]) == (whole["planned_end"], result)
    days = date.fromisoformat(suggested["result_on"]) - date.fromisoformat(suggested["planned_end"])
    assert days == timedelta(days=21)


# ── An old log ────────────────────────────────────────────────────────────────
def old_log(monkeypatch: pytest.MonkeyPatch, *, studied: bool = True, **fields: Any) -> Experiment:
    """A draft whose log has no signup in the last four weeks; with a study behind its moment, or without."""
    came(monkeypatch, NOBODY)
    moment = AhaMoment.objects.create(
        key="friends",
        name="Friends",
        behaviour="friend_add",
        times=3,
        days=7,
        signup_event="signup",
        retention="window:14-20",
        evidence=STUDY if studied else {},
    )
    given = {"planned_units": None, "planned_end": None, "nudge": "A banner", "expected_take_up": 0.1, **fields}
    row = draft("exp", moment=moment, enrolment="new_units", **given)
    known_numbers.recent_inflow(row)
    return row


GIVEN = {**PLAN, "smallest_effect": "5.58 points", "expected_take_up": "10 %"}
NO_BASE = "No users signed up in the last four weeks, so there is no base rate. Enter one."
NO_DAILY = "Unknown until you enter users per day."


def test_old_log__base_rate_is_that_of_the_study_and_the_power_is_known(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = old_log(monkeypatch)

    page = unescape(admin_client.get(outlook(row, "plan"), {"step": "plan", **GIVEN}).content.decode())

    assert "25.1%" in page
    assert page.count(NO_DAILY) == 1
    assert "What each choice costs" not in page
    assert "Weeks against effect" not in page
    assert "Chance to find it, by size" in page


@pytest.mark.parametrize("name", ["plan", "outcomes", "audience", "variants"])
def test_old_log__without_a_study__says_what_to_enter_and_shows_no_raw_error(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    row = old_log(monkeypatch, studied=False)

    page = unescape(admin_client.get(outlook(row, name)).content.decode())

    assert (page.count(NO_BASE), page.count(NO_DAILY)) == (1, 1)
    assert "must lie" not in page
    assert "There are no values" not in page
    assert "Take the suggested" not in page


def test_old_log__users_a_day_entered__gives_calendar_costs_and_end(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = old_log(monkeypatch)
    given = {**GIVEN, "smallest_effect": "40 points", "expected_daily_units": "100"}

    aside = admin_client.get(outlook(row, "plan"), {"step": "plan", **given})
    form = admin_client.post(step(row, "plan"), {**given, "suggest": "1"}).context["form"]
    sent = {**given, "planned_units": form["planned_units"].value(), "planned_end": form["planned_end"].value()}
    admin_client.post(step(row, "plan"), sent)

    row.refresh_from_db()
    assert aside.context["missing"] == []
    assert aside.context["costs"]
    assert aside.context["weeks"]
    assert row.expected_daily_units == 100
    assert row.planned_units is not None
    assert row.planned_end == timezone.localdate() + timedelta(days=-(-row.planned_units // 100))


def test_button__with_nothing_known__is_not_offered_and_pressed_all_the_same_leads_to_the_field(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = old_log(monkeypatch, studied=False)

    first = unescape(admin_client.get(step(row, "plan")).content.decode())
    pressed = admin_client.post(step(row, "plan"), {**GIVEN, "suggest": "1"})
    page = unescape(pressed.content.decode())

    assert 'name="suggest"' not in first
    assert "Filled in" not in page
    assert pressed.context["form"].errors == {"expected_base": [NO_BASE]}
    assert re.search(r'<input[^>]*name="expected_base"[^>]*autofocus', page)


def test_button__without_users_a_day__fills_in_the_users_and_asks_for_them(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = old_log(monkeypatch)

    pressed = admin_client.post(step(row, "plan"), {**GIVEN, "suggest": "1"})
    page = unescape(pressed.content.decode())

    assert "Filled in" not in page
    assert pressed.context["form"]["planned_units"].value()
    assert pressed.context["form"].errors == {"expected_daily_units": ["Enter this first: the end depends on it."]}
    assert re.search(r'<input[^>]*name="expected_daily_units"[^>]*autofocus', page)


def test_start__400_users_for_5_58_points_at_10_percent__names_the_power_and_needs_a_yes(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    end = timezone.localdate() + timedelta(days=30)
    row = old_log(monkeypatch, planned_units=400, planned_end=end, smallest_effect=0.0558)

    refused = admin_client.post(step(row, "review"), {})
    row.refresh_from_db()
    assert row.status == "draft"
    sentences = " ".join(one.sentence for one in refused.context["silly"])
    assert "this effect would be found with a chance of 3%, not 80%" in sentences
    assert "How long this takes isn't known" in sentences
    assert "Tick the box below first" in refused.content.decode()

    admin_client.post(step(row, "review"), {"sure": "1"})
    row.refresh_from_db()
    assert row.status == "running"


def test_draft__from_a_moment_of_an_old_log__has_the_studys_base_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    row = old_log(monkeypatch)
    assert row.moment is not None
    rungs = [{"difference": {"estimate": 0.5, "low": 0.4, "high": 0.6}}]
    row.moment.evidence = {**STUDY, "ladder": {"rungs": rungs}}

    made = drafts.draft_from_moment(moment=row.moment)

    assert made.planned_units is not None
    assert made.planned_end is None  # nobody knows how many come


# ── Plans of 0.4 ──────────────────────────────────────────────────────────────
def test_end_of_0_4__stays_and_has_a_note_until_it_was_looked_at(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    came(monkeypatch, Inflow(date(2026, 1, 1), date(2026, 1, 28), 999, 50.0, 0.4, None, 20, None))
    row = draft("exp", nudge="A banner")
    end = row.planned_end
    assert end is not None
    Experiment.objects.update(end_before_05=end)
    note = f"Check that enrolment should end on {date_format(end)}."

    shown = [unescape(admin_client.get(at).content.decode()) for at in ("/experiments/exp/", step(row, "plan"))]
    given = {**PLAN, "planned_units": "1,000", "planned_end": end.isoformat(), "smallest_effect": "2 points"}
    admin_client.post(step(row, "plan"), given)
    after = unescape(admin_client.get("/experiments/exp/").content.decode())

    row.refresh_from_db()
    assert [note in page for page in shown] == [True, True]
    assert note not in after
    assert row.planned_end == end
