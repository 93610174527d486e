"""The adjustment ladder of a candidate: its difference in retention, adjusted for more and more of what was measured.

Four rungs, from nothing adjusted to everything measured. A ladder that falls to 0 says that the raw difference was
activity; one that stays up says only that nothing *measured* explains it. Only an experiment can show a cause.
"""

from dataclasses import dataclass
from enum import StrEnum
from math import sqrt

import numpy as np

from aha.evidence.aipw import MAX_UNITS, Adjusted, Difference, adjust
from aha.evidence.nuisance import Codes, Flags, Floats
from runs.progress import Progress, part, silent
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


@dataclass(frozen=True, eq=False)
class Units:
    """The eligible units of one candidate. Arrays have one entry per unit unless said.

    Attributes:
        retained: whether the unit was retained.
        did: whether it reached the candidate's times within its days.
        active_days: number of active days among days 0..Y-1, the candidate's own window.
        week: code of its signup week.
        segment: code of its segment, known at signup; the same for all when there are none.
        before: units x columns known before the behaviour (platform, channel, country, as dummies).
        others: units x behaviours, counts of the *other* behaviours on days 0..Y-1.

    Nothing may be measured after the candidate's window: holding equal what a behaviour brings about would remove the
    effect that is looked for (a randomised effect of .179 became -.016).
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
        difference: share retained among doers minus that among others, or why there is none.
        units: units that it rests on; Mantel-Haenszel strata without both groups carry no weight and aren't counted.
        same_window: True when it holds equal what was measured in the behaviour's own window, and nothing later: it
            may then remove part of a real effect, or open a path between common causes.
        adjusted: overlap, models and potential means of an AIPW rung.
    """

    name: RungName
    difference: Difference | NotComputable
    units: int
    same_window: bool = False
    adjusted: Adjusted | None = None


@dataclass(frozen=True)
class Ladder:
    """The four rungs of a candidate.

    Attributes:
        rungs: raw, Mantel-Haenszel, AIPW-base, AIPW-full.
        surviving_share: the last rung over the first; below 0 when adjusting turns the sign. Missing when the raw
            interval covers 0: a share of nothing.
        seed: of samples, folds and models.
        days: the window 0..days-1 whose activity and behaviours were held equal; 0 in reports of version 0.3, which
            took the longest window of the study for every candidate.
    """

    rungs: tuple[Rung, Rung, Rung, Rung]
    surviving_share: float | NotComputable
    seed: int
    days: int = 0

    @property
    def headline(self) -> Difference | NotComputable:
        """The rung that holds the most equal, of those that could be computed; why there is none, otherwise."""
        found = [rung.difference for rung in self.rungs if computable(rung.difference)]
        return found[-1] if found else self.rungs[0].difference


def climb(
    units: Units,
    *,
    seed: int,
    days: int = 0,
    alpha: float = 0.05,
    max_units: int = MAX_UNITS,
    progress: Progress = silent,
) -> Ladder:
    """All four rungs. The first two use every unit, the models at most `max_units`.

    Args:
        units: the eligible units. The window guard has to hold: the behaviour's window ends before retention begins.
        seed: of samples, folds and models.
        days: the candidate's Y, in which `active_days` and `others` were counted.
        alpha: two-sided error rate of every interval.
        max_units: largest sample for the models.
        progress: told how far it is.

    Source: METHODS 2.12.
    """
    raw = raw_difference(units.retained, units.did, alpha=alpha)
    strata = combine(units.active_days, units.segment, units.week)
    stratified = stratified_difference(units.retained, units.did, strata, alpha=alpha)
    known = np.column_stack([units.before, dummies(units.week), dummies(units.segment)])
    measured = np.column_stack([known, dummies(units.active_days), np.log1p(units.others)])
    outcome = units.retained.astype(np.float64)
    base, full = (
        adjust(outcome, units.did, columns, seed=seed, alpha=alpha, max_units=max_units, progress=inner)
        for columns, inner in ((known, part(progress, 0, 0.5)), (measured, part(progress, 0.5, 1)))
    )
    rungs = (
        Rung(RungName.RAW, raw, len(outcome)),
        Rung(RungName.STRATIFIED, stratified, _units_compared(units.did, strata), same_window=True),
        _model_rung(RungName.BASE, base, same_window=False),
        _model_rung(RungName.FULL, full, same_window=True),
    )
    return Ladder(rungs, surviving_share(raw, rungs[3].difference), seed, days)


def raw_difference(retained: Flags, did: Flags, *, alpha: float = 0.05) -> Difference | NotComputable:
    """Share retained among doers minus that among others, with Newcombe's hybrid score interval.

    The standard error is the unpooled one; the interval doesn't use it.

    Source: Newcombe 1998.
    """
    control, variant = (Mean.from_counts(int((retained & rows).sum()), int(rows.sum())) for rows in (~did, did))
    smallest = min(control.n, variant.n)
    if smallest < 2:
        return NotComputable(Reason.TOO_FEW_UNITS, {"n": smallest, "needed": 2})
    found = newcombe_interval(control, variant, alpha=alpha)
    if isinstance(found, NotComputable):
        return found
    error = sqrt(sum(arm.mean * (1 - arm.mean) / arm.n for arm in (control, variant)))
    return Difference(found.estimate, error, found.low, found.high, found.level)


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
    found = risk_difference(tables, alpha=alpha)
    if isinstance(found, NotComputable):
        return found
    return Difference(found.estimate, found.standard_error, found.low, found.high, found.level)


def surviving_share(raw: Difference | NotComputable, adjusted: Difference | NotComputable) -> float | NotComputable:
    """The adjusted difference over the raw one, only if the raw interval excludes 0."""
    if not computable(raw):
        return raw
    if not computable(adjusted):
        return adjusted
    if not raw.excludes_zero:
        return NotComputable(Reason.RAW_COVERS_ZERO)
    return adjusted.estimate / raw.estimate


def dummies(codes: Codes) -> Floats:
    """One 0/1 column per value but the first; no column when all are the same."""
    values = np.unique(codes)
    return np.asarray(codes[:, None] == values[None, 1:], dtype=np.float64)


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
