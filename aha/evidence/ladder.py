"""The adjustment ladder of a candidate: its difference in retention, adjusted for more and more covariates.

Five rungs, from no adjustment to everything measured before the act. If the difference falls to 0, the raw difference
was due to activity; if it remains, nothing *measured* explains it. Only an experiment can show a cause.
"""

from dataclasses import dataclass
from enum import StrEnum
from math import sqrt
from typing import Any

import numpy as np

from aha.evidence.aipw import MAX_UNITS, Adjusted, Difference, adjust
from aha.evidence.daily_trials import Trials
from aha.evidence.nuisance import Codes, Flags, Floats, dummies
from runs.parallel import calls
from runs.progress import Progress, silent
from stats.compare import newcombe_interval
from stats.results import NotComputable, Reason, computable
from stats.stratified import risk_difference
from stats.summaries import Mean


class RungName(StrEnum):
    """The rungs, in order."""

    RAW = "raw"
    STRATIFIED = "mantel_haenszel"
    BASE = "aipw_base"
    FULL = "aipw_full"
    DAILY = "daily_trials"


@dataclass(frozen=True, eq=False)
class Units:
    """The eligible units of one candidate. Arrays have one entry per unit unless stated otherwise.

    Attributes:
        retained: whether the unit was retained.
        did: whether it reached the candidate's times within its days.
        active_days: number of active days among days 0..Y-1, the candidate's own window.
        week: code of its signup week.
        segment: code of its segment, known at signup; the same for all when there are none.
        before: units x columns known before the behaviour (platform, channel, country, as dummies).
        others: units x behaviours, counts of the *other* behaviours on days 0..Y-1.

    No covariate may be measured after the candidate's window: adjusting for consequences of the behaviour would remove
    the effect to be estimated (a randomised effect of .179 became -.016).
    """

    retained: Flags
    did: Flags
    active_days: Codes
    week: Codes
    segment: Codes
    before: Floats
    others: Floats

    def __post_init__(self) -> None:
        columns = (self.did, self.active_days, self.week, self.segment, self.before, self.others)
        if any(len(column) != len(self.retained) for column in columns):
            raise ValueError("every column needs one entry per unit")


@dataclass(frozen=True)
class Rung:
    """One estimate of the ladder.

    Attributes:
        name: which rung.
        difference: share retained among doers minus share retained among others, or why it isn't computable.
        units: number of units used, without those in Mantel-Haenszel strata that lack one of the groups. For the daily
            trials, units with a day at risk; `adjusted` counts the days.
        same_window: True when covariates were measured in the behaviour's own window, and none later: adjusting may
            then remove part of a real effect, or open a path between common causes (collider bias).
        adjusted: overlap, models and potential means of an AIPW rung.
    """

    name: RungName
    difference: Difference | NotComputable
    units: int
    same_window: bool = False
    adjusted: Adjusted | None = None


@dataclass(frozen=True)
class Ladder:
    """The rungs of a candidate.

    Attributes:
        rungs: raw, Mantel-Haenszel, AIPW-base, AIPW-full, daily trials; the last one is missing in reports of earlier
            versions.
        surviving_share: AIPW-full over raw; below 0 when adjusting reverses the sign. Missing when the raw interval
            covers 0.
        seed: of samples, folds and models.
        days: the covariates are activity and behaviours of days 0..days-1; 0 in reports of version 0.3, which took the
            longest window of the study for every candidate.
    """

    rungs: tuple[Rung, ...]
    surviving_share: float | NotComputable
    seed: int
    days: int = 0

    @property
    def full(self) -> Rung:
        """AIPW with everything measured in the same window."""
        return self.rungs[3]

    @property
    def daily(self) -> Rung | None:
        """The daily trials; None in reports of earlier versions."""
        return next((rung for rung in self.rungs if rung.name is RungName.DAILY), None)

    @property
    def headline(self) -> Rung:
        """The rung to read first: the daily trials where computable, else AIPW-full or why there is none."""
        return self.full if self.daily is None or not computable(self.daily.difference) else self.daily


def climb(
    units: Units,
    trials: Trials | None = None,
    *,
    seed: int,
    days: int = 0,
    alpha: float = 0.05,
    max_units: int = MAX_UNITS,
    progress: Progress = silent,
) -> Ladder:
    """Compute all rungs. The first two use every unit, the models at most `max_units` (the daily trials: unit-days).

    Args:
        units: the eligible units. The window guard has to hold: the behaviour's window ends before retention begins.
        trials: the days at risk of the same units; without them the fifth rung is left out.
        seed: of samples, folds and models.
        days: the candidate's Y, in which `active_days` and `others` were counted.
        alpha: two-sided error rate of every interval.
        max_units: largest sample for the models.
        progress: called with the stage and the share done, 0 to 1.

    Source: docs/methods/evidence.md, a section for each rung.
    """
    raw = raw_difference(units.retained, units.did, alpha=alpha)
    strata = combine(units.active_days, units.segment, units.week)
    stratified = stratified_difference(units.retained, units.did, strata, alpha=alpha)
    outcome = units.retained.astype(np.float64)
    options: dict[str, Any] = {"seed": seed, "alpha": alpha, "max_units": max_units}
    models = [
        lambda inner: adjust(outcome, units.did, known_at_signup(units), progress=inner, **options),
        lambda inner: full_rung(units, outcome, progress=inner, **options),
    ]
    if trials is not None:
        models.append(lambda inner: daily_rung(units, trials, outcome, progress=inner, **options))
    base, full, *daily = calls(*models, progress=progress)
    rungs = (
        Rung(RungName.RAW, raw, len(outcome)),
        Rung(RungName.STRATIFIED, stratified, _units_compared(units.did, strata), same_window=True),
        _model_rung(RungName.BASE, base, same_window=False),
        full,
        *daily,
    )
    return Ladder(rungs, surviving_share(raw, full.difference), seed, days)


def known_at_signup(units: Units) -> Floats:
    """Units × columns that no behaviour can have changed."""
    return np.column_stack([units.before, dummies(units.week), dummies(units.segment)])


def measured_in_window(units: Units) -> Floats:
    """Units × columns of everything measured up to the end of the cell's window, except the behaviour itself."""
    return np.column_stack([known_at_signup(units), dummies(units.active_days), np.log1p(units.others)])


def full_rung(units: Units, outcome: Floats, **options: Any) -> Rung:
    """The fourth rung, of any outcome per unit; the options are those of `adjust`."""
    return _model_rung(
        RungName.FULL, adjust(outcome, units.did, measured_in_window(units), **options), same_window=True
    )


def daily_rung(units: Units, trials: Trials, outcome: Floats, **options: Any) -> Rung:
    """The fifth rung, of any outcome per unit: the average over units and days at risk, error clustered by unit.

    The comparison group "doesn't reach it today" includes units that reach it on a later day.
    """
    covariates = np.column_stack([known_at_signup(units)[trials.unit], trials.history])
    adjusted = adjust(outcome[trials.unit], trials.did, covariates, unit=trials.unit, **options)
    if not computable(adjusted):
        return Rung(RungName.DAILY, adjusted, 0)
    return Rung(RungName.DAILY, adjusted.difference, adjusted.units, adjusted=adjusted)


def raw_difference(retained: Flags, did: Flags, *, alpha: float = 0.05) -> Difference | NotComputable:
    """Share retained among doers minus share retained among others, with Newcombe's hybrid score interval.

    The standard error is the unpooled one; the interval doesn't use it.

    Source: Newcombe 1998.
    """
    control, variant = (Mean.from_counts(int((retained & rows).sum()), int(rows.sum())) for rows in (~did, did))
    smallest = min(control.n, variant.n)
    if smallest < 2:
        return NotComputable(Reason.TOO_FEW_UNITS, {"n": smallest, "needed": 2})
    interval = newcombe_interval(control, variant, alpha=alpha)
    if isinstance(interval, NotComputable):
        return interval
    error = sqrt(sum(arm.mean * (1 - arm.mean) / arm.n for arm in (control, variant)))
    return Difference(interval.estimate, error, interval.low, interval.high, interval.level)


def stratified_difference(
    retained: Flags, did: Flags, strata: Codes, *, alpha: float = 0.05
) -> Difference | NotComputable:
    """Mantel-Haenszel risk difference of doers minus others, as `stats.stratified.risk_difference`.

    Args:
        retained, did: one entry per unit.
        strata: code of each unit's stratum. Strata without doers, or with doers only, carry no weight.
        alpha: two-sided error rate.
    """
    codes = np.unique(strata, return_inverse=True)[1]
    counts = [
        np.bincount(codes, weights=rows, minlength=codes.max(initial=-1) + 1).astype(np.int64).tolist()
        for rows in (~did & retained, ~did, did & retained, did)
    ]
    tables = [(Mean.from_counts(c, n0), Mean.from_counts(a, n1)) for c, n0, a, n1 in zip(*counts, strict=True)]
    difference = risk_difference(tables, alpha=alpha)
    if isinstance(difference, NotComputable):
        return difference
    return Difference(difference.estimate, difference.standard_error, difference.low, difference.high, difference.level)


def surviving_share(raw: Difference | NotComputable, adjusted: Difference | NotComputable) -> float | NotComputable:
    """The adjusted difference over the raw one, only if the raw interval excludes 0."""
    if not computable(raw):
        return raw
    if not computable(adjusted):
        return adjusted
    if not raw.excludes_zero:
        return NotComputable(Reason.RAW_COVERS_ZERO)
    return adjusted.estimate / raw.estimate


def combine(*labels: Codes) -> Codes:
    """One code per combination of the labels."""
    return np.unique(np.column_stack(labels), axis=0, return_inverse=True)[1].astype(np.int64).reshape(-1)


def _units_compared(did: Flags, strata: Codes) -> int:
    codes = np.unique(strata, return_inverse=True)[1]
    n1, n0 = (np.bincount(codes, weights=rows, minlength=codes.max(initial=-1) + 1) for rows in (did, ~did))
    return int((n1 + n0)[(n1 > 0) & (n0 > 0)].sum())


def _model_rung(name: RungName, result: Adjusted | NotComputable, *, same_window: bool) -> Rung:
    if not computable(result):
        return Rung(name, result, 0, same_window)
    return Rung(name, result.difference, result.n_with + result.n_without, same_window, result)
