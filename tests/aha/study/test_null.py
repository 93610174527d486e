"""The whole-grid null: its statistic, its floors, and its size where nothing is there."""

from dataclasses import replace

import numpy as np
import pytest

from aha.study.cells import phi
from aha.study.grid import CountTable, count_cells, levels, thresholds
from aha.study.null import Null, enough, grid_null, stratified_moments
from events.simulation import WORLDS, simulate
from stats.results import NotComputable, Reason
from tests.aha.make import table_of, table_of_world
from tests.marks import first_in_ci
from tests.rates import at_most


def random_table(seed: int, n: int = 400, *, rate: float = 0.4) -> CountTable:
    rng = np.random.default_rng(seed)
    counts = np.sort(rng.poisson(1.5, (n, 2)), axis=1)
    table = table_of(counts.tolist(), (rng.random(n) < rate).tolist(), days=(1, 3))
    return replace(table, week=rng.integers(0, 4, n), active=np.sort(rng.integers(1, 4, (n, 2)), axis=1))


def computed(null: Null | NotComputable) -> Null:
    assert isinstance(null, Null)
    return null


def test_statistic__one_stratum__is_phi_scaled() -> None:
    table = random_table(1)
    grid = levels(table, [(1, 2, 3)])
    cells = count_cells(grid, table.retained)

    moments = stratified_moments(grid, table.retained, np.zeros(table.n, dtype=np.int64))

    np.testing.assert_allclose(moments.z, np.sqrt(table.n - 1) * phi(*cells.counts), rtol=1e-9)


def test_cells__as_rare_and_as_common_as_may_be__enter_and_no_further_one() -> None:
    entered = {}
    for did in (1, 2, 98, 99):
        table = table_of([[int(unit < did)] for unit in range(100)], [unit % 2 for unit in range(100)])
        moments = stratified_moments(levels(table, [(1,)]), table.retained, np.zeros(100, dtype=np.int64))
        entered[did] = bool(moments.enters[0])

    assert entered == {1: False, 2: True, 98: True, 99: False}


def test_statistic__so_many_strata_that_they_are_taken_in_blocks__is_the_same() -> None:
    table = random_table(3, 700)
    grid, strata = levels(table, [(1, 2)]), np.arange(700) % 70

    moments = stratified_moments(grid, table.retained, strata)

    for place, times in enumerate((1, 2)):
        did, expected, variance = table.counts[:, 0, 0] >= times, 0.0, 0.0
        for stratum in range(70):
            here = strata == stratum
            n, active, stayed = here.sum(), did[here].sum(), table.retained[here].sum()
            expected += active * stayed / n
            variance += active * (n - active) * stayed * (n - stayed) / (n**2 * (n - 1))
        assert moments.z[place] == pytest.approx(((did & table.retained).sum() - expected) / variance**0.5, rel=1e-9)


def test_statistic__strata__is_cochran_mantel_haenszel() -> None:
    from statsmodels.stats.contingency_tables import StratifiedTable

    table = random_table(2)
    grid = levels(table, [(2,)])
    did = table.counts[:, 0, 0] >= 2
    tables = [
        np.array(
            [
                [(did & table.retained & here).sum(), (did & ~table.retained & here).sum()],
                [(~did & table.retained & here).sum(), (~did & ~table.retained & here).sum()],
            ]
        )
        for here in (table.week == week for week in range(4))
    ]

    moments = stratified_moments(grid, table.retained, table.strata())

    expected = StratifiedTable(tables).test_null_odds(correction=False).statistic
    assert moments.z[0] ** 2 == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("n", "stayed", "fine"), [(200, 50, True), (199, 60, False), (200, 49, False), (200, 151, False)]
)
def test_floors__on_both_sides__hold(n: int, stayed: int, fine: bool) -> None:
    retained = np.arange(n) < stayed

    missing = enough(retained)

    assert (missing is None) is fine
    assert missing is None or missing.reason is Reason.STUDY_TOO_SMALL


def test_null__reach_outside_2_to_98_percent__has_nothing_to_test() -> None:
    counts = [[1]] * 3 + [[0]] * 297  # 1 %

    table = table_of(counts, [1, 0] * 150)

    null = grid_null(table, levels(table, [(1,)]), rng=np.random.default_rng(1))
    assert null == NotComputable(Reason.NO_CELL_TO_TEST)


def test_null__planted_cell__is_found_and_identical_cells_share_their_p() -> None:
    table = random_table(3)
    grid = levels(table, [(1, 2, 3, 40, 41)])
    planted = replace(table, retained=(table.counts[:, 0, 1] >= 2) ^ (np.arange(table.n) % 5 == 0))

    null = computed(grid_null(planted, grid, rng=np.random.default_rng(1), permutations=199))

    assert null.smallest_p == 1 / 200
    assert np.nanargmax(null.z) == 6  # within 3 days, 2 times
    assert null.adjusted_p[6] == 1 / 200
    assert np.isnan(null.z[[3, 4, 8, 9]]).all()  # nobody did it 40 times
    assert sum(null.histogram()[1]) == 199


def test_null__same_seed__is_the_same() -> None:
    table = random_table(4)
    grid = levels(table, [(1, 2)])

    one, two = (computed(grid_null(table, grid, rng=np.random.default_rng(7), permutations=99)) for _ in range(2))

    assert (one.maxima == two.maxima).all()


@pytest.mark.slow
@pytest.mark.parametrize("by_activity", [False, True])
def test_null__outcomes_shuffled_within_strata__smallest_p_is_uniform(by_activity: bool) -> None:
    alarms, seeds, p_values = 0, 300, []
    for seed in range(seeds):
        table = random_table(seed, 250, rate=0.5)
        null = computed(
            grid_null(
                table,
                levels(table, [(1, 2, 3)]),
                rng=np.random.default_rng(seed),
                by_activity=by_activity,
                permutations=99,
            )
        )
        alarms += null.smallest_p <= 0.05
        p_values.append(null.smallest_p)

    # Binomial(300, .05): sd 1.3 points, three of them each way.
    assert abs(alarms / seeds - 0.05) < 0.038
    assert abs(np.mean(p_values) - 0.505) < 0.05


@pytest.mark.slow
@pytest.mark.parametrize("seeds", first_in_ci([12, 60]))
def test_null__noise_world__equally_active_users_hold_five_percent(seeds: int) -> None:
    alarms = 0
    for seed in range(seeds):
        table = table_of_world(simulate(WORLDS["noise"], 2_000, seed), (1, 3, 7))
        grid = levels(table, thresholds(table, 10))
        null = computed(grid_null(table, grid, rng=np.random.default_rng(seed), by_activity=True, permutations=199))
        alarms += null.smallest_p <= 0.05

    assert at_most(alarms, seeds, 0.05)  # benchmarks/discovery.py runs 1,000


def test_second_null__cell_of_one_day__isnt_held_equal_on_what_it_brought_about() -> None:
    rng = np.random.default_rng(1)
    n = 4_000
    coin = rng.random(n) < 0.5
    # The coin brings people back on days 1 to 6, and coming back is what keeps them.
    later = rng.binomial(6, np.where(coin, 0.8, 0.4))
    retained = rng.random(n) < later / 8
    counts = np.column_stack([coin, coin])
    table = replace(
        table_of(counts.tolist(), retained.tolist(), days=(1, 7)), active=np.column_stack([coin * 0, later])
    )

    null = computed(grid_null(table, levels(table, [(1,)]), rng=rng, by_activity=True, permutations=99))

    assert null.tested == 2
    assert null.adjusted_p[0] == 1 / 100
    assert null.adjusted_p[1] > 0.05  # within seven days nothing is left that coming back doesn't tell
