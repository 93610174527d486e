"""Hidden causes: E-value, activity benchmark, and negative controls (what the method finds for inert behaviours)."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, sqrt

import numpy as np
from scipy import stats

from aha.evidence.aipw import Difference, RiskRatio
from aha.evidence.nuisance import Codes, Flags, Floats
from stats.results import NotComputable, Reason
from stats.synthesis.random_effects import restricted_likelihood

TOP_SHARE = 1 / 3
FEWEST_CONTROLS = 5
FEW_CONTROLS = 10


@dataclass(frozen=True)
class EValue:
    """Smallest strength, as a risk ratio of a hidden cause with both behaviour and retention, that explains it away.

    Attributes:
        point: for the estimate; 1 or more.
        limit: for the interval's limit nearer 1; exactly 1 when the interval covers 1.
    """

    point: float
    limit: float


@dataclass(frozen=True)
class Benchmark:
    """A hidden cause as strong as activity: what it could do.

    Attributes:
        top_share: share of units that count as most active; as near a third as whole days allow.
        ratio_did: how much likelier the most active are among doers than among others (or the reverse), 1 or more.
        ratio_retained: how much likelier the most active are to stay, at most, with and without the behaviour.
        bounding_factor: the largest risk ratio that such a cause alone can make.
        would_erase: True when that reaches the observed ratio.
    """

    top_share: float
    ratio_did: float
    ratio_retained: float
    bounding_factor: float
    would_erase: bool


@dataclass(frozen=True)
class EmpiricalNull:
    """What the method finds where there is nothing to find.

    Attributes:
        mean: systematic error of the negative controls, in points of retention.
        sd: its spread between behaviours beyond sampling error, 0 or more, by restricted maximum likelihood.
        controls: number of controls.
        is_weak: fewer than ten controls.
        mean_error: standard error of `mean`, same unit; 0 in reports of version 0.3, which took the mean as known.
    """

    mean: float
    sd: float
    controls: int
    is_weak: bool
    mean_error: float = 0.0


@dataclass(frozen=True)
class Calibrated:
    """An estimate judged against the negative controls: would one more of them come out so strong?

    Attributes:
        z: (estimate - mean) / sqrt(sd^2 + standard_error^2 + mean_error^2), to be compared with t of k - 1 degrees of
            freedom, k the number of controls.
        p_value: two-sided, 0 to 1.
        low, high: the calibrated interval, centred at estimate - mean.
        as_strong_as_inert: True when the plain interval excludes 0 but the calibrated one covers it: inert behaviours
            come out as strong as this one, and the page says so at the top.
    """

    z: float
    p_value: float
    low: float
    high: float
    as_strong_as_inert: bool


def e_value(ratio: float) -> float:
    """RR + sqrt(RR (RR - 1)); ratios below 1 are turned round.

    Raises:
        ValueError: if the ratio isn't above 0.

    Source: VanderWeele and Ding 2017.
    """
    if not ratio > 0:
        raise ValueError(f"a risk ratio is above 0, not {ratio}")
    ratio = max(ratio, 1 / ratio)
    return ratio + sqrt(ratio * (ratio - 1))


def e_values(ratio: RiskRatio) -> EValue:
    """E-values of a risk ratio and of the limit nearer 1."""
    if ratio.low <= 1 <= ratio.high:
        return EValue(e_value(ratio.estimate), 1.0)
    return EValue(e_value(ratio.estimate), e_value(ratio.low if ratio.low > 1 else ratio.high))


def benchmark(ratio: float, *, retained: Flags, did: Flags, active_days: Codes) -> Benchmark | NotComputable:
    """Would a hidden cause, linked to behaviour and retention as strongly as high activity is, make this ratio?

    Args:
        ratio: the risk ratio to explain, above 0; below 1 the roles of doers and others change.
        retained, did, active_days: one entry per unit.

    Returns:
        BF = RR_DU RR_UR / (RR_DU + RR_UR - 1) with U = "top third of active days". RR_DU compares how common U is among
        doers and others, RR_UR how retention differs by U within doers and within others, whichever is stronger.
        ``SPARSE_TABLE`` when a ratio is infinite or undefined.

    Source: Ding and VanderWeele 2016.
    """
    top = _top(active_days)
    sides = (did, ~did) if ratio >= 1 else (~did, did)
    if min(int(did.sum()), int((~did).sum()), int(top.sum()), int((~top).sum())) == 0:
        return NotComputable(Reason.SPARSE_TABLE)
    shares = [float(top[side].mean()) for side in sides]
    ratio_did = max(_over(shares[0], shares[1]), _over(1 - shares[0], 1 - shares[1]))
    ratio_retained = 1.0
    for side in sides:
        if not (side & top).any() or not (side & ~top).any():
            return NotComputable(Reason.SPARSE_TABLE)
        rates = float(retained[side & top].mean()), float(retained[side & ~top].mean())
        ratio_retained = max(ratio_retained, _over(rates[0], rates[1]), _over(rates[1], rates[0]))
    if max(ratio_did, ratio_retained) == inf:
        return NotComputable(Reason.SPARSE_TABLE)
    bound = ratio_did * ratio_retained / (ratio_did + ratio_retained - 1)
    return Benchmark(float(top.mean()), ratio_did, ratio_retained, bound, bound >= max(ratio, 1 / ratio))


def empirical_null(controls: Sequence[Difference]) -> EmpiricalNull | NotComputable:
    """Mean and spread of the systematic error: t_j ~ N(mean, sd^2 + s_j^2), the spread by restricted likelihood.

    Args:
        controls: the last rung of at least five behaviours that can't cause retention.

    Returns:
        Plain maximum likelihood would forget that the mean was estimated and give a spread that is too small: by a
        tenth with five controls.

    Source: Schuemie et al. 2014 (the law); Viechtbauer 2005 (REML).
    """
    if len(controls) < FEWEST_CONTROLS:
        return NotComputable(Reason.TOO_FEW_CONTROLS, {"n": len(controls), "needed": FEWEST_CONTROLS})
    t = np.array([control.estimate for control in controls])
    s = np.array([control.standard_error for control in controls])
    if (s <= 0).any():
        return NotComputable(Reason.NO_VARIANCE)
    mean, spread, error = restricted_likelihood(t, s)
    return EmpiricalNull(mean, spread, len(t), len(t) < FEW_CONTROLS, error)


def calibrate(candidate: Difference, null: EmpiricalNull) -> Calibrated:
    """The candidate against the prediction interval of one more control, at the candidate's own level.

    Taking mean and spread as known gave 20 % false alarms with five controls and 12 % with ten.

    Source: Higgins, Thompson, Spiegelhalter 2009 (prediction interval of a random-effects analysis).
    """
    spread = sqrt(null.sd**2 + candidate.standard_error**2 + null.mean_error**2)
    law = stats.t(null.controls - 1)
    z = (candidate.estimate - null.mean) / spread
    half = float(law.isf((1 - candidate.level) / 2)) * spread
    low, high = candidate.estimate - null.mean - half, candidate.estimate - null.mean + half
    as_strong = candidate.excludes_zero and low <= 0 <= high
    return Calibrated(z, 2 * float(law.sf(abs(z))), low, high, as_strong)


def _top(active_days: Codes) -> Flags:
    """Units at or above the number of active days whose share is nearest to a third."""
    cuts = np.unique(active_days)
    shares: Floats = np.array([float((active_days >= cut).mean()) for cut in cuts])
    cut = cuts[np.abs(shares - TOP_SHARE).argmin()] if len(cuts) else 0
    return np.asarray(active_days >= cut)


def _over(top: float, bottom: float) -> float:
    if bottom > 0:
        return top / bottom
    return inf if top > 0 else 1.0
