"""What the site knows, as frozen records. Shares run from 0 to 1, differences from -1 to 1 (.01 is a point)."""

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
        value: the estimate, or why there is none.
        low, high: limits of the interval, likewise.
        n: units that it rests on; None where the site doesn't say.
    """

    value: Number
    low: Number
    high: Number
    n: int | None = None

    @property
    def reason(self) -> str:
        """Why something is missing; empty when nothing is."""
        return next((one.reason for one in (self.value, self.low, self.high) if isinstance(one, NotComputable)), "")


@dataclass(frozen=True)
class Mean:
    """The mean of an arm: a share from 0 to 1, or in the outcome's own unit; with its standard error and users."""

    value: Number
    standard_error: Number
    n: int


@dataclass(frozen=True)
class Rung:
    """One step of the adjustment ladder: doers minus others, with more and more held equal. It proves no cause."""

    name: str
    difference: Estimate


@dataclass(frozen=True)
class Day:
    """A day of a retention curve: the share of users who were active on it."""

    day: int
    active: Estimate


@dataclass(frozen=True)
class Candidate:
    """A behaviour that is worth an experiment. It may rank, and it proves no cause.

    Attributes:
        behaviour, times, days: "did it at least `times` times within `days` days".
        step: `jump`, `levels_off` (rises to a number and is flat after), `smooth` or `cannot_tell`: what can be said of
            a threshold.
        reach: share of users who did it. base: share retained of all.
        retained_with, retained_without: share retained of those who did it, and of the others.
        difference: the first minus the second, as it is seen: what a correlation promises.
        j: how well doing it and staying are one group, on users who had no part in the choice.
        ladder: the difference with more and more held equal.
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
    """A study that looks for AHA moments.

    Attributes:
        status: queued, running, done, failed or cancelled. reason: why it failed.
        stage, share: where it is, 0 to 1.
        inputs: what was asked.
        users: eligible users; retained: of them. Both None until it is done.
        candidates: the best first; empty until it is done, and where nothing is better than luck.
        none_because: why no behaviour could be compared with luck, empty if some were.
        curve: retention by day of all eligible users.
        report: the whole report as the site gives it.
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
    """A behaviour that people took for the AHA moment.

    Attributes:
        status: candidate, testing, confirmed, refuted or inconclusive.
        intact: the evidence is what was frozen when it was promoted.
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
    """The one verdict: CAUSES, HARMS, NO_MATERIAL_EFFECT, NUDGE_FAILED, NUDGE_NOT_BEHAVIOUR, INCONCLUSIVE, INVALID."""

    code: str
    sentence: str


@dataclass(frozen=True)
class Effect:
    """What one arm did to one outcome.

    Attributes:
        outcome, variant: of which.
        kind: of the outcome, as the report names it: a proportion's numbers are shares, others have their own unit.
        control, arm: mean of control and of the arm.
        difference: arm minus control: the effect of being nudged (intention to treat).
        take_up: how many more reached the behaviour in the arm; None without an AHA moment.
        effect: of the behaviour on those whom the nudge moved, with its exact set; None likewise.
        shape: form of that set; anything but `interval` doesn't limit the effect on both sides.
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
    """One way to read the same users; only what was drawn by lot is `causal`."""

    label: str
    estimate: Estimate
    causal: bool


@dataclass(frozen=True)
class Analysis:
    """One analysis of an experiment. What the plan doesn't open yet raises `Locked`.

    Attributes:
        status: queued, running, done, failed or cancelled.
        final, peek: whether it is the last word; whether somebody asked to see the outcome before its time.
        code: of the verdict; empty while it is locked.
        heading, sentence: what the report says first; while locked they say so.
        health: findings of the checks: (check, severity, message).
        document: the whole report as the site gives it, None while there is none.
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
        """The lock with the site's sentence, or None where the outcome is open."""
        return None if self._locked is None else Locked(*self._locked)

    @property
    def verdict(self) -> Verdict:
        """The verdict.

        Raises:
            Locked: the plan doesn't open it yet.
        """
        self._open()
        if self._verdict is None:
            raise Locked(self.reason or "This analysis has no verdict.")
        return self._verdict

    @property
    def effects(self) -> tuple[Effect, ...]:
        """Every arm and outcome.

        Raises:
            Locked: the plan doesn't open them yet.
        """
        self._open()
        return self._effects

    @property
    def readings(self) -> tuple[Reading, ...]:
        """What the correlation promised, and what the experiment found, read rightly and wrongly.

        Raises:
            Locked: the plan doesn't open them yet.
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
    """What an experiment needs, from the users who came lately.

    Attributes:
        planned_units: users that it needs in all.
        days: until the outcome of the last one is known.
        planned_effect: for which that is computed; smallest_effect: below which nobody cares.
        take_up: share that the nudge is expected to move across the threshold.
        per_day: users who arrive.
        whole: everything that the site gives.
    """

    planned_units: Number
    days: Number
    planned_effect: Number
    smallest_effect: Number
    take_up: Number
    per_day: Number
    whole: Json = field(default_factory=dict, repr=False)
