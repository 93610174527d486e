"""The D-n curve of an experiment: share active on each day by arm, and on which days the arms differ.

A difference is examined on every day at once, so in addition to the pointwise interval there is a band that holds for
all days together. Only that band supports conclusions such as "from day n on".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import expm1, log1p

from stats.compare import wilson
from stats.results import Interval, NotComputable, Reason, check_alpha
from stats.score import score_interval

type Days = Mapping[int, tuple[int, int]]


@dataclass(frozen=True)
class DayShare:
    """Share of one arm active on one day.

    Attributes:
        day: days since the unit's day 0.
        eligible: units for which that day is complete: the denominator. It falls from day to day while units enrol.
        active: how many of them were active.
        share: active / eligible, 0 to 1, with its pointwise Wilson interval.
    """

    day: int
    eligible: int
    active: int
    share: Interval


@dataclass(frozen=True)
class DayDifference:
    """Shares of two arms on one day, and their difference.

    Attributes:
        control: control's share.
        variant: the variant's share.
        difference: variant minus control, -1 to 1, with the pointwise score interval.
        band: the same difference with limits that hold for all days together.
    """

    control: DayShare
    variant: DayShare
    difference: Interval
    band: Interval

    @property
    def day(self) -> int:
        """Days since the unit's day 0."""
        return self.control.day

    @property
    def sign(self) -> int:
        """1 if the band lies above 0, -1 if below, 0 if it contains 0."""
        return (self.band.low > 0) - (self.band.high < 0)


@dataclass(frozen=True)
class CurveDifference:
    """The D-n curves of control and one variant.

    Attributes:
        days: the days with eligible units in both arms, rising.
        skipped: days without eligible units in one of the arms: neither shown nor counted.
        level: confidence level, pointwise for ``difference`` and together for ``band``.
    """

    days: tuple[DayDifference, ...]
    skipped: tuple[int, ...]
    level: float

    @property
    def higher(self) -> tuple[int, ...]:
        """Days on which the variant is higher, all days considered together."""
        return tuple(day.day for day in self.days if day.sign > 0)

    @property
    def lower(self) -> tuple[int, ...]:
        """Days on which the variant is lower, all days considered together."""
        return tuple(day.day for day in self.days if day.sign < 0)


def day_shares(counts: Days, *, alpha: float = 0.05) -> tuple[DayShare, ...]:
    """The D-n curve of one arm: a Wilson interval per day, days without eligible units left out.

    Args:
        counts: (eligible, active) per day.
        alpha: two-sided error rate of each pointwise interval.

    Raises:
        ValueError: unless 0 <= active <= eligible.

    Source: Wilson 1927; docs/methods/survival.md, "D-n curve and its difference".
    """
    check_alpha(alpha)
    shares = []
    for day in sorted(counts):
        eligible, active = counts[day]
        share = wilson(active, eligible, alpha=alpha)
        if isinstance(share, Interval):
            shares.append(DayShare(day, eligible, active, share))
    return tuple(shares)


def curve_difference(control: Days, variant: Days, *, alpha: float = 0.05) -> CurveDifference | NotComputable:
    """Difference of two D-n curves, day by day and for all days together.

    Args:
        control: (eligible, active) per day of control.
        variant: the same of the variant. A day that only one arm has is skipped.
        alpha: two-sided error rate, of each pointwise interval and of the whole band.

    Returns:
        Score intervals at alpha (pointwise) and at 1 - (1 - alpha)^(1/m) (band), m days. The days' differences are
        jointly normal in large samples and dependent, since they are the same units; by Sidak's inequality the band
        holds at least 1 - alpha whatever that dependence. ``NO_DATA`` without a common day.

    Raises:
        ValueError: unless 0 <= active <= eligible.

    Source: Sidak 1967 (J. Am. Stat. Assoc. 62, 626-633); Mee 1984; docs/methods/comparison.md, "Score interval".
    """
    check_alpha(alpha)
    control_days, variant_days = (
        {row.day: row for row in day_shares(counts, alpha=alpha)} for counts in (control, variant)
    )
    common = sorted(control_days.keys() & variant_days.keys())
    if not common:
        return NotComputable(Reason.NO_DATA)
    together = sidak_alpha(alpha, len(common))
    days = tuple(
        DayDifference(
            control_days[day],
            variant_days[day],
            _interval(control_days[day], variant_days[day], alpha, 1 - alpha, "score-interval"),
            _interval(control_days[day], variant_days[day], together, 1 - alpha, "sidak-band"),
        )
        for day in common
    )
    return CurveDifference(days, tuple(sorted((control.keys() | variant.keys()) - set(common))), 1 - alpha)


def sidak_alpha(alpha: float, m: int) -> float:
    """Error rate of each of m intervals that hold together at least 1 - alpha: 1 - (1 - alpha)^(1/m).

    Source: Sidak 1967.
    """
    return -expm1(log1p(-alpha) / m)


def _interval(control: DayShare, variant: DayShare, alpha: float, level: float, method: str) -> Interval:
    low, high = score_interval((control.active, variant.active), (control.eligible, variant.eligible), alpha=alpha)
    return Interval(variant.share.estimate - control.share.estimate, low, high, level, method)
