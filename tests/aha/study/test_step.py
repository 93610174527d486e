"""Step evidence: its statistic against statsmodels, its three answers, and the simulated worlds."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.special import expit

from aha.study.choice import Choice, choose
from aha.study.grid import CountTable, build_table, levels, thresholds
from aha.study.hold_out import split
from aha.study.smooth import Design, design_of, fit, knots, pattern_sums, score_statistics, spline
from aha.study.step import Step, StepVerdict, _test, _Tested, step_evidence
from events.simulation import WORLDS, simulate
from events.simulation.worlds import NEGATIVE_CONTROLS
from stats.results import NotComputable, Reason
from tests.aha.make import table_of, table_of_world
from tests.marks import first_in_ci
from tests.rates import at_most

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


def kinked(n: int, seed: int) -> CountTable:
    """No jump: retention rises with each of four times, and stays from there on."""
    rng = np.random.default_rng(seed)
    active = rng.integers(1, 8, n)
    counts = rng.poisson(active * 0.4)
    retained = rng.random(n) < expit(-1.3 + 0.1 * active + 0.2 * np.minimum(counts, 4))
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
        assert step.bend is None or step.bend < 1.96


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
    assert [step.bend for step in steps] == [0.0] * 5
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
@pytest.mark.parametrize("name", ["no_effect", "smooth"])
def test_worlds_without_a_step__no_behaviour__jumps(name: str, seed: int) -> None:
    steps, _ = world(name, seed)

    assert [step.behaviour for step in steps if step.verdict is StepVerdict.JUMP] == []
