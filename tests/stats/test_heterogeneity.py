"""When segments differ: the effect on everybody and the test of the odds, against rows and against statsmodels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stats.heterogeneity import interaction_test, population_difference
from stats.results import NotComputable, Reason
from stats.summaries import Mean
from tests.marks import first_in_ci
from tests.rates import plausible
from tests.stats.make import computed

type Cell = tuple[int, int]


def strata(*rows: tuple[Cell, Cell]) -> list[tuple[Mean, Mean]]:
    """(successes, n) of control and variant per stratum."""
    return [(Mean.from_counts(*control), Mean.from_counts(*variant)) for control, variant in rows]


DIFFERENT = strata(((20, 100), (60, 200)), ((90, 300), (30, 100)), ((10, 50), (5, 60)))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 5))
def test_population__any_strata__is_the_mean_of_everybodys_predicted_effect(seed: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    made, effects = [], []
    for _ in range(k):
        control, variant = rng.normal(0, 1, rng.integers(2, 30)), rng.normal(0.5, 2, rng.integers(2, 30))
        made.append((Mean.from_values(control), Mean.from_values(variant)))
        effects += [variant.mean() - control.mean()] * (len(control) + len(variant))

    found = computed(population_difference(made))

    assert found.estimate == pytest.approx(np.mean(effects))


def test_population__one_stratum__is_the_unpooled_test() -> None:
    from stats.compare import compare_unpooled

    (pair,) = strata(((30, 100), (50, 110)))

    found, expected = computed(population_difference([pair])), computed(compare_unpooled(*pair))

    assert (found.estimate, found.standard_error, found.p_value) == pytest.approx(
        (expected.estimate, expected.standard_error, expected.p_value)
    )


def test_population__effects_that_differ__is_not_mantel_haenszel() -> None:
    from stats.stratified import risk_difference

    # 100 units at +20 points with even arms, 900 at 0 with one in ten nudged: +2 points for everybody.
    rows = strata(((10, 50), (20, 50)), ((405, 810), (45, 90)))

    assert computed(population_difference(rows)).estimate == pytest.approx(0.02)
    assert computed(risk_difference(rows)).estimate == pytest.approx(0.2 * 25 / (25 + 81))


@pytest.mark.parametrize("rows", [[], strata(((1, 1), (5, 10)))])
def test_population__too_little__is_refused(rows: list[tuple[Mean, Mean]]) -> None:
    assert isinstance(population_difference(rows), NotComputable)


@pytest.mark.parametrize("rows", [DIFFERENT, strata(((20, 100), (40, 200)), ((30, 300), (12, 100)))])
def test_interaction__equals_the_likelihood_ratio_of_logistic_models_on_rows(rows: list[tuple[Mean, Mean]]) -> None:
    import statsmodels.api as sm

    outcome, design = [], []
    for place, pair in enumerate(rows):
        for arm, group in enumerate(pair):
            outcome += [1] * group.successes + [0] * (group.n - group.successes)
            stratum = [float(place == other) for other in range(len(rows))]
            design += [[*stratum, float(arm)]] * group.n
    plain = np.array(design)
    full = np.hstack([plain, plain[:, 1 : len(rows)] * plain[:, [-1]]])
    fits = [sm.Logit(outcome, matrix).fit(disp=0).llf for matrix in (plain, full)]

    found = computed(interaction_test(rows))

    assert found.statistic == pytest.approx(2 * (fits[1] - fits[0]), abs=1e-6)
    assert found.degrees_of_freedom == len(rows) - 1


def test_interaction__stratum_without_failures__is_left_out() -> None:
    found = computed(interaction_test([*DIFFERENT, *strata(((10, 10), (12, 12)))]))

    assert found == computed(interaction_test(DIFFERENT))


def test_interaction__single_stratum__is_refused() -> None:
    found = interaction_test(DIFFERENT[:1])

    assert isinstance(found, NotComputable)
    assert found.reason is Reason.TOO_FEW_STRATA


@pytest.mark.slow
@pytest.mark.parametrize("runs", first_in_ci([400, 2_000]))
def test_interaction__equal_odds__rejects_at_its_level(runs: int) -> None:
    rng = np.random.default_rng(5)
    rejected = 0
    for _ in range(runs):
        rows = []
        for base in (0.2, 0.4, 0.6):
            odds = base / (1 - base) * 1.5
            rows.append(((rng.binomial(300, base), 300), (rng.binomial(300, odds / (1 + odds)), 300)))
        rejected += computed(interaction_test(strata(*rows))).p_value < 0.05
    assert plausible(rejected, runs, 0.05)
