"""A lab through the engine: each nudge against all users without it, and what of a result stays with the sets."""

from dataclasses import replace
from math import sqrt
from typing import Any

import numpy as np
import pytest

from experiments.analyse.codes import Code
from experiments.analyse.comparison.lab_cells import LabData, lab_behaviours
from experiments.analyse.gather.answers import Block, Cells
from experiments.analyse.result import Ground, Locked, Opened, Ruling
from experiments.plan.analysed import Analysed
from experiments.plan.lab import OFF, sides
from experiments.plan.record import GuardrailRule
from stats.compare import compare_proportions
from stats.results import computable
from stats.summaries import Mean
from tests.experiments.analyse.labs.lab_world import (
    GUARDRAIL,
    METRIC,
    QUIET,
    Users,
    answers_of,
    draw_users,
    lab_plan,
    read,
)
from tests.experiments.make_readout import opened
from tests.rates import at_least, at_most
from tests.stats.make import computed

RATIO = "sum:buy:amount:0-6 / active_days:0-6"
MOVES = {2: [[0.2, 0.04], [0.04, 0.2]], 3: [[0.2, 0.03, 0], [0.03, 0.2, 0.03], [0, 0.03, 0.2]]}


def data_of(planned: Analysed, users: Users) -> LabData:
    nudges = tuple(nudge.key for nudge in planned.plan.nudges)
    cells = answers_of(planned, users).cells
    return LabData(cells, (METRIC, GUARDRAIL), {}, nudges=nudges, behaviours=lab_behaviours(planned.plan))


def world(planned: Analysed, n: int = 6_000, seed: int = 1, **changes: Any) -> Users:
    j = len(planned.plan.nudges)
    given: dict[str, Any] = {"moves": MOVES[j], "effects": [0.2, 0.0, 0.0][:j], **changes}
    return draw_users(planned, n, seed, **given)


# ── The comparison of one nudge ───────────────────────────────────────────────
@pytest.mark.parametrize(("shares", "most"), [((5_000, 3_000), None), ((5_000,) * 3, None), ((5_000,) * 3, 2)])
def test_pair__of_a_nudge__is_that_of_the_users_rows(shares: tuple[int, ...], most: int | None) -> None:
    planned = lab_plan(shares, most=most)
    users = world(planned)
    data = data_of(planned, users)

    for place in range(len(shares)):
        pair = data.pair(METRIC, 1 + place)
        others = np.delete(users.on, place, axis=1).sum(axis=1)
        could = others < (most or len(shares))  # with the most of them already, nobody could have this one, too
        with_it, without = (users.kept[could & (users.on[:, place] == has)] for has in (1, 0))
        assert (pair.control.n, pair.variant.n) == (len(without), len(with_it))
        assert (pair.control.mean, pair.variant.mean) == pytest.approx((without.mean(), with_it.mean()))
        assert pair.variant.variance == pytest.approx(with_it.var(ddof=1))
        assert not pair.has_behaviour
        assert data.level(METRIC, 1 + place, alpha=0.05).n == len(with_it)
        for behaviour, led in enumerate(data.behaviours):
            did = users.did[:, behaviour]
            control, variant = data.toward(METRIC, 1 + place, led).joints()
            assert variant.means[1] == pytest.approx(did[could & (users.on[:, place] == 1)].mean())
            assert control.means[1] == pytest.approx(did[could & (users.on[:, place] == 0)].mean())


def test_pair__of_a_lab_with_one_nudge_at_once__is_against_those_without_any() -> None:
    planned = lab_plan((5_000,) * 3, most=1)
    users = world(planned)

    assert dict(sides(planned.plan.arms, "b")) == {"none": False, "b": True}
    pair = data_of(planned, users).pair(METRIC, 2)

    assert pair.control.n == (users.on.sum(axis=1) == 0).sum()
    assert pair.variant.n == (users.on[:, 1] == 1).sum()


def test_level__of_off__is_that_of_users_without_any_nudge() -> None:
    planned = lab_plan((5_000, 5_000))
    users = world(planned)

    assert data_of(planned, users).level(METRIC, 0, alpha=0.05).n == (users.arm == 0).sum()


def test_summaries__without_the_outcome__hold_zeros_in_its_place() -> None:
    planned = lab_plan((5_000, 5_000))
    data = data_of(planned, world(planned))

    n, means, covariance = data.summaries(METRIC)
    same_n, blind, spread = data.summaries(METRIC, with_outcome=False)

    assert (n == same_n).all()
    assert means[:, 1:] == pytest.approx(blind[:, 1:])
    assert covariance[:, 1:, 1:] == pytest.approx(spread[:, 1:, 1:])
    assert means[:, 0].all()
    assert not blind[:, 0].any()
    assert not spread[:, 0].any()


# ── Through the engine ────────────────────────────────────────────────────────
def test_result__of_a_lab__compares_nudges_and_counts_each_user_once() -> None:
    planned = lab_plan((5_000,) * 3, guardrails=(GUARDRAIL,), planned_units=6_000)
    users = world(planned)

    result = opened(read(planned, users))

    assert result.plan.arms == (OFF, "a", "b", "c")
    assert [row.variant for row in result.report.outcomes[0].comparisons] == ["a", "b", "c"]
    assert result.maturity.fraction == 1.0
    assert sum(result.flow.exposed.values()) == sum(result.report.units.values()) == 6_000
    assert set(result.flow.exposed) == set(planned.plan.arms)
    assert len(result.flow.by_day) == 14  # a row a day, not one for each set
    assert sum(n for _day, _arm, n in result.flow.by_day) == 14 * 8 * 10
    assert computed(result.sample_ratio).degrees_of_freedom == 7
    assert {look.variant: look.units for look in result.path} == {"a": 6_000, "b": 6_000, "c": 6_000}
    row = result.report.outcomes[0].comparisons[0]
    on, off = (users.kept[users.on[:, 0] == has] for has in (1, 0))
    assert computed(row.difference).estimate == pytest.approx(on.mean() - off.mean(), abs=0.01)  # within segments
    assert row.encouragement is None
    assert result.verdict.reason in ("nudge", "no_difference", "multiplicity")
    assert {row.variant for row in result.over_time} == {"a", "b", "c"}
    assert [row.variant for row in result.arms_over_time] == [OFF, "a", "b", "c"]
    stage = computed(result.first_stage[0].take_up)
    did = users.did[:, 0]
    assert stage.difference == pytest.approx(
        did[users.on[:, 0] == 1].mean() - did[users.on[:, 0] == 0].mean(), abs=0.01
    )


def test_result__of_one_segment__is_the_plain_comparison_of_its_users() -> None:
    planned = lab_plan((5_000, 4_000))
    users = world(planned)
    users = replace(users, segment=np.zeros_like(users.segment))

    row = opened(read(planned, users)).report.outcomes[0].comparisons[1]

    on, off = (users.kept[users.on[:, 1] == has] for has in (1, 0))
    direct = compare_proportions(
        Mean.from_counts(int(off.sum()), len(off)), Mean.from_counts(int(on.sum()), len(on)), alpha=0.05
    )
    assert computed(row.difference).estimate == pytest.approx(computed(direct).estimate)
    assert computed(row.difference).p_value == pytest.approx(computed(direct).p_value)


@pytest.mark.slow
def test_nudges__of_which_none_does_anything__are_rarely_called_an_effect() -> None:
    """Holm over nudges: any of three in at most 5 % of labs; and each interval covers."""
    planned, runs, false, covered = lab_plan((5_000, 5_000, 3_000)), 30, 0, 0
    for seed in range(runs):
        result = opened(read(planned, world(planned, 2_000, seed, effects=[0.0] * 3), **QUIET))
        rows = [computed(row.difference) for row in result.report.outcomes[0].comparisons]
        false += result.verdict.code in (Code.CAUSES, Code.HARMS)
        covered += sum(row.low <= 0 <= row.high for row in rows)
    assert at_most(false, runs, 0.05)
    assert at_least(covered, 3 * runs, 0.95)


@pytest.mark.slow
def test_effects__with_at_most_two_of_three__hold_nothing_of_the_other_nudges() -> None:
    """With another nudge's direct effect of 20 points, comparing all with to all without is 3 points off."""
    planned, runs = lab_plan((5_000,) * 3, most=2), 30
    gaps = []
    for seed in range(runs):
        users = world(planned, 4_000, seed, effects=[0.0] * 3, direct=[0.0, 0.2, 0.0])
        row = opened(read(planned, users, **QUIET)).report.outcomes[0].comparisons[0]
        gaps.append(computed(row.difference).estimate)
    error = float(np.std(gaps)) / sqrt(runs)
    assert abs(float(np.mean(gaps))) < 3.5 * error
    assert error < 0.005


def test_guardrail__harmed_by_one_nudge__is_a_decision_about_this_one() -> None:
    rules = {GUARDRAIL: GuardrailRule("higher", 0.02)}
    planned = lab_plan((5_000, 5_000), guardrails=(GUARDRAIL,), guardrail_rules=rules)
    users = world(planned, 12_000, effects=[0.4, 0.4], guard=[0.0, -0.15])

    decision = opened(read(planned, users)).decision

    assert decision is not None
    by_arm = {arm.variant: arm for arm in decision.arms}
    assert (by_arm["b"].ruling, by_arm["b"].ground) == (Ruling.DONT, Ground.GUARDRAIL_HARM)
    assert by_arm["a"].ground is Ground.PROVED
    assert not by_arm["a"].harmed


def test_lab__with_planned_looks__opens_at_them_and_its_path_goes_on() -> None:
    looks: dict[str, Any] = {"method": "group_sequential", "looks": (0.5, 1.0), "planned_units": 4_000}
    planned = lab_plan((5_000, 5_000), enrolment_ended=None, **looks)
    assert isinstance(read(planned, world(planned, 1_000)), Locked)

    first = read(planned, world(planned, 2_200))

    assert isinstance(first, Opened)
    assert [look.variant for look in first.path] == ["a", "b"]
    over = lab_plan((5_000, 5_000), **looks)
    last = opened(read(over, world(over, 4_000), earlier=first.path))
    assert len(last.path) == 4
    assert {look.measured for look in last.path} == {last.plan.measured}
    assert last.maturity.final


def test_sets__that_lost_users__make_the_data_invalid() -> None:
    planned = lab_plan((5_000, 5_000))
    users = world(planned, 4_000)
    kept = (users.arm != 3) | (np.arange(4_000) % 2 == 0)
    users = Users(**{name: values[kept] for name, values in vars(users).items()})

    result = read(planned, users)

    assert result.verdict is not None
    assert result.verdict.code is Code.INVALID


@pytest.mark.parametrize("n", [4, 8, 40])
def test_lab__with_few_users__has_reasons_instead_of_numbers(n: int) -> None:
    planned = lab_plan((5_000, 5_000))
    sizes = np.arange(n) % 4
    users = world(planned, n)
    on = np.array([[0, 0], [1, 0], [0, 1], [1, 1]], float)[sizes]
    result = opened(read(planned, replace(users, arm=sizes, on=on)))

    assert result.verdict.code is Code.INCONCLUSIVE
    assert {finding.details["variant"] for finding in result.health if finding.check == "tiny_variant"} == {
        OFF,
        "a",
        "b",
    }
    assert all(not computable(row.take_up) or row.take_up.standard_error >= 0 for row in result.first_stage)


def test_silence__of_users_with_one_nudge__is_found_among_all_sets() -> None:
    planned = lab_plan((5_000,) * 3)
    users = world(planned, 4_000)
    arms, n = planned.plan.arms, np.bincount(users.arm, minlength=8)

    def checks(with_b: float) -> set[str]:
        silent = tuple(
            (arm, int(units), int(units * (with_b if "b" in arm.split(".") else 0.05)))
            for arm, units in zip(arms, n, strict=True)
        )
        return {finding.check for finding in read(planned, users, silent=silent).health}

    assert "silent_differs" in checks(0.15)
    assert "silent_differs" not in checks(0.05)


# ── Ratios ────────────────────────────────────────────────────────────────────
def test_ratio__of_a_lab__is_that_of_the_users_rows() -> None:
    """Revenue per active day: per nudge the ratio of sums on each side; per set its own ratio with the delta method."""
    planned = lab_plan((5_000, 5_000))
    users = world(planned, 6_000)
    rng = np.random.default_rng(2)
    days = 1.0 + rng.poisson(3, 6_000)
    paid = days * (1 + 0.3 * users.on[:, 0]) + rng.normal(0, 1, 6_000)
    rows = np.column_stack([paid, days, users.did[:, 0], users.did[:, 0], users.did[:, 1]])
    groups = [rows[users.arm == arm] for arm in range(4)]
    block = Block(
        ("value", "denominator", "reached", "times", "other_0"),
        np.array([len(group) for group in groups]),
        np.array([group.mean(axis=0) for group in groups]),
        np.array([np.cov(group.T) for group in groups]),
    )
    zero = np.zeros(4, dtype=np.int64)
    none = np.empty((4, 0), dtype=np.int64)
    cells = Cells(
        planned.plan.arms, ("",), (), (), (), np.arange(4), zero, zero, none, block.n, {RATIO: block}, others=("chat",)
    )
    data = LabData(cells, (RATIO,), {}, nudges=("a", "b"), behaviours=lab_behaviours(planned.plan))

    pair = data.pair(RATIO, 1)
    on, off = users.on[:, 0] == 1, users.on[:, 0] == 0
    assert pair.variant.mean == pytest.approx(paid[on].sum() / days[on].sum())
    assert pair.control.mean == pytest.approx(paid[off].sum() / days[off].sum())
    n, means, covariance = data.summaries(RATIO)
    for arm, group in enumerate(groups):
        ratio = group[:, 0].sum() / group[:, 1].sum()
        linear = ratio + (group[:, 0] - ratio * group[:, 1]) / group[:, 1].mean()
        assert n[arm] == len(group)
        assert means[arm].tolist() == pytest.approx([ratio, group[:, 2].mean(), group[:, 4].mean()])
        assert covariance[arm] == pytest.approx(np.cov(np.column_stack([linear, group[:, 2], group[:, 4]]).T))
