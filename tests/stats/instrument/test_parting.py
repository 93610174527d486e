"""The nudge that parts two behaviours: what leaves the others' proportion, and users against simulated experiments."""

import numpy as np
import pytest
from scipy import stats

from stats.instrument.joint import conditional_f, p_value_of, stack_nudges, tells_apart
from stats.instrument.parting import FIRST_USERS, Part, chance_to_find, own_pattern, users_to_part
from stats.results import NotComputable, Reason
from stats.summaries import Array
from tests.stats.make import computed

# A share of 40 % as outcome, behaviours of 30 % of the users, both groups alike, no correlation: times users.
PER_USER = np.diag([4 * 0.24, 4 * 0.21, 4 * 0.21])
USERS = 20_000


def part(*stages: float, itt: float = 0.0, users: int = USERS) -> Part:
    return np.array([itt, *stages]), PER_USER / users


def test_own_pattern__of_nudges_in_one_proportion__is_nothing_and_of_another_one_is_far() -> None:
    alike = [part(0.12, 0.06), part(0.08, 0.04), part(0.1, 0.05)]

    assert [own_pattern(alike, 0, place) for place in range(3)] == pytest.approx([0, 0, 0], abs=1e-9)
    assert own_pattern([*alike, part(0.12, 0.0)], 0, 3) > 5
    assert own_pattern(alike[:1], 0, 0) == 0


def test_own_pattern__of_two_nudges__is_by_hand() -> None:
    # Proportion of the other: 2 +- its error; what is left: .12 - 2 * .03 = .06.
    error = 4 * 0.21 / USERS
    variance = error * (1 + 2**2) + 0.03**2 * error * (1 + 2**2) / 0.06**2

    found = own_pattern([part(0.12, 0.06), part(0.12, 0.03)], 0, 1)

    assert found == pytest.approx(0.06 / variance**0.5)


def test_users_to_part__a_nudge_in_the_same_proportion__is_never_enough() -> None:
    parts = [part(0.12, 0.06), part(0.08, 0.04)]

    found = users_to_part(parts, 0, np.array([0.1, 0.05]), PER_USER)

    assert found == NotComputable(Reason.NOT_TOLD_APART)


@pytest.mark.parametrize("stages", [(0.0, 0.12), (0.12, 0.0)])
def test_users_to_part__larger_moves_and_smaller_chances__take_fewer_users(stages: tuple[float, float]) -> None:
    def users(factor: float = 1.0, power: float = 0.8) -> int:
        row = np.array(stages) * factor
        return computed(users_to_part([part(0.12, 0.06)], 0, row, PER_USER, power=power))

    assert FIRST_USERS < users() < users(0.5)
    assert users() < users(power=0.9)


def test_chance_to_find__of_a_small_earlier_experiment__stays_low_however_many_users_move_the_other_alone() -> None:
    def chance(row: tuple[float, float], effect: float = 0.15) -> float:
        return chance_to_find([part(0.12, 0.06)], 0, np.array(row), PER_USER, users=10_000_000, effect=effect)

    # The earlier one alone: .12 * .15 = .018 over an error of .0069.
    assert chance((0.0, 0.12)) == pytest.approx(stats.norm.sf(1.96 - 0.018 / (4 * 0.24 / USERS) ** 0.5), abs=0.002)
    assert chance((0.12, 0.0)) > 0.99
    assert chance((0.12, 0.0), 0.0) == pytest.approx(0.05, abs=0.001)


@pytest.mark.parametrize(
    ("parts", "stages"), [([part(0.12, 0.06)], (0.0, 0.12)), ([part(0.12, 0.06), part(0.08, 0.04)], (0.12, 0.01))]
)
def test_users_to_part__experiments_with_so_many_users__part_them_and_find_the_effect_as_often_as_promised(
    parts: list[Part], stages: tuple[float, float]
) -> None:
    """150 runs: within three binomial errors, 10 points; and parted in fewer with a third of the users."""
    effects, rng = np.array([0.15, 0.0]), np.random.default_rng(8)
    row = np.array(stages)
    users = computed(users_to_part(parts, 0, row, PER_USER))

    def shares(n: int) -> tuple[float, float]:
        truth: list[Array] = [one[1:] for one, _errors in parts] + [row]
        blocks = [errors for _row, errors in parts] + [PER_USER / n]
        parted = found = 0
        for _ in range(150):
            rows = [
                rng.multivariate_normal([one @ effects, *one], block) for one, block in zip(truth, blocks, strict=True)
            ]
            names = [str(place) for place in range(len(rows))]
            moments = stack_nudges(names, ("add", "chat"), rows, blocks)
            told = tells_apart(moments, conditional_f(moments, 0))
            parted += told
            found += told and p_value_of(moments, 0, 0.0) < 0.05
        return parted / 150, found / 150

    parted, found = shares(users)

    assert parted == pytest.approx(0.8, abs=0.1)
    promised = chance_to_find(parts, 0, row, PER_USER, users=users, effect=0.15)
    assert found == pytest.approx(promised, abs=0.12)
    assert shares(users // 3)[0] < 0.7


def test_own_pattern__of_nudges_in_one_proportion__is_called_another_in_five_percent() -> None:
    rng, far = np.random.default_rng(3), 0
    for _ in range(400):
        drawn = [rng.multivariate_normal(truth, PER_USER[1:, 1:] / USERS) for truth in ((0.12, 0.06), (0.08, 0.04))]
        rows = [part(*stages) for stages in drawn]
        far += own_pattern(rows, 0, 1) > stats.norm.isf(0.025)

    assert far <= stats.binom.isf(0.001, 400, 0.05)
