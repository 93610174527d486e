"""Bayesian results shown beside the test. They never enter the verdict, and they don't make peeking safe."""

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite, sqrt

import numpy as np
from scipy import optimize, stats

from stats.results import NotComputable, Reason, check_alpha
from stats.summaries import Array, Mean

# Trapezoid rule in standard normal units. Spacing 1/32 would do for smooth functions; 1/128 handles the kink where the
# support of a share ends at 0 or 1, which matters with a handful of units.
NODES = np.linspace(-9.0, 9.0, 2305)


@dataclass(frozen=True)
class Posterior:
    """Posterior of the difference variant minus control.

    Attributes:
        chance_better: P(variant > control), 0 to 1.
        loss_variant: expected cost of choosing the variant: E[max(control - variant, 0)], in the outcome's unit.
        loss_control: the same of choosing control.
        estimate: posterior mean of the difference.
        low: lower limit of the equal-tailed credible interval of the difference.
        high: upper limit.
        level: its probability, for example 0.95.
        method: ``beta-binomial`` or ``normal-posterior``.
    """

    chance_better: float
    loss_variant: float
    loss_control: float
    estimate: float
    low: float
    high: float
    level: float
    method: str


def beta_binomial(
    control: Mean, variant: Mean, *, prior: tuple[float, float] = (1.0, 1.0), alpha: float = 0.05
) -> Posterior | NotComputable:
    """Two shares with independent beta priors: the posterior of each is Beta(a + successes, b + failures).

    Args:
        control: summary of 0/1 values.
        variant: summary of 0/1 values.
        prior: (a, b) of both arms, above 0. (1, 1) is uniform.
        alpha: one minus the probability of the credible interval.

    Returns:
        The posterior; without any units it is that of the prior.

    Raises:
        ValueError: if the prior isn't positive.

    Source: docs/methods/comparison.md; Chapelle and Li 2011 and Stucchio 2015 for the expected loss.
    """
    check_alpha(alpha)
    if not all(isfinite(value) and value > 0 for value in prior):
        raise ValueError(f"the prior's numbers must be positive, not {prior}")
    if not (control.is_proportion and variant.is_proportion):
        return NotComputable(Reason.NOT_A_PROPORTION)
    control_beta, variant_beta = (
        _Beta(prior[0] + group.successes, prior[1] + group.n - group.successes) for group in (control, variant)
    )
    # Integrate over the narrower one: the rest is smooth on its scale, even for 10 units against 10 million.
    swapped = control_beta.sd < variant_beta.sd
    narrow, wide = (control_beta, variant_beta) if swapped else (variant_beta, control_beta)
    at, weights = narrow.nodes()
    below = float(weights @ wide.below(at))
    above = float(weights @ wide.above(at))
    # E[(x - wide)+] and E[(wide - x)+], averaged over x.
    over, under = float(weights @ wide.shortfall(at)), float(weights @ wide.excess(at))
    better, loss_variant, loss_control = (above, over, under) if swapped else (below, under, over)

    def cdf(t: float) -> float:
        """P(variant - control <= t)."""
        return float(weights @ (wide.below(at + t) if swapped else wide.above(at - t)))

    low, high = (_quantile(cdf, q, control_beta, variant_beta) for q in (alpha / 2, 1 - alpha / 2))
    return Posterior(
        better, loss_variant, loss_control, variant_beta.mean - control_beta.mean, low, high, 1 - alpha, "beta-binomial"
    )


def normal_posterior(
    estimate: float,
    standard_error: float,
    *,
    prior_mean: float = 0.0,
    prior_sd: float | None = None,
    alpha: float = 0.05,
) -> Posterior | NotComputable:
    """A normal prior on the absolute difference, combined with an estimate and its error.

    Args:
        estimate: variant minus control.
        standard_error: its standard error; ``NotComputable(NO_VARIANCE)`` when it is 0.
        prior_mean: centre of the prior.
        prior_sd: its standard deviation; None is flat, so that the interval is the frequentist one.
        alpha: one minus the probability of the credible interval.

    Raises:
        ValueError: if a number isn't finite, or the prior's standard deviation isn't positive.

    Source: docs/methods/comparison.md, "Beta binomial and normal posterior".
    """
    check_alpha(alpha)
    if not all(map(isfinite, (estimate, standard_error, prior_mean))) or standard_error < 0:
        raise ValueError("estimate, error and prior mean must be finite, and the error at least 0")
    if prior_sd is not None and not 0 < prior_sd < float("inf"):
        raise ValueError(f"the prior's standard deviation must be positive, not {prior_sd}")
    if standard_error == 0:
        return NotComputable(Reason.NO_VARIANCE)
    mean, sd = estimate, standard_error
    if prior_sd is not None:
        # Share of the data's precision; written without 1/SE^2, which overflows for tiny errors.
        share = prior_sd**2 / (prior_sd**2 + standard_error**2)
        mean, sd = prior_mean + share * (estimate - prior_mean), standard_error * sqrt(share)
    z, half = mean / sd, sd * float(stats.norm.isf(alpha / 2))
    density = float(stats.norm.pdf(z))
    # docs/methods/comparison.md: s*phi(m/s) - m*Phi(-m/s) and s*phi(m/s) + m*Phi(m/s).
    loss_variant = max(sd * density - mean * float(stats.norm.sf(z)), 0.0)
    loss_control = max(sd * density + mean * float(stats.norm.cdf(z)), 0.0)
    better = float(stats.norm.cdf(z))
    return Posterior(better, loss_variant, loss_control, mean, mean - half, mean + half, 1 - alpha, "normal-posterior")


@dataclass(frozen=True)
class _Beta:
    a: float
    b: float

    @property
    def mean(self) -> float:
        return self.a / (self.a + self.b)

    @property
    def sd(self) -> float:
        return sqrt(self.mean * (1 - self.mean) / (self.a + self.b + 1))

    def nodes(self) -> tuple[Array, Array]:
        """Points and weights (sum 1) of an average over this law: quantiles of equally spaced normal deviates."""
        weights = stats.norm.pdf(NODES)
        lower = NODES <= 0
        # Each half from its own tail: a probability near 1 has too few digits.
        at = np.empty_like(NODES)
        at[lower] = stats.beta.ppf(stats.norm.cdf(NODES[lower]), self.a, self.b)
        at[~lower] = stats.beta.isf(stats.norm.sf(NODES[~lower]), self.a, self.b)
        return at, weights / weights.sum()

    def below(self, x: Array) -> Array:
        return np.asarray(stats.beta.cdf(x, self.a, self.b))

    def above(self, x: Array) -> Array:
        return np.asarray(stats.beta.sf(x, self.a, self.b))

    def shortfall(self, x: Array) -> Array:
        """E[(x - P)+] = (x - m) F(x) + x (1-x) f(x) / (a+b), x within [0, 1]."""
        return np.maximum((x - self.mean) * self.below(x) + self._edge(x), 0.0)

    def excess(self, x: Array) -> Array:
        """E[(P - x)+] = (m - x) (1 - F(x)) + x (1-x) f(x) / (a+b)."""
        return np.maximum((self.mean - x) * self.above(x) + self._edge(x), 0.0)

    def _edge(self, x: Array) -> Array:
        inside = (x > 0) & (x < 1)
        density = np.zeros_like(x)
        density[inside] = stats.beta.pdf(x[inside], self.a, self.b)
        return x * (1 - x) * density / (self.a + self.b)


def _quantile(cdf: Callable[[float], float], probability: float, control_beta: _Beta, variant_beta: _Beta) -> float:
    """The difference that is not exceeded with this probability, between -1 and 1."""
    centre, sd = variant_beta.mean - control_beta.mean, sqrt(control_beta.sd**2 + variant_beta.sd**2)
    low, high = max(centre - 12 * sd, -1.0), min(centre + 12 * sd, 1.0)
    if cdf(low) >= probability:
        low = -1.0
    if cdf(high) <= probability:
        high = 1.0
    return float(optimize.brentq(lambda t: cdf(t) - probability, low, high, xtol=1e-12 + 1e-9 * sd))
