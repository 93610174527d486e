"""The sum of shipped effects: by hand, and against the truth where what looked best was shipped."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stats.results import NotComputable, Reason, computable
from stats.several.selected_sum import SummedEffects, sum_selected


def found(effects: list[float], errors: list[float], selected: list[int]) -> SummedEffects:
    answer = sum_selected(effects, errors, selected)
    assert computable(answer)
    return answer


def test_naive__by_hand() -> None:
    # .03 + .05 = .08; error sqrt(.01^2 + .02^2) = .02236
    answer = found([0.03, 0.0, 0.05], [0.01, 0.01, 0.02], [0, 2])

    assert answer.naive.estimate == pytest.approx(0.08)
    assert answer.naive.high - answer.naive.estimate == pytest.approx(1.959963984540054 * 0.0223606797749979)
    assert answer.shrunk == NotComputable(Reason.TOO_FEW_EXPERIMENTS, {"n": 3, "needed": 4})
    assert (answer.selected, answer.experiments) == (2, 3)


def test_effects_that_agree__are_all_the_common_mean() -> None:
    answer = found([0.02, 0.021, 0.019, 0.02], [0.01] * 4, [0, 1])

    assert computable(answer.shrunk)
    assert answer.tau_squared == 0.0
    assert answer.shrunk.estimate == pytest.approx(0.04)
    # 2 * se of the mean = 2 * .01 / sqrt(4) = .01, t(.975, 3) = 3.18245; what the spread adds: (.041 - .04)^2 * 2
    squared = 0.01**2 + 2 * 0.001**2
    assert answer.shrunk.high - answer.shrunk.estimate == pytest.approx(3.182446305284263 * squared**0.5)


def test_effects_known_exactly__stay_as_they_are() -> None:
    answer = found([0.1, -0.1, 0.3, -0.3], [1e-6] * 4, [0, 2])

    assert computable(answer.shrunk)
    assert answer.shrunk.estimate == pytest.approx(0.4, abs=1e-6)


@given(st.lists(st.floats(-1, 1), min_size=4, max_size=12), st.floats(0.1, 10))
def test_scale__of_the_outcome__scales_both_sums(effects: list[float], scale: float) -> None:
    errors = [0.05 + 0.01 * place for place in range(len(effects))]
    one, other = (
        found(effects, errors, [0, 2]),
        found([scale * x for x in effects], [scale * e for e in errors], [0, 2]),
    )

    assert computable(one.shrunk)
    assert computable(other.shrunk)
    assert other.naive.low == pytest.approx(scale * one.naive.low, abs=1e-9)
    assert other.shrunk.low == pytest.approx(scale * one.shrunk.low, abs=1e-9)


def test_nothing_selected_and_no_errors__say_so() -> None:
    assert sum_selected([0.1], [0.1], []) == NotComputable(Reason.NO_DATA)
    assert sum_selected([0.1], [0.0], [0]) == NotComputable(Reason.NO_VARIANCE)


@pytest.mark.slow
@pytest.mark.parametrize("spread", [0.0, 0.01, 0.03])
def test_three_best_of_ten__naive_is_too_large_and_shrunk_is_not(spread: float) -> None:
    rng = np.random.default_rng(5)
    runs, naive, shrunk, covered = 1_500, [], [], 0
    for _ in range(runs):
        truth = rng.normal(0.005, spread, 10)
        seen = rng.normal(truth, 0.012)
        best = np.argsort(-seen)[:3].tolist()
        answer = found(seen.tolist(), [0.012] * 10, best)
        assert computable(answer.shrunk)
        total = float(truth[best].sum())
        naive.append(answer.naive.estimate - total)
        shrunk.append(answer.shrunk.estimate - total)
        covered += answer.shrunk.low <= total <= answer.shrunk.high

    assert np.mean(naive) > 0.01 - 0.15 * spread  # points: 3.9 at no spread, 1.4 at .03
    # A sixth of the excess stays where true effects don't spread at all: some runs see a spread that isn't there.
    assert abs(np.mean(shrunk)) < 0.2 * float(np.mean(naive))
    assert covered / runs >= 0.94
