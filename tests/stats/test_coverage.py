"""Simulated encouragement designs of 0/1 users: do the sets cover, weak nudges included?"""

import numpy as np
import pytest

from stats.cells import iv_moments_cells, iv_moments_stratified, joint_of_counts
from stats.instrument.encouragement import IvMoments, anderson_rubin, iv_moments, wald
from stats.results import NotComputable
from tests.marks import first_in_ci
from tests.rates import at_most, plausible
from tests.stats.make import computed

pytestmark = [pytest.mark.slow, pytest.mark.once]

RUNS = first_in_ci([800, 4_000])
# Share of always-takers per stratum, and retention of the three kinds without the behaviour.
ALWAYS, RETAINED, EFFECT = (0.2, 0.5), {"always": 0.6, "complier": 0.4, "never": 0.2}, 0.2


def tables(rng: np.random.Generator, moved: float, n: int) -> np.ndarray:
    """counts[stratum][g][r][d] of users whose behaviour is worth EFFECT to everybody."""
    found = np.zeros((2, 2, 2, 2), dtype=int)
    for k, always in enumerate(ALWAYS):
        kinds = (("always", always, (1, 1)), ("complier", moved, (0, 1)), ("never", 1 - always - moved, (0, 0)))
        for g in (0, 1):
            cells = [
                ((r, did[g]), share * (p if r else 1 - p))
                for name, share, did in kinds
                for p in [RETAINED[name] + EFFECT * did[g]]
                for r in (0, 1)
            ]
            for ((r, d), _), drawn in zip(cells, rng.multinomial(n, [share for _, share in cells]), strict=True):
                found[k, g, r, d] += drawn
    return found


def three_ways(counts: np.ndarray) -> list[IvMoments]:
    """Moments pooled over everybody, over strata, and adjusted for the stratum from cells."""
    joints = [[joint_of_counts(counts[k, g]) for g in (0, 1)] for k in (0, 1)]
    plain = iv_moments(*(joints[0][g] + joints[1][g] for g in (0, 1)))
    strata = iv_moments_stratified([(pair[0], pair[1]) for pair in joints])
    cells = [(joints[k][g], g, k) for k in (0, 1) for g in (0, 1)]
    adjusted = iv_moments_cells(
        [joint.n for joint, _, _ in cells],
        np.array([joint.means for joint, _, _ in cells]),
        np.array([joint.covariance for joint, _, _ in cells]),
        [g for _, g, _ in cells],
        np.array([[k] for *_, k in cells]),
    )
    return [computed(plain), computed(strata), computed(adjusted)]


@pytest.mark.parametrize("moved", [0.005, 0.03, 0.3])
@pytest.mark.parametrize("runs", RUNS)
def test_anderson_rubin__weak_to_strong_nudges__cover_at_the_nominal_rate(runs: int, moved: float) -> None:
    """300 users per arm and stratum; first-stage z about 0.2, 1.1 and 11."""
    rng = np.random.default_rng(int(1000 * moved))
    covered, unbounded, narrow = np.zeros(3), 0, 0
    for _ in range(runs):
        moments = three_ways(tables(rng, moved, 300))
        sets = [anderson_rubin(each) for each in moments]
        covered += [found.contains(EFFECT) for found in sets]
        unbounded += not sets[0].bounded
        ratio = wald(moments[0])
        narrow += not isinstance(ratio, NotComputable) and ratio.low <= EFFECT <= ratio.high
    assert all(plausible(int(hits), runs, 0.95) for hits in covered), covered
    # Bounded exactly when the first stage is significant: seldom for the weak ones, always for the strong one.
    assert (unbounded / runs > 0.7) == (moved < 0.1)
    assert at_most(unbounded, runs, 0.001) == (moved > 0.1)
    if moved > 0.1:
        assert plausible(narrow, runs, 0.95)


@pytest.mark.parametrize("runs", RUNS)
def test_anderson_rubin__no_effect_and_a_weak_nudge__excludes_zero_at_the_nominal_rate(runs: int) -> None:
    rng, excluded = np.random.default_rng(9), 0
    for _ in range(runs):
        counts = tables(rng, 0.03, 300)
        # The outcome redrawn without regard to the behaviour: retention .4 for everybody.
        done = counts.sum(axis=2)
        kept = rng.binomial(done, 0.4)
        counts = np.stack([done - kept, kept], axis=2)
        excluded += not anderson_rubin(three_ways(counts)[1]).contains(0.0)
    assert plausible(excluded, runs, 0.05)
