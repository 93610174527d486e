"""Sample ratio mismatch: did the arms get the planned shares of units? For one look, and for any number of looks."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import exp, isfinite, log

import numpy as np
from scipy import special, stats

from stats.results import NotComputable, Reason
from stats.summaries import Array

# Weight and concentration of the Dirichlet priors around the plan. Our choice, by simulation: the narrow one detects
# 49:51 soonest, the wide one 60:40 among a thousand units or one empty arm among fifty, which the narrow one misses.
PRIORS = ((0.9, 3_000.0), (0.1, 30.0))


@dataclass(frozen=True)
class SampleRatio:
    """Pearson's chi-square of the arms' sizes against the plan.

    Attributes:
        expected: planned share per arm, summing to 1; arms of weight zero are left out.
        statistic: the chi-square statistic.
        degrees_of_freedom: number of arms with a share, less one.
        p_value: upper tail probability, 0 to 1; it holds for one look.
        any_look: p-value that holds at every look together (`evidence_against_split`); None for a single look.
    """

    expected: dict[str, float]
    statistic: float
    degrees_of_freedom: int
    p_value: float
    any_look: float | None = None


def sample_ratio(observed: Mapping[str, int], shares: Mapping[str, float]) -> SampleRatio | NotComputable:
    """Chi-square test of the observed numbers of units against the planned shares.

    Args:
        observed: units per arm; an arm that is planned but missing here counts as 0 units.
        shares: planned weight per arm, at least 0, in any scale. Arms of weight zero are dropped from sum and degrees
            of freedom: units found there are another check's task.

    Returns:
        The test, or ``NotComputable``: an arm was observed without a planned share, no units, or one arm only.

    Raises:
        ValueError: if a share or a count is negative.

    Source: Pearson 1900; Fabijan et al. 2019.
    """
    if any(not (isfinite(share) and share >= 0) for share in shares.values()):
        raise ValueError(f"shares must be finite and at least 0, not {dict(shares)}")
    if any(count < 0 for count in observed.values()):
        raise ValueError(f"numbers of units must be at least 0, not {dict(observed)}")
    unplanned = sorted(arm for arm, count in observed.items() if count and arm not in shares)
    if unplanned:
        return NotComputable(Reason.NO_PLANNED_SHARE, {"arm": unplanned[0]})
    planned = {arm: share for arm, share in shares.items() if share > 0}
    counts = [observed.get(arm, 0) for arm in planned]
    if len(planned) < 2 or sum(counts) == 0:
        return NotComputable(Reason.NO_DATA)
    total = sum(planned.values())
    expected = {arm: share / total for arm, share in planned.items()}
    statistic = sum(
        (count - share * sum(counts)) ** 2 / (share * sum(counts))
        for count, share in zip(counts, expected.values(), strict=True)
    )
    degrees = len(planned) - 1
    return SampleRatio(expected, statistic, degrees, float(stats.chi2.sf(statistic, degrees)))


def evidence_against_split(parts: Iterable[tuple[Mapping[str, int], Mapping[str, float]]]) -> float:
    """Natural logarithm of the evidence against the planned split, valid at any number of looks.

    Args:
        parts: units and planned shares by arm, for each part of the units with a plan of its own; parts are different
            units, so that their factors multiply. Arms of weight zero are left out, as in `sample_ratio`.

    Returns:
        The logarithm: 0 without units, above log(1/alpha) an alarm at alpha, negative when the counts fit the plan.

    Raises:
        ValueError: if a share or a count is negative.

    Source: Lindon and Malek 2022 (Anytime-valid inference for multinomial count data); Ville 1939.
    """
    total = 0.0
    for counts, shares in parts:
        if any(not (isfinite(value) and value >= 0) for value in (*shares.values(), *counts.values())):
            raise ValueError(f"shares and numbers of units must be at least 0, not {dict(shares)} and {dict(counts)}")
        planned = {arm: share for arm, share in shares.items() if share > 0}
        plan = np.array(list(planned.values())) / sum(planned.values())
        total += float(split_evidence(np.array([counts.get(arm, 0) for arm in planned], dtype=np.float64), plan))
    return total


def split_evidence(seen: Array, plan: Array) -> Array:
    """Natural logarithm of the Bayes factor of the counts against the plan, along the last axis.

    The alternative is a mixture of Dirichlet priors centred on the plan p: ``B(c p + n) / B(c p) / prod(p^n)`` for each
    concentration c, B being the multivariate beta function. Under the plan it is a martingale that starts at 1, so it
    ever reaches 1/alpha with a chance of at most alpha (Ville), for any number of looks; small counts need no
    approximation.

    Args:
        seen: units by arm, at least 0.
        plan: share of each arm, above 0, summing to 1.
    """
    total = seen.sum(axis=-1)
    factors = []
    for weight, size in PRIORS:
        arms = special.gammaln(size * plan + seen) - special.gammaln(size * plan) - special.xlogy(seen, plan)
        whole = arms.sum(axis=-1) + special.gammaln(size) - special.gammaln(size + total)
        factors.append(log(weight) + whole)
    return np.asarray(np.logaddexp.reduce(factors), dtype=np.float64)


def any_look_p(evidence: float, *, share: float = 1.0) -> float:
    """The p-value that holds at every look: 1 over the evidence, with a share of the error rate spent on this test.

    Args:
        evidence: of `evidence_against_split`.
        share: of the error rate, above 0 to 1; the others go to other tests of the same split.
    """
    if not 0 < share <= 1:
        raise ValueError(f"share must lie above 0 and be at most 1, not {share}")
    return min(1.0, exp(-max(evidence, 0.0)) / share)
