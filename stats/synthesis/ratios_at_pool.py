"""Ratios of two estimates, each with an error that chance has not made small together with the ratio itself."""

from dataclasses import dataclass

import numpy as np

from stats.shrinkage import variance_between
from stats.summaries import Array

ROUNDS = 2
# No promise is moved beyond half or twice of what it was, however far its finding lies from the pooled ratio.
MOST_MOVED = 2.0


@dataclass(frozen=True, eq=False)
class Ratios:
    """Ratios ready to be pooled.

    Attributes:
        values: found / promised, linear in the found and the promised value at the pooled ratio; no unit.
        errors: their standard errors at the pooled ratio.
    """

    values: Array
    errors: Array


def ratios_at_pool(found: Array, found_errors: Array, promised: Array, promised_errors: Array) -> Ratios:
    """Ratios found / promised with errors taken at the ratio that all of them share.

    By the delta method a ratio's variance is s_f^2 / p^2 + f^2 s_p^2 / p^4: it holds the ratio itself, so that small
    ratios claim small errors and weigh most. Here the promise's part is taken at the pooled ratio r, in two rounds:
    variance (s_f^2 + r^2 s_p^2) / q^2 of the ratio r + (f - r p) / q. In the denominator p would do the same again, a
    promise too large by luck having a small ratio and a large weight; so q is the promise as promise and finding
    together tell it at r, which is uncorrelated with f - r p: (p v + r f s_p^2) / (v + r^2 s_p^2), v = s_f^2 and the
    spread of true ratios. Where promises are known exactly, q = p and the values are the plain ratios.

    Args:
        found: k findings, of any sign; `found_errors` their standard errors, above 0.
        promised: what was promised for each, above 0, in the same unit; `promised_errors` 0 or more.

    Source: Fuller 1987, section 1.2 (errors in both variables: the estimated true value); DerSimonian and Laird 1986
    (spread between rounds). Simulated: `benchmarks/audit_04/price.py`.
    """
    ratio, spread = float(found.sum() / promised.sum()), 0.0
    values, errors = found / promised, found_errors / promised
    for _round in range(ROUNDS):
        of_finding = found_errors**2 + spread * promised**2
        of_promise = promised_errors**2
        best = (promised * of_finding + ratio * found * of_promise) / (of_finding + ratio**2 * of_promise)
        best = np.clip(best, promised / MOST_MOVED, promised * MOST_MOVED)
        values = ratio + (found - ratio * promised) / best
        errors = np.sqrt(found_errors**2 + ratio**2 * of_promise) / best
        spread = variance_between(values, errors**2) if len(values) > 1 else 0.0
        weights = 1 / (errors**2 + spread)
        ratio = float((weights * values).sum() / weights.sum())
    return Ratios(values, errors)
