"""Sizes from what is known: inflow and base rate of a world counted on fingers, drafts from moments, clones."""

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from aha.models import AhaMoment
from experiments.models import Holdout, Layer
from experiments.plan import drafts, moves, size
from experiments.plan.lifecycle import Action
from experiments.plan.stored import plan_of
from experiments.serve import overrides
from runs.refusals import Refused
from segments.models import Segment, SegmentModel, SegmentVersion
from stats.instrument.dose_power import placebo_power
from stats.power.family_and_looks import Method, Plan, inflation
from stats.power.sample_size import days_needed, power_no_material_effect, sample_size, smallest_effect
from stats.results import NotComputable, Reason
from stats.sequential.boundaries import Spending
from tests.experiments.api.make import Api
from tests.experiments.make import draft

pytestmark = pytest.mark.django_db


def moment(**changes: Any) -> AhaMoment:
    given = {
        "key": "two-adds",
        "name": "Two adds",
        "behaviour": "add",
        "times": 2,
        "days": 2,
        "signup_event": "signup",
        "retention": "window:3-4",
        **changes,
    }
    return AhaMoment.objects.create(**given)


@pytest.mark.usefixtures("world")
def test_inflow__of_new_units__is_counted_where_the_outcome_is_known() -> None:
    found = size.base_rate_and_inflow("window:3-4", signup_event="signup", moment=moment())

    assert (found.base, found.reach, found.sd, found.last_day) == (0.5, 0.2, None, 4)
    # Data end at noon of day 65, five days are needed: the last four weeks are days 32 to 59 of signups.
    assert (found.units, found.per_day) == (280, 10.0)
    assert found.last - found.first == timedelta(days=27)


@pytest.mark.usefixtures("world")
def test_inflow__of_a_value__has_mean_and_standard_deviation() -> None:
    found = size.base_rate_and_inflow("count:add:0-1", signup_event="signup")

    assert found.base == pytest.approx(0.4)
    assert found.sd == pytest.approx(0.8, rel=0.01)
    assert found.reach is None


@pytest.mark.usefixtures("world")
def test_inflow__of_everyone__starts_with_their_first_event_of_these_weeks() -> None:
    found = size.base_rate_and_inflow("window:0-1", new_only=False)

    assert found.units == 250 + 15  # five a day who signed up on the three days before and play in them


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize(
    ("metric", "signup", "words"),
    [
        ("unbounded:3", "signup", "grows"),
        ("survival:7", "signup", "No size"),
        ("window:3-4", "sign_up", "no event"),
        ("nothing", "signup", "no retention"),
    ],
)
def test_inflow__that_can_not_be_asked__is_refused(metric: str, signup: str, words: str) -> None:
    with pytest.raises(Refused, match=words):
        size.base_rate_and_inflow(metric, signup_event=signup)


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize("method", list(Method))
def test_suggestion__with_an_effect__is_the_calculators_own(method: Method) -> None:
    row = draft(
        primary_metrics=["window:3-4"],
        smallest_effect=0.2,
        expected_take_up=0.5,
        enrolment="new_units",
        alpha=0.1,
        method=method,
        audience=[{"coverage": 5_000}],
    )

    found = size.suggest_size(row, signup_event="signup")

    needed = sample_size(Plan(baseline=0.5, alpha=0.1, take_up=0.5, method=method), 0.2)
    assert not isinstance(needed, NotComputable)
    days = days_needed(needed.total, 10, coverage=0.5, window_end=4)
    assert (found.per_variant, found.planned_units, found.days) == (needed.units, needed.total, days)
    assert found.result_on == timezone.localdate() + timedelta(days=days)
    assert isinstance(found.result_on, date)
    assert found.planned_end == found.result_on - timedelta(days=5)  # the outcome's days come after enrolment
    assert (found.coverage, found.take_up, found.smallest_effect) == (0.5, 0.5, 0.2)


@pytest.mark.usefixtures("world")
def test_suggestion__plan_with_two_outcomes_looks_and_a_placebo__is_sized_as_it_will_judge() -> None:
    arms = [
        {"key": key, "value": key, "weight": weight, "role": role}
        for key, weight, role in (("a", 5_000, "nudge"), ("b", 3_000, "nudge"), ("c", 2_000, "placebo"))
    ]
    row = draft(
        primary_metrics=["window:3-4", "on_day:3"],
        smallest_effect=0.2,
        enrolment="new_units",
        variants=arms,
        default_value="a",
        moment=moment(),
        method="group_sequential",
        looks=[0.4, 1.0],
        spending="pocock",
    )

    found = size.suggest_size(row, signup_event="signup")

    judging = Plan(
        baseline=0.5,
        shares=(0.5, 0.3, 0.2),
        placebo=2,
        primaries=2,
        method=Method.GROUP_SEQUENTIAL,
        looks=(0.4, 1.0),
        spending=Spending.POCOCK,
    )
    needed = sample_size(judging, 0.2)
    assert not isinstance(needed, NotComputable)
    assert (found.per_variant, found.level) == (needed.units, 0.025)
    assert found.inflation == inflation(judging)
    assert found.power_no_material_effect == power_no_material_effect(judging, 0.2, needed.units)


@pytest.mark.slow
@pytest.mark.usefixtures("world")
def test_suggestion__values_on_trial__leave_the_plan_alone() -> None:
    row = draft(primary_metrics=["window:3-4"], smallest_effect=0.2, enrolment="new_units")
    effects = {"planned_effect": 0.1, "margin": 0.05}
    looks = {"method": "group_sequential", "looks": 3, "spending": "pocock"}

    found = size.suggest_size(row, signup_event="signup", primaries=2, variants=3, **effects, **looks)

    third = (1 / 3,) * 3
    plan = Plan(
        baseline=0.5, shares=third, primaries=2, method=Method.GROUP_SEQUENTIAL, looks=3, spending=Spending.POCOCK
    )
    needed = sample_size(plan, 0.1)
    assert not isinstance(needed, NotComputable)
    assert (found.smallest_effect, found.planned_effect, found.per_variant) == (0.2, 0.1, needed.units)
    assert found.power_no_material_effect == power_no_material_effect(plan, 0.05, needed.units)
    assert size.suggest_size(row, signup_event="signup").level == 0.05


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize(("planned", "total"), [(1_000, 1_000), (None, 280)])
def test_suggestion__without_an_effect__tells_the_smallest(planned: int | None, total: int) -> None:
    row = draft(primary_metrics=["window:3-4"], smallest_effect=None, planned_units=planned, enrolment="new_units")

    found = size.suggest_size(row, signup_event="signup")

    assert found.planned_units == total
    assert found.smallest_effect == smallest_effect(Plan(baseline=0.5), (total // 2, total // 2))


@pytest.mark.usefixtures("world")
def test_suggestion__where_nobody_varies__has_a_reason_in_place_of_numbers() -> None:
    row = draft(primary_metrics=["on_day:9"], enrolment="new_units")

    found = size.suggest_size(row, signup_event="signup")

    assert found.planned_units == NotComputable(Reason.NO_VARIANCE)
    assert found.inflow.base == 0.0


@pytest.mark.usefixtures("world")
def test_suggestion__of_an_effect_that_can_not_be__says_why() -> None:
    row = draft(primary_metrics=["window:3-4"], smallest_effect=0.9, enrolment="new_units")

    with pytest.raises(Refused, match="must stay within 0 and 1"):
        size.suggest_size(row, signup_event="signup")


def test_suggestion__without_any_event__is_refused(settings: Any, tmp_path: Path) -> None:
    settings.EVENTS_URL = str(tmp_path / "empty")

    with pytest.raises(Refused, match="no events"):
        size.suggest_size(draft())


def test_share__of_layer_holdout_and_segments__multiplies_and_adds() -> None:
    model = SegmentModel.objects.create(key="style", name="Style", kind="cluster")
    version = SegmentVersion.objects.create(refreshed_at="2026-03-01T00:00:00Z", model=model, number=1, units=1_000)
    Segment.objects.create(version=version, key="solo", size=200)
    row = draft(
        layer=Layer.objects.create(key="l"),
        layer_low=0,
        layer_high=5_000,
        holdout=Holdout.objects.create(key="h", share=1_000),
        audience=[{"segment_key": "style.v1.solo", "coverage": 5_000}, {"coverage": 2_500}],
    )

    assert size.enrolled_share(plan_of(row)) == pytest.approx((0.2 * 0.5 + 0.8 * 0.25) * 0.5 * 0.9)


def test_share__of_a_segment_that_is_not_published__is_refused() -> None:
    with pytest.raises(Refused, match="no published segment"):
        size.enrolled_share(plan_of(draft(audience=[{"segment_key": "none.v1", "coverage": 100}])))


EVIDENCE = {"ladder": {"rungs": [{"difference": {"estimate": 0.4}}, {"difference": {"estimate": 0.25}}]}}


@pytest.mark.slow
@pytest.mark.usefixtures("world")
def test_draft__from_a_moment__may_start_and_plans_with_half_of_the_promise() -> None:
    made = drafts.draft_from_moment(moment=moment(evidence=EVIDENCE), take_up=0.3)

    needed = sample_size(Plan(baseline=0.5, take_up=0.3), 0.125)
    assert not isinstance(needed, NotComputable)
    assert (made.primary_metrics, made.enrolment, made.expected_take_up) == (["window:3-4"], "new_units", 0.3)
    assert (made.smallest_effect, made.planned_effect, made.planned_units) == (0.025, 0.125, needed.total)
    assert "add at least 2 times within 2 days" in made.hypothesis
    assert moves.move(key=made.key, action=Action.START).status == "running"
    assert drafts.draft_from_moment(moment=made.moment, take_up=0.3).key == "two-adds-test-2"  # type: ignore[arg-type]


@pytest.mark.usefixtures("world")
def test_draft__without_evidence__plans_what_four_weeks_can_show() -> None:
    made = drafts.draft_from_moment(moment=moment())

    assert made.planned_units == 280
    assert made.expected_take_up == 0.1
    assert made.smallest_effect is None  # of the behaviour no effect would be large enough: 28 units moved


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize(("take_up", "fine"), [(0.8, True), (0.81, False), (0.0, False), (1.1, False)])
def test_draft__take_up_beyond_the_head_room__is_refused(take_up: float, fine: bool) -> None:
    if fine:
        assert drafts.draft_from_moment(moment=moment(), take_up=take_up).expected_take_up == take_up
        return
    with pytest.raises(Refused):
        drafts.draft_from_moment(moment=moment(), take_up=take_up)


def test_draft__before_the_first_event__leaves_the_sizes_open(settings: Any, tmp_path: Path) -> None:
    settings.EVENTS_URL = str(tmp_path / "empty")

    made = drafts.draft_from_moment(moment=moment(evidence=EVIDENCE))

    assert (made.planned_units, made.planned_end, made.smallest_effect) == (None, None, 0.025)


@pytest.mark.parametrize("last", [{"reason": "no_overlap", "details": {}}, {"estimate": -0.1}])
def test_draft__whose_evidence_promises_nothing__takes_the_rung_before_or_none(
    settings: Any, tmp_path: Path, last: dict[str, Any]
) -> None:
    settings.EVENTS_URL = str(tmp_path / "empty")
    rungs = [{"difference": {"estimate": 0.4}}, {"difference": last}]

    made = drafts.draft_from_moment(moment=moment(evidence={"ladder": {"rungs": rungs}}))

    assert made.smallest_effect == (0.04 if "reason" in last else None)


def test_draft__whose_promise_is_small__plans_for_one_point(settings: Any, tmp_path: Path) -> None:
    settings.EVENTS_URL = str(tmp_path / "empty")
    rungs = [{"difference": {"estimate": 0.05}}]

    made = drafts.draft_from_moment(moment=moment(evidence={"ladder": {"rungs": rungs}}))

    assert made.smallest_effect == 0.01


def test_clone__keeps_the_plan_and_no_dates() -> None:
    old = draft("guild", alpha=0.01, nudge="banner", audience=[{"coverage": 4_000}])
    overrides.set_override(key="guild", variant="banner", unit="qa")

    made = drafts.clone(experiment=old)

    assert (made.key, made.flag_key, made.alpha, made.nudge) == ("guild-2", "guild", 0.01, "banner")
    assert (made.planned_end, made.overrides.count(), made.status) == (None, 0, "draft")
    assert made.seed != old.seed
    assert json.dumps(list(made.variants.values("key", "value", "weight"))) == json.dumps(
        list(old.variants.values("key", "value", "weight"))
    )
    with pytest.raises(Refused):
        drafts.clone(experiment=old, key="guild")


@pytest.mark.slow
@pytest.mark.usefixtures("world")
def test_rest__values_on_trial__come_as_query_parameters() -> None:
    draft(primary_metrics=["window:3-4"], smallest_effect=0.2, enrolment="new_units")
    api = Api()

    plain = api.ok("GET", "exp/power")
    tried = api.ok(
        "GET", "exp/power?planned_effect=0.1&margin=0.1&primaries=2&variants=3&method=group_sequential&looks=0.5,1"
    )

    assert (plain["level"], plain["inflation"], plain["smallest_effect"]) == (0.05, pytest.approx(1.0), 0.2)
    assert (tried["level"], tried["planned_effect"], len(tried["per_variant"])) == (0.0125, 0.1, 3)
    assert 0 < tried["power_no_material_effect"] < 1


@pytest.mark.slow
@pytest.mark.usefixtures("world")
def test_rest__plan_of_a_moment__says_what_its_arms_could_tell() -> None:
    fields: dict[str, Any] = {"primary_metrics": ["window:3-4"], "smallest_effect": 0.2, "enrolment": "new_units"}
    draft(moment=moment(), expected_take_up=0.3, planned_units=8_000, **fields)
    draft("plain", flag_key="plain", **fields)

    arms = Api().ok("GET", "exp/power")["arms"]

    # A fifth of the units reach it by themselves; control is half of the planned ones.
    assert arms["placebo"]["planned"] is False
    assert arms["placebo"]["shown"] == placebo_power(0.2, 0.3, (4_000, 4_000))
    assert arms["doses"]["targets"] == [1, 2, 4]
    assert 0 < arms["doses"]["tells_step"] < 1
    assert Api().ok("GET", "plain/power")["arms"] is None


@pytest.mark.usefixtures("world")
@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("looks=0&method=always_valid", 409),
        ("looks=0.5", 409),
        ("looks=x", 400),
        ("looks=1.2.3", 400),
        ("margin=-1", 409),
        ("planned_effect=nan", 400),
        ("spending=none", 400),
        ("variants=1", 400),
    ],
)
def test_rest__values_that_can_not_be__are_refused(query: str, status: int) -> None:
    draft(primary_metrics=["window:3-4"], smallest_effect=0.2, enrolment="new_units", method="group_sequential")

    assert Api()("GET", f"exp/power?{query}").status_code == status


@pytest.mark.usefixtures("world")
def test_inflow__of_clusters__has_their_sizes_and_how_alike_their_units_are() -> None:
    found = size.base_rate_and_inflow("window:3-4", signup_event="signup", cluster="class").clusters

    assert found is not None
    assert found == NotComputable(Reason.NO_VARIANCE)  # every class comes back as one, or not at all


@pytest.mark.slow
@pytest.mark.usefixtures("world")
def test_power_plan__of_clusters__costs_what_past_clusters_say_unless_told_otherwise() -> None:
    row = draft(cluster="class", primary_metrics=["count:add:0-1"], planned_units=None)
    plain = size.suggest_size(
        draft(key="plain", flag_key="plain", primary_metrics=["count:add:0-1"]), signup_event="signup"
    )
    measured = size.suggest_size(row, signup_event="signup")
    tried = {"cluster_size": 10, "cluster_variation": 0, "cluster_correlation": 0.1}
    asked = size.suggest_size(row, signup_event="signup", **tried)

    law = measured.inflow.clusters
    assert plain.inflow.clusters is None
    assert law is not None
    assert not isinstance(law, NotComputable)
    assert law.units == measured.inflow.units - 1  # the last one names no class
    assert law.mean_size == pytest.approx(5, abs=0.1)
    assert not isinstance(plain.planned_units, NotComputable)
    assert asked.planned_units == pytest.approx(1.9 * plain.planned_units, rel=0.01)
    expected = max(1 + ((1 + law.variation**2) * law.mean_size - 1) * max(law.correlation, 0), 1)
    assert measured.planned_units == pytest.approx(expected * plain.planned_units, rel=0.01)
