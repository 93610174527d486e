"""The pooled deflation ratio: against numbers worked by hand, and its edges."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.audit_04.price import as_trial, draw
from experiments.analyse.across.deflation import Trial, pool
from stats.results import NotComputable, Reason, computable


def trial(found: float, error: float, *, promised: float = 1.0, promised_error: float = 0.0) -> Trial:
    return Trial("k", "n", promised, promised_error, found, error, None, None, "CAUSES", "2026-01-01")


def test_pool__of_two_trials__equals_the_hand_calculation() -> None:
    # weights 1/.01 = 100 and 1/.04 = 25; fixed mean (.5*100 + .1*25)/125 = .42; Q = 100*.08^2 + 25*.32^2 = 3.2
    # C = 125 - (10000 + 625)/125 = 40; tau^2 = (3.2 - 1)/40 = .055; weights 1/.065 and 1/.095
    # and the mean (.5/.065 + .1/.095)/(1/.065 + 1/.095) = .3375
    found = pool([trial(0.5, 0.1), trial(0.1, 0.2)])

    assert computable(found)
    assert found.tau_squared == pytest.approx(0.055)
    assert found.ratio == pytest.approx(0.3375)
    # spread = (.1625^2/.065 + .2375^2/.095)/1 = 1.0; error = (1/(1/.065 + 1/.095))^.5; t(.975, 1) = 12.7062
    assert found.high - found.ratio == pytest.approx(12.7062047 * (1 / (1 / 0.065 + 1 / 0.095)) ** 0.5, rel=1e-6)


def test_pool__of_trials_that_agree__has_no_variance_between_them() -> None:
    found = pool([trial(0.3, 0.1), trial(0.31, 0.1), trial(0.29, 0.1)])

    assert computable(found)
    assert found.tau_squared == 0.0
    assert found.ratio == pytest.approx(0.3)
    # Never narrower than the plain error, .1 / sqrt(3), with t(.975, 2) = 4.30265.
    assert found.high - found.ratio == pytest.approx(4.30265273 * 0.1 / 3**0.5, rel=1e-6)


@pytest.mark.parametrize("rows", [[], [trial(0.5, 0.1)], [trial(0.5, 0.1), trial(0.5, 0.1, promised=-0.2)]])
def test_pool__below_two_trials__says_so(rows: list[Trial]) -> None:
    found = pool(rows)

    assert isinstance(found, NotComputable)
    assert found.reason is Reason.TOO_FEW_EXPERIMENTS


@given(st.lists(st.tuples(st.floats(-0.5, 0.5), st.floats(0.01, 0.3)), min_size=2, max_size=6), st.floats(0.1, 10))
def test_pool__when_promises_and_findings_grow_alike__stays(pairs: list[tuple[float, float]], factor: float) -> None:
    rows = [trial(found, error, promised=0.4, promised_error=0.01) for found, error in pairs]
    scaled = [
        replace(
            row,
            promised=row.promised * factor,
            promised_error=row.promised_error * factor,
            found=row.found * factor,
            found_error=row.found_error * factor,
        )
        for row in rows
    ]
    first, second = pool(rows), pool(scaled)

    assert computable(first)
    assert computable(second)
    assert second.ratio == pytest.approx(first.ratio, abs=1e-9)


@given(st.lists(st.tuples(st.floats(-0.5, 0.5), st.floats(0.01, 0.3)), min_size=2, max_size=6))
def test_pool__of_exact_promises__lies_between_the_ratios(pairs: list[tuple[float, float]]) -> None:
    rows = [trial(found, error, promised=0.4) for found, error in pairs]

    found = pool(rows)

    assert computable(found)
    assert min(row.ratio for row in rows) - 1e-9 <= found.ratio <= max(row.ratio for row in rows) + 1e-9


def test_pool__of_promises_known_to_a_third__is_what_experiments_find() -> None:
    rng, found = np.random.default_rng(4), []
    for _run in range(200):
        pairs, _next = draw(rng, 0.8, 0.0)
        said = pool([as_trial(*row) for row in pairs])
        assert computable(said)
        found.append((said.ratio, said.low <= 0.8 <= said.high))
    ratios, held = np.array(found).T

    assert ratios.mean() == pytest.approx(0.8, abs=0.03)  # .67 with errors at each ratio's own value
    assert held.sum() >= 180  # of 200 at 95 %: fewer happen once in 700 times
