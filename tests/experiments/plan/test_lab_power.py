"""Size of a lab's plan: against labs that are drawn, against the statistics, and what a draft and the planner say."""

from dataclasses import replace
from datetime import date, timedelta
from html import unescape
from typing import Any

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse
from scipy import stats

from aha.models import AhaMoment
from experiments.plan import drafts, size
from experiments.plan.lab_power import LabPower, power_of_lab, unknown_rates
from experiments.plan.planned_power import Inflow
from experiments.plan.record import Plan
from experiments.plan.size import sized_plan
from experiments.plan_page.known_numbers import PowerCurve, curve_of
from runs.refusals import Refused
from stats.instrument.joint import LEAST_F_WITH_AS_MANY, conditional_f, p_value_of
from stats.instrument.lab import lab_size, moments_of_sets
from stats.multiplicity import holm
from stats.results import NotComputable, Reason
from tests.experiments.api.make import Api
from tests.experiments.plan.lab_plans import lab_draft, lab_plan, nudge, row
from tests.stats.make import computed

INFLOW = Inflow(date(2026, 10, 1), date(2026, 10, 28), 11_200, 400.0, 0.4, None, 20, 0.3)
RATES = (("friend_add", 3, 0.3), ("chat", 1, 0.2))


def two(take_up: float = 0.12, spill: float = 0.04, **changes: Any) -> Plan:
    nudges = (nudge(take_up=take_up, spill=spill), nudge("chat", "chat", 1, take_up=take_up, spill=spill))
    return lab_plan(*nudges, **{"smallest_effect": 0.02, "planned_effect": 0.15, **changes})


def power(plan: Plan | None = None, **changes: Any) -> LabPower:
    return power_of_lab(plan or two(), replace(INFLOW, rates=RATES, **changes))


def test_plan__as_the_calculation_reads_it() -> None:
    found = power()

    assert found.names == (("friend_add", 3), ("chat", 1))
    assert found.expected.first_stages.tolist() == [[0.12, 0.04], [0.04, 0.12]]
    moved = [0.3 + 0.08, 0.2 + 0.08]  # half of the users have each nudge
    assert found.expected.spread.diagonal() == pytest.approx([0.24, *(rate * (1 - rate) for rate in moved)])
    assert (found.level, found.inflation, found.power) == (0.05, 1.0, 0.8)


@pytest.mark.parametrize(
    ("changes", "level"), [({}, 0.05), ({"primary": ("window:14-20", "on_day:14")}, 0.025), ({"alpha": 0.1}, 0.1)]
)
def test_level__is_the_plans_over_its_outcomes__whatever_the_number_of_groups(
    changes: dict[str, Any], level: float
) -> None:
    assert power(two(**changes)).level == pytest.approx(level)


def test_users__are_those_of_the_statistics__and_more_with_looks_and_less_with_an_adjustment() -> None:
    found = power()
    exact = computed(lab_size(replace(found.expected, effects=np.full(2, 0.15)), 0.8, 0.05))

    assert found.users(0.15) == exact
    assert min(found.chances(0.15, exact)) >= 0.8 > min(found.chances(0.15, exact - 20))
    looks = power(two(method="group_sequential", looks=(0.5, 1.0)))
    assert looks.users(0.15) == pytest.approx(exact * looks.inflation, abs=1)
    assert looks.inflation > 1
    few = power(two(most_nudges=1))
    assert computed(few.users(0.15)) > exact


def test_effect__of_so_many_users__is_the_one_that_needs_them() -> None:
    found = power()

    effect = computed(found.smallest_effect(computed(found.users(0.15))))

    assert effect == pytest.approx(0.15, rel=1e-3)
    assert power(two(0.05, 0.05)).smallest_effect(1e6) == NotComputable(Reason.NOT_TOLD_APART)
    assert power(two(0.05, 0.05)).users(0.15) == NotComputable(Reason.NOT_TOLD_APART)


def drawn(found: LabPower, effects: Any, users: int, seed: int) -> Any:
    """A lab of independent users as the plan expects it, as moments."""
    rng, sets = np.random.default_rng(seed), found.expected.sets
    place = rng.choice(len(sets.chances), users, p=sets.chances)
    rates = np.array([rate for *_name, rate in RATES])
    does = rng.random((users, 2)) < rates + sets.on[place] @ found.expected.first_stages
    values = np.column_stack([rng.random(users) < 0.4 - rates @ effects + does @ effects, does]).astype(float)
    count = len(sets.chances)
    n = np.bincount(place, minlength=count).astype(float)
    means = np.array([values[place == at].mean(axis=0) for at in range(count)])
    spread = np.array([np.cov(values[place == at].T) for at in range(count)])
    return computed(moments_of_sets(("a", "b"), ("friend_add", "chat"), sets.on, n, means, spread))


@pytest.mark.slow
@pytest.mark.parametrize("shares", [(5_000, 5_000), (3_000, 6_000)])
def test_chance__is_what_drawn_labs_decide(shares: tuple[int, int]) -> None:
    planned = two()
    nudges = tuple(replace(one, share=share) for one, share in zip(planned.nudges, shares, strict=True))
    found = power(replace(planned, nudges=nudges))
    users, runs = computed(found.users(0.15)), 400
    decided = np.zeros(2)
    for seed in range(runs):
        moments = drawn(found, np.full(2, 0.15), users, seed)
        strong = [computed(conditional_f(moments, place)) >= LEAST_F_WITH_AS_MANY for place in range(2)]
        adjusted = holm([p_value_of(moments, place, 0.0) if strong[place] else 1.0 for place in range(2)])
        decided += [p_value < 0.05 for p_value in adjusted]

    assert decided / runs == pytest.approx(found.chances(0.15, users), abs=0.06)


@pytest.mark.slow
def test_no_effect__is_called_immaterial__as_often_as_drawn_labs_call_it() -> None:
    found = power()
    users, runs = 60_000, 300
    inside = np.zeros(2)
    for seed in range(runs):
        one = drawn(found, np.zeros(2), users, seed)
        solved = np.linalg.inv(one.first_stages)
        estimate = solved @ one.itt
        size_of = one.covariance.reshape(2, 3, 2, 3)[:, 0, :, 0]
        error = np.sqrt(np.diag(solved @ size_of @ solved.T))
        p_values = holm(list(stats.norm.sf((0.1 - np.abs(estimate)) / error)))
        inside += [p_value < 0.05 for p_value in p_values]

    assert inside.min() / runs == pytest.approx(found.no_material_effect(0.1, users), abs=0.08)
    assert 0.1 < found.no_material_effect(0.1, users) < 0.9


def test_no_effect__edges() -> None:
    assert power().no_material_effect(0.001, 100) == 0.0
    assert power().no_material_effect(10.0, 10**6) == pytest.approx(1.0)
    assert power(two(0.05, 0.05)).no_material_effect(0.1, 10**6) == 0.0
    with pytest.raises(ValueError, match="margin"):
        power().no_material_effect(0.0, 100)


def test_rate__that_is_not_known__is_half__and_the_claims_is_its_reach() -> None:
    found = power_of_lab(two(spill=0.0), INFLOW)

    spread = found.expected.spread.diagonal()
    assert spread[1:] == pytest.approx([0.36 * 0.64, 0.56 * 0.44])
    assert unknown_rates(two(), INFLOW) == [("chat", 1)]
    assert unknown_rates(two(), replace(INFLOW, rates=RATES)) == []
    assert unknown_rates(two(), replace(INFLOW, reach=None)) == [("friend_add", 3), ("chat", 1)]


def test_suggestion__of_a_lab__has_size_and_end() -> None:
    inflow = replace(INFLOW, rates=RATES)

    found = sized_plan(two(), inflow, 0.5)

    users = computed(power().users(0.15))
    assert (found.planned_units, found.take_up, found.planned_effect, found.smallest_effect) == (
        users, 0.12, 0.15, 0.02
    )  # fmt: skip
    assert sum(computed(found.per_variant)) == pytest.approx(users, abs=4)
    assert computed(found.days) == -(-users // 200) + 21
    assert found.planned_end < found.result_on  # type: ignore[operator]
    tried = sized_plan(two(), inflow, 0.5, planned_effect=0.3)
    assert computed(tried.planned_units) < users


def test_suggestion__without_an_effect__has_that_of_the_planned_users() -> None:
    plan = two(planned_effect=None, smallest_effect=None, planned_units=20_000)

    found = sized_plan(plan, replace(INFLOW, rates=RATES), 1.0)

    assert found.planned_units == 20_000
    assert found.planned_effect == found.smallest_effect == power().smallest_effect(20_000)
    assert found.power_no_material_effect == NotComputable(Reason.NO_MARGIN)


def test_suggestion__of_nudges_that_cant_be_told_apart__says_so() -> None:
    found = sized_plan(two(0.05, 0.05), INFLOW, 1.0)

    assert found.planned_units == found.planned_end == NotComputable(Reason.NOT_TOLD_APART)


def test_suggestion__of_a_lab_that_cant_be_drawn__is_refused() -> None:
    with pytest.raises(Refused, match="can't be sized"):
        sized_plan(lab_plan(nudge()), INFLOW, 1.0)


def test_curve__of_a_lab__has_a_line_for_each_behaviour() -> None:
    plan = two(planned_units=8_000)
    inflow = replace(INFLOW, rates=RATES)

    found = curve_of(plan, sized_plan(plan, inflow, 1.0))

    assert isinstance(found, PowerCurve)
    assert [one[:2] for one in found.behaviours] == [("friend_add", 3), ("chat", 1)]
    assert found.reached == min(power().chances(0.15, 8_000))
    for place, (users, least) in enumerate(found.points):
        assert least == min(one[2][place][1] for one in found.behaviours)
        assert {one[2][place][0] for one in found.behaviours} == {users}


ADDS = {
    "key": "two-adds", "name": "Two adds", "behaviour": "add", "times": 2, "days": 4, "signup_event": "signup",
    "retention": "window:4-5",
}  # fmt: skip


@pytest.mark.django_db
@pytest.mark.usefixtures("world")
def test_rates__of_a_lab__are_counted_in_the_log() -> None:
    moment = AhaMoment.objects.create(**ADDS)
    lab = lab_draft(
        "lab", row("adds", "add", 2), row("play", "play"), row("more", "add", 3), moment=moment,
        primary_metrics=["window:3-4"], enrolment="new_units",
    )  # fmt: skip

    found = size.measured_inflow(lab)

    assert found.rates == (("add", 2, 0.2), ("play", 1, 0.5), ("add", 3, 0.0))
    assert found.reach == 0.2
    said = Api().ok("GET", "lab/power?planned_effect=0.2")
    assert said["inflow"]["rates"] == [["add", 2, 0.2], ["play", 1, 0.5], ["add", 3, 0.0]]
    assert len(said["per_variant"]) == 8
    assert said["planned_units"] > 1_000
    assert said["arms"] is None


@pytest.mark.django_db
def test_lab_of_a_moment__with_an_inflow__is_sized(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (size, drafts):
        monkeypatch.setattr(module, "base_rate_and_inflow", lambda *_args, **_options: INFLOW)
    others = [{"behaviour": "chat", "times": 1, "low": 0.0, "high": 0.1, "origin": "promise", "consequence": ""}]
    monkeypatch.setattr(drafts, "_others_of", lambda *_: others)
    moment = AhaMoment.objects.create(**ADDS)

    lab = drafts.draft_lab(moment=moment)

    assert [one["take_up"] for one in lab.nudges] == [0.1, 0.1]
    assert lab.planned_units == 11_200  # of four weeks, since the moment has no evidence
    assert lab.smallest_effect > 0  # type: ignore[operator]
    assert lab.planned_end > date.today() + timedelta(days=20)  # type: ignore[operator]  # noqa: DTZ011


@pytest.mark.django_db
def test_size_step__of_a_lab__says_that_its_behaviours_share_one_error_rate(
    monkeypatch: pytest.MonkeyPatch, admin_client: Client
) -> None:
    monkeypatch.setattr(size, "base_rate_and_inflow", lambda *_args, **_options: INFLOW)
    moment = AhaMoment.objects.create(**ADDS)
    lab = lab_draft("lab", row("adds", "add", 2), row("play", "play"), moment=moment, planned_units=20_000)
    drafts.update_draft(key="lab", smallest_effect=0.05, planned_effect=0.1)

    step, outlook = (
        unescape(admin_client.get(reverse(route, args=[lab.key, "plan"])).content.decode())
        for route in ("experiments:step", "experiments:plan_outlook")
    )

    assert "The behaviours share one error rate" in outlook
    assert "Error rate that its behaviours share" in outlook
    assert "Level of one comparison" not in outlook
    assert "whatever nudges they get" in outlook
    assert "all groups" not in outlook
    assert "Which test decides soonest?" not in step  # tests alone are searched
