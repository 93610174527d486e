"""What a unit gets of a flag and of a rollout: as it is served, the draw, and the answer. Pure (docs/assignment.md)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from experiments.draw.bucketing import (
    STEPS,
    Range,
    Saturation,
    bucket_ranges,
    choose,
    saturation_ranges,
    unit_hash,
    within_seed,
    within_weights,
)

# A rollout as served: which arm, to whom, and what share from when. Pure (docs/assignment.md, "Rollout").
#
# Shares grow by date, so the answer depends only on the record and the current time: no process needs a message about
# a step.

ROLLING, HELD, KILLED = "rolling", "held", "killed"
Json = Any


@dataclass(frozen=True)
class Step:
    """The share, in steps of 0.01 %, from the moment `at` on."""

    at: datetime
    share: int


@dataclass(frozen=True)
class RolloutRow:
    """One row of a rollout: a segment, or everyone.

    Attributes:
        segment: key of the segment; None for everyone.
        rule: the segment's rule document when it is evaluated live; None for published membership.
        steps: by time; shares never decrease.
    """

    segment: str | None
    rule: Json
    steps: tuple[Step, ...]

    def share_at(self, moment: datetime) -> int:
        """The share at a moment, 0 to 10,000 in steps of 0.01 %; 0 before the first step."""
        return max((step.share for step in self.steps if step.at <= moment), default=0)


@dataclass(frozen=True)
class RolloutRecord:
    """A rollout.

    Attributes:
        arm: index of the arm.
        state: `rolling`, `held` (shares stay as they were) or `killed` (everybody gets the default).
        seed: of its own draw, independent of the experiment's draw.
        rows: in order; the first that matches a unit decides.
        held_at: from when it is held; None otherwise.
    """

    arm: int
    state: str
    seed: str
    rows: tuple[RolloutRow, ...]
    held_at: datetime | None = None

    def share(self, row: RolloutRow, now: datetime) -> int:
        """The current share of a row; while held, that of the moment at which it was held."""
        return row.share_at(now if self.held_at is None else min(now, self.held_at))

    def reaches(self, row: RolloutRow, drawn: str, now: datetime) -> bool:
        """Whether the share of a row contains a draw (half-open, so that all SDKs agree at the edge)."""
        share = self.share(row, now)
        return share >= STEPS or unit_hash(self.seed, drawn) < share / STEPS

    def last_step(self, now: datetime) -> datetime | None:
        """The moment of the last step that has taken effect; None before the first."""
        if self.state == KILLED:
            return None
        until = now if self.held_at is None else min(now, self.held_at)
        return max((step.at for step in self.steps if step.at <= until), default=None)

    @property
    def steps(self) -> Iterable[Step]:
        """Steps of all rows."""
        return (step for row in self.rows for step in row.steps)


def rollout_seed(seed: str) -> str:
    """Seed of a rollout's draw: independent of the experiment's draw, and the same each time it is shipped."""
    return f"{seed}:rollout"


# Evaluate flags: the flag as served, a unit's draw, and the answer. Pure (docs/assignment.md).
#
# The order of the checks is a contract: state, override, stored assignment, enrolment, anchor, holdout, layer,
# segment, cluster, coverage. Stored assignments are handled by the service; everything else is decided here.

DEFAULT = "default"  # variant of units outside the experiment; no arm may have this key


@dataclass(frozen=True)
class Arm:
    """One variant: its row, public key, name and value (of the flag's declared type)."""

    pk: int
    key: str
    name: str
    value: Json


@dataclass(frozen=True)
class Row:
    """One row of the audience: a segment, or everyone.

    Attributes:
        segment: key of the segment; None for everyone.
        rule: the segment's rule document when it is evaluated live; None for published membership.
        coverage: share of the segment that is enrolled, 0 to 1.
        weights: share of each arm, adding up to 1.
    """

    segment: str | None
    rule: Json
    coverage: float
    weights: tuple[float, ...]

    @property
    def ranges(self) -> tuple[Range, ...]:
        """The range of draws of each arm."""
        return bucket_ranges(len(self.weights), self.coverage, self.weights)


@dataclass(frozen=True)
class Slot:
    """Range of draws under its own seed that may take part: a layer's slice, or all but a holdout."""

    seed: str
    low: float
    high: float


@dataclass(frozen=True)
class Flag:
    """An experiment as it is served under its flag key.

    Attributes:
        pk: row of the experiment; `key` and `name` are its own, `flag` is the flag key that callers request.
        version: grows with each change of the experiment.
        state: `running`, `paused`, `stopped` or `concluded`.
        arms: in order; the first is the control.
        default: value for units outside the experiment.
        rows: the audience, in order; the first that matches decides.
        new_since: only units who signed up from then on are enrolled; None for all.
        overrides: arm by unit id; `forced` are rules on the caller's context, each with an arm.
        remote_only: True when the configuration must not leave the server.
        cluster: attribute with the id of a unit's cluster, which is drawn instead of the unit; empty for units.
        saturations: that a cluster may draw; then units are drawn inside it. Empty where a cluster has one arm.
        rollout: after the experiment's end; None without one.
        sets: of a lab, the nudges of each arm; empty for a test.
    """

    pk: int
    flag: str
    key: str
    name: str
    version: int
    state: str
    default: Json
    arms: tuple[Arm, ...]
    rows: tuple[Row, ...]
    seed: str
    hash_version: int = 2
    holdout: Slot | None = None
    layer: Slot | None = None
    enrolment_open: bool = True
    new_since: datetime | None = None
    overrides: Mapping[str, int] = field(default_factory=dict)
    forced: tuple[tuple[Json, int], ...] = ()
    remote_only: bool = False
    cluster: str = ""
    saturations: tuple[Saturation, ...] = ()
    rollout: RolloutRecord | None = None
    sets: tuple[frozenset[str], ...] = ()

    def keeps(self, arm: int, shipped: int) -> bool:
        """Whether a unit of one arm had what is shipped: the same arm or, of a lab, all nudges of the shipped set."""
        return arm == shipped or bool(self.sets and self.sets[shipped] <= self.sets[arm])

    @property
    def hash_attribute(self) -> str:
        """Attribute that is hashed to draw the arm."""
        return self.cluster if self.cluster and not self.saturations else "id"

    @property
    def needs_traits(self) -> bool:
        """True when stored traits are needed to evaluate a new unit."""
        return self.enrolment_open and (self.new_since is not None or any(row.rule is not None for row in self.rows))

    @property
    def needs_look_up(self) -> bool:
        """True when the hash isn't enough: traits, membership, or assignments before the end of enrolment matter."""
        return not self.enrolment_open or self.needs_traits or any(row.segment is not None for row in self.rows)


def nudge_flags(lab: Flag) -> tuple[Flag, ...]:
    """A flag for each nudge of a lab, with the lab's draw, its arms, and whether an arm has the nudge as value.

    Whichever is asked for first, all nudges are drawn then, as one arm of the lab.
    """
    return tuple(
        replace(
            lab,
            flag=f"{lab.flag}.{nudge}",
            default=False,
            arms=tuple(replace(arm, value=nudge in has) for arm, has in zip(lab.arms, lab.sets, strict=True)),
        )
        for nudge in dict.fromkeys(nudge for has in lab.sets for nudge in sorted(has))
    )


@dataclass(frozen=True)
class Draw:
    """What a unit without an assignment draws: an arm, or the reason why it is out.

    Attributes:
        arm: index of the arm; None when out.
        excluded_by: `enrolment`, `anchor`, `holdout`, `layer`, `segment`, `cluster` or `coverage`; None when in.
        bucket: the number drawn, 0 to 1.
        segment: of the row that matched.
        cluster: id of the cluster that was drawn; None where units are drawn.
        drawn_by: the id that was hashed, where it isn't the unit's own; else None.
    """

    arm: int | None
    excluded_by: str | None
    bucket: float
    segment: str | None = None
    cluster: str | None = None
    drawn_by: str | None = None


@dataclass(frozen=True)
class Evaluation:
    """The answer for one unit and one flag: OFREP's value, variant, reason and metadata.

    `arm` is None for the default. `document` is the answer as the APIs send it.
    """

    flag: Flag
    arm: int | None
    reason: str
    metadata: Mapping[str, str | int | float | bool]

    @property
    def value(self) -> Json:
        """The arm's value, or the flag's default."""
        return self.flag.default if self.arm is None else self.flag.arms[self.arm].value

    @property
    def variant(self) -> str:
        """The arm's name, or `default`."""
        return DEFAULT if self.arm is None else self.flag.arms[self.arm].key

    def document(self) -> dict[str, Json]:
        """The answer with all five fields, always: without one of them a client falls back to its own default."""
        own = {"experiment": self.flag.key, "experimentVersion": self.flag.version, **self.metadata}
        return {
            "key": self.flag.flag,
            "value": self.value,
            "variant": self.variant,
            "reason": self.reason,
            "metadata": own,
        }


@dataclass(frozen=True)
class Failed:
    """A flag that can't be evaluated now, and why."""

    flag: Flag
    message: str


def draw(flag: Flag, unit: str, *, is_new: bool, row: Row | None, cluster: str | None = None) -> Draw:
    """What a unit without an assignment draws.

    Args:
        flag: of a running experiment.
        unit: the id.
        is_new: result of `is_new_unit`; only read when the experiment enrols only new units.
        row: the first row of the audience that matches the unit; None without one.
        cluster: id of the unit's cluster, where clusters are drawn.
    """
    excluded: str | None = None
    if not flag.enrolment_open:
        excluded = "enrolment"
    elif flag.new_since is not None and not is_new:
        excluded = "anchor"
    elif not inside(flag.holdout, unit):
        excluded = "holdout"
    elif not inside(flag.layer, unit):
        excluded = "layer"
    elif row is None:
        excluded = "segment"
    elif flag.cluster and cluster is None:
        excluded = "cluster"
    if excluded is not None or row is None:
        return Draw(None, excluded, 0.0)
    arm, bucket = _arm(flag, row, unit, cluster)
    return Draw(arm, "coverage" if arm is None else None, bucket, row.segment, cluster if flag.cluster else None)


def _arm(flag: Flag, row: Row, unit: str, cluster: str | None) -> tuple[int | None, float]:
    """The arm and its draw: the unit's, the cluster's, or the unit's within a saturated cluster."""
    drawn = cluster if flag.cluster and cluster is not None else unit
    bucket = unit_hash(flag.seed, drawn, version=flag.hash_version)
    if not flag.saturations:
        return choose(bucket, row.ranges), bucket
    place = choose(bucket, saturation_ranges(flag.saturations, row.coverage))
    if place is None:
        return None, bucket
    inner = unit_hash(within_seed(flag.seed), unit, version=flag.hash_version)
    return choose(inner, bucket_ranges(2, 1.0, within_weights(flag.saturations[place]))), inner


def is_new_unit(since: datetime, traits: Mapping[str, Json], times: Mapping[str, str]) -> bool:
    """True when a unit signed up at or after `since`, as far as is known.

    Args:
        since: when the experiment started.
        traits: stored ones with those of the call; Segment's trait `createdAt` (ISO 8601, or Unix seconds) is the
            signup.
        times: when each stored trait was sent, ISO 8601 in UTC. Without `createdAt` the earliest one counts as the
            signup. A unit without any trait is new.
    """
    created = _moment(traits.get("createdAt"))
    if created is None and times:
        created = _moment(min(times.values()))
    return created is None or created >= since


def disabled(flag: Flag) -> Evaluation:
    """The answer while the experiment is paused, and after its end."""
    return Evaluation(flag, None, "DISABLED", {"state": flag.state})


def forced(flag: Flag, arm: int, detail: str) -> Evaluation:
    """The answer for a unit with an override."""
    return Evaluation(flag, arm, "TARGETING_MATCH", {"reasonDetail": detail})


def excluded(flag: Flag, by: str) -> Evaluation:
    """The answer for a unit that is out."""
    return Evaluation(flag, None, "STATIC", {"excludedBy": by})


def split(
    flag: Flag, arm: int, bucket: float, *, sticky: bool, private: Mapping[str, str | int] | None = None
) -> Evaluation:
    """The answer for a unit that is in; `private` is added to the metadata of server keys."""
    return Evaluation(flag, arm, "SPLIT", {"bucket": bucket, "sticky": sticky, **(private or {})})


def inside(slot: Slot | None, unit: str) -> bool:
    """Whether a slot contains the unit's draw; True without a slot."""
    return slot is None or slot.low <= unit_hash(slot.seed, unit) < slot.high


def _moment(value: Json) -> datetime | None:
    try:
        if isinstance(value, str):
            moment = datetime.fromisoformat(value)
            return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        pass
    return None


# Answer of a rollout for a unit. Pure; one rule for our server, its command and local SDKs (docs/assignment.md).
#
# A unit has the shipped arm when it had it in the experiment, or when the share of its row reaches it. "Had it" means
# the stored assignment, or else the experiment's own draw, since a local SDK has no stored assignments.

DETAIL = "rollout"


def answer(
    flag: Flag,
    rollout: RolloutRecord,
    unit: str,
    now: datetime,
    *,
    had: bool,
    row: RolloutRow | None,
    audience: Row | None,
    cluster: str | None = None,
) -> Evaluation:
    """The answer for one unit. Its reason is never `SPLIT`, since clients log exposures for that reason.

    Args:
        flag: of the ended experiment.
        rollout: of it.
        unit: the id.
        now: the moment of the call.
        had: True when its stored assignment keeps the shipped arm (`Flag.keeps`).
        row: the first row of the rollout that the unit belongs to; None without one.
        audience: likewise of the experiment's audience.
        cluster: id of the unit's cluster, where clusters are drawn.
    """
    if rollout.state == KILLED:
        return killed(flag)
    if not inside(flag.holdout, unit):
        return excluded(flag, "holdout")
    if had or draws_arm(flag, rollout.arm, unit, audience, cluster):
        return shipped(flag, rollout)
    if row is None:
        return excluded(flag, "segment")
    whole = rollout.share(row, now) >= STEPS
    drawn = unit if whole or flag.hash_attribute == "id" else cluster
    if drawn is None:
        return excluded(flag, "cluster")
    return shipped(flag, rollout) if rollout.reaches(row, drawn, now) else excluded(flag, DETAIL)


def draws_arm(flag: Flag, arm: int, unit: str, audience: Row | None, cluster: str | None) -> bool:
    """Whether the experiment's draw gives the unit an arm that keeps this one, as if the experiment still ran.

    False where it enrolled only new units: the id doesn't determine which units were new, and local SDKs never served
    it.
    """
    if flag.new_since is not None:
        return False
    running = flag if flag.enrolment_open else replace(flag, enrolment_open=True)
    drawn = draw(running, unit, is_new=True, row=audience, cluster=cluster).arm
    return drawn is not None and flag.keeps(drawn, arm)


def by_hash_alone(flag: Flag, rollout: RolloutRecord, unit: str, now: datetime) -> Evaluation | None:
    """The answer where stored rows and traits can't change it; None: stored data about the unit must be read."""
    first, audience = rollout.rows[0], flag.rows[0]
    if rollout.state == KILLED or not inside(flag.holdout, unit):
        return answer(flag, rollout, unit, now, had=False, row=None, audience=None)
    if first.segment is None and (rollout.share(first, now) >= STEPS or not flag.cluster):
        if rollout.reaches(first, unit, now):
            return shipped(flag, rollout)
        if audience.segment is None and flag.new_since is None:
            return answer(flag, rollout, unit, now, had=False, row=first, audience=audience)
    return None


def shipped(flag: Flag, rollout: RolloutRecord) -> Evaluation:
    """The answer for a unit that has the arm."""
    return forced(flag, rollout.arm, DETAIL)


def killed(flag: Flag) -> Evaluation:
    """The answer for everybody while the kill switch is on."""
    state: Mapping[str, str] = {"state": KILLED}
    return Evaluation(flag, None, "DISABLED", state)
