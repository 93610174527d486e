"""Sensitivity to unmeasured confounding: robustness value, E-value, activity benchmark and negative controls."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf, sqrt

import numpy as np
from scipy import stats

from aha.evidence.aipw import MAX_UNITS, Difference, RiskRatio, draw_rows
from aha.evidence.daily_trials import Trials
from aha.evidence.ladder import RungName, Units, daily_rung, full_rung
from aha.evidence.nuisance import Codes, Flags, Floats
from runs.parallel import each
from runs.progress import Progress, silent
from stats.results import NotComputable, Reason, check_alpha, computable
from stats.synthesis import restricted_likelihood

# Robustness value: share of the residual variance of behaviour and outcome that a hidden cause would have to explain.
#
# The E-value is on the scale of risk ratios, the robustness value on that of variance shares, as in regressions. Both
# refer to an estimate that is already adjusted for everything measured.


@dataclass(frozen=True)
class Robustness:
    """The robustness value of a linear model, and what activity explains in the same model.

    Attributes:
        value: share of the residual variance of behaviour *and* outcome, 0 to 1, that a hidden cause would have to
            explain, each, to bring the estimate to 0.
        limit: the same to make the interval cover 0; 0 when it already does.
        estimate: the coefficient of the behaviour, in the outcome's unit.
        t, df: its t statistic and residual degrees of freedom.
        activity_did, activity_outcome: share of the residual variance that active days explain, of the behaviour and of
            the outcome (given the behaviour), adjusted for everything else.
        units: units of the model.
        level: confidence level that `limit` refers to.
    """

    value: float
    limit: float
    estimate: float
    t: float
    df: int
    activity_did: float
    activity_outcome: float
    units: int
    level: float

    @property
    def activity_would_erase(self) -> bool:
        """Whether a hidden cause that explains as much as activity does could bring the estimate to 0.

        Source: Cinelli, Hazlett 2020, equation 6: bias = error sqrt(df) sqrt(R2_Y R2_D / (1 - R2_D)).
        """
        if self.activity_did >= 1:
            return True
        return self.activity_outcome * self.activity_did / (1 - self.activity_did) >= self.t**2 / self.df


def robustness_value(t: float, df: int, *, q: float = 1.0, alpha: float | None = None) -> float:
    """The robustness value RV_q of a coefficient, or RV_{q, alpha} for its significance.

    Args:
        t: its t statistic.
        df: residual degrees of freedom, 2 or more.
        q: share of the estimate that the hidden cause would have to explain, 1 for all of it.
        alpha: None for the estimate itself; else the two-sided error rate at which it is to become insignificant.

    Raises:
        ValueError: for fewer degrees of freedom, or a q that isn't above 0.

    Source: Cinelli, Hazlett 2020, section 4.2; the second form, where even a cause of all residual variance of the
    outcome would have to explain less of the behaviour, as in their package `sensemakr`.
    """
    if df < 2 or q <= 0:
        raise ValueError(f"needs df of 2 or more and q above 0, not {df} and {q}")
    f = q * abs(t) / sqrt(df)
    critical = 0.0
    if alpha is not None:
        check_alpha(alpha)
        critical = float(stats.t.isf(alpha / 2, df - 1)) / sqrt(df - 1)
    reduced = f - critical
    if reduced <= 0:
        return 0.0
    if critical and f > 1 / critical:
        return (f**2 - critical**2) / (1 + f**2)
    return (sqrt(reduced**4 + 4 * reduced**2) - reduced**2) / 2


def robustness(
    outcome: Floats,
    did: Flags,
    activity: Floats,
    covariates: Floats,
    *,
    seed: int,
    alpha: float = 0.05,
    max_units: int = MAX_UNITS,
) -> Robustness | NotComputable:
    """The robustness value of the behaviour's coefficient in a least-squares model with all covariates.

    Args:
        outcome, did: one entry per unit.
        activity: units × columns for active days: covariates, and the benchmark for the hidden cause.
        covariates: units × other covariates.
        seed: of the draw when there are more than `max_units` units.
        alpha: two-sided error rate of `limit`.
        max_units: largest sample.

    Returns:
        ``TOO_FEW_UNITS`` with fewer units than columns and two more; ``NO_VARIANCE`` where the behaviour, or the
        outcome, doesn't vary after adjustment for the rest.
    """
    rows = draw_rows(len(outcome), max_units, seed=seed)
    y, d = outcome[rows], did[rows].astype(np.float64)
    rest = np.column_stack([np.ones(len(rows)), covariates[rows]])
    all_columns = np.column_stack([rest, activity[rows]])
    df = len(y) - int(np.linalg.matrix_rank(all_columns)) - 1
    if df < 2:
        return NotComputable(Reason.TOO_FEW_UNITS, {"n": len(y), "needed": len(y) - df + 2})
    d_left, y_left = _left(all_columns, d, y)
    # Frisch, Waugh 1933; Lovell 1963: the coefficient equals that of the residuals of both.
    spread = float(d_left @ d_left)
    if spread <= 1e-9 * len(y):
        return NotComputable(Reason.NO_VARIANCE)
    slope = float(d_left @ y_left) / spread
    residual = float(((y_left - slope * d_left) ** 2).sum())
    slope_error = sqrt(residual / df / spread)
    if slope_error == 0:
        return NotComputable(Reason.NO_VARIANCE)
    t = slope / slope_error
    (d_without,) = _left(rest, d)
    (y_without,) = _left(np.column_stack([rest, d]), y)
    return Robustness(
        value=robustness_value(t, df),
        limit=robustness_value(t, df, alpha=alpha),
        estimate=slope,
        t=t,
        df=df,
        activity_did=1 - spread / float(d_without @ d_without),
        activity_outcome=1 - residual / float(y_without @ y_without),
        units=len(y),
        level=1 - alpha,
    )


def _left(columns: Floats, *targets: Floats) -> tuple[Floats, ...]:
    """Residuals of each target after least squares on the columns."""
    both = np.column_stack(targets)
    left = both - columns @ np.linalg.lstsq(columns, both, rcond=None)[0]
    return tuple(left.T)


# Negative-control outcomes: the ladder's rung for outcomes that were fixed before anyone could do the behaviour.
#
# A behaviour can't change what was known at signup. If doers still differ in it from comparable
# others, something that came before drives both, and may drive the difference in retention as well.

MOST_OUTCOMES = 3
MOST_ROWS = 20_000
RAREST = 0.05


@dataclass(frozen=True)
class EarlierOutcome:
    """One negative-control outcome of a candidate.

    Attributes:
        name: what was known at signup, ``platform=ios``.
        rung: how it was compared: the rung of the ladder's headline.
        difference: adjusted share of it among those who did the behaviour minus share among others;
            its level is corrected for the number of outcomes (Bonferroni).
        units: number of units used.
    """

    name: str
    rung: RungName
    difference: Difference | NotComputable
    units: int


def earlier_outcomes(
    units: Units,
    trials: Trials | None,
    names: Sequence[str],
    *,
    seed: int,
    alpha: float = 0.05,
    max_units: int = MOST_ROWS,
    progress: Progress = silent,
) -> tuple[EarlierOutcome, ...]:
    """Negative-control outcomes: the ladder's rung for at most three properties known at signup; empty without any.

    Args:
        units: as for the ladder; each column of `before` is an outcome in turn, adjusted for the others except those of
            the same property.
        trials: days at risk where the daily trials are the headline; None uses AIPW-full.
        names: ``property=value`` of each column of `units.before`.
        seed: of samples, folds and models.
        alpha: two-sided error rate of all outcomes together.
        max_units: largest number of rows for the models; small differences don't matter here.
        progress: called with the stage and the share done, 0 to 1.

    Source: Lipsitch, Tchetgen Tchetgen, Cohen 2010.
    """
    chosen = _columns(units, names)

    def compare(column: int, inner: Progress) -> EarlierOutcome:
        others = [place for place, name in enumerate(names) if _property(name) != _property(names[column])]
        rest = replace(units, before=units.before[:, others])
        options = {"seed": seed, "alpha": alpha / len(chosen), "max_units": max_units, "progress": inner}
        outcome = units.before[:, column]
        rung = full_rung(rest, outcome, **options) if trials is None else daily_rung(rest, trials, outcome, **options)
        return EarlierOutcome(names[column], rung.name, rung.difference, rung.units)

    return tuple(each(chosen, compare, progress=progress))


def shows_confounding(outcomes: Sequence[EarlierOutcome]) -> tuple[EarlierOutcome, ...]:
    """The outcomes whose interval excludes 0."""
    return tuple(row for row in outcomes if computable(row.difference) and row.difference.excludes_zero)


def _columns(units: Units, names: Sequence[str]) -> list[int]:
    """Columns of the outcomes: the most evenly splitting value of each property, for the properties that split best."""
    shares = units.before.mean(axis=0) if len(names) else np.zeros(0)
    best: dict[str, int] = {}
    for place, name in enumerate(names):
        key = _property(name)
        if key not in best or abs(shares[place] - 0.5) < abs(shares[best[key]] - 0.5):
            best[key] = place
    even: Codes = np.array([place for place in best.values() if RAREST <= shares[place] <= 1 - RAREST], dtype=np.int64)
    return sorted(even[np.argsort(np.abs(shares[even] - 0.5), kind="stable")][:MOST_OUTCOMES].tolist())


def _property(name: str) -> str:
    return name.partition("=")[0]


TOP_SHARE = 1 / 3
FEWEST_CONTROLS = 5
FEW_CONTROLS = 10


@dataclass(frozen=True)
class EValue:
    """Smallest risk ratio of a hidden cause with both behaviour and retention that would explain the estimate away.

    Attributes:
        point: for the estimate; 1 or more.
        limit: for the interval's limit nearer 1; exactly 1 when the interval covers 1.
    """

    point: float
    limit: float


@dataclass(frozen=True)
class Benchmark:
    """How much of the estimate a hidden cause as strong as activity could explain.

    Attributes:
        top_share: share of units that count as most active; as near a third as whole days allow.
        ratio_did: risk ratio of being among the most active, doers over others (or the reverse), 1 or more.
        ratio_retained: risk ratio of staying, the most active over others: the larger one of doers and non-doers.
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
    """Distribution of the method's systematic error, estimated from negative controls.

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
    """An estimate tested against the distribution of the negative controls.

    Attributes:
        z: (estimate - mean) / sqrt(sd^2 + standard_error^2 + mean_error^2), to be compared with t of k - 1 degrees of
            freedom, k the number of controls.
        p_value: two-sided, 0 to 1.
        low, high: the calibrated interval, centred at estimate - mean.
        as_strong_as_inert: True when the plain interval excludes 0 but the calibrated one covers it: inert behaviours
            have estimates as strong as this one. The page warns of it at the top.
    """

    z: float
    p_value: float
    low: float
    high: float
    as_strong_as_inert: bool


def e_value(ratio: float) -> float:
    """RR + sqrt(RR (RR - 1)); ratios below 1 are inverted first.

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
    """Whether a hidden cause, linked to behaviour and retention as strongly as high activity, could produce this ratio.

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
        Plain maximum likelihood would ignore that the mean is estimated and underestimate the spread, by a tenth with
        five controls.

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
    """Compare the candidate with the prediction interval of one more control, at the candidate's confidence level.

    Treating mean and spread as known gave 20 % false alarms with five controls and 12 % with ten.

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
