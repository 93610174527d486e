"""Units that choose, units that judge: a side depends on a unit's id alone."""

import numpy as np
import pytest

from aha.study.cells import Cell
from aha.study.grid import CountTable
from aha.study.hold_out import SPLIT_SALT, hashes, judge, sample, split
from aha.study.numbers import Interval
from stats.results import NotComputable, Reason
from tests.aha.study.test_choice import chosen, planted


def test_split__any_order_and_company__keeps_a_unit_on_its_side() -> None:
    table = planted(2400)
    parts = split(table)
    again = split(table.take(np.arange(2400)[::-1]))

    side = {table.unit_ids[place] for place in parts.train}
    assert {table.unit_ids[::-1][place] for place in again.train} == side
    places = np.concatenate([parts.train, parts.hold_out, parts.later])
    assert np.sort(places).tolist() == list(range(2400))
    assert set(table.week[parts.later]) == {6, 7}
    assert abs(parts.train.size / (parts.train.size + parts.hold_out.size) - 0.6) < 0.03
    # Later cohorts judge a cell that the step chose, so they have no part in looking for it.
    assert parts.for_steps.tolist() == parts.hold_out.tolist()


@pytest.mark.parametrize(("n", "small"), [(1999, True), (2000, False)])
def test_split__below_two_thousand__sets_nobody_aside(n: int, small: bool) -> None:
    parts = split(planted(n))

    assert parts.small is small
    assert (parts.for_steps.size == n) is small
    assert (parts.train.size == n) is small


def test_split__three_weeks__have_no_later_cohort() -> None:
    assert split(planted(2100, weeks=3)).later.size == 0


def test_hashes__known_ids__never_change() -> None:
    # These values stand for every study ever run: were they to change, hold-outs would mix with training parts.
    values = hashes(np.array(["user-1", "user-2", "한국"], dtype=object), SPLIT_SALT)

    assert values.tolist() == pytest.approx([0.6209609590825954, 0.8724608394864721, 0.9679175042484093], abs=1e-12)


def test_sample__too_many_units__are_those_with_the_smallest_hashes() -> None:
    ids = np.array([f"u{number}" for number in range(1000)], dtype=object)

    places = sample(ids, b"salt", most=100)

    assert places.size == 100
    values = hashes(ids, b"salt")
    assert values[places].max() < np.delete(values, places).min()
    assert sample(ids, b"salt").size == 1000


def test_judge__large_study__shows_three_parts_with_gaps() -> None:
    table = planted(6000)

    honesty = judge(table, split(table), "x", days=7, times=3, rng=np.random.default_rng(1))

    cells = [honesty.train, honesty.hold_out, honesty.later]
    assert all(isinstance(cell, Cell) for cell in cells)
    assert sum(cell.a + cell.b + cell.c + cell.o for cell in cells if isinstance(cell, Cell)) == 6000
    assert set(honesty.optimism) == set(honesty.drift) == {"ppv", "recall", "difference", "phi", "j"}
    for gap in [*honesty.optimism.values(), *honesty.drift.values()]:
        assert isinstance(gap, Interval)
        assert gap.low < gap.estimate < gap.high
    assert honesty.corrected == {}


def test_judge__small_study__subtracts_the_bootstrap_optimism() -> None:
    rng = np.random.default_rng(8)
    table = planted(300)
    noise = CountTable(**{**vars(table), "retained": rng.random(300) < 0.4})
    choice = chosen(noise)

    honesty = judge(noise, split(noise), "x", days=choice.best.days, times=choice.best.times, rng=rng, choice=choice)

    assert honesty.hold_out == honesty.later == NotComputable(Reason.NO_HOLD_OUT)
    assert choice.optimism["j"] > 0
    assert isinstance(honesty.train.j, Interval)
    assert honesty.corrected["j"] == pytest.approx(honesty.train.j.estimate - choice.optimism["j"])


def test_judge__cell_of_a_step__the_hold_out_chose_and_the_training_part_judges() -> None:
    table = planted(6000)
    rng = np.random.default_rng(1)

    rule, step = (judge(table, split(table), "x", days=7, times=3, rng=rng, by_step=flag) for flag in (False, True))

    there, back = rule.optimism["j"], step.optimism["j"]
    assert isinstance(there, Interval)
    assert isinstance(back, Interval)
    assert there.estimate == pytest.approx(-back.estimate)
    assert (rule.chosen_on, step.chosen_on) == ("train", "hold_out")


def test_judge__step_of_a_small_study__has_no_optimism_of_another_choice() -> None:
    table = planted(300)

    found = judge(
        table, split(table), "x", days=7, times=3, rng=np.random.default_rng(1), choice=chosen(table), by_step=True
    )

    assert found.corrected == found.optimism == {}
