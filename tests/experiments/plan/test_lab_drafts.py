"""Drafts of labs: their variants, made again with the nudges; copies, templates, and the lab of a moment."""

from datetime import date
from typing import Any

import pytest

from aha.evidence.findings import Definition, OutcomeMoments
from aha.evidence.store_findings import keep_findings
from aha.models import AhaMoment
from experiments.models import Experiment
from experiments.plan import drafts
from experiments.plan.lab import NUDGE_KEY
from experiments.plan.moves import asks_of
from experiments.plan.record import PlannedOther
from experiments.plan.stored import plan_of, situation_of
from experiments.plan.templates import save_as_template
from experiments.plan.validation import problems
from reporting.document import dump
from runs.refusals import Refused
from stats.iv_moments import IvMoments
from tests.aha.evidence.past.make_findings import finding
from tests.experiments.make import ARMS, draft
from tests.experiments.plan.lab_plans import lab_draft, row
from tests.experiments.stored import MOMENT

pytestmark = pytest.mark.django_db


def groups(experiment: Experiment) -> dict[str, int]:
    return dict(experiment.variants.order_by("position").values_list("key", "weight"))


def test_lab__its_groups__are_the_sets_of_its_nudges() -> None:
    lab = lab_draft()

    assert groups(lab) == {"none": 2_500, "pals": 2_500, "chat": 2_500, "pals.chat": 2_500}
    assert lab.variants.get(key="chat").value == {"pals": False, "chat": True}
    assert (lab.value_type, lab.default_value) == ("json", {"pals": False, "chat": False})
    assert lab.nudges[0] == {**row("pals", "friend_add", 3), "take_up": 0.1, "spill": 0.0, "name": "", "words": ""}
    assert problems(plan_of(lab), situation_of(lab)) == ()


def test_lab__with_other_nudges__gets_other_groups_and_values() -> None:
    lab_draft()
    three = [row("pals", "friend_add", 3), row("chat", "chat"), row("shop", "shop")]

    lab = drafts.update_draft(key="lab", nudges=three)

    assert len(groups(lab)) == 8
    assert lab.version == 2
    assert lab.default_value == {"pals": False, "chat": False, "shop": False}
    assert drafts.update_draft(key="lab", nudges=three).version == 2

    lab = drafts.update_draft(key="lab", most_nudges=1)
    assert groups(lab) == {"none": 2_500, "pals": 2_500, "chat": 2_500, "shop": 2_500}

    lab = drafts.update_draft(key="lab", hypothesis="Other words.")
    assert len(groups(lab)) == 4


def test_lab__whose_values_are_given__keeps_its_own() -> None:
    lab_draft()

    lab = drafts.update_draft(key="lab", value_type="string", default_value="x")

    assert (lab.value_type, lab.default_value) == ("json", {"pals": False, "chat": False})


@pytest.mark.parametrize(
    "nudges",
    [
        [],
        [row("pals", "a"), row("pals", "b")],
        [row("a.b", "a"), row("c", "b")],
        [row("none", "a"), row("c", "b")],
        [row("a", "a", share=-1), row("c", "b")],
        [row(f"n{at}", "a") for at in range(9)],
    ],
)
def test_lab__of_nudges_that_cannot_be_drawn__is_kept_without_groups(nudges: list[dict[str, Any]]) -> None:
    lab_draft()

    lab = drafts.update_draft(key="lab", nudges=nudges)

    assert groups(lab) == {}
    assert problems(plan_of(lab), situation_of(lab)) != ()


def test_groups__given_for_a_lab__are_refused() -> None:
    with pytest.raises(Refused, match=r"^The groups of a lab are made of its nudges: leave them out\.$"):
        lab_draft(variants=ARMS)
    lab_draft()
    with pytest.raises(Refused, match="made of its nudges"):
        drafts.update_draft(key="lab", variants=ARMS)
    assert len(groups(Experiment.objects.get())) == 4


def test_kind__of_a_draft__stays() -> None:
    lab_draft()
    draft("test")

    with pytest.raises(Refused, match=r"^A test can't become a lab, nor a lab a test: make a new one\.$"):
        drafts.update_draft(key="test", kind="lab")
    with pytest.raises(Refused, match="nor a lab a test"):
        drafts.update_draft(key="lab", kind="test")
    assert drafts.update_draft(key="lab", kind="lab").version == 1


def test_copy__of_a_lab__has_the_same_nudges_and_groups() -> None:
    lab = lab_draft(most_nudges=1)

    copy = drafts.clone(experiment=lab)

    assert (copy.kind, copy.nudges, copy.most_nudges) == ("lab", lab.nudges, 1)
    assert groups(copy) == groups(lab)
    assert copy.default_value == lab.default_value


def test_template__of_a_lab__makes_labs() -> None:
    kept = save_as_template(experiment=lab_draft(), key="kept", name="Kept", fixed=["nudges", "variants"])

    made = drafts.draft_from_template(template=kept, name="Next")

    assert groups(made) == groups(Experiment.objects.get(key="lab"))
    with pytest.raises(Refused, match="fixes Nudges"):
        drafts.update_draft(key=made.key, nudges=[row("pals", "friend_add", 3), row("shop", "shop")])


PROPOSED = tuple(
    PlannedOther(name, times, 0.0, 0.1, "person") for name, times in (("chat", 2), ("shop", 1), ("chat[x=1]", 1))
)


@pytest.fixture
def proposal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Proposals are tested by themselves; here they are given."""
    monkeypatch.setattr(drafts, "proposed_others", lambda *_: PROPOSED)


@pytest.mark.usefixtures("proposal")
def test_lab_of_a_moment__leads_to_its_behaviour_and_to_the_strongest_others() -> None:
    moment = AhaMoment.objects.create(**MOMENT)

    lab = drafts.draft_lab(moment=moment)

    assert [(one["key"], one["behaviour"], one["times"], one["share"]) for one in lab.nudges] == [
        ("friend_add", "friend_add", 3, 5_000),
        ("chat", "chat", 2, 5_000),
        ("shop", "shop", 1, 5_000),
    ]
    assert lab.other_behaviours == [dump(PROPOSED[2])]
    assert (lab.key, lab.enrolment, lab.primary_metrics) == ("friends-lab", "new_units", ["window:21-27"])
    assert lab.title == "3 friends within 7 days lab"
    assert len(groups(lab)) == 8
    missing = {problem.code for problem in problems(plan_of(lab), situation_of(lab))}
    assert missing == {"no_smallest_effect", "no_planned_units", "no_planned_end"}  # there are no events


@pytest.mark.usefixtures("proposal")
def test_lab_of_a_moment__of_as_many_nudges_as_are_wanted__and_can_be_had() -> None:
    moment = AhaMoment.objects.create(**MOMENT)

    assert len(drafts.draft_lab(moment=moment, nudges=2).nudges) == 2
    all_of_them = drafts.draft_lab(moment=moment, nudges=8)
    assert [one["key"] for one in all_of_them.nudges] == ["friend_add", "chat", "shop", "chatx1"]
    for wrong in (1, 9):
        with pytest.raises(Refused, match="2 to 8 nudges"):
            drafts.draft_lab(moment=moment, nudges=wrong)


def moved(itt: float, *stages: float) -> OutcomeMoments:
    behaviours, times = ("friend_add", "chat", "shop"), (3, 2, 1)
    return OutcomeMoments("week:2", "proportion", behaviours, times, (itt, *stages), ((0.0,) * 4,) * 4, 500, 500)


@pytest.mark.usefixtures("proposal")
def test_lab_of_a_moment__whose_behaviour_was_nudged_before__expects_what_the_latest_nudge_moved() -> None:
    first, last = (
        finding(
            key, moments=IvMoments(0.03, stage, 1e-4, 8e-5, 3e-5, 500, 500), ended=date(2026, month, 1), outcomes=row
        )
        for key, stage, month, row in (
            ("first", 0.3, 2, (moved(0.03, 0.3, 0.2, 0.2),)),
            ("last", 0.123456, 3, (moved(0.03, 0.123456, -0.0412, 0.01),)),
        )
    )
    others = [
        finding("weak", definition=Definition("chat", 2, 7, "week:2"), moments=IvMoments(0, 0.009, 1, 1, 0, 500, 500)),
        finding("without others", definition=Definition("shop", 1, 7, "week:2")),
        finding("other times", definition=Definition("friend_add", 2, 7, "week:2"), ended=date(2026, 4, 1)),
    ]
    keep_findings([last, first, *others])

    lab = drafts.draft_lab(moment=AhaMoment.objects.create(**MOMENT))

    assert [(one["take_up"], one["spill"]) for one in lab.nudges] == [(0.1235, 0.0412), (0.1, 0.0), (0.3, 0.0)]


def test_keys__of_nudges__are_short_and_differ() -> None:
    taken: list[str] = []
    for name in ("Invite a friend to the guild", "Invite a friend to the club", "친구", "!", "none", "none"):
        taken.append(drafts.nudge_key(name, taken))

    assert taken[:4] == ["invite-a-friend", "invite-a-frie-2", "chingu", "nudge"]
    assert len(set(taken)) == len(taken)
    assert all(NUDGE_KEY.fullmatch(key) and key != "none" for key in taken)


def test_reading_of_the_log__of_a_lab__names_the_behaviours_of_its_nudges() -> None:
    named = {str(ask.behaviour) for ask in asks_of(plan_of(lab_draft())) if hasattr(ask, "behaviour")}

    assert "chat" in named
