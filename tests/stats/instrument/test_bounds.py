"""Balke and Pearl's bounds with limits: chance isn't read as a contradiction, and the limits hold."""

import numpy as np
import pytest

from stats.cells import joint_of_counts
from stats.instrument.bounds import LOWER, TYPES, UPPER, _sum, balke_pearl, bounds_of_shares
from stats.instrument.validity import inequalities_from_counts, inequalities_from_moments
from stats.results import NotComputable, Reason, computable
from tests.rates import at_least, at_most
from tests.stats.make import computed

CONTROL, VARIANT = [[1_250, 150], [400, 200]], [[900, 350], [350, 400]]


def test_sums__shares_of_any_mix__give_the_programmes_bounds() -> None:
    """Balke and Pearl's closed form against the linear programme, for mixes of all 16 types."""
    rng = np.random.default_rng(1)
    for weight in (0.1, 0.5, 1.0) * 20:
        shares = np.zeros((2, 2, 2))
        for share, (d0, d1, r0, r1) in zip(rng.dirichlet(np.full(16, weight)), TYPES, strict=True):
            for g, did in enumerate((d0, d1)):
                shares[g, r1 if did else r0, did] += share
        found = computed(bounds_of_shares(shares))
        low = max(_sum(text, shares, (10, 10))[0] for text in LOWER)
        high = min(_sum(text, shares, (10, 10))[0] for text in UPPER)
        assert (low, high) == pytest.approx((found.low, found.high), abs=1e-7)


def test_limits__more_units__come_nearer() -> None:
    near, far = (
        computed(balke_pearl(*(joint_of_counts(np.array(counts) * factor) for counts in (CONTROL, VARIANT))))
        for factor in (16, 1)
    )
    assert (near.low, near.high) == pytest.approx((far.low, far.high))
    assert near.limit_low is not None
    assert far.limit_low is not None
    assert near.limit_high is not None
    assert far.limit_high is not None
    assert far.limit_low < near.limit_low < near.low <= near.high < near.limit_high < far.limit_high
    # The distance falls with the root of the units.
    assert (far.low - far.limit_low) / (near.low - near.limit_low) == pytest.approx(4, rel=0.01)
    wide = computed(balke_pearl(joint_of_counts(CONTROL), joint_of_counts(VARIANT), alpha=0.01))
    assert wide.limit_low is not None
    assert wide.limit_low < far.limit_low
    assert wide.level == pytest.approx(0.99)


def test_limits__error_of_a_sum__is_the_multinomials() -> None:
    shares = np.array([CONTROL, VARIANT]) / 2_000
    value, error = _sum("+1 -011 -100", shares, (2_000, 2_000))
    # 1 - P(R=0, D=1 | nudge) - P(R=1, D=0 | control): two independent shares, one unit more in each cell.
    eased = [(350 + 1) / 2_004, (400 + 1) / 2_004]
    assert value == pytest.approx(1 - 350 / 2_000 - 400 / 2_000)
    assert error == pytest.approx(sum(p * (1 - p) / 2_004 for p in eased) ** 0.5)


def test_balke_pearl__shares_fit_no_mix_by_chance__limits_are_given() -> None:
    """One unit in 2,000 more than fits: version 0.3 said that no mix of users could show these shares."""
    control, variant = [[1_900, 0], [100, 0]], [[1_860, 36], [103, 1]]
    assert bounds_of_shares(np.array([control, variant]) / 2_000) == NotComputable(Reason.MODEL_CONTRADICTED)
    assert computed(inequalities_from_counts(control, variant)).p_value > 0.05
    found = computed(balke_pearl(joint_of_counts(control), joint_of_counts(variant)))
    assert found.limit_low is not None
    assert found.limit_high is not None
    assert found.limit_low < found.low == found.high < found.limit_high


def test_balke_pearl__inequalities_rejected__says_that_nothing_fits() -> None:
    arms = joint_of_counts(CONTROL), joint_of_counts(VARIANT)
    assert balke_pearl(*arms, rejected=True) == NotComputable(Reason.MODEL_CONTRADICTED)
    far = joint_of_counts([[100, 1], [1, 1]]), joint_of_counts([[1, 1], [100, 1]])
    assert balke_pearl(*far) == NotComputable(Reason.MODEL_CONTRADICTED)
    with pytest.raises(ValueError, match="alpha"):
        balke_pearl(*arms, alpha=0.0)


# Share of always-takers and compliers, retention without and with the behaviour, units an arm.
WORLDS = (
    (0.0, 0.02, 0.05, 0.05, 2_000),
    (0.2, 0.2, 0.3, 0.4, 2_000),
    (0.05, 0.9, 0.3, 0.4, 1_000),
    (0.3, 0.1, 0.6, 0.55, 500),
)


def world(always: float, compliers: float, without: float, kept: float) -> np.ndarray:
    """Shares p[g][r][d]: retention doesn't depend on the kind of user, only on the behaviour."""
    shares = np.zeros((2, 2, 2))
    weights = {(1, 1): always, (0, 1): compliers, (0, 0): 1 - always - compliers, (1, 0): 0.0}
    for d0, d1, r0, r1 in TYPES:
        weight = weights[d0, d1] * (without if r0 else 1 - without) * (kept if r1 else 1 - kept)
        for g, did in enumerate((d0, d1)):
            shares[g, r1 if did else r0, did] += weight
    return shares


@pytest.mark.slow
@pytest.mark.parametrize(("always", "compliers", "without", "kept", "n"), WORLDS)
def test_limits__sound_experiments__hold_and_are_seldom_called_impossible(
    always: float, compliers: float, without: float, kept: float, n: int
) -> None:
    """Version 0.3 called 46 % of the experiments of the first world impossible."""
    rng, runs = np.random.default_rng(20261125), 400
    shares = world(always, compliers, without, kept)
    truth = computed(bounds_of_shares(shares))
    said = covered = 0
    for _ in range(runs):
        arms = [joint_of_counts(rng.multinomial(n, shares[g].ravel()).reshape(2, 2)) for g in (0, 1)]
        test = inequalities_from_moments(arms[0], arms[1])
        found = balke_pearl(arms[0], arms[1], rejected=computable(test) and test.p_value < 0.05, alpha=0.05)
        if isinstance(found, NotComputable):
            said += found.reason is Reason.MODEL_CONTRADICTED
        elif found.limit_low is not None and found.limit_high is not None:
            covered += found.limit_low <= truth.low and truth.high <= found.limit_high
    assert at_most(said, runs, 0.05)
    assert at_least(covered, runs, 0.95)
