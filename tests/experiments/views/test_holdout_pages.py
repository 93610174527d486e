"""Pages of holdout reports and of shared users: what each state shows, and that a locked outcome stays locked."""

import html
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from experiments.models import Holdout, HoldoutPlan, HoldoutReading, OverlapReport
from experiments.plan.audience import create_holdout
from insight_site.exports.takeaway import FORMATS
from tests.experiments.api.make import Api
from tests.experiments.make import running
from tests.experiments.make_holdout import a_plan, a_reading, an_overlap
from tests.experiments.views import test_one_page
from tests.experiments.views.test_one_page import someone

pytestmark = pytest.mark.django_db


@pytest.fixture
def holdout() -> Holdout:
    return create_holdout(key="2026h2", share=5_000)


def read(path: str) -> str:
    """A page as a reader without rights sees it, with its letters as they are."""
    client = Client()
    client.force_login(User.objects.filter(username="reader").first() or User.objects.create_user("reader"))
    return html.unescape(test_one_page.read(client, path))


def page(plan: HoldoutPlan) -> str:
    return read(f"/experiments/-/holdouts/{plan.pk}/")


def test_open__says_the_difference_with_its_interval_and_the_sums_beside_it(holdout: Holdout) -> None:
    plan = a_plan(holdout)
    a_reading(plan)

    text = page(plan)

    assert "What was shipped since Jul 1, 2026, taken together, changed" in text
    assert "+6.7 points" in text  # 130 of 410 minus 100 of 400
    assert "810 users, 400 of them held out" in text
    assert "+8.0 points" in text  # .03 + .05
    assert "too large on average" in text
    assert "The holdout has these changes too" in text
    assert "Gift" in text
    assert "Other plans have read the outcome of this holdout 2 times before." in text
    assert "Planned: one reading, on" in text


def test_locked__no_number_of_the_outcome_is_anywhere(holdout: Holdout) -> None:
    plan = a_plan(holdout)
    run = a_reading(plan, is_open=False, stays=130)
    texts = [page(plan), *(str(make(run)) for make in (FORMATS[kind][1] for kind in ("html", "csv", "json")))]
    payload = run.payload
    other = a_reading(plan, is_open=False, stays=300)

    assert payload == other.payload
    assert "The outcome stays locked until Dec 20, 2026" in texts[0]
    assert "What they did together is locked." in texts[0]
    for text in texts:
        assert "6.71" not in text
    assert "+8.0 points" in texts[0]


def test_broken__says_so_first(holdout: Holdout) -> None:
    plan = a_plan(holdout)
    a_reading(plan, held=400, rest=1_600)

    text = page(plan)

    alarm, answer = text.index("Both sides don't hold the planned shares"), text.index("taken together, changed")
    assert alarm < answer
    assert "sample ratio broken" in read("/experiments/-/holdouts/")


def test_without_a_reading__the_plan_is_shown(holdout: Holdout) -> None:
    plan = a_plan(holdout)

    text = page(plan)

    assert "What was planned" in text
    assert "Everybody counts who did “signup” for the first time since Jul 1, 2026." in text
    assert "not computed yet" in read("/experiments/-/holdouts/")


def test_newer_count_that_is_locked__stands_below_the_last_reading(holdout: Holdout) -> None:
    plan = a_plan(holdout)
    a_reading(plan)
    HoldoutReading.objects.update(final=False)
    a_reading(plan, is_open=False)

    text = page(plan)

    assert "+6.7 points" in text
    assert "The outcome stays locked until Dec 20, 2026" in text


FORM: dict[str, Any] = {
    "holdout": "2026h2",
    "since": "2026-07-01",
    "population": "first_seen",
    "signup_event": "",
    "outcome": "window:2-3",
    "day_mode": "rolling",
    "method": "fixed",
    "end": "2099-01-01",
    "earlier-rows": "0",
    "planned_units": "",
}


def reading(day: str) -> dict[str, str]:
    """A row with an earlier reading."""
    return {"earlier-rows": "1", "earlier-0-day": day}


@pytest.mark.usefixtures("holdout")
def test_form__keeps_a_plan() -> None:
    client = someone("PM")

    answer = client.post(
        "/experiments/-/holdouts/new/",
        FORM | {"method": "group_sequential", **reading("2098-06-01"), "planned_units": "900"},
    )

    plan = HoldoutPlan.objects.get()
    assert answer.headers["Location"] == f"/experiments/-/holdouts/{plan.pk}/"
    assert plan.readings == ["2098-06-01", "2099-01-01"]
    assert plan.planned_units == 900


@pytest.mark.usefixtures("holdout")
@pytest.mark.parametrize(("population", "kept"), [("known_before", True), ("signup", False)])
def test_form__signup_event_that_nobody_needs__is_no_mistake(population: str, kept: bool) -> None:
    someone("PM").post("/experiments/-/holdouts/new/", FORM | {"population": population, "signup_event": "x" * 300})

    assert HoldoutPlan.objects.exists() is kept


@pytest.mark.usefixtures("holdout")
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"end": "2026-01-01"}, "would be too early"),
        (reading("soon"), "Write a date such as 2027-01-15."),
        (reading("2098-01-01"), "Several dates need the method of planned readings"),
        ({"outcome": "survival:7"}, "A holdout report reads retention"),
        ({"method": "always_valid"}, "expected at the end"),
        ({"population": "signup"}, "Name the event"),
        ({"holdout": "nope"}, "Select a valid choice"),
    ],
)
def test_form__what_is_wrong__is_said_beside_its_field(changes: dict[str, str], said: str) -> None:
    answer = someone("PM").post("/experiments/-/holdouts/new/", FORM | changes)

    assert said in html.unescape(answer.content.decode())
    assert not HoldoutPlan.objects.exists()


def test_count_now__asks_for_a_reading_once(holdout: Holdout) -> None:
    plan = a_plan(holdout)
    client = someone("PM")

    assert "Count now" in test_one_page.read(client, f"/experiments/-/holdouts/{plan.pk}/")
    for _ in range(2):
        client.post(f"/experiments/-/holdouts/{plan.pk}/read/")

    run = HoldoutReading.objects.get()
    assert run.status == "queued"
    assert "queued" in page(plan)
    assert client.get(f"/experiments/-/holdouts/{plan.pk}/{run.pk}/").status_code == 200
    assert client.get(f"/experiments/-/holdouts/{plan.pk + 1}/{run.pk}/").status_code == 404


# ── Shared users ──────────────────────────────────────────────────────────────
def test_overlap__open__names_the_interaction() -> None:
    an_overlap(locked=False)

    text = read("/experiments/-/overlap/")

    assert "1 of 1 pairs of experiments share users; 1 of them have trouble." in text
    assert "They change each other's effect" in text
    assert "+18.0 points" in text  # (.52 - .31) - (.33 - .30)
    assert "2,000" in text


def test_health__of_an_experiment__names_whom_it_shares_users_with() -> None:
    running("one", flag_key="one")
    an_overlap(locked=False)

    text = read("/experiments/one/health/")

    assert "2,000 users met “Test two” too (90.9% of those who met this one)." in text
    assert "They change each other's effect" in text


def test_overlap__locked__shows_counts_alone() -> None:
    an_overlap(locked=True)

    text = read("/experiments/-/overlap/")

    assert "2,000" in text
    assert "locked until both plans have opened their outcomes" in text
    assert "points" not in text


def test_overlap__empty__says_what_is_needed() -> None:
    assert "Two experiments are needed" in read("/experiments/-/overlap/")
    running("a", flag_key="a")
    running("b", flag_key="b")
    client = someone("PM")
    assert "Nothing is counted yet" in html.unescape(test_one_page.read(client, "/experiments/-/overlap/"))

    client.post("/experiments/-/overlap/count/")

    run = OverlapReport.objects.get()
    assert client.get(f"/experiments/-/overlap/{run.pk}/").status_code == 200


# ── REST ──────────────────────────────────────────────────────────────────────
@pytest.mark.slow
def test_rest__plan_read_and_count(holdout: Holdout) -> None:
    api = Api()
    body = {
        "holdout": "2026h2",
        "since": "2026-07-01",
        "signup_event": "signup",
        "outcome": "window:2-3",
        "readings": ["2099-01-01"],
    }

    made = api.ok("POST", "/api/v1/holdout-plans", body)

    assert made["readings"] == ["2099-01-01"]
    assert api.ok("GET", "/api/v1/holdout-plans")["results"] == [made]
    assert api.ok("GET", f"/api/v1/holdout-plans/{made['id']}") == made
    assert (
        api("POST", "/api/v1/holdout-plans", body).status_code == 409
        or api("POST", "/api/v1/holdout-plans", body).status_code == 400
    )
    wrong: dict[str, Any]
    for wrong in (
        {"holdout": "nope"},
        {"population": "all"},
        {"day_mode": "lunar"},
        {"readings": []},
        {"readings": ["2026-01-01"]},
    ):
        assert 400 <= api("POST", "/api/v1/holdout-plans", body | {"since": "2026-07-02"} | wrong).status_code < 500
    assert api("GET", f"/api/v1/holdout-plans/{made['id']}/readings/latest").status_code == 404
    asked = api("POST", f"/api/v1/holdout-plans/{made['id']}/readings")
    assert asked.status_code == 202
    run = a_reading(HoldoutPlan.objects.get(pk=made["id"]))
    latest = api.ok("GET", f"/api/v1/holdout-plans/{made['id']}/readings/latest")
    assert latest["id"] == run.pk
    assert latest["document"]["difference"]["estimate"] == pytest.approx(130 / 410 - 0.25)
    assert len(api.ok("GET", f"/api/v1/holdout-plans/{made['id']}/readings")["results"]) == 2
    assert api.ok("GET", f"/api/v1/holdout-plans/{made['id']}/readings/{run.pk}") == latest


def test_rest__overlap() -> None:
    api = Api()
    assert api("GET", "/api/v1/overlaps/latest").status_code == 404
    assert 400 <= api("POST", "/api/v1/overlaps").status_code < 500
    an_overlap(locked=True)

    latest = api.ok("GET", "/api/v1/overlaps/latest")

    assert latest["document"]["pairs"][0]["shared"] == 2_000
    assert latest["document"]["pairs"][0]["troubles"] == []
    assert len(api.ok("GET", "/api/v1/overlaps")["results"]) == 1
    running("a", flag_key="a")
    running("b", flag_key="b")
    assert api("POST", "/api/v1/overlaps").status_code == 202
