"""The sum of shipped effects: by hand, and against the truth where what looked best was shipped."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from benchmarks.audit_04.shipped_sum import WORLDS, covered
from stats.results import NotComputable, Reason, computable
from stats.winners_curse import SummedEffects, sum_selected, two_groups


def found(effects: list[float], errors: list[float], selected: list[int]) -> SummedEffects:
    answer = sum_selected(effects, errors, selected)
    assert computable(answer)
    return answer


def test_naive__by_hand() -> None:
    # .03 + .05 = .08; error sqrt(.01^2 + .02^2) = .02236
    answer = found([0.03, 0.0, 0.05], [0.01, 0.01, 0.02], [0, 2])

    assert answer.naive.estimate == pytest.approx(0.08)
    assert answer.naive.high - answer.naive.estimate == pytest.approx(1.959963984540054 * 0.0223606797749979)
    assert (answer.selected, answer.experiments) == (2, 3)


def test_sum_without_luck__from_ten_experiments_on() -> None:
    few = found([0.01] * 9, [0.01] * 9, [0])
    enough = found([0.01] * 10, [0.01] * 10, [0])

    assert few.shrunk == NotComputable(Reason.TOO_FEW_FINDINGS, {"n": 9, "needed": 10})
    assert few.nothing is None
    assert computable(enough.shrunk)
    assert enough.nothing is not None


def test_effects_known_exactly__stay_as_they_are() -> None:
    answer = found([0.1, -0.1, 0.3, -0.3] * 3, [1e-5] * 12, [0, 2])

    assert computable(answer.shrunk)
    assert answer.shrunk.estimate == pytest.approx(0.4, abs=1e-4)
    assert answer.shrunk.low == pytest.approx(0.4, abs=1e-4)


def test_nothing_found_anywhere__leaves_next_to_nothing_of_the_best() -> None:
    rng = np.random.default_rng(2)
    seen = rng.normal(0, 1, 200)
    best = int(seen.argmax())

    answer = found(seen.tolist(), [1.0] * 200, [best])

    assert computable(answer.shrunk)
    assert answer.naive.estimate > 2.4
    assert answer.shrunk.estimate < 0.5
    assert answer.shrunk.low <= 0.0
    assert answer.nothing is not None
    assert answer.nothing > 0.6


def test_law__against_quadrature_of_the_share_of_nothings() -> None:
    """The marginal posterior of the share, by scipy's quadrature over mean and spread at each share."""
    effects, errors = np.array([0.1, 2.5, -0.4, 3.0, 0.2, -0.9]), np.array([0.8, 0.9, 1.0, 0.7, 1.1, 0.9])
    law = two_groups(effects, errors)
    shares = np.unique(law.nothing)
    spike = stats.norm.pdf(effects, 0, errors)

    def joint(spread: float, mean: float, share: float) -> float:
        slab = stats.norm.pdf(effects, mean, np.hypot(errors, spread))
        return float(spread * np.prod(share * spike + (1 - share) * slab))

    some = shares[[2, 10, 18]]
    wanted = [integrate.dblquad(joint, -3.0, 3.0, 0.0, 3.0, args=(share,), epsrel=1e-4)[0] for share in some]

    seen = [law.weights[law.nothing == share].sum() for share in some]
    assert np.array(seen) / seen[0] == pytest.approx(np.array(wanted) / wanted[0], rel=0.02)


@settings(max_examples=15)
@given(st.lists(st.floats(-1, 1), min_size=10, max_size=12), st.floats(0.1, 10))
def test_scale__of_the_outcome__scales_both_sums(effects: list[float], scale: float) -> None:
    errors = [0.05 + 0.01 * place for place in range(len(effects))]
    one, other = (
        found(effects, errors, [0, 2]),
        found([scale * x for x in effects], [scale * e for e in errors], [0, 2]),
    )

    assert computable(one.shrunk)
    assert computable(other.shrunk)
    assert other.naive.low == pytest.approx(scale * one.naive.low, abs=1e-9)
    assert other.shrunk.low == pytest.approx(scale * one.shrunk.low, abs=1e-6)


def test_again__gives_the_same_numbers() -> None:
    effects, errors = [0.3, 0.0, 0.1, -0.1, 0.2] * 3, [0.1] * 15

    assert found(effects, errors, [0, 4]) == found(effects, errors, [0, 4])


def test_nothing_selected_and_no_errors__say_so() -> None:
    assert sum_selected([0.1], [0.1], []) == NotComputable(Reason.NO_DATA)
    assert sum_selected([0.1], [0.0], [0]) == NotComputable(Reason.NO_VARIANCE)


@pytest.mark.parametrize("world", list(WORLDS))
def test_coverage__of_what_was_shipped__in_few_runs(world: str) -> None:
    seen = covered(world, runs=40, seed=11)

    # One normal law for all effects covered 70 % where nine of ten changes do nothing, 28 of 40.
    assert seen.held >= 33


@pytest.mark.proof
@pytest.mark.parametrize("world", list(WORLDS))
def test_coverage__of_what_was_shipped__in_many_runs(world: str) -> None:
    seen = covered(world, runs=800, seed=12)

    assert seen.held / seen.runs >= 0.92 - 2 * (0.95 * 0.05 / seen.runs) ** 0.5
