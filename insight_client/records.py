"""Frozen records of the site's objects. Shares are 0 to 1, their differences -1 to 1 (.01 is a percentage point)."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from insight_client.errors import Locked
from insight_client.missing import NotComputable, Number

type Json = dict[str, Any]


@dataclass(frozen=True)
class Estimate:
    """A number with its interval.

    Attributes:
        value: the estimate, or why it can't be computed.
        low, high: limits of the interval, likewise.
        n: number of units; None if not reported.
    """

    value: Number
    low: Number
    high: Number
    n: int | None = None

    @property
    def reason(self) -> str:
        """Why a number is missing; empty if none is."""
        return next((one.reason for one in (self.value, self.low, self.high) if isinstance(one, NotComputable)), "")


@dataclass(frozen=True)
class Mean:
    """The mean of an arm: a share from 0 to 1, or in the outcome's own unit; with its standard error and users."""

    value: Number
    standard_error: Number
    n: int


@dataclass(frozen=True)
class Rung:
    """One step of the adjustment ladder: adjusted difference between users who did it and the others. Not causal."""

    name: str
    difference: Estimate


@dataclass(frozen=True)
class Day:
    """A day of a retention curve: the share of users who were active on it."""

    day: int
    active: Estimate


@dataclass(frozen=True)
class Candidate:
    """A behaviour that is associated with retention and worth an experiment. Not evidence of a cause.

    Attributes:
        behaviour, times, days: "did it at least `times` times within `days` days".
        step: `jump`, `levels_off` (rises to a number and is flat after), `smooth` or `cannot_tell`: result of
            the test for a threshold.
        reach: share of users who did it. base: share retained of all.
        retained_with, retained_without: share retained of those who did it, and of the others.
        difference: the first minus the second, unadjusted: what the correlation promises.
        j: Jaccard index of doing it and being retained, on users not used for choosing the number.
        ladder: the difference by step of adjustment.
        flags: marks, such as `activity_only`.
    """

    behaviour: str
    times: int
    days: int
    step: str
    reach: Estimate
    base: Estimate
    retained_with: Estimate
    retained_without: Estimate
    difference: Estimate
    j: Estimate
    ladder: tuple[Rung, ...]
    flags: tuple[str, ...]

    @property
    def words(self) -> str:
        """The claim in words."""
        return f"{self.behaviour}, {self.times} or more within {self.days} days"


@dataclass(frozen=True)
class Study:
    """A study: a search for AHA moments.

    Attributes:
        status: queued, running, done, failed or cancelled. reason: why it failed.
        stage, share: current step, and progress from 0 to 1.
        inputs: parameters of the study.
        users: eligible users; retained: how many of them were retained. Both None until it is done.
        candidates: best first; empty until it is done, or if no behaviour is better than chance.
        none_because: why no behaviour could be tested against chance; empty if some were.
        curve: retention by day of all eligible users.
        report: the full report as returned by the site.
    """

    id: int
    title: str
    status: str
    stage: str
    share: float
    reason: str
    created_at: datetime
    finished_at: datetime | None
    inputs: Json
    users: int | None = None
    retained: Estimate | None = None
    candidates: tuple[Candidate, ...] = ()
    none_because: str = ""
    curve: tuple[Day, ...] = ()
    report: Json | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Moment:
    """An AHA moment: a behaviour promoted from a study.

    Attributes:
        status: candidate, testing, confirmed, refuted or inconclusive.
        intact: whether the evidence is unchanged since promotion.
    """

    key: str
    name: str
    behaviour: str
    times: int
    days: int
    retention: str
    status: str
    study: int | None
    intact: bool
    created_at: datetime


@dataclass(frozen=True)
class Experiment:
    """An experiment; `plan` has every field of it, and is empty in a list."""

    key: str
    name: str
    status: str
    moment: str | None
    created_at: datetime
    started_at: datetime | None
    stopped_at: datetime | None
    planned_end: str | None
    plan: Json = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Verdict:
    """The verdict: CAUSES, HARMS, NO_MATERIAL_EFFECT, NUDGE_FAILED, NUDGE_NOT_BEHAVIOUR, INCONCLUSIVE, INVALID."""

    code: str
    sentence: str


@dataclass(frozen=True)
class Effect:
    """The effect of one arm on one outcome.

    Attributes:
        outcome, variant: key of the outcome and of the arm.
        kind: of the outcome, as the report names it: a proportion's numbers are shares, others have their own unit.
        control, arm: mean of control and of the arm.
        difference: arm minus control: the effect of being nudged (intention to treat).
        take_up: difference in the share that reached the behaviour; None without an AHA moment.
        effect: effect of the behaviour on compliers, with its Anderson-Rubin set; None without an AHA moment.
        shape: form of that set; any other than `interval` is unbounded on at least one side.
        estimand: whose effect it is, `own`; or `whole_clusters`, where it is per user moved, with what the moved
            friends did for all in the cluster, and no member's own.
    """

    outcome: str
    variant: str
    kind: str
    control: Mean | NotComputable
    arm: Mean | NotComputable
    difference: Estimate
    take_up: Estimate | None
    effect: Estimate | None
    shape: str
    estimand: str = "own"


@dataclass(frozen=True)
class Reading:
    """One estimate from the same users; only randomised comparisons are `causal`."""

    label: str
    estimate: Estimate
    causal: bool


@dataclass(frozen=True)
class Analysis:
    """One analysis of an experiment. Reading an outcome that the plan keeps locked raises `Locked`.

    Attributes:
        status: queued, running, done, failed or cancelled.
        final, peek: whether it is the final analysis; whether the outcome was read before its planned date.
        code: code of the verdict; empty while the outcome is locked.
        heading, sentence: first lines of the report; while locked, the reason.
        health: findings of the checks: (check, severity, message).
        document: the full report as returned by the site; None until it is done.
    """

    id: int
    experiment: str
    status: str
    reason: str
    final: bool
    peek: bool
    as_of: datetime | None
    created_at: datetime
    code: str = ""
    heading: str = ""
    sentence: str = ""
    health: tuple[tuple[str, str, str], ...] = ()
    document: Json | None = field(default=None, repr=False)
    _locked: tuple[str, str | None] | None = None
    _verdict: Verdict | None = None
    _effects: tuple[Effect, ...] = ()
    _readings: tuple[Reading, ...] = ()

    @property
    def locked(self) -> Locked | None:
        """The lock with the site's reason, or None if the outcome is open."""
        return None if self._locked is None else Locked(*self._locked)

    @property
    def verdict(self) -> Verdict:
        """The verdict.

        Raises:
            Locked: the plan keeps the outcome locked for now.
        """
        self._open()
        if self._verdict is None:
            raise Locked(self.reason or "This analysis has no verdict.")
        return self._verdict

    @property
    def effects(self) -> tuple[Effect, ...]:
        """Every arm and outcome.

        Raises:
            Locked: the plan keeps the outcomes locked for now.
        """
        self._open()
        return self._effects

    @property
    def readings(self) -> tuple[Reading, ...]:
        """Promised and found effects: the correlation, the causal estimates and the biased ones, for comparison.

        Raises:
            Locked: the plan keeps the outcomes locked for now.
        """
        self._open()
        return self._readings

    def _open(self) -> None:
        if self._locked is not None:
            raise Locked(*self._locked)


@dataclass(frozen=True)
class Segment:
    """A group of users that was published. size: its users. shape: groups, styles, or empty for a rule."""

    id: int
    model: str
    version: int
    key: str
    name: str
    size: int
    shape: str
    stability: Number
    targetable: bool


@dataclass(frozen=True)
class Metric:
    """A metric of the catalogue. status: draft, certified or deprecated; definition: of its current version."""

    key: str
    name: str
    description: str
    unit: str
    status: str
    version: int
    definition: str
    owner: str


@dataclass(frozen=True)
class Size:
    """The sample size of an experiment, estimated from recent users.

    Attributes:
        planned_units: total number of users needed.
        days: days until every outcome is known.
        planned_effect: effect that the size is computed for; smallest_effect: smallest effect of interest.
        take_up: expected take-up: share of users that the nudge moves to the behaviour.
        per_day: new users per day.
        whole: the full response of the site.
    """

    planned_units: Number
    days: Number
    planned_effect: Number
    smallest_effect: Number
    take_up: Number
    per_day: Number
    whole: Json = field(default_factory=dict, repr=False)
