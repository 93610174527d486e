"""Records of a holdout reading, as they are stored. Pure.

While the outcome is locked the report holds counts, the sample ratio and the findings of single experiments, which are
visible already.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from experiments.analyse.holdout_report.holdout_question import HoldoutQuestion
from stats.results import Estimate, Interval, NotComputable
from stats.srm import SampleRatio
from stats.winners_curse import SummedEffects


@dataclass(frozen=True)
class SideLevel:
    """The outcome on one side: n mature units, and their mean with its interval."""

    n: int
    mean: Interval | NotComputable


@dataclass(frozen=True)
class HoldoutLook:
    """One reading of the outcome.

    Attributes:
        on: date of the reading.
        units: mature units of both sides.
        fraction: of the planned units; None with one reading.
        estimate: the rest minus the holdout, with the interval that holds at all readings together.
        low, high: its limits.
        z: estimate over its standard error; `critical` what its absolute value had to reach.
        p_value: over all readings.
    """

    on: date
    units: int
    fraction: float | None
    estimate: float
    low: float
    high: float
    z: float
    critical: float
    p_value: float


@dataclass(frozen=True)
class Shipment:
    """One shipped change and the finding of its own experiment.

    Attributes:
        experiment: key; `name` is its display name.
        variant: the arm that was shipped.
        on: local date.
        keeps_out: True when units of this holdout don't get it; False: it reaches both sides, so the report can't
            measure it.
        effect: of the nudge on all exposed units, by the final analysis; None where `why` has a code.
        why: code of why it isn't in the sums: `other_outcome`, `reaches_both`, `not_computable`; "" when it is.
    """

    experiment: str
    name: str
    variant: str
    on: date
    keeps_out: bool
    effect: Estimate | None
    why: str


@dataclass(frozen=True)
class HoldoutReport:
    """One reading.

    Attributes:
        asked: the plan.
        state: `open` or `waiting`; `why` as `experiments.analyse.holdout_report.holdout_lock.Due`, or `too_few`.
        reading: its date; `next_on` that of the next one.
        final: True for the last reading.
        data_end: moment up to which data were read, ISO.
        units: by side, of those who count; `mature` with a known outcome.
        sample_ratio: of all units; `sample_ratio_mature` of the mature ones.
        broken: True when one of them shows that the sides don't have the planned shares: then no figure below can be
            trusted.
        kind: of the outcome.
        levels: by side; empty while locked.
        difference: the rest minus the holdout: joint effect of everything shipped; None while locked.
        lift: the same, relative to the holdout.
        looks: all readings so far, oldest first.
        shipped: changes since the date, oldest first.
        sums: of the findings of their experiments.
        earlier_readings: how often other plans have read the outcome of this holdout before.
    """

    asked: HoldoutQuestion
    state: str
    why: str
    reading: date | None
    next_on: date | None
    final: bool
    data_end: str
    units: Mapping[str, int]
    mature: Mapping[str, int]
    sample_ratio: SampleRatio | NotComputable
    sample_ratio_mature: SampleRatio | NotComputable
    broken: bool
    kind: str
    levels: Mapping[str, SideLevel]
    difference: Estimate | NotComputable | None
    lift: Interval | NotComputable | None
    looks: tuple[HoldoutLook, ...]
    shipped: tuple[Shipment, ...]
    sums: SummedEffects | NotComputable
    earlier_readings: int
