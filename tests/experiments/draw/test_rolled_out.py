"""Who has the shipped arm: truth by hand, and what may never happen whatever the shares, segments and moments are."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.draw import evaluation
from experiments.draw.bucketing import unit_hash
from experiments.draw.evaluation import (
    HELD,
    KILLED,
    ROLLING,
    Evaluation,
    Flag,
    RolloutRecord,
    RolloutRow,
    Row,
    Slot,
    Step,
    draw,
    rollout_seed,
)
from tests.experiments.make import MOMENT, a_flag

SEED = rollout_seed("9f2c41d07ab3")
UNITS = [f"unit-{n}" for n in range(1_000)]
DAY = timedelta(days=1)


def a_row(*shares: int, segment: str | None = None, start: datetime = MOMENT) -> RolloutRow:
    """Shares day by day."""
    return RolloutRow(segment, None, tuple(Step(start + day * DAY, share) for day, share in enumerate(shares)))


def a_rollout(*rows: RolloutRow, **changes: Any) -> RolloutRecord:
    values: dict[str, Any] = {"arm": 1, "state": ROLLING, "seed": SEED, "rows": rows, **changes}
    return RolloutRecord(**values)


def ask(
    flag: Flag, rollout: RolloutRecord, unit: str, now: datetime, *, had: bool = False, member: str = ""
) -> Evaluation:
    """The answer as the server finds it for a unit of one segment."""
    row = next((row for row in rollout.rows if row.segment in (None, member)), None)
    audience = next((row for row in flag.rows if row.segment in (None, member)), None)
    return evaluation.answer(flag, rollout, unit, now, had=had, row=row, audience=audience)


def test_share__at_each_moment__is_that_of_the_last_step_that_has_come() -> None:
    row = a_row(1_000, 5_000, 10_000)

    moments = [MOMENT - timedelta(microseconds=1), MOMENT, MOMENT + DAY, MOMENT + 1.5 * DAY, MOMENT + 9 * DAY]

    assert [row.share_at(moment) for moment in moments] == [0, 1_000, 5_000, 5_000, 10_000]


def test_share__while_it_is_held__stays_as_it_was_then() -> None:
    row = a_row(1_000, 5_000, 10_000)
    rollout = a_rollout(row, state=HELD, held_at=MOMENT + 1.2 * DAY)

    assert [rollout.share(row, MOMENT + days * DAY) for days in (0, 1, 2, 9)] == [1_000, 5_000, 5_000, 5_000]
    assert rollout.last_step(MOMENT + 9 * DAY) == MOMENT + DAY


def test_share__at_its_edge__is_half_open() -> None:
    unit = next(unit for unit in UNITS if 0 < unit_hash(SEED, unit) < 1)
    edge = round(unit_hash(SEED, unit) * 10_000)

    for share, is_in in ((edge, False), (edge + 1, True)):
        row = a_row(share)
        assert a_rollout(row).reaches(row, unit, MOMENT) is is_in


def test_answers__of_everybody_at_0_10_and_100_percent__are_those_who_had_it_and_the_share_of_the_rest() -> None:
    flag, row = a_flag(), a_row(1_000, 10_000)
    drawn = {unit: draw(flag, unit, is_new=True, row=flag.rows[0]).arm for unit in UNITS}

    def shipped(day: int) -> set[str]:
        return {unit for unit in UNITS if ask(flag, a_rollout(row), unit, MOMENT + day * DAY).arm == 1}

    had = {unit for unit, arm in drawn.items() if arm == 1}
    tenth = {unit for unit in UNITS if unit_hash(SEED, unit) < 0.1}
    assert shipped(-1) == had
    assert shipped(0) == had | tenth
    assert shipped(1) == set(UNITS)
    assert 0.06 < len(tenth - had) / len(set(UNITS) - had) < 0.14  # another draw: a tenth of the others


def test_answers__after_enrolment_was_closed__are_those_of_before() -> None:
    rollout = a_rollout(a_row(1_000))

    found = [[ask(a_flag(enrolment_open=is_open), rollout, unit, MOMENT).arm for unit in UNITS] for is_open in (1, 0)]

    assert found[0] == found[1]


def test_answer__of_the_kill_switch__is_the_default_whatever_the_unit_had() -> None:
    killed = ask(a_flag(state="stopped"), a_rollout(a_row(10_000), state=KILLED), "unit-1", MOMENT, had=True)

    assert (killed.reason, killed.variant, killed.metadata) == ("DISABLED", "default", {"state": "killed"})


def test_answer__of_the_holdout__is_the_default_at_100_percent_too() -> None:
    flag = a_flag(holdout=Slot("holdout:h", 0.05, 1.0))
    held = [unit for unit in UNITS if unit_hash("holdout:h", unit) < 0.05]

    answers = {unit: ask(flag, a_rollout(a_row(10_000)), unit, MOMENT) for unit in UNITS}

    assert held
    assert {unit for unit, one in answers.items() if one.arm is None} == set(held)
    assert {answers[unit].metadata["excludedBy"] for unit in held} == {"holdout"}


def test_answer__outside_the_slice_of_a_layer__follows_the_share_alone() -> None:
    flag = a_flag(layer=Slot("layer:l", 0.0, 0.5))
    outside = [unit for unit in UNITS if unit_hash("layer:l", unit) >= 0.5]

    before = {ask(flag, a_rollout(a_row(1_000)), unit, MOMENT - DAY).arm for unit in outside}
    whole = {ask(flag, a_rollout(a_row(10_000)), unit, MOMENT).arm for unit in outside}

    assert (before, whole) == ({None}, {1})


def test_answer__outside_the_segments__is_the_default_unless_the_unit_had_it() -> None:
    flag = a_flag(rows=(Row("ios", None, 1.0, (0.5, 0.5)),))
    rollout = a_rollout(a_row(10_000, segment="payers"))

    new, had = (ask(flag, rollout, "unit-1", MOMENT, had=had) for had in (False, True))

    assert (new.arm, new.metadata) == (None, {"excludedBy": "segment"})
    assert (had.arm, had.reason, had.metadata) == (1, "TARGETING_MATCH", {"reasonDetail": "rollout"})


def test_answer__of_an_experiment_for_new_units__knows_only_its_rows() -> None:
    flag = a_flag(new_since=MOMENT)
    unit = next(unit for unit in UNITS if draw(a_flag(), unit, is_new=True, row=flag.rows[0]).arm == 1)

    assert [ask(flag, a_rollout(a_row(1)), unit, MOMENT - DAY, had=had).arm for had in (False, True)] == [None, 1]


def test_answer__of_clusters__gives_a_guild_one_answer() -> None:
    flag, row = a_flag(cluster="guild"), a_row(3_000)

    def arm(unit: str, guild: str | None) -> int | None:
        found = evaluation.answer(
            flag, a_rollout(row), unit, MOMENT, had=False, row=row, audience=flag.rows[0], cluster=guild
        )
        return found.arm

    for guild in map(str, range(60)):
        assert len({arm(unit, guild) for unit in UNITS[:20]}) == 1
    assert arm("unit-1", None) is None


def test_by_hash_alone__wherever_it_answers__says_what_the_long_way_says() -> None:
    for flag in (a_flag(), a_flag(holdout=Slot("holdout:h", 0.3, 1.0)), a_flag(new_since=MOMENT)):
        for rollout in (a_rollout(a_row(4_000)), a_rollout(a_row(4_000), state=KILLED), a_rollout(a_row(10_000))):
            for unit in UNITS[:200]:
                quick = evaluation.by_hash_alone(flag, rollout, unit, MOMENT)
                slow = ask(flag, rollout, unit, MOMENT)
                assert quick is None or (quick.arm, quick.reason, quick.metadata) == (
                    slow.arm,
                    slow.reason,
                    slow.metadata,
                )


def test_by_hash_alone__where_a_row_could_change_it__doesnt_answer() -> None:
    outside = next(unit for unit in UNITS if unit_hash(SEED, unit) > 0.9)
    segments = a_flag(rows=(Row("ios", None, 1.0, (0.5, 0.5)),))

    for flag in (segments, a_flag(new_since=MOMENT), a_flag(cluster="guild")):
        assert evaluation.by_hash_alone(flag, a_rollout(a_row(100)), outside, MOMENT) is None


SHARES = st.lists(st.integers(1, 10_000), min_size=1, max_size=4, unique=True).map(sorted)
SOMEBODY = st.text(alphabet="abc019-유저é", min_size=1, max_size=12)


@st.composite
def worlds(draws: st.DrawFn) -> tuple[Flag, RolloutRecord]:
    """An ended experiment over segments, with a holdout and a layer or without, and a rollout of one of its arms."""
    first = draws(st.integers(1, 9_999))
    audience: list[Row] = [
        Row(segment, None, draws(st.integers(1, 10_000)) / 10_000, (first / 10_000, 1 - first / 10_000))
        for segment in draws(st.sampled_from([("a", None), ("b",), (None,), ("a", "b", None)]))
    ]
    flag = a_flag(
        rows=tuple(audience),
        holdout=draws(st.sampled_from([None, Slot("holdout:h", 0.2, 1.0)])),
        layer=draws(st.sampled_from([None, Slot("layer:l", 0.25, 0.75)])),
    )
    rows = [a_row(*draws(SHARES), segment=one) for one in draws(st.sampled_from([("a", None), ("b",), (None,)]))]
    return flag, a_rollout(*rows, arm=draws(st.sampled_from([0, 1])))


@given(world=worlds(), unit=SOMEBODY, member=st.sampled_from(["", "a", "b"]), later=st.sampled_from(["", "a", "b"]))
def test_unit__that_was_assigned_the_shipped_arm__keeps_it_at_every_step(
    world: tuple[Flag, RolloutRecord], unit: str, member: str, later: str
) -> None:
    flag, rollout = world
    audience = next((row for row in flag.rows if row.segment in (None, member)), None)
    assigned = draw(flag, unit, is_new=True, row=audience).arm

    for day in range(-1, 6):
        now = MOMENT + day * DAY
        if assigned == rollout.arm:
            assert ask(flag, rollout, unit, now, member=member).arm == rollout.arm  # by its draw, as local SDKs know it
            assert (
                ask(flag, rollout, unit, now, had=True, member=later).arm == rollout.arm
            )  # by its row, wherever it is


@given(world=worlds(), unit=SOMEBODY, member=st.sampled_from(["", "a", "b"]))
def test_unit__that_has_the_arm_once__has_it_at_every_later_step(
    world: tuple[Flag, RolloutRecord], unit: str, member: str
) -> None:
    flag, rollout = world

    arms = [ask(flag, rollout, unit, MOMENT + day * DAY, member=member).arm for day in range(-1, 6)]

    assert arms == sorted(arms, key=lambda arm: arm is not None)
    assert set(arms) <= {None, rollout.arm}


@pytest.mark.parametrize("share", [1, 1_000, 9_999])
def test_unit__assigned_to_another_arm__moves_exactly_when_the_share_reaches_it(share: int) -> None:
    flag, row = a_flag(), a_row(share)
    others = [unit for unit in UNITS if draw(flag, unit, is_new=True, row=flag.rows[0]).arm == 0]

    moved = {unit for unit in others if ask(flag, a_rollout(row), unit, MOMENT).arm == 1}

    assert moved == {unit for unit in others if unit_hash(SEED, unit) < share / 10_000}
