"""The Anderson-Rubin set: the effects of the behaviour that the data don't reject, however weak the nudge."""

from dataclasses import dataclass
from enum import StrEnum
from math import copysign, sqrt

from stats.iv_moments import IvMoments
from stats.results import check_alpha


class Shape(StrEnum):
    """Forms of an Anderson-Rubin set."""

    INTERVAL = "interval"
    RAYS = "rays"
    HALF_LINE = "half_line"
    LINE = "line"
    EMPTY = "empty"


@dataclass(frozen=True)
class AndersonRubin:
    """An Anderson-Rubin set, in the outcome's unit per unit who reaches the behaviour.

    Attributes:
        shape: ``interval`` [low, high]; ``rays`` (-inf, low] and [high, inf), so everything *outside* (low, high);
            ``half_line`` with the unbounded side None; ``line`` and ``empty`` with both None.
        low: see ``shape``.
        high: see ``shape``.
        level: confidence level, for example 0.95.
    """

    shape: Shape
    low: float | None
    high: float | None
    level: float

    @property
    def bounded(self) -> bool:
        """True only for an interval: anything else doesn't limit the effect."""
        return self.shape is Shape.INTERVAL

    def contains(self, b: float) -> bool:
        """True when an effect of ``b`` is not rejected."""
        if self.shape is Shape.EMPTY:
            return False
        if self.shape is Shape.RAYS:
            return (self.low is not None and b <= self.low) or (self.high is not None and b >= self.high)
        return (self.low is None or b >= self.low) and (self.high is None or b <= self.high)


def anderson_rubin(moments: IvMoments, *, q: float | None = None, alpha: float = 0.05) -> AndersonRubin:
    """All b with (ITT - b*FS)^2 <= q * (V_R - 2b*C_RD + b^2*V_D), in closed form.

    Args:
        moments: from ``iv_moments`` or ``iv_moments_adjusted``.
        q: critical value of the squared z; by default the chi-square(1) quantile (between clusters: of the
            squared t). A sequential plan passes its own, with the ``alpha`` that it spends, which gives the level.
        alpha: two-sided error rate.

    Returns:
        The set. It contains 0 exactly if the unpooled ITT z-test doesn't reject, and is bounded exactly if the first
        stage is significant, both at this q.

    Source: Anderson and Rubin 1949; Dufour 1997; docs/methods/encouragement.md, "Anderson-Rubin".
    """
    check_alpha(alpha)
    critical = moments.critical_value(alpha) ** 2 if q is None else q
    if not 0 < critical < float("inf"):
        raise ValueError(f"the critical value must be a positive number, not {critical}")
    level = 1 - alpha
    # Everything in standard errors: with earnings, V_R is 1e5 and V_D 1e-5, and h^2 - a*c would lose its digits.
    scale_r, scale_d = sqrt(moments.v_r) or 1.0, sqrt(moments.v_d) or 1.0
    v_r, v_d = float(moments.v_r > 0), float(moments.v_d > 0)
    t_r, t_d = moments.itt / scale_r, moments.first_stage / scale_d
    rho = moments.c_rd / scale_r / scale_d
    a, h, c = t_d**2 - critical * v_d, critical * rho - t_r * t_d, t_r**2 - critical * v_r
    discriminant = critical * (t_r**2 * v_d + t_d**2 * v_r - 2 * rho * t_r * t_d - critical * (v_r * v_d - rho**2))
    unit = scale_r / scale_d
    if a == 0:
        return _linear(h, c, unit, level)
    if a < 0 and discriminant <= 0:
        return AndersonRubin(Shape.LINE, None, None, level)
    low, high = _roots(a, h, c, discriminant, unit)
    return AndersonRubin(Shape.INTERVAL if a > 0 else Shape.RAYS, low, high, level)


def _linear(h: float, c: float, unit: float, level: float) -> AndersonRubin:
    """The set {b: 2hb + c <= 0}."""
    if h > 0:
        return AndersonRubin(Shape.HALF_LINE, None, -c / (2 * h) * unit, level)
    if h < 0:
        return AndersonRubin(Shape.HALF_LINE, -c / (2 * h) * unit, None, level)
    return AndersonRubin(Shape.LINE if c <= 0 else Shape.EMPTY, None, None, level)


def _roots(a: float, h: float, c: float, discriminant: float, unit: float) -> tuple[float, float]:
    """Both roots of a*b^2 + 2h*b + c, in order.

    The second root comes from the product c/a: subtracting would cancel, and the sign of c decides whether 0 is inside.
    """
    t = -(h + copysign(sqrt(max(discriminant, 0.0)), h))
    if t == 0:
        return 0.0, 0.0
    low, high = sorted((t / a * unit, c / t * unit))
    return low, high
