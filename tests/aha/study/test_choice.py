"""The choice of a cell: its rules, its ties, its bootstrap, and its honest size."""

import numpy as np
import pytest

from aha.study.cells import jaccard
from aha.study.choice import METRICS, Choice, Choosing, Rule, choosable, choose, pareto_front, resample
from aha.study.grid import CountTable, build_table, count_cells, levels
from aha.study.hold_out import judge, split
from aha.study.numbers import Interval
from stats.results import NotComputable, Reason
from tests.aha.make import table_of

BY_J = Choosing()


def planted(n: int, seed: int = 1, *, weeks: int = 8) -> CountTable:
    """Retention .2 below three times within 7 days, .7 from there on."""
    rng = np.random.default_rng(seed)
    counts = np.sort(rng.poisson(2.0, (n, 2)), axis=1)
    retained = rng.random(n) < np.where(counts[:, 1] >= 3, 0.7, 0.2)
    return build_table(
        behaviours=["x"],
        days=[3, 7],
        unit_ids=[f"user-{number}" for number in range(n)],
        retained=retained,
        week=rng.integers(0, weeks, n),
        active_days=np.sort(rng.integers(1, 8, (n, 2)), axis=1),
        rows=(np.arange(n), np.array(["x"] * n, dtype=object), counts),
    )


def chosen(table: CountTable, choosing: Choosing = BY_J, times: tuple[int, ...] = tuple(range(1, 9))) -> Choice:
    grid = levels(table, [times])
    choice = choose(table, grid, rng=np.random.default_rng(1), choosing=choosing, replicates=200)["x"]
    assert isinstance(choice, Choice)
    return choice


def test_choice__planted_threshold__is_found_and_settled() -> None:
    choice = chosen(planted(3000))

    assert (choice.best.days, choice.best.times) == (7, 3)
    assert (choice.recommended.days, choice.recommended.times) == (7, 3)
    assert [(pick.days, pick.times) for pick in choice.settled] == [(7, 3)]
    assert sum(pick.share for pick in choice.picks) == pytest.approx(1)
    assert choice.best.share == choice.picks[0].share
    assert 0 < choice.standard_error < 0.03


def test_choice__equal_scores__takes_fewest_times() -> None:
    # Nobody has exactly 2 or 3: "2 times" and "4 times" have the same doers.
    table = table_of([[0], [1], [4], [4]] * 60, [0, 0, 1, 1] * 60)

    choice = chosen(table, times=(4, 3, 2, 1)[::-1])

    assert (choice.best.times, choice.recommended.times) == (2, 2)
    assert {pick.times for pick in choice.indifference} == {2, 3, 4}


def test_choice__within_one_standard_error__recommends_the_cheapest() -> None:
    choice = chosen(planted(150, seed=7))

    assert (choice.best.days, choice.best.times) == (7, 3)
    assert (choice.recommended.days, choice.recommended.times) == (7, 2)
    assert {(pick.days, pick.times) for pick in choice.indifference} == {(7, 2), (7, 3)}


def test_choice__settled__is_the_smallest_set_of_picks_with_nine_tenths() -> None:
    choice = chosen(planted(150, seed=7))

    assert choice.settled == choice.picks[: len(choice.settled)]
    assert sum(pick.share for pick in choice.settled) >= 0.9
    assert sum(pick.share for pick in choice.settled[:-1]) < 0.9
    assert len(choice.settled) < len(choice.picks)


def test_choosable__same_times__begin_with_the_larger_j() -> None:
    table = planted(3000)
    cells = count_cells(levels(table, [(1, 2, 3)]), table.retained)

    order = choosable(cells, 0)

    keys = [(cells.times[cell], -float(jaccard(*cells.counts[:3, cell]))) for cell in order]
    assert keys == sorted(keys)
    assert [cells.days[cell] for cell in order if cells.times[cell] == 3] == [7, 3]


def test_metrics__by_hand() -> None:
    # Of 100 users 50 did it, 30 of them stayed; of the 50 others 10 stayed.
    found = {name: float(metric(*np.array([10, 30, 20, 40]))) for name, metric in METRICS.items()}

    phi = (30 * 40 - 10 * 20) / (40 * 60 * 50 * 50) ** 0.5
    assert found == pytest.approx({"ppv": 0.6, "recall": 0.75, "difference": 0.4, "phi": phi, "j": 0.5})


@pytest.mark.parametrize(("doers", "fine"), [(10, True), (9, False), (160, True), (161, False)])
def test_choice__reach_outside_5_to_80_percent__is_not_recommended(doers: int, fine: bool) -> None:
    table = table_of([[1]] * doers + [[0]] * (200 - doers), [1, 0] * 100)

    choice = choose(table, levels(table, [(1,)]), rng=np.random.default_rng(1), replicates=20)["x"]

    assert isinstance(choice, Choice) is fine
    assert fine or choice == NotComputable(Reason.NO_CELL_TO_RECOMMEND)


def test_rules__same_table__differ_as_they_say() -> None:
    table = planted(4000)
    cells = count_cells(levels(table, [tuple(range(1, 9))]), table.retained)

    def recall(choice: Choice) -> float:
        place = cells.find(0, choice.best.days, choice.best.times)
        return float(cells.b[place] / (cells.a[place] + cells.b[place]))

    wide = chosen(table, Choosing(Rule.PPV_AT_RECALL, 0.8))
    narrow = chosen(table, Choosing(Rule.PPV_AT_RECALL, 0.2))
    assert recall(wide) >= 0.8
    assert recall(narrow) < recall(wide)
    for rule in (Rule.PHI, Rule.YOUDEN, Rule.PARETO):
        assert (chosen(table, Choosing(rule)).best.days, chosen(table, Choosing(rule)).best.times) == (7, 3)
    pareto = chosen(table, Choosing(Rule.PARETO))
    assert (7, 3) in {(pick.days, pick.times) for pick in pareto.front}


def test_rule__recall_that_no_cell_has__still_names_a_cell_without_indifference() -> None:
    choice = chosen(planted(500), Choosing(Rule.PPV_AT_RECALL, 1.5))

    assert len(choice.indifference) == 1
    assert choice.standard_error == 0.0


def test_pareto_front__dominated_cells__are_left_out() -> None:
    recall, ppv = np.array([0.9, 0.8, 0.8, 0.3, 0.2]), np.array([0.2, 0.5, 0.4, 0.5, 0.9])

    assert pareto_front(recall, ppv) == [0, 1, 4]


def test_resample__strata__keep_their_sizes() -> None:
    strata = np.array([0, 1, 0, 2, 1, 1, 0])

    weights = np.concatenate(list(resample(strata, 130, np.random.default_rng(1))), axis=1)

    assert weights.shape == (7, 130)
    for stratum in range(3):
        assert (weights[strata == stratum].sum(axis=0) == (strata == stratum).sum()).all()
    assert weights[3].tolist() == [1.0] * 130


@pytest.mark.slow
def test_optimism__pure_noise__makes_up_for_choosing() -> None:
    # Averaged over studies of pure noise, the corrected difference is 0; the apparent one is not.
    apparent, corrected = [], []
    for seed in range(60):
        table = planted(300, seed)
        noise = CountTable(**{**vars(table), "retained": np.random.default_rng(seed).random(300) < 0.4})
        choice = chosen(noise, Choosing(Rule.PHI))
        honesty = judge(
            noise,
            split(noise),
            "x",
            days=choice.best.days,
            times=choice.best.times,
            rng=np.random.default_rng(seed),
            choice=choice,
        )
        assert isinstance(honesty.train.phi, Interval)
        apparent.append(honesty.train.phi.estimate)
        corrected.append(honesty.corrected["phi"])

    assert np.mean(apparent) > 0.04
    assert abs(np.mean(corrected)) < np.mean(apparent) / 2
