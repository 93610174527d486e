"""Step evidence: its statistic against statsmodels, its three answers, and the simulated worlds."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.special import expit

from aha.study.choice import Choice, choose
from aha.study.grid import CountTable, Floats, build_table, levels, thresholds
from aha.study.hold_out import split
from aha.study.smooth import Design, design_of, fit, knots, pattern_sums, score_statistics, spline
from aha.study.step import (
    LevelsOff,
    Step,
    StepVerdict,
    _test,
    _Tested,
    beside_neighbours,
    levels_off,
    log_odds,
    step_evidence,
)
from events.simulation import WORLDS, simulate
from events.simulation.worlds import NEGATIVE_CONTROLS
from stats.results import NotComputable, Reason
from tests.aha.make import table_of, table_of_world
from tests.marks import first_in_ci
from tests.rates import at_least, at_most

TIMES = tuple(range(1, 11))


def curved(n: int, seed: int, jump: float = 0.0, *, at: int = 4, days: int = 1) -> CountTable:
    """Retention that rises smoothly with the count, with active days, and by `jump` log-odds from `at` on."""
    rng = np.random.default_rng(seed)
    active = rng.integers(1, 8, n)
    counts = rng.poisson(active * 0.8)
    logits = -1.5 + 0.6 * np.log1p(counts) + 0.1 * active + jump * (counts >= at)
    return build_table(
        behaviours=["x"],
        days=list(range(1, days + 1)),
        unit_ids=np.arange(n).astype(str),
        retained=rng.random(n) < expit(logits),
        week=rng.integers(0, 4, n),
        active_days=np.repeat(active[:, None], days, axis=1),
        rows=(np.arange(n), np.array(["x"] * n, dtype=object), np.repeat(counts[:, None], days, axis=1)),
        segment=rng.choice(["a", "b"], n).tolist(),
    )


def evidence(table: CountTable, seed: int = 1, **options: Any) -> Step:
    return step_evidence(table, [TIMES] * len(table.behaviours), rng=np.random.default_rng(seed), **options)[0]


def the_design(table: CountTable) -> Design:
    design = design_of(table, 0, 0, TIMES)
    assert design is not None
    return design


@pytest.mark.slow
def test_null_model__patterns__give_the_fit_of_statsmodels() -> None:
    import statsmodels.api as sm

    table = curved(3000, 1)
    design = the_design(table)
    n, stayed = pattern_sums(design, table.retained[:, None].astype(np.float32))

    rate = expit(design.smooth @ fit(design.smooth, n, stayed))[design.pattern, 0]

    x = np.log1p(table.counts[:, 0, 0])
    dummies = [table.active_days == value for value in range(2, 8)] + [table.segment == 1]
    bent = spline(x, knots(table.counts[:, 0, 0].astype(np.int64)))
    slow = sm.Logit(table.retained.astype(float), np.column_stack([np.ones(3000), bent, *dummies])).fit(disp=0)
    np.testing.assert_allclose(rate, slow.predict(), atol=1e-4)


def test_score_statistic__small_jump__is_near_the_likelihood_ratio() -> None:
    import statsmodels.api as sm

    table = curved(8000, 2, 0.3)
    design = the_design(table)
    n, stayed = pattern_sums(design, table.retained[:, None].astype(np.float32))

    scores, slopes = score_statistics(design, n, stayed, fit(design.smooth, n, stayed))

    smooth, outcome = design.smooth[design.pattern], table.retained.astype(float)
    null = sm.Logit(outcome, smooth).fit(disp=0)
    for place, z in enumerate(design.times):
        full = sm.Logit(outcome, np.column_stack([smooth, table.counts[:, 0, 0] >= z])).fit(disp=0)
        assert scores[place, 0] == pytest.approx(2 * (full.llf - null.llf), rel=0.05, abs=0.05), z
        assert slopes[place, 0] == pytest.approx(full.params[-1], abs=0.05), z


def once_a_day(n: int, seed: int) -> CountTable:
    """Counts that are nearly active days, most of them none; who is keener comes more often, before and after."""
    rng = np.random.default_rng(seed)
    keen = rng.normal(-3.5, 2.0, n)
    days = rng.random((n, 7)) < expit(keen)[:, None]
    days[:, 0] = rng.random(n) < 0.4
    also = rng.random((n, 7)) < 0.02
    also[:, 0] = True  # they signed up
    did, active = np.cumsum(days, axis=1), np.cumsum(days | also, axis=1)
    return build_table(
        behaviours=["x"],
        days=[3, 7],
        unit_ids=np.arange(n).astype(str),
        retained=rng.random(n) < expit(keen),
        week=np.zeros(n),
        active_days=active[:, [2, 6]],
        rows=(np.arange(n), np.array(["x"] * n, dtype=object), did[:, [2, 6]]),
    )


@pytest.mark.parametrize("column", [0, 1])
def test_null_model__counts_that_are_nearly_days__is_the_likeliest_one(column: int) -> None:
    import statsmodels.api as sm

    for seed in range(10):
        table = once_a_day(1500, seed)
        design = design_of(table, 0, column, TIMES)
        assert design is not None
        n, stayed = pattern_sums(design, table.retained[:, None].astype(np.float32))

        rate = expit(design.smooth @ fit(design.smooth, n, stayed))

        both = np.column_stack([stayed, n - stayed])
        slow = sm.GLM(both, design.smooth, family=sm.families.Binomial()).fit(maxiter=200)
        # Where a category has no finite estimate both come as near to it as they like; all others agree.
        np.testing.assert_allclose(n * rate, n * slow.fittedvalues[:, None], atol=1e-3)
        np.testing.assert_allclose(design.smooth.T @ (stayed - n * rate), 0.0, atol=1e-2)  # as at any maximum


@pytest.mark.slow
def test_steps__counts_that_are_nearly_days__are_no_jump() -> None:
    steps = [evidence(once_a_day(1500, seed), seed, replicates=99) for seed in range(40)]

    # Binomial(40, .05): more than 5 with probability .014. With steps that were never halved there were 11.
    assert sum(step.verdict is StepVerdict.JUMP for step in steps) <= 5


def test_scores__many_replicates_at_once__are_those_of_one_at_a_time() -> None:
    table = curved(1500, 3)
    design = the_design(table)
    rng = np.random.default_rng(4)
    outcomes = (rng.random((1500, 5)) < 0.5).astype(np.float32)
    n, stayed = pattern_sums(design, outcomes)

    together, _ = score_statistics(design, n, stayed, fit(design.smooth, n, stayed))

    for place in range(5):
        one = stayed[:, [place]]
        alone, _ = score_statistics(design, n, one, fit(design.smooth, n, one))
        np.testing.assert_allclose(together[:, place], alone[:, 0], rtol=1e-5, atol=1e-7)


def test_steps__planted_jump__is_said_where_it_is() -> None:
    step = evidence(curved(6000, 5, 1.2))

    assert (step.verdict, step.times, step.days) == (StepVerdict.JUMP, 4, 1)
    assert step.settled_times == (4,)
    assert step.neighbours is not None
    assert step.neighbours > 1.645
    assert step.levels_off is None
    assert isinstance(step.log_odds, float)
    assert 0.8 < step.log_odds < 1.6
    assert step.reason is None


def test_steps__planted_fall__is_no_jump() -> None:
    step = evidence(curved(6000, 6, -1.2))

    assert step.verdict is StepVerdict.CANNOT_TELL
    assert isinstance(step.adjusted_p_value, float)
    assert step.adjusted_p_value <= 0.05


@pytest.mark.slow
def test_steps__smooth_curve_of_many_users__is_a_convention_and_of_few__cannot_be_told() -> None:
    many, few = evidence(curved(60_000, 7)), evidence(curved(600, 7))

    assert many.verdict is StepVerdict.SMOOTH
    assert many.detection is not None
    assert many.smooth_range is not None
    # The range that is named holds every number of times that could be recommended.
    first, last = many.smooth_range.first, many.smooth_range.last
    reach = [float((curved(60_000, 7).counts[:, 0, 0] >= z).mean()) for z in TIMES]
    assert all(first <= z <= last for z, share in zip(TIMES, reach, strict=True) if z >= 2 and 0.05 <= share <= 0.8)
    assert few.verdict is StepVerdict.CANNOT_TELL
    assert few.detection is not None
    assert few.detection < 0.8
    assert few.smooth_range is None


@pytest.mark.parametrize(("values", "enough"), [(4, True), (3, False)])
def test_steps__different_counts_below_twice_the_terms__cannot_be_told(values: int, enough: bool) -> None:
    rng = np.random.default_rng(1)
    table = table_of(rng.integers(0, values, (500, 1)).tolist(), rng.integers(0, 2, 500).tolist())

    step = evidence(table)

    assert (step.reason is None) is enough
    if not enough:
        assert step.reason == step.p_value == NotComputable(Reason.TOO_FEW_DIFFERENT_COUNTS)
        assert step.verdict is StepVerdict.CANNOT_TELL


def test_spline__beyond_its_outer_knots__is_straight_and_is_that_of_patsy() -> None:
    from patsy import dmatrix  # type: ignore[import-untyped]

    at = np.log1p(np.array([0.0, 2.0, 5.0, 9.0]))
    x = np.linspace(0, 4, 200)
    ours = np.column_stack([np.ones(200), spline(x, at)])
    theirs = np.asarray(
        dmatrix("cr(x, knots=k, lower_bound=a, upper_bound=b)", {"x": x, "k": at[1:-1], "a": at[0], "b": at[-1]})
    )
    inside = x <= at[-1]

    assert ours.shape[1] == at.size
    # The same functions: each column of one is a mixture of the columns of the other.
    for column in ours[inside].T:
        mixed = theirs[inside] @ np.linalg.lstsq(theirs[inside], column, rcond=None)[0]
        np.testing.assert_allclose(mixed, column, atol=1e-8)
    assert np.abs(np.diff(ours[x > at[-1] + 0.02], n=2, axis=0)).max() < 1e-8


@pytest.mark.parametrize(("n", "most"), [(19_999, 3), (20_000, 5), (99_999, 5), (100_000, 7)])
def test_knots__number__grows_with_the_units(n: int, most: int) -> None:
    counts = np.arange(n) * 1_000 // n

    assert knots(counts).size == most


def test_knots__few_counts__never_lie_on_neighbours() -> None:
    counts = np.random.default_rng(1).poisson(1.5, 200_000)

    found = np.expm1(knots(counts)).round().astype(int)

    assert (np.diff(found) >= 2).all()


def kinked(
    n: int, seed: int, *, rate: float = 0.4, rise: float = 0.2, until: int = 4, after: float = 0.0
) -> CountTable:
    """No jump: retention rises with each of some times, and by `after` with each from there on."""
    rng = np.random.default_rng(seed)
    active = rng.integers(1, 8, n)
    counts = rng.poisson(active * rate)
    dose = rise * np.minimum(counts, until) + after * np.maximum(counts - until, 0)
    retained = rng.random(n) < expit(-1.3 + 0.1 * active + dose)
    return build_table(
        behaviours=["x"],
        days=[7],
        unit_ids=np.arange(n).astype(str),
        retained=retained,
        week=np.zeros(n),
        active_days=active,
        rows=(np.arange(n), np.array(["x"] * n, dtype=object), counts[:, None]),
    )


@pytest.mark.slow
def test_steps__sharp_bend_of_many_users__is_no_jump() -> None:
    for seed in range(3):
        step = evidence(kinked(110_000, seed), replicates=199)

        assert step.verdict is not StepVerdict.JUMP


def sums(table: CountTable) -> tuple[Design, Floats]:
    design = the_design(table)
    return design, pattern_sums(design, table.retained[:, None].astype(np.float32))[1][:, 0]


def test_log_odds__by_count__are_those_of_statsmodels() -> None:
    import statsmodels.api as sm

    table = curved(4000, 1, 0.5)
    design, stayed = sums(table)

    odds, spread = log_odds(design, stayed, np.arange(2, 6))

    rows = np.isin(table.counts[:, 0, 0], np.arange(2, 6))
    columns = [table.counts[:, 0, 0] == count for count in range(2, 6)]
    columns += [table.active_days == value for value in range(2, 8)] + [table.segment == 1]
    slow = sm.Logit(table.retained.astype(float)[rows], np.column_stack(columns)[rows].astype(float)).fit(disp=0)
    np.testing.assert_allclose(odds, slow.params[:4], atol=1e-4)
    np.testing.assert_allclose(spread, slow.cov_params()[:4, :4], rtol=1e-2, atol=1e-5)


def test_neighbours__by_hand__are_second_differences_in_their_errors() -> None:
    # One pattern a count: log-odds and their variances stand in the table.
    n, kept = np.array([400, 500, 300, 200]), np.array([100, 150, 150, 110])
    counts = np.repeat([0, 1, 2, 3], n)
    stayed = np.concatenate([np.arange(size) < hits for size, hits in zip(n, kept, strict=True)])
    table = table_of([[count] for count in counts.tolist()], stayed.astype(int).tolist())
    table = replace(table, active=np.ones_like(table.active))
    odds, variance = np.log(kept / (n - kept)), 1 / kept + 1 / (n - kept)
    before = (odds[2] - 2 * odds[1] + odds[0]) / np.sqrt(variance[2] + 4 * variance[1] + variance[0])
    after = (2 * odds[2] - odds[1] - odds[3]) / np.sqrt(4 * variance[2] + variance[1] + variance[3])

    found = beside_neighbours(*sums(table), 2)

    assert found == pytest.approx(min(before, after), rel=1e-3)


@pytest.mark.parametrize("times", [1, 3])
def test_neighbours__without_a_count_on_one_side__are_not_exceeded(times: int) -> None:
    rng = np.random.default_rng(1)
    table = table_of(rng.integers(0, 4, (500, 1)).tolist(), rng.integers(0, 2, 500).tolist())

    assert beside_neighbours(*sums(table), times) == 0.0


@pytest.mark.parametrize(("until", "rise"), [(3, 0.5), (4, 0.3)])
def test_steps__even_rise_to_a_count__levels_off_there(until: int, rise: float) -> None:
    step = evidence(kinked(30_000, 1, rate=0.8, rise=rise, until=until), replicates=199)

    assert (step.verdict, step.levels_off) == (StepVerdict.LEVELS_OFF, LevelsOff(7, until))


@pytest.mark.parametrize(("after", "flat"), [(0.16, False), (-0.16, False), (0.0, True)])
def test_counts__bend_after_which_it_goes_on__is_no_level(after: float, flat: bool) -> None:
    # A quarter of what a count adds before the bend is .1.
    found = [levels_off(*sums(kinked(60_000, seed, rate=0.8, rise=0.4, until=3, after=after)), 0.05) for seed in (1, 2)]

    assert found == [3 if flat else None] * 2


def test_steps__jump_of_5_points_at_3__is_said_where_a_bend_was_asked_for_before() -> None:
    step = evidence(jumping(30_000, 5), replicates=199)

    assert (step.verdict, step.times) == (StepVerdict.JUMP, 3)
    # Both are shown and not asked for: the step beside a bend, and how far its place is settled.
    assert step.bend is not None
    assert step.bend < 1.96
    assert len(step.settled_times) > 2


def jumping(n: int, seed: int) -> CountTable:
    """Five points at three times, upon a slow rise."""
    rng = np.random.default_rng(seed)
    active = rng.integers(1, 8, n)
    counts = rng.poisson(active * 0.8)
    chance = expit(-1.5 + 0.1 * active + 0.12 * np.minimum(counts, 10)) + 0.05 * (counts >= 3)
    return build_table(
        behaviours=["x"],
        days=[7],
        unit_ids=np.arange(n).astype(str),
        retained=rng.random(n) < chance,
        week=np.zeros(n),
        active_days=active,
        rows=(np.arange(n), np.array(["x"] * n, dtype=object), counts[:, None]),
    )


@pytest.mark.slow
@pytest.mark.parametrize(("until", "rise"), [(3, 0.5), (4, 0.3)])
@pytest.mark.parametrize("seeds", first_in_ci([20, 200]))
def test_counts__even_rise_to_a_count__levels_off_there_and_seldom_stands_out(
    until: int, rise: float, seeds: int
) -> None:
    ends, jumps = 0, 0
    for seed in range(seeds):
        design, stayed = sums(kinked(30_000, seed, rate=0.8, rise=rise, until=until))
        end = levels_off(design, stayed, 0.05)
        ends += end == until
        # Wherever the largest step may lie: none of the three counts at the bend may stand out as a jump.
        jumps += end is None and beside_neighbours(design, stayed, until) >= 1.645

    assert at_least(ends, seeds, 0.80)
    assert at_most(jumps, seeds, 0.05)


@pytest.mark.slow
@pytest.mark.parametrize("seeds", first_in_ci([20, 200]))
def test_counts__jumps_and_curves_that_go_on__seldom_level_off(seeds: int) -> None:
    for world in (jumping, curved):
        ends = sum(levels_off(*sums(world(30_000, seed)), 0.05) is not None for seed in range(seeds))

        assert at_most(ends, seeds, 0.05)


def never_doers_apart(n: int, seed: int) -> CountTable:
    """A smooth rise among those who did it, most of them once; of the others 60 % stay, as if they did it often."""
    rng = np.random.default_rng(seed)
    counts = np.where(rng.random(n) < 0.15, 0, np.minimum(rng.zipf(1.7, n), 40))
    stays = np.where(counts == 0, 0.6, expit(-1.0 + 1.25 * (np.log1p(counts) - np.log(2))))
    return build_table(
        behaviours=["x"],
        days=[1],
        unit_ids=np.arange(n).astype(str),
        retained=rng.random(n) < stays,
        week=np.zeros(n),
        active_days=np.ones((n, 1), dtype=np.int64),
        rows=(np.arange(n), np.array(["x"] * n, dtype=object), counts[:, None]),
    )


@pytest.mark.slow
def test_steps__never_doers_apart_from_the_curve__are_no_jump_of_the_others() -> None:
    steps = [evidence(never_doers_apart(5_000, seed), seed, replicates=99) for seed in range(20)]

    # Binomial(20, .05): more than 3 with probability .016. Before they had a term there were 10.
    assert sum(step.verdict is StepVerdict.JUMP for step in steps) <= 3


def few_patterns(n: int, seed: int) -> CountTable:
    """About once a day, three days: beside curve and days, a step and a term for never-doers are one thing."""
    rng = np.random.default_rng(seed)
    pairs = np.array([(0, 1), (1, 1), (1, 2), (2, 2), (2, 3), (3, 3)])
    counts, active = pairs[rng.choice(6, n, p=[0.4, 0.2, 0.1, 0.1, 0.1, 0.1])].T
    stays = expit(-2.8 + 0.9 * (active - 1) + 0.3 * np.log1p(counts) - 1.2 * (counts == 0))
    return build_table(
        behaviours=["x"],
        days=[3],
        unit_ids=np.arange(n).astype(str),
        retained=rng.random(n) < stays,
        week=np.zeros(n),
        active_days=active[:, None],
        rows=(np.arange(n), np.array(["x"] * n, dtype=object), counts[:, None]),
    )


@pytest.mark.slow
def test_steps__that_are_another_name_for_never_doers__are_no_jump() -> None:
    steps = [evidence(few_patterns(19_000, seed), seed, replicates=99) for seed in range(5)]

    assert all(isinstance(step.p_value, float) and step.p_value <= 0.05 for step in steps)
    assert [step.never for step in steps] == [0.0] * 5
    assert not any(step.verdict is StepVerdict.JUMP for step in steps)


def test_null_maximum__two_windows__is_never_below_that_of_either() -> None:
    one, two = curved(1500, 10), curved(1500, 11)
    both = replace(
        one,
        days=(1, 2),
        counts=np.concatenate([one.counts, two.counts], axis=2),
        active=np.repeat(one.active, 2, axis=1),
    )
    second = replace(one, counts=two.counts)
    coins = np.random.default_rng(1).random((1500, 199), dtype=np.float32)

    found = [_test(table, 0, TIMES, coins, 0.05) for table in (both, one, second)]

    critical = [one.critical for one in found if isinstance(one, _Tested)]
    assert critical[0] > max(critical[1:])


def test_steps__category_in_which_all_stayed__does_no_harm() -> None:
    table = curved(2000, 8)
    table = replace(table, retained=table.retained | (table.active_days == 7))

    step = evidence(table, replicates=99)

    assert isinstance(step.statistic, float)
    assert np.isfinite(step.statistic)


def test_steps__same_seed__is_the_same_result() -> None:
    table = curved(1500, 9)

    assert evidence(table, replicates=99) == evidence(table, replicates=99)


def test_steps__behaviour_done_by_everybody__has_no_ever_against_never() -> None:
    table = curved(1000, 9)
    table = replace(table, counts=table.counts + 1)

    assert evidence(table, replicates=19).ever == NotComputable(Reason.NO_DATA)


@pytest.mark.slow
@pytest.mark.parametrize("seeds", first_in_ci([20, 100]))
def test_steps__smooth_null__p_values_are_uniform(seeds: int) -> None:
    p_values = []
    for seed in range(seeds):
        step = evidence(curved(1500, seed, days=2), seed, replicates=99)
        assert isinstance(step.p_value, float)
        p_values.append(step.p_value)

    assert at_most(sum(p <= 0.05 for p in p_values), seeds, 0.05)
    # A uniform has sd .289, and a mean of them three such errors at most.
    assert abs(np.mean(p_values) - 0.505) < 3 * 0.289 / seeds**0.5


def world(name: str, seed: int) -> tuple[list[Step], Choice]:
    table = table_of_world(simulate(WORLDS[name], 20_000, seed))
    table = table.only([behaviour for behaviour in table.behaviours if behaviour not in NEGATIVE_CONTROLS])
    times, parts = thresholds(table, 10), split(table)
    train = table.take(parts.train)
    choice = choose(train, levels(train, times), rng=np.random.default_rng(seed))["friend_add"]
    assert isinstance(choice, Choice)
    return list(step_evidence(table.take(parts.for_steps), times, rng=np.random.default_rng(seed))), choice


@pytest.mark.slow
@pytest.mark.parametrize("seed", first_in_ci([101, 102]))
@pytest.mark.parametrize("name", ["step", "forced"])
def test_step_world__friend_add__jumps_at_3_within_7_and_nothing_else_does(name: str, seed: int) -> None:
    steps, choice = world(name, seed)

    assert (choice.recommended.days, choice.recommended.times) == (7, 3)
    assert {(step.behaviour, step.days, step.times) for step in steps if step.verdict is StepVerdict.JUMP} == {
        ("friend_add", 7, 3)
    }


@pytest.mark.slow
@pytest.mark.parametrize("seed", first_in_ci([101, 102]))
@pytest.mark.parametrize("name", ["no_effect", "smooth", "levels_off", "levels_off_at_3"])
def test_worlds_without_a_step__no_behaviour__jumps(name: str, seed: int) -> None:
    steps, _ = world(name, seed)

    assert [step.behaviour for step in steps if step.verdict is StepVerdict.JUMP] == []
