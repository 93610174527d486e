"""The frozen results that every method of this package returns."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Estimate:
    """An effect with its error, interval and two-sided p-value.

    Attributes:
        estimate: the effect, variant minus control, in the outcome's own unit (0.01 = one point of a share).
        standard_error: its standard error, same unit. For score intervals this is the unpooled one.
        low: lower limit of the interval.
        high: upper limit of the interval.
        p_value: two-sided, 0 to 1, of the absolute difference.
        level: confidence level of the interval, for example 0.95.
        method: the method's name as docs/statistics.md or docs/encouragement.md lists it.
    """

    estimate: float
    standard_error: float
    low: float
    high: float
    p_value: float
    level: float
    method: str


@dataclass(frozen=True)
class Interval:
    """An estimate with an interval and no p-value of its own (a lift, a share, an odds ratio)."""

    estimate: float
    low: float
    high: float
    level: float
    method: str


def check_alpha(alpha: float) -> None:
    """Refuse an error rate outside (0, 1): the caller's mistake, not the data's.

    Raises:
        ValueError: if alpha is not strictly between 0 and 1 (NaN included).
    """
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must lie between 0 and 1, not {alpha}")
