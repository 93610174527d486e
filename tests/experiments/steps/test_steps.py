"""An experiment in steps: each page stores its part, the counts and the curve follow the form, a start says why not."""

import re
from datetime import date
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from aha.moments import promote
from experiments.models import Experiment, Holdout, Layer
from experiments.plan import audience, size
from experiments.plan.derived import share_left
from experiments.plan.planned_power import Inflow
from experiments.plan.record import Explained
from experiments.plan.stored import plan_of
from experiments.plan_page import known_numbers
from runs.refusals import Refused
from segments.models import Membership, Segment, SegmentModel, SegmentVersion
from tests.experiments.make import draft

pytestmark = pytest.mark.django_db
LIST = "/admin/experiments/experiment/"
NEW = "/experiments/-/new/"
FINE = {"signup_event": "signup", "clock": "exposure", "day_mode": "rolling", "churn_gap": "7", "otherwise": "ask"}
NO_SEGMENTS = {"segments-TOTAL_FORMS": 0, "segments-INITIAL_FORMS": 0}
AUDIENCE = {
    "enrolment": "all",
    "who": "everyone",
    "everyone_coverage": "",
    "rest_coverage": "",
    "layer": "",
    "holdout": "",
    **NO_SEGMENTS,
}


def step(row: Experiment, name: str) -> str:
    return f"/experiments/{row.key}/plan/{name}/"


def outlook(row: Experiment, name: str) -> str:
    return f"{step(row, name)}outlook/"


def groups() -> list[Segment]:
    """Two segments of one version, 30 and 20 of 100 units, and one of another that holds 10 of the first's units."""
    made = []
    for key, parts in (("style", (range(30), range(30, 50))), ("spend", (range(20, 40),))):
        model = SegmentModel.objects.create(key=key, name=key, kind="cluster")
        version = SegmentVersion.objects.create(refreshed_at="2026-03-01T00:00:00Z", model=model, number=1, units=100)
        for number, units in enumerate(parts):
            row = Segment.objects.create(version=version, key=f"g{number}", number=number, size=len(units))
            Membership.objects.bulk_create(Membership(version=version, unit=f"u{one}", segment=row) for one in units)
            made.append(row)
    return made


def chosen(*slugs: str, coverage: str = "100") -> dict[str, Any]:
    found: dict[str, Any] = {"segments-TOTAL_FORMS": len(slugs), "segments-INITIAL_FORMS": 0}
    for at, slug in enumerate(slugs):
        found |= {
            f"segments-{at}-slug": slug,
            f"segments-{at}-taken": "on",
            f"segments-{at}-order": at + 1,
            f"segments-{at}-coverage": coverage,
        }
    return {**AUDIENCE, "who": "segments", **found}


@pytest.fixture
def inflow(monkeypatch: pytest.MonkeyPatch) -> None:
    """50 units a day, 40 % of them stay: what the warehouse would answer."""
    cache.clear()
    known = Inflow(date(2026, 10, 1), date(2026, 10, 28), 1_400, 50.0, 0.4, None, 20, None)
    monkeypatch.setattr(size, "base_rate_and_inflow", lambda *_args, **_options: known)


def test_new__with_a_moment__begins_with_its_claim_and_drafts_its_test(admin_client: Client) -> None:
    moment = promote.create_moment(
        name="Three friends", behaviour="friend_add", times=3, days=7, signup_event="signup", retention="window:14-20"
    )

    form = admin_client.get(f"{NEW}?moment={moment.key}").context["form"]
    begun = {"name": form["name"].value(), "hypothesis": form["hypothesis"].value(), "moment": moment.pk, "key": "tf"}
    answer = admin_client.post(f"{NEW}", begun)

    row = Experiment.objects.get()
    assert answer["Location"] == step(row, "variants")
    assert (row.key, row.name, row.moment, row.primary_metrics) == (
        "tf",
        "Three friends nudge",
        moment,
        ["window:14-20"],
    )
    assert "friend_add at least 3 times within 7 days" in row.hypothesis
    assert row.enrolment == "new_units"


def test_new__without_a_moment__makes_a_key_of_the_name(admin_client: Client) -> None:
    admin_client.post(f"{NEW}", {"name": "A chest on day 2", "hypothesis": "", "moment": "", "key": ""})

    row = Experiment.objects.get()
    assert (row.key, row.status, row.variants.count()) == ("a-chest-on-day-2", "draft", 2)


@pytest.mark.parametrize("key", ["a b", "taken"])
def test_new__key_that_can_not_be__is_said_at_its_field(admin_client: Client, key: str) -> None:
    draft("taken")

    answer = admin_client.post(f"{NEW}", {"name": "N", "key": key})

    assert answer.context["form"].errors["key"]
    assert Experiment.objects.count() == 1


def test_variants__three_arms_and_an_empty_row__are_stored_in_order(admin_client: Client) -> None:
    row = draft("exp")
    arms = [("control", "none", "50"), ("a", "x", "30"), ("b", "y", "20"), ("", "", "")]
    given: dict[str, Any] = {
        "nudge": "A banner",
        "flag_key": "f",
        "value_type": "string",
        "default_value": "none",
        "arms-TOTAL_FORMS": 4,
        "arms-INITIAL_FORMS": 2,
    }
    for at, (key, value, weight) in enumerate(arms):
        given |= {f"arms-{at}-key": key, f"arms-{at}-value": value, f"arms-{at}-weight": weight}

    answer = admin_client.post(step(row, "variants"), given)

    row.refresh_from_db()
    assert answer["Location"] == step(row, "audience")
    assert (row.nudge, row.flag_key) == ("A banner", "f")
    assert list(row.variants.values_list("key", "value", "weight")) == [
        ("control", "none", 5_000),
        ("a", "x", 3_000),
        ("b", "y", 2_000),
    ]


def test_variants__roles_and_doses__are_stored_with_their_arms(admin_client: Client) -> None:
    row = draft("exp")
    given: dict[str, Any] = {
        "flag_key": "f",
        "value_type": "string",
        "default_value": "none",
        "arms-TOTAL_FORMS": 3,
        "arms-INITIAL_FORMS": 2,
    }
    for at, (key, role, dose) in enumerate([("control", "", ""), ("loud", "placebo", ""), ("five", "dose", "5")]):
        given |= {
            f"arms-{at}-key": key,
            f"arms-{at}-value": "x",
            f"arms-{at}-weight": "30",
            f"arms-{at}-role": role,
            f"arms-{at}-dose": dose,
        }

    admin_client.post(step(row, "variants"), given)

    assert list(row.variants.values_list("key", "role", "dose")) == [
        ("control", "nudge", None),
        ("loud", "placebo", None),
        ("five", "dose", 5),
    ]


def test_plan__looks__are_written_in_per_cent(admin_client: Client) -> None:
    row = draft("exp")

    looks = {"looks-rows": "3", "looks-0-share": "50", "looks-1-share": "75 %", "looks-2-share": "100"}
    admin_client.post(step(row, "plan"), {**PLAN, "method": "group_sequential", **looks})
    shown = re.findall(r'name="looks-\d-share" value="(.*?)"', admin_client.get(step(row, "plan")).content.decode())
    wrong = admin_client.post(step(row, "plan"), {**PLAN, **looks, "looks-1-share": "half"})

    row.refresh_from_db()
    assert (row.looks, shown) == ([0.5, 0.75, 1.0], ["50", "75", "100"])
    assert wrong.context["form"].errors["looks"]


def test_plan__of_a_moment__says_what_such_promises_were_worth(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    from experiments.analyse.across import calibration
    from experiments.analyse.across.deflation import Deflation

    moment = promote.create_moment(
        name="Friends", behaviour="friend_add", times=3, days=7, signup_event="signup", retention="window:14-20"
    )
    known = calibration.Calibration((), (), Deflation(0.25, 0.1, 0.4, 0.95, 0.0, 4))
    monkeypatch.setattr(calibration, "calibrate", lambda: known)

    with_moment = admin_client.get(step(draft("exp", moment=moment), "plan")).content.decode()
    without = admin_client.get(step(draft("other"), "plan")).content.decode()

    assert "Over 4 experiments 25% of what correlations promised was left." in with_moment
    assert "correlations promised" not in without


def worth(monkeypatch: pytest.MonkeyPatch, r_squared: float) -> None:
    """What the warehouse would answer of the covariates of a plan."""
    found = Explained(r_squared, r_squared / 2, 2 * r_squared, 4_000, 1_500)
    monkeypatch.setattr(known_numbers, "worth_of", lambda _plan: found)


def test_plan__covariates_that_explain_a_part__is_proposed_adjusted_with_the_users_it_saves(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch, inflow: None
) -> None:
    worth(monkeypatch, 0.2)
    row = draft("exp", covariates=["platform"], active_days_before=14, smallest_effect=0.02)

    before = admin_client.get(step(row, "plan"))
    admin_client.get(outlook(row, "outcomes"))  # the page before asks the warehouse
    page = admin_client.get(step(row, "plan"))

    assert before.context["form"]["primary"].value() == "unadjusted"
    assert page.context["form"]["primary"].value() == "lin"
    found = re.search(r"\(platform, active days before\) explains 20% .* needs ([\d,]+) users instead of ([\d,]+)",
                      page.content.decode())  # fmt: skip
    assert found is not None
    needed, without = (int(number.replace(",", "")) for number in found.groups())
    assert needed == pytest.approx(0.8 * without, rel=0.01)
    row.refresh_from_db()
    assert row.primary == "unadjusted"  # proposed, not stored


def test_plan__saved_without_adjustment__is_proposed_nothing_again(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch, inflow: None
) -> None:
    worth(monkeypatch, 0.2)
    row = draft("exp", covariates=["platform"])
    admin_client.get(outlook(row, "outcomes"))

    admin_client.post(step(row, "plan"), {**PLAN, "primary": "unadjusted"})
    page = admin_client.get(step(row, "plan"))

    assert page.context["form"]["primary"].value() == "unadjusted"
    assert not page.context["proposed"]


def test_plan__covariates_that_explain_little__stays_unadjusted(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch, inflow: None
) -> None:
    worth(monkeypatch, 0.0499)
    row = draft("exp", covariates=["platform"])
    admin_client.get(outlook(row, "outcomes"))

    page = admin_client.get(step(row, "plan"))

    assert page.context["form"]["primary"].value() == "unadjusted"
    assert "is proposed" not in page.content.decode()


def test_variants__one_more_asked_for__grows_the_form_and_stores_nothing(admin_client: Client) -> None:
    row = draft("exp")
    given = {"arms-TOTAL_FORMS": 2, "arms-INITIAL_FORMS": 2, "arms-0-key": "changed", "more": "1"}

    answer = admin_client.post(step(row, "variants"), given)

    assert len(answer.context["arms"].forms) == 3
    assert row.variants.first().key == "control"  # type: ignore[union-attr]


def test_audience__two_segments_and_the_rest__become_rows_in_order(admin_client: Client) -> None:
    first, second, _third = groups()
    row = draft("exp")

    admin_client.post(
        step(row, "audience"),
        {**chosen(second.slug, first.slug, coverage="50"), "everyone_coverage": "100", "rest_coverage": "10"},
    )

    assert list(row.audience.values_list("segment_key", "coverage")) == [
        (second.slug, 5_000),
        (first.slug, 5_000),
        (None, 1_000),
    ]


@pytest.mark.parametrize(("coverage", "rows"), [("100", []), ("", []), ("25", [(None, 2_500)])])
def test_audience__everyone__needs_a_row_only_for_a_part(
    admin_client: Client, coverage: str, rows: list[tuple[None, int]]
) -> None:
    row = draft("exp")

    admin_client.post(step(row, "audience"), {**AUDIENCE, "everyone_coverage": coverage})

    assert list(row.audience.values_list("segment_key", "coverage")) == rows


def test_audience__changed_to_segments__leaves_everyone_else_out(admin_client: Client) -> None:
    first = groups()[0]
    row = draft("exp", audience=[{"coverage": 10_000}])
    shown = admin_client.get(step(row, "audience")).context["form"]

    given = {**chosen(first.slug), "everyone_coverage": shown["everyone_coverage"].value()}
    admin_client.post(step(row, "audience"), given)

    assert list(row.audience.values_list("segment_key", flat=True)) == [first.slug]


def test_audience__own_weights_of_a_row__survive_the_step(admin_client: Client) -> None:
    first = groups()[0]
    row = draft("exp", audience=[{"segment_key": first.slug, "coverage": 10_000, "weights": [3_000, 7_000]}])

    admin_client.post(step(row, "audience"), chosen(first.slug, coverage="80"))

    assert list(row.audience.values_list("coverage", "weights")) == [(8_000, [3_000, 7_000])]


def test_audience__by_segment_without_one__is_refused(admin_client: Client) -> None:
    row = draft("exp")

    answer = admin_client.post(step(row, "audience"), {**AUDIENCE, "who": "segments"})

    assert "Choose at least one segment, or everyone." in answer.content.decode()


def test_eligible__overlapping_segments__count_each_unit_once(admin_client: Client, inflow: None) -> None:
    first, _second, third = groups()  # 30 units; the third has 20, 10 of them in the first
    row = draft("exp")

    answer = admin_client.get(outlook(row, "audience"), {"step": "1"} | chosen(first.slug, third.slug, coverage="50"))

    found = answer.context["eligible"]
    assert (found.members, found.enrolled) == (40, 20)
    assert found.share == pytest.approx(0.25)  # (30 % + 20 %) of all, half of it covered
    assert [value for label, value, _about in answer.context["lines"] if label == "Enrolled a day"] == ["12"]  # of 50
    assert row.audience.count() == 0


def test_eligible__slice_and_holdout__leave_less() -> None:
    row = draft("exp")
    row.layer, row.layer_low, row.layer_high = Layer(key="l"), 2_000, 7_000
    row.holdout = Holdout(key="h", share=1_000)

    assert share_left(plan_of(row)) == pytest.approx(0.5 * 0.9)
    assert audience.count([(None, 4_000)], within=0.45).share == pytest.approx(0.18)


def test_outcomes__one_that_can_not_be_read__is_said_at_its_field(admin_client: Client) -> None:
    row = draft("exp")

    answer = admin_client.post(step(row, "outcomes"), {"first": "nothing", "second": "on_day:7", **FINE})
    admin_client.post(
        step(row, "outcomes"),
        {"first": "on_day:7", "second": "", "guardrail_metrics-rows": "1", "guardrail_metrics-0-metric": "D1", **FINE},
    )

    row.refresh_from_db()
    assert answer.context["form"].errors["first"]
    assert (row.primary_metrics, row.guardrail_metrics) == (["on_day:7"], ["on_day:1"])


PLAN = {
    "spending": "obrien_fleming",
    "method": "fixed",
    "alpha": "0.05",
    "power": "0.8",
    "smallest_effect": "0.05",
    "expected_take_up": "",
    "planned_units": "",
    "planned_end": "",
}


@pytest.mark.slow
def test_curve__follows_the_form__and_the_draft_stays(admin_client: Client, inflow: None) -> None:
    row = draft("exp")

    small, large = (
        admin_client.get(outlook(row, "plan"), {"step": "plan", **PLAN, "smallest_effect": effect})
        for effect in ("0.05", "0.1")
    )

    assert "<svg" in small.content.decode()
    # R: power.prop.test(p1 = .4, p2 = .45, power = .8) gives n = 1533.4 a group; p2 = .5 gives 387.3.
    assert dict(small.context["more"])["Users needed"] == "3,068"
    assert dict(large.context["more"])["Users needed"] == "776"
    row.refresh_from_db()
    assert row.smallest_effect == 0.02


@pytest.mark.slow
def test_curve__too_few_planned__is_said(admin_client: Client, inflow: None) -> None:
    row = draft("exp")

    few = admin_client.get(outlook(row, "plan"), {"step": "plan", **PLAN, "planned_units": "1000"})
    enough = admin_client.get(outlook(row, "plan"), {"step": "plan", **PLAN, "planned_units": "3068"})

    assert "would often be missed" in few.content.decode()
    assert "would often be missed" not in enough.content.decode()
    assert "3,068 users, an effect of 5.0 points is found with a chance of 80%" in enough.content.decode()


def test_curve__no_events__is_a_sentence_and_not_an_error(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_args: Any, **_options: Any) -> None:
        raise Refused("There are no events yet.")

    cache.clear()
    monkeypatch.setattr(size, "base_rate_and_inflow", away)

    page = admin_client.get(outlook(draft("exp"), "plan"), {"step": "1", **PLAN}).content.decode()

    assert "There are no events yet." in page
    assert "by hand" in page


def test_plan__suggestion_taken__fills_size_and_end_and_stores_nothing(admin_client: Client, inflow: None) -> None:
    row = draft("exp")

    answer = admin_client.post(step(row, "plan"), {**PLAN, "planned_units": "7", "suggest": "1"})

    form = answer.context["form"]
    assert form["planned_units"].value() == "3068"
    assert form["planned_end"].value()
    row.refresh_from_db()
    assert row.planned_units == 1_000
