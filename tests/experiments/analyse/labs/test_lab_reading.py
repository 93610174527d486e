"""What all nudges of a lab say of each behaviour: worlds with a known truth, and what a locked lab may show."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from experiments.analyse.codes import Code
from experiments.analyse.payload_versions import READOUT
from experiments.analyse.result import AnalysisResult, LabReading, Locked, Opened
from experiments.plan.record import PlannedNudge
from runs.payloads import Unreadable
from stats.instrument.anderson_rubin import AndersonRubin
from stats.instrument.causes import State
from stats.results import NotComputable, Reason, computable
from tests.experiments.analyse.labs.lab_world import QUIET, Users, draw_users, lab_plan, read
from tests.experiments.make_readout import opened
from tests.rates import at_least, at_most
from tests.stats.make import computed

TWO = [[0.2, 0.06], [0.06, 0.2]]
THREE = [[0.2, 0.05, 0.0], [0.0, 0.2, 0.05], [0.05, 0.0, 0.2]]


def reading_of(result: Opened) -> LabReading:
    assert result.lab is not None
    return result.lab


def states(result: Opened) -> list[State]:
    return [row.place.state for row in reading_of(result).behaviours]


def holds(reading: LabReading, place: int, effect: float) -> bool:
    """Whether a behaviour's set holds an effect; a behaviour without a number rejects none."""
    measured = reading.behaviours[place].place.measured
    return measured is None or not computable(measured.effect_set) or measured.effect_set.contains(effect)


# ── The truth is found ────────────────────────────────────────────────────────
@pytest.mark.slow
def test_two_nudges__that_spill_on_each_other__the_inert_behaviour_is_not_called_a_cause() -> None:
    """Read alone, the nudge of the inert behaviour raises retention by its spill on the cause."""
    planned, runs = lab_plan(), 30
    false = covered = found = alone = 0
    for seed in range(runs):
        users = draw_users(planned, 16_000, seed, moves=TWO, effects=[0.4, 0.0])
        result = opened(read(planned, users, **QUIET))
        cause, inert = states(result)
        found += cause is State.CAUSES
        false += inert in (State.CAUSES, State.HARMS)
        covered += sum(holds(reading_of(result), place, effect) for place, effect in enumerate((0.4, 0.0)))
        whole = reading_of(result).whole[1].effect_set
        alone += computable(whole) and not whole.contains(0.0)

    assert at_most(false, runs, 0.05)
    assert at_least(covered, 2 * runs, 0.95)
    assert found >= 0.9 * runs
    assert not at_most(alone, runs, 0.05)  # the reading under an assumption, which is wrong here


@pytest.mark.slow
@pytest.mark.parametrize("most", [1, 2, None])
def test_three_nudges__with_so_many_at_once__cover_the_truth(most: int | None) -> None:
    planned, runs, truth = lab_plan((5_000,) * 3, most=most), 12, (0.4, 0.0, -0.3)
    false = covered = 0
    for seed in range(runs):
        users = draw_users(planned, 16_000, 100 + seed, moves=THREE, effects=truth)
        result = opened(read(planned, users, **QUIET))
        false += states(result)[1] in (State.CAUSES, State.HARMS)
        covered += sum(holds(reading_of(result), place, effect) for place, effect in enumerate(truth))
    assert at_most(false, runs, 0.05)
    assert at_least(covered, 3 * runs, 0.95)


def test_three_nudges__large_effects__are_named_by_their_sign() -> None:
    planned = lab_plan((5_000,) * 3, smallest_effect=0.1)
    users = draw_users(planned, 200_000, 1, moves=THREE, effects=[0.4, 0.0, -0.3])

    assert states(opened(read(planned, users))) == [State.CAUSES, State.NO_MATERIAL_EFFECT, State.HARMS]


def test_nudges__that_move_both_behaviours_alike__cant_tell_them_apart() -> None:
    planned = lab_plan()
    result = opened(
        read(planned, draw_users(planned, 20_000, 1, moves=[[0.15, 0.15], [0.15, 0.15]], effects=[0.4, 0.0]))
    )

    assert states(result) == [State.NOT_TOLD_APART] * 2
    for row, other in zip(reading_of(result).behaviours, ("chat", "friend_add"), strict=True):
        assert row.place.measured is not None
        assert row.place.measured.effect == NotComputable(Reason.NOT_TOLD_APART)
        assert row.place.measured.confused_with == (other,)


def test_behaviour__of_two_nudges__leaves_an_agreement_which_a_direct_effect_breaks() -> None:
    nudges = tuple(PlannedNudge(key, 5_000, act) for key, act in (("a", "friend_add"), ("b", "friend_add")))
    planned = lab_plan(nudges=nudges)
    users = draw_users(planned, 30_000, 1, moves=[[0.2], [0.2]], effects=[0.3])
    fine = reading_of(opened(read(planned, users)))
    assert len(fine.behaviours) == 1
    agreement = computed(fine.agreement)
    assert agreement.degrees_of_freedom == 1
    assert agreement.p_value > 0.001

    users = draw_users(planned, 30_000, 1, moves=[[0.2], [0.2]], effects=[0.3], direct=[0.0, 0.1])
    result = opened(read(planned, users))

    assert computed(reading_of(result).agreement).p_value < 0.001
    assert states(result) == [State.CONTRADICTED]


def test_agreement__of_as_many_nudges_as_behaviours__is_none() -> None:
    planned = lab_plan()
    lab = reading_of(opened(read(planned, draw_users(planned, 4_000, 1, moves=TWO, effects=[0.3, 0.0]))))

    assert lab.agreement == NotComputable(Reason.AS_MANY_NUDGES_AS_BEHAVIOURS)


def test_behaviours__of_one_text__are_told_apart_by_their_times() -> None:
    nudges = (PlannedNudge("a", 5_000, "chat", 1), PlannedNudge("b", 5_000, "chat", 5))
    claim = replace(lab_plan().plan.claim, behaviour="chat")  # type: ignore[type-var]
    planned = lab_plan(nudges=nudges, claim=claim)
    users = draw_users(planned, 20_000, 1, moves=TWO, effects=[0.4, 0.0])

    names = [row.place.behaviour for row in reading_of(opened(read(planned, users))).behaviours]

    assert names == ["chat >= 1", "chat >= 5"]


# ── Interactions, whole effects, take-ups ─────────────────────────────────────
def test_interaction__that_was_planted__is_found() -> None:
    planned = lab_plan((5_000,) * 3)
    users = draw_users(planned, 20_000, 1, moves=THREE, effects=[0.2, 0.0, 0.0], together=0.15)

    pairs = reading_of(opened(read(planned, users))).pairs

    assert [(pair.nudges, computed(pair.adjusted_p) < 0.05) for pair in pairs] == [
        (("a", "b"), True),
        (("a", "c"), False),
        (("b", "c"), False),
    ]


def test_take_ups__are_least_squares_of_each_behaviour_on_all_nudges() -> None:
    planned = lab_plan((5_000,) * 3, most=2)
    users = draw_users(planned, 5_000, 1, moves=THREE, effects=[0.3, 0.0, 0.0])

    rows = read(planned, users).take_ups

    assert len(rows) == 9
    design = np.column_stack([np.ones(5_000), users.on])
    direct = np.linalg.lstsq(design, users.did)[0][1:]
    assert [computed(row.difference).estimate for row in rows] == pytest.approx(direct.ravel())
    assert [(row.nudge, row.behaviour) for row in rows if row.aimed] == [
        ("a", "friend_add"),
        ("b", "chat"),
        ("c", "craft"),
    ]
    assert {row.n for row in rows} == {5_000}


def test_whole_effect__is_the_nudges_own_ratio() -> None:
    planned = lab_plan()
    users = draw_users(planned, 20_000, 1, moves=[[0.2, 0.0], [0.0, 0.2]], effects=[0.4, 0.1])
    users = replace(users, segment=np.zeros_like(users.segment))

    first = reading_of(opened(read(planned, users))).whole[0]

    on, off = users.on[:, 0] == 1, users.on[:, 0] == 0
    ratio = (users.kept[on].mean() - users.kept[off].mean()) / (users.did[on, 0].mean() - users.did[off, 0].mean())
    assert (first.nudge, first.behaviour) == ("a", "friend_add")
    assert computed(first.effect).estimate == pytest.approx(ratio)


# ── Looks, lock, edges ────────────────────────────────────────────────────────
def _width(effect_set: AndersonRubin) -> float:
    assert effect_set.low is not None
    assert effect_set.high is not None
    return effect_set.high - effect_set.low


def test_interim_look__has_wider_sets_of_the_plans_level() -> None:
    looks: dict[str, Any] = {"method": "group_sequential", "looks": (0.5, 1.0), "planned_units": 40_000}
    planned = lab_plan(enrolment_ended=None, **looks)
    users = draw_users(planned, 20_200, 1, moves=TWO, effects=[0.4, 0.0])

    interim = reading_of(opened(read(planned, users))).behaviours[0].place.measured
    final = reading_of(opened(read(lab_plan(), users))).behaviours[0].place.measured

    assert interim is not None
    assert final is not None
    early, late = computed(interim.effect_set), computed(final.effect_set)
    assert (early.level, late.level) == (0.95, 0.95)
    # Half of the units: O'Brien and Fleming's bound, 2.96 errors instead of 1.96.
    assert _width(early) / _width(late) == pytest.approx(2.96 / 1.96, rel=0.03)


def test_locked_lab__whatever_its_outcome__says_the_same() -> None:
    """Take-ups and nothing of the outcome: another outcome of the same users changes no number of a locked result."""
    planned = lab_plan(enrolment_ended=None, planned_units=50_000)
    users = draw_users(planned, 8_000, 1, moves=TWO, effects=[0.4, 0.0])
    other = replace(users, kept=1 - users.kept)

    result, turned = read(planned, users), read(planned, other)

    assert isinstance(result, Locked)
    assert result.take_ups
    assert READOUT.store(result) == READOUT.store(turned)
    stored = READOUT.to_document(result)
    assert stored["lab"] is None
    assert stored["report"] is None


def test_lab__with_broken_data__says_nothing_of_behaviours() -> None:
    planned = lab_plan()
    users = draw_users(planned, 8_000, 1, moves=TWO, effects=[0.4, 0.0])
    kept = (users.arm != 3) | (np.arange(8_000) % 2 == 0)

    result = opened(read(planned, Users(**{name: values[kept] for name, values in vars(users).items()})))

    assert result.verdict.code is Code.INVALID
    assert result.lab is None


def test_lab__with_nobody_beside_two_sets__has_reasons() -> None:
    planned = lab_plan()
    users = draw_users(planned, 400, 1, moves=TWO, effects=[0.4, 0.0])
    kept = np.isin(users.arm, (0, 3))  # never one nudge without the other: nothing parts them
    sizes = Users(**{name: values[kept] for name, values in vars(users).items()})

    result = read(planned, sizes)

    assert {computable(row.difference) for row in result.take_ups} == {False}


# ── Stored ────────────────────────────────────────────────────────────────────
def _reopened(document: Any) -> AnalysisResult:
    found = READOUT.read(document)
    assert not isinstance(found, Unreadable)
    return found


def test_result__stored_and_read_back__is_the_same() -> None:
    planned = lab_plan((5_000,) * 3, most=2)
    for result in (
        read(planned, draw_users(planned, 4_000, 1, moves=THREE, effects=[0.4, 0.0, 0.0])),
        read(lab_plan(enrolment_ended=None), draw_users(lab_plan(), 900, 1, moves=TWO, effects=[0.4, 0.0])),
    ):
        again = _reopened(READOUT.store(result))
        assert READOUT.to_document(again) == READOUT.to_document(result)
        assert again.take_ups == result.take_ups
        assert getattr(again, "lab", None) == getattr(result, "lab", None)


def test_result__of_a_version_without_labs__still_opens() -> None:
    stored = READOUT.store(read(lab_plan(), draw_users(lab_plan(), 4_000, 1, moves=TWO, effects=[0.4, 0.0])))
    older = {name: value for name, value in stored.items() if name not in ("lab", "take_ups")}

    again = opened(_reopened(older))

    assert (again.lab, again.take_ups) == (None, ())
