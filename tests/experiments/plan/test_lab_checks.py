"""What keeps a lab from starting: each problem on both sides of its threshold, with its sentence; flags of all labs."""

from dataclasses import replace
from math import nan
from typing import Any

import pytest

from experiments.models import Experiment
from experiments.plan.lab import LARGEST_SHARE, LEAST_SHARE, share_at_most, variants_of
from experiments.plan.lifecycle import LIVE
from experiments.plan.record import WHOLE, PlannedOther, PlannedRow, PlannedVariant
from experiments.plan.stored import plan_of, situation_of
from experiments.plan.validation import problems, words
from experiments.status.waiting import _situations as situations_of_list
from stats.instrument import lab as statistics
from tests.experiments.make import a_plan, a_situation, do, draft
from tests.experiments.plan.lab_plans import lab_draft, lab_plan, nudge

MEDIAN = "quantile:50%:count:invite:8-9"


def many(count: int, **changes: Any) -> tuple[Any, ...]:
    return tuple(nudge(f"n{at}", "friend_add" if not at else f"act{at}", 3, **changes) for at in range(count))


def others(count: int) -> tuple[PlannedOther, ...]:
    return tuple(PlannedOther(f"other{at}", 1, 0.0, 0.1, "person") for at in range(count))


@pytest.mark.parametrize(
    ("plan", "codes"),
    [
        (lab_plan(), []),
        (lab_plan(*many(1)), ["nudge_count"]),
        (lab_plan(*many(8)), []),
        (lab_plan(*many(9)), ["nudge_count"]),
        (lab_plan(nudge(), nudge("a" * 15, "chat", 1)), []),
        (lab_plan(nudge(), nudge("a" * 16, "chat", 1)), ["bad_nudge_key"]),
        (lab_plan(nudge(), nudge("", "chat", 1)), ["bad_nudge_key"]),
        (lab_plan(nudge(), nudge("a.b", "chat", 1)), ["bad_nudge_key"]),
        (lab_plan(nudge(), nudge("A-b_1", "chat", 1)), []),
        *((lab_plan(nudge(), nudge(key, "chat", 1)), ["bad_nudge_key"]) for key in ("none", "off", "default")),
        (lab_plan(nudge(), nudge("pals", "chat", 1)), ["repeated_nudge"]),
        (lab_plan(nudge(), nudge("chat", "chat", 1, share=2_000)), []),
        (lab_plan(nudge(), nudge("chat", "chat", 1, share=1_999)), ["nudge_share"]),
        (lab_plan(nudge(share=8_000), nudge("chat", "chat", 1)), []),
        (lab_plan(nudge(share=8_001), nudge("chat", "chat", 1)), ["nudge_share"]),
        (lab_plan(nudge(), nudge("chat", "chat[", 1)), ["bad_nudge_behaviour"]),
        (lab_plan(nudge(), nudge("chat", "Experiment Viewed", 1)), ["bad_nudge_behaviour"]),
        (lab_plan(nudge(), nudge("chat", "chat", 0)), ["nudge_times"]),
        (lab_plan(nudge(), nudge("chat", "chat", 1, take_up=1.0)), []),
        (lab_plan(nudge(), nudge("chat", "chat", 1, take_up=0.0001)), []),
        *((lab_plan(nudge(), nudge("chat", "chat", 1, take_up=bad)), ["nudge_take_up"]) for bad in (0.0, 1.01, nan)),
        (lab_plan(nudge(), nudge("chat", "chat", 1, spill=1.0)), []),
        *((lab_plan(nudge(), nudge("chat", "chat", 1, spill=bad)), ["nudge_spill"]) for bad in (-0.01, 1.01, nan)),
        (lab_plan(nudge(times=2), nudge("chat", "chat", 1)), ["nothing_leads_there"]),
        (lab_plan(nudge("a", "shop", 1), nudge("chat", "chat", 1)), ["nothing_leads_there"]),
        (lab_plan(claim=None), ["lab_without_moment"]),
        (lab_plan(*many(2), others=others(11)), []),
        (lab_plan(*many(2), others=others(12)), ["too_many_beside"]),
        (lab_plan(*many(2), others=others(13)), ["too_many_others"]),
        (lab_plan(method="always_valid"), ["lab_always_valid"]),
        (lab_plan(method="group_sequential", looks=(0.5, 1.0)), []),
        (lab_plan(cluster="guild"), ["lab_clusters"]),
        (lab_plan(audience=(PlannedRow("a", 5_000), PlannedRow(None, 10_000))), []),
        (lab_plan(audience=(PlannedRow("a", 1, (2_500,) * 4),)), ["lab_row_weights"]),
        (lab_plan(adjustment="lin", covariates=("platform",)), []),
        (
            lab_plan(adjustment="lin_predicted", covariates=("platform",), enrolment="new_units"),
            ["lab_predicted"],
        ),
        (lab_plan(primary=(MEDIAN,)), ["quantile_of_moved"]),
        (lab_plan(primary=(MEDIAN,), claim=None), ["lab_without_moment", "lab_quantile"]),
        (lab_plan(secondary=(MEDIAN,)), []),
        (lab_plan(*many(3), most=0), ["bad_most_nudges"]),
        (lab_plan(*many(3), most=1), []),
        (lab_plan(*many(3), most=3), []),
        (lab_plan(*many(3), most=4), ["bad_most_nudges"]),
        (lab_plan(*many(4), most=1), []),  # a fifth each
        (lab_plan(*many(5), most=1), ["too_few_at_once"]),
        (lab_plan(*many(8), most=2), []),
        (lab_plan(*many(3, share=100), most=2), []),  # the own shares count for nothing then
        (lab_plan(*many(3, share=100), most=3), ["nudge_share"] * 3),
        (lab_plan(flag="a" * 123), []),
        (lab_plan(flag="a" * 124), ["bad_key", "bad_key"]),
        (a_plan(nudges=many(2)), ["nudges_of_a_test"]),
        (a_plan(most_nudges=2), ["nudges_of_a_test"]),
        (replace(lab_plan(), variants=lab_plan().variants[:3]), ["bad_weights"]),
        (replace(lab_plan(), variants=(*lab_plan().variants[:3], PlannedVariant("default", {}, 2_500))),
         ["bad_variant_key"]),
    ],
)  # fmt: skip
def test_start__of_a_lab__is_refused_for_exactly_what_is_wrong(plan: Any, codes: list[str]) -> None:
    found = problems(plan, a_situation())

    assert [problem.code for problem in found] == codes
    for problem in found:
        sentence = words(problem)
        assert sentence.endswith(".")
        assert "{" not in sentence


@pytest.mark.parametrize("count", range(2, 9))
def test_share__at_most_so_many__is_that_of_the_statistics(count: int) -> None:
    for most in range(1, count):
        share = share_at_most(count, most)
        refused = not LEAST_SHARE - 1e-5 < share * WHOLE < LARGEST_SHARE + 1e-5
        if refused:
            with pytest.raises(ValueError, match="of the users"):
                statistics.sets_of([0.5] * count, most)
        else:
            assert statistics.sets_of([0.5] * count, most).shares == pytest.approx([share] * count)
        made = variants_of(many(count), most)
        first = sum(variant.weight for variant in made if "n0" in variant.key.split("."))
        assert first / WHOLE == pytest.approx(share, abs=len(made) / WHOLE)


def test_limits__are_those_of_the_statistics() -> None:
    assert (LEAST_SHARE / WHOLE, LARGEST_SHARE / WHOLE) == (statistics.LEAST_SHARE, statistics.LARGEST_SHARE)


def taken(row: Experiment) -> tuple[tuple[str, str], ...]:
    """The taken flags, which both ways to know them must agree on."""
    found = situation_of(row).flags_taken
    assert situations_of_list([row])[row.pk].flags_taken == found
    return found


@pytest.mark.django_db
def test_flag_of_a_nudge__that_a_live_experiment_has__keeps_the_lab_from_starting() -> None:
    draft("other", flag_key="lab.chat")
    lab = lab_draft("lab")

    assert taken(lab) == ()

    do("other", "start")
    assert taken(lab) == (("lab.chat", "other"),)
    problem = problems(plan_of(lab), situation_of(lab))[0]
    assert words(problem) == "The flag 'lab.chat' is already served by the experiment 'other'."


@pytest.mark.django_db
def test_flag__that_a_live_labs_nudge_has__keeps_a_test_and_another_lab_from_starting() -> None:
    Experiment.objects.filter(pk=lab_draft("lab").pk).update(status=LIVE[0].value)
    test = draft("test", flag_key="lab.pals")
    free = draft("free", flag_key="lab.shop")
    again = lab_draft("again", flag_key="lab")

    assert taken(test) == (("lab.pals", "lab"),)
    assert taken(free) == ()
    assert taken(again) == (("lab", "lab"), ("lab.pals", "lab"), ("lab.chat", "lab"))
