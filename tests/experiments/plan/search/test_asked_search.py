"""The search for a moment, an experiment or a behaviour: from past experiments, from the store, from what is given."""

import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from aha.models import AhaMoment
from events.models import Source
from events.outbox.accept import add_to_outbox
from events.schema import EventRecord
from experiments.models import Analysis, Experiment
from experiments.plan.design_search import Given, past_take_ups, search_by_name, search_for
from experiments.plan.designs import PastTakeUp
from runs.refusals import Refused
from segments.models import Membership, Segment, SegmentModel, SegmentVersion
from tests.experiments.make import draft

pytestmark = pytest.mark.django_db
START = datetime(2026, 9, 1, 12, tzinfo=UTC)
DAYS = 60
STAGE = {"difference": 0.2, "standard_error": 0.01, "control": 0.2, "variant": 0.4}


@pytest.fixture
def world(settings: Any, tmp_path: Path) -> None:
    """Twenty signups a day; every fourth unit adds twice; one in two comes back on day 3. Units below 600 are keen."""
    settings.EVENTS_URL = str(tmp_path / "store")
    Source.objects.get_or_create(name="app")
    rows = []
    for n in range(DAYS * 20):
        unit, signup = f"u{n}", START + timedelta(days=n // 20, minutes=n % 20)
        rows.append((unit, "signup", signup))
        if n % 4 == 0:
            rows += [(unit, "add", signup + timedelta(hours=hour)) for hour in (1, 2)]
        if n % 2 == 0:
            rows.append((unit, "play", signup + timedelta(days=3, hours=1)))
    rows.append(("u0", "play", START + timedelta(days=DAYS + 5)))
    records = [
        EventRecord(user_id=unit, event=event, time=time, properties="{}", message_id=f"m{at}")
        for at, (unit, event, time) in enumerate(rows)
    ]
    add_to_outbox(records, prefix="t", received_at=timezone.now())


@pytest.fixture
def moment() -> AhaMoment:
    given = {"key": "two-adds", "name": "Two adds", "behaviour": "add", "times": 2, "days": 2}
    return AhaMoment.objects.create(**given, signup_event="signup", retention="window:3-4")


def keen() -> None:
    """A published segment: every fifth unit."""
    model = SegmentModel.objects.create(key="style", name="style", kind="cluster")
    version = SegmentVersion.objects.create(refreshed_at="2026-03-01T00:00:00Z", model=model, number=1, units=100)
    row = Segment.objects.create(version=version, key="keen", number=1, size=20)
    Membership.objects.bulk_create(
        Membership(version=version, unit=f"u{n}", segment=row) for n in range(0, DAYS * 20, 5)
    )


def analysed(experiment: Experiment, *, final: bool = True, **payload: Any) -> None:
    stage = {"variant": "nudge", "take_up": STAGE, "by_segment": [["style.v1.keen", {**STAGE, "difference": 0.3}]]}
    stored = {"plan": {"placebo": None, "doses": {}}, "first_stage": [stage], **payload}
    Analysis.objects.create(experiment=experiment, status=Analysis.Status.DONE, final=final, payload=stored)


def test_past__final_analyses_of_the_same_moment__say_whom_a_nudge_moved(moment: AhaMoment) -> None:
    other = AhaMoment.objects.create(key="three", name="Three", behaviour="add", times=3, days=2, retention="on_day:3")
    analysed(draft("past", moment=moment))
    analysed(draft("running", flag_key="f2", moment=moment), final=False)
    analysed(draft("other", flag_key="f3", moment=other))

    assert past_take_ups("add", 2, 2) == (
        PastTakeUp("past", "", 0.2, 0.01),
        PastTakeUp("past", "style.v1.keen", 0.3, 0.01),
    )


def test_past__several_arms__are_named_and_placebo_and_doses_left_out(moment: AhaMoment) -> None:
    arms: list[dict[str, Any]] = [
        {"variant": arm, "take_up": STAGE, "by_segment": []} for arm in ("a", "b", "still", "five")
    ]
    missing = {"variant": "c", "take_up": {"reason": "too_few_units", "details": {}}, "by_segment": []}
    analysed(
        draft("past", moment=moment), plan={"placebo": "still", "doses": {"five": 5}}, first_stage=[*arms, missing]
    )
    assert [one.nudge for one in past_take_ups("add", 2, 2)] == ["past/a", "past/b"]


def test_past__result_of_another_shape__says_nothing(moment: AhaMoment) -> None:
    Analysis.objects.create(
        experiment=draft("past", moment=moment), status=Analysis.Status.DONE, final=True, payload={"plan": None}
    )
    assert past_take_ups("add", 2, 2) == ()


@pytest.mark.usefixtures("world")
def test_search__of_a_moment__knows_users_segments_and_past_nudges(moment: AhaMoment) -> None:
    keen()
    analysed(draft("past", moment=moment))

    found = search_by_name("two-adds", Given(effect=0.2))

    by = {one.segment: one for one in found.inputs.audiences}
    assert set(by) == {"", "style.v1.keen"}
    assert (by[""].per_day, by["style.v1.keen"].per_day) == (20.0, 4.0)
    assert (by[""].base, by[""].reach, by[""].last_day) == pytest.approx((0.5, 0.25, 4))
    assert {(one.design.nudge, one.design.audience.segment) for one in found.result.ranked if one.design.nudge} == {
        ("past", ""),
        ("past", "style.v1.keen"),
    }


@pytest.mark.slow
@pytest.mark.usefixtures("world")
def test_search__of_an_experiment__has_its_plan_and_its_share_of_users(moment: AhaMoment) -> None:
    row = draft("exp", moment=moment, smallest_effect=0.15, alpha=0.1, power=0.9, layer_low=0, layer_high=10_000)
    found = search_for(row, Given(take_ups=(("", 0.3),), segments=False))
    assert (found.inputs.effect, found.inputs.alpha, found.inputs.power) == (0.15, 0.1, 0.9)
    row.planned_effect = 0.25  # what is hoped for, where the plan has both
    assert search_for(row, Given(take_ups=(("", 0.3),), segments=False)).inputs.effect == 0.25
    assert found.inputs.take_ups == (PastTakeUp("given", "", 0.3),)
    assert all(one.chance >= 0.9 - 1e-6 for one in found.result.ranked)


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize(
    ("name", "given", "sentence"),
    [
        ("add", Given(effect=0.2), "no experiment and no AHA moment"),
        ("two-adds", Given(), "give one"),
        ("two-adds", Given(effect=0.2, take_ups=(("nobody", 0.1),)), "no segment nobody"),
        ("two-adds", Given(effect=0.2, r_squared=2.0), "r-squared"),
        ("nothing", Given(effect=0.2, times=1, days=1, outcome="window:3-4"), "no event 'nothing'"),
    ],
)
def test_search__that_can_not_be__is_refused(moment: AhaMoment, name: str, given: Given, sentence: str) -> None:
    with pytest.raises(Refused, match=sentence):
        search_by_name(name, given)


def run(*options: str) -> str:
    out = io.StringIO()
    call_command("design", *options, stdout=out, stderr=io.StringIO())
    return out.getvalue()


@pytest.mark.slow
@pytest.mark.usefixtures("world")
def test_command__json__is_one_document_with_ranks_and_refusals(moment: AhaMoment) -> None:
    keen()
    behaviour = ["add", "--times", "2", "--days", "2", "--outcome", "window:3-4", "--signup-event", "signup"]
    found = json.loads(run(*behaviour, "--effect", "0.2", "--take-up", "0.3", "--r-squared", "0.1", "--json"))

    assert [one["rank"] for one in found["designs"]] == list(range(1, len(found["designs"]) + 1))
    best = found["designs"][found["proposal"] - 1]
    assert (best["assigned"], best["placebo"], best["moved"], best["users_per_day"]) == ("nudge", True, 0.3, 20.0)
    assert best["chance"] >= 0.8 - 1e-6
    assert {one["reason_code"] for one in found["refused"] if one["assigned"] == "nudge"} >= {"no_take_up"}
    feature = next(one for one in found["designs"] if one["assigned"] == "feature")
    assert "not_computable" in feature["weak_instrument"]
    table = run("two-adds", "--effect", "0.2", "--take-up", "0.3", "style.v1.keen=0.4", "--daily-units", "100")
    assert "Proposed:" in table
    assert "Test the nudge" in table


def test_command__take_up_that_is_none__is_refused() -> None:
    with pytest.raises(CommandError, match="neither a share"):
        run("two-adds", "--take-up", "keen=much")


@pytest.mark.slow
@pytest.mark.usefixtures("world")
def test_page__of_a_draft__searches_when_it_is_asked(admin_client: Client, moment: AhaMoment) -> None:
    draft("exp", moment=moment, smallest_effect=0.2, primary_metrics=["window:3-4"], enrolment="new_units")
    address = "/experiments/exp/plan/search/"

    empty = admin_client.get(address)
    shown = admin_client.get(address, {"show": "1", "take_up": "0.3", "r_squared": "0.1", "deadline": "30"})
    wrong = admin_client.get(address, {"show": "1", "take_up": "3"})

    assert "tables" not in empty.context
    assert "Proposed:" in shown.content.decode()
    assert len(shown.context["tables"][0].rows) > 10
    assert wrong.context["form"].errors["take_up"]
    assert address in admin_client.get("/experiments/exp/plan/plan/").content.decode()


@pytest.mark.usefixtures("world")
def test_page__of_an_experiment_without_a_moment__says_why(admin_client: Client) -> None:
    draft("exp")
    shown = admin_client.get("/experiments/exp/plan/search/", {"show": "1"})
    assert "tests no AHA moment" in shown.content.decode()
