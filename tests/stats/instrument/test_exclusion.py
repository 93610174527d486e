"""Placebo arms, and the adjusted error of weak nudges."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from reporting.words import reason_words
from stats.cells import joint_of_counts
from stats.instrument.encouragement import IvMoments, TakeUp, anderson_rubin, opposite_signs, wald
from stats.instrument.placebo import leaves_alone
from stats.instrument.tf import tf_adjusted, tf_critical
from stats.instrument.validity import Inequalities, over_arms
from stats.multiplicity import holm
from stats.results import Estimate, NotComputable, Reason
from tests.marks import first_in_ci
from tests.rates import at_most, plausible
from tests.stats.make import computed

CONTROL = joint_of_counts([[400, 100], [200, 300]])


def moved(estimate: float = 0.0, low: float = -0.01, high: float = 0.01) -> Estimate:
    return Estimate(estimate, 0.005, low, high, 0.9, 0.9, "first-stage")


@pytest.mark.parametrize(
    ("stage", "planned", "nudge", "shown"),
    [
        # A quarter of .2 is .05; limits that touch the bound aren't inside.
        (moved(0.04, 0.03, 0.0499), 0.2, 0.3, True),
        (moved(0.04, 0.03, 0.05), 0.2, 0.3, False),
        (moved(-0.04, -0.05, -0.03), 0.2, 0.3, False),
        # Surely not 0, and yet too little to matter: what decides is the size, not p > .05.
        (moved(0.02, 0.015, 0.025), 0.2, 0.3, True),
        # p is .9, and yet nothing is shown: too few units.
        (moved(0.0, -0.06, 0.06), 0.2, 0.3, False),
        # Nothing planned: a quarter of what the nudge itself moved, whatever its sign.
        (moved(0.0, -0.0499, 0.0499), None, 0.2, True),
        (moved(0.0, -0.0501, 0.0499), None, 0.2, False),
        (moved(0.0, -0.0499, 0.0499), None, -0.2, True),
        (moved(0.0, 0.0, 0.0), None, 0.0, False),
    ],
)
def test_placebo__leaves_the_behaviour_alone__is_shown_by_equivalence(
    stage: Estimate, planned: float | None, nudge: float, shown: bool
) -> None:
    assert computed(leaves_alone(stage, planned=planned, nudge=nudge)).shown is shown


def test_placebo__not_computable__isnt_shown() -> None:
    none = NotComputable(Reason.NO_VARIANCE)
    assert leaves_alone(none, planned=0.2, nudge=0.2) == none
    assert leaves_alone(moved(), planned=None, nudge=none) == none
    assert computed(leaves_alone(moved(), planned=0.2, nudge=none)).bound == 0.05


def test_inequalities__of_several_arms__share_holm() -> None:
    one = Inequalities(0.04, (1, 0), (0.01, 0.5))
    two = Inequalities(0.03, (0, 1), (0.0075, 0.9))
    none = NotComputable(Reason.NO_VARIANCE)

    found = over_arms([one, none, two, None])

    together = holm([0.01, 0.5, 0.0075, 0.9])
    assert [row.p_value for row in found if isinstance(row, Inequalities)] == [together[0], together[2]]
    assert found[1] == none
    assert found[3] is None
    assert over_arms([one])[0] == replace(one, p_value=0.02)


@pytest.mark.parametrize(
    ("f_statistic", "critical", "tolerance"),
    [(10, 3.43, 0.006), (104.7, 1.96, 5e-4), (1e6, 1.959964, 1e-6), (4, 18.66, 1e-9)],
)
def test_tf__published_values__come_back(f_statistic: float, critical: float, tolerance: float) -> None:
    """F = 10 needs 3.43, and 1.96 needs F = 104.7: Lee, McCrary, Moreira and Porter 2022, abstract and section I."""
    assert computed(tf_critical(f_statistic)) == pytest.approx(critical, abs=tolerance)


def test_tf__any_f__falls_towards_the_normal_value() -> None:
    values = [computed(tf_critical(f)) for f in np.linspace(4, 200, 500)]
    assert all(left >= right >= 1.9599 for left, right in pairwise(values))
    assert tf_critical(3.99) == NotComputable(Reason.WEAK_FIRST_STAGE)


def test_tf__adjusted_ratio__is_wider_by_the_critical_value() -> None:
    moments = IvMoments(0.02, 0.1, 1e-4, 1e-3, 1e-5, 500, 500)
    ratio = computed(wald(moments))
    found = computed(tf_adjusted(ratio, moments))
    assert found.high - found.estimate == pytest.approx(computed(tf_critical(10.0)) * ratio.standard_error)
    assert (found.estimate, found.level, found.method) == (ratio.estimate, 0.95, "tf-adjusted")
    strong = IvMoments(0.02, 0.5, 1e-4, 1e-3, 1e-5, 500, 500)
    assert computed(tf_adjusted(computed(wald(strong)), strong)).low == pytest.approx(computed(wald(strong)).low)


def test_tf__weak_clustered_or_without_variance__say_so() -> None:
    ratio = Estimate(0.1, 0.1, 0.0, 0.2, 0.3, 0.95, "wald")
    weak = IvMoments(0.02, 0.05, 1e-4, 1e-3, 1e-5, 500, 500)
    clustered = IvMoments(0.02, 0.5, 1e-4, 1e-3, 1e-5, 500, 500, degrees_of_freedom=9)
    certain = IvMoments(0.02, 0.5, 1e-4, 0.0, 0.0, 500, 500)
    reasons = [Reason.WEAK_FIRST_STAGE, Reason.CLUSTERED, Reason.NO_VARIANCE]
    assert [tf_adjusted(ratio, m) for m in (weak, clustered, certain)] == [NotComputable(r) for r in reasons]


def drawn(rng: np.random.Generator, strength: float, rho: float) -> IvMoments:
    """Moments of a world without effect: errors of size 1 with correlation rho between outcome and behaviour."""
    noise = rng.multivariate_normal([0, 0], [[1, rho], [rho, 1]])
    return IvMoments(float(noise[0]), strength + float(noise[1]), 1.0, 1.0, rho, 100, 100)


@pytest.mark.slow
@pytest.mark.once
@pytest.mark.parametrize(
    ("strength", "rho"), [(0.0, 0.95), (0.5, 0.95), (1.5, 0.99), (2.5, -0.9), (4.0, 0.5), (12.0, 0.99)]
)
@pytest.mark.parametrize("runs", first_in_ci([1_200, 6_000]))
def test_weak_nudge__no_effect__tf_and_set_keep_five_per_cent_where_the_plain_t_may_not(
    runs: int, strength: float, rho: float
) -> None:
    rng = np.random.default_rng(3)
    plain = by_tf = outside = 0
    for _ in range(runs):
        moments = drawn(rng, strength, rho)
        ratio = computed(wald(moments))
        adjusted = tf_adjusted(ratio, moments)
        plain += ratio.p_value < 0.05
        by_tf += not isinstance(adjusted, NotComputable) and adjusted.p_value < 0.05
        outside += not anderson_rubin(moments).contains(0.0)
    # The set is exact.
    assert at_most(by_tf, runs, 0.05)
    assert plausible(outside, runs, 0.05)
    if (strength, rho) == (0.5, 0.95):
        assert plain / runs > 0.1


def test_new_reasons__have_their_own_words() -> None:
    reasons = (Reason.MODEL_CONTRADICTED, Reason.WEAK_FIRST_STAGE)
    sentences = {reason_words(NotComputable(reason)) for reason in reasons}
    assert len(sentences) == 2


def segment(difference: float, half: float) -> TakeUp:
    return TakeUp(0.3, 0.3 + difference, difference, half / 2, difference - half, difference + half, 9.0, 0.95)


def test_opposite_signs__only_sure_ones__are_named() -> None:
    found = {"a": segment(0.2, 0.05), "b": segment(-0.04, 0.03), "c": segment(-0.04, 0.04), "d": segment(0.01, 0.05)}
    assert opposite_signs(found) == ("b",)
    assert opposite_signs({"a": segment(-0.2, 0.05), "b": segment(0.1, 0.05)}) == ("b",)
    assert opposite_signs({"c": found["c"], "d": found["d"]}) == ()
    assert opposite_signs({}) == ()
