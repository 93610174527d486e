"""Evaluate flags: the flag as served, a unit's draw, and the answer. Pure (docs/assignment.md).

The order of the checks is a contract: state, override, stored assignment, enrolment, anchor, holdout, layer, segment,
cluster, coverage. Stored assignments are handled by the service; everything else is decided here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from experiments.draw.bucketing import Range, bucket_ranges, choose, unit_hash
from experiments.draw.rollout_record import RolloutRecord
from experiments.draw.whole_clusters import Saturation, saturation_ranges, within_seed, within_weights

DEFAULT = "default"  # variant of units outside the experiment; no arm may have this key
Json = Any


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
