"""Sample ratio: did the arms get the shares of units that were planned?"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite

from scipy import stats

from events.reasons import NotComputable, Reason


@dataclass(frozen=True)
class SampleRatio:
    """Pearson's chi-square of the arms' sizes against the plan.

    Attributes:
        expected: planned share per arm, summing to 1; arms of weight zero are left out.
        statistic: the chi-square statistic.
        degrees_of_freedom: number of arms with a share, less one.
        p_value: upper tail probability, 0 to 1.
    """

    expected: dict[str, float]
    statistic: float
    degrees_of_freedom: int
    p_value: float


def sample_ratio(observed: Mapping[str, int], shares: Mapping[str, float]) -> SampleRatio | NotComputable:
    """Chi-square test of the observed numbers of units against the planned shares.

    Args:
        observed: units per arm; an arm that is planned but missing here counts as 0 units.
        shares: planned weight per arm, at least 0, in any scale. Arms of weight zero are dropped from sum and degrees
            of freedom: units found there are another check's business.

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
