"""The checklist that a plan fills: both sides of each state, overlaps counted by hand, own checks, notes."""

from typing import Any

import pytest
from django.utils import timezone

from experiments.models import Analysis, Experiment, Layer, PlanComment, ReviewItem
from experiments.plan import drafts
from experiments.plan.review import CODES, answer_review, tick
from experiments.plan.warnings import Facts
from experiments.plan_page import review_panel
from experiments.plan_page.known_numbers import Known, Suggested
from experiments.plan_page.review_checks import ReviewCheck, checklist
from runs.refusals import Refused
from tests.experiments.make import draft, running
from tests.experiments.plan.review.people import asked, somebody, two

pytestmark = pytest.mark.django_db
RULE = {"direction": "lower", "margin": 0.01}
CRASHES = "min_events:crash:0-6:1"


def known(power: float | None = None) -> Known:
    return Known(None, Facts(timezone.localdate(), power=power), Suggested())


def checks(key: str = "exp", power: float | None = None) -> dict[str, ReviewCheck]:
    found = checklist(Experiment.objects.get(key=key), known(power))
    assert all(review_panel.title(one) and review_panel.state_words(one) for one in found)
    assert all(review_panel.value(one) for one in found if not one.label)
    return {one.code: one for one in found}


def states(**options: Any) -> dict[str, str]:
    return {code: one.state.value for code, one in checks(**options).items()}


def test_plain_plan__is_filled_by_itself() -> None:
    draft()

    assert states() == {
        "power": "warn",
        "placebo": "ok",
        "others": "ok",  # it tests no moment
        "guardrails": "missing",
        "overlap": "ok",
        "window": "ok",
        "sample_ratio": "ok",
        "links": "warn",
    }
    assert tuple(states()) == CODES


@pytest.mark.parametrize(
    ("units", "power", "state"),
    [(None, 0.9, "missing"), (100, None, "warn"), (100, 0.79, "warn"), (100, 0.795, "ok"), (100, 0.8, "ok")],
)
def test_power__on_both_sides__is_judged_by_the_plans_own(units: int | None, power: float | None, state: str) -> None:
    draft(planned_units=units)

    assert states(power=power)["power"] == state


@pytest.mark.parametrize(
    ("guardrails", "rules", "state"), [([], {}, "missing"), ([CRASHES], {}, "warn"), ([CRASHES], {CRASHES: RULE}, "ok")]
)
def test_guardrails__with_and_without_margin__differ(guardrails: list[str], rules: dict[str, Any], state: str) -> None:
    draft(guardrail_metrics=guardrails, guardrail_rules=rules)

    assert states()["guardrails"] == state


def test_overlap__counts_live_experiments_with_the_same_audience_and_no_common_layer() -> None:
    layer = Layer.objects.create(key="lobby")
    everyone: tuple[dict[str, Any], ...] = ()
    running("all")  # everyone: meets the draft
    running("half", audience=[{"segment_key": None, "coverage": 5_000}])  # meets it
    running("nobody", audience=[{"segment_key": None, "coverage": 0}])
    running("layered", layer=layer, layer_low=0, layer_high=5_000)  # the draft's own layer keeps them apart
    draft("idea")  # not live
    draft("exp", layer=layer, layer_low=5_000, layer_high=10_000, audience=everyone)

    found = checks()["overlap"]

    assert found.facts == {"n": 2, "experiments": ["all", "half"]}
    assert found.state == "warn"
    assert "all, half" in review_panel.value(found)


def test_sample_ratio__of_earlier_experiments__is_counted() -> None:
    broken, fine = running("broken"), running("fine")
    Analysis.objects.create(experiment=broken, status="done", checks=[{"check": "split", "invalid": "srm"}])
    Analysis.objects.create(experiment=fine, status="done", checks=[{"check": "late", "invalid": None}])
    running("unread")
    draft()

    found = checks()["sample_ratio"]

    assert (found.state, found.facts) == ("warn", {"n": 2, "broken": 1})


def test_links__in_text_comment_and_note__are_found_once() -> None:
    row = draft(nudge="See https://x.example/a.")
    PlanComment.objects.create(experiment=row, section="arms", text="https://x.example/a and http://y.example/b")
    tick(key="exp", code="overlap", by=None, note="(https://z.example/c)")

    assert checks()["links"].facts == {
        "n": 3,
        "links": ["https://x.example/a", "http://y.example/b", "https://z.example/c"],
    }


def test_own_check__required__is_ticked_before_an_approval() -> None:
    author, reviewer = two()
    item = ReviewItem.objects.create(text="Legal has seen it", text_ko="법무 검토", required=True)
    ReviewItem.objects.create(text="Old", required=True, active=False)
    asked(author)
    code = f"item:{item.pk}"
    assert states()[code] == "missing"
    with pytest.raises(Refused, match="A required check isn't ticked: Legal has seen it"):
        answer_review(key="exp", by=reviewer, kind="approved")

    tick(key="exp", code=code, by=author, note="Kim, 27 November")
    assert states()[code] == "ok"
    tick(key="exp", code=code, by=author, done=False)
    assert states()[code] == "missing"
    tick(key="exp", code=code, by=reviewer)
    answer_review(key="exp", by=reviewer, kind="approved")

    drafts.update_draft(key="exp", by=author, alpha=0.1)
    assert checks()[code].older
    assert states()[code] == "warn"


def test_note__on_a_check_that_the_plan_fills__needs_words_and_excuses_a_missing_placebo() -> None:
    from aha.moments import promote

    moment = promote.create_moment(
        name="F", behaviour="friend_add", times=3, days=7, signup_event="signup", retention="window:14-20"
    )
    draft(moment=moment)
    assert states()["placebo"] == "missing"
    assert checks()["window"].facts == {"needed": True, "behaviour_days": 7, "outcome_from": 14}
    with pytest.raises(Refused, match="Write what you found"):
        tick(key="exp", code="placebo", by=None)

    tick(key="exp", code="placebo", by=somebody("ann"), note="The nudge can't be imitated.")

    assert states()["placebo"] == "ok"
    drafts.update_draft(key="exp", primary_metrics=["window:3-9"])
    assert states()["window"] == "missing"


def test_tick__of_an_unknown_check_or_after_the_start__is_refused() -> None:
    draft()
    with pytest.raises(Refused, match="There is no check 'x'"):
        tick(key="exp", code="x", by=None, note="?")
    running("live")
    with pytest.raises(Refused, match="only a draft is reviewed"):
        tick(key="live", code="links", by=None, note="late")
