"""The served configuration, cached per process and refreshed within two seconds of a change in any process."""

import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import structlog
from django.db import InterfaceError, OperationalError

from events.outbox import circuit_breaker
from experiments.draw.evaluation import Flag, RolloutRecord, RolloutRow, Step, nudge_flags, rollout_seed
from experiments.models import ConfigVersion, DrawnAs, Experiment, Rollout
from experiments.plan.lifecycle import LIVE, SERVED
from experiments.plan.stored import flag_of, with_parts

# Convert stored rollouts to and from the records that are served.


def rollout_of(experiment: Experiment) -> RolloutRecord | None:
    """The rollout of a stored experiment; None without an active one.

    Args:
        experiment: with prefetched variants and rollout.
    """
    stored: Rollout | None = getattr(experiment, "rollout", None)
    if stored is None or not stored.is_on:
        return None
    return record_of(stored, [variant.pk for variant in experiment.variants.all()].index(stored.variant_id))


def record_of(stored: Rollout, arm: int) -> RolloutRecord:
    """The row as a record; `arm` is the index of its variant."""
    return RolloutRecord(
        arm=arm,
        state=stored.state,
        seed=rollout_seed(stored.experiment.seed),
        rows=rows_of(stored.rows),
        held_at=stored.held_at,
    )


def rows_of(document: list[dict[str, Any]]) -> tuple[RolloutRow, ...]:
    """JSON rows as records."""
    return tuple(
        RolloutRow(
            row["segment"],
            row["rule"],
            tuple(Step(datetime.fromisoformat(step["at"]), step["share"]) for step in row["steps"]),
        )
        for row in document
    )


def document_of(rows: tuple[RolloutRow, ...]) -> list[dict[str, Any]]:
    """Records as JSON rows."""
    return [
        {
            "segment": row.segment,
            "rule": row.rule,
            "steps": [{"at": step.at.isoformat(), "share": step.share} for step in row.steps],
        }
        for row in rows
    ]


CHECK_SECONDS = 1.0
UNCHANGED = datetime(2000, 1, 1, tzinfo=UTC)  # for a site where nothing was ever started
AWAY = (OperationalError, InterfaceError)
log = structlog.get_logger()


@dataclass(frozen=True)
class Config:
    """The configuration that the evaluation APIs serve.

    Attributes:
        version: the number of the configuration.
        changed_at: when it last changed.
        flags: by flag key.
        some_drawn_as: True when users exist who draw by another id (`experiments.models.DrawnAs`).
    """

    version: int
    changed_at: datetime
    flags: dict[str, Flag]
    some_drawn_as: bool = False

    def changed(self, now: datetime) -> datetime:
        """When the served configuration last changed: by a change of a row, or by a rollout step."""
        steps = [flag.rollout.last_step(now) for flag in self.flags.values() if flag.rollout is not None]
        return max([self.changed_at, *(step for step in steps if step is not None)])

    @property
    def stamp(self) -> tuple[int, datetime]:
        """Identifies this configuration, also after a site was set up anew and versions restart."""
        return self.version, self.changed_at


@dataclass
class _Kept:
    config: Config
    checked: float  # monotonic seconds


_kept: _Kept | None = None


def current() -> Config:
    """The configuration, at most `CHECK_SECONDS` old, or older while the database is unavailable.

    Raises:
        django.db.Error: the database is unavailable and this process has no configuration yet.
    """
    global _kept  # noqa: PLW0603 - the cache of this process
    now = time.monotonic()
    cached = _kept
    if cached is not None and now - cached.checked < CHECK_SECONDS:
        return cached.config
    try:
        return renewed()
    except AWAY as trouble:
        if cached is None:
            raise
        log.warning("config.database_away", error=type(trouble).__name__)
    _kept = _Kept(cached.config, now)
    return cached.config


def renewed() -> Config:
    """The configuration as currently in the database.

    Raises:
        django.db.Error: the database is unavailable.
    """
    global _kept  # noqa: PLW0603 - the cache of this process
    now = time.monotonic()
    cached = _kept
    try:
        circuit_breaker.refuse_if_silent()
        # The number first: changes during the following reads are then noticed at the next check.
        row = ConfigVersion.objects.filter(pk=1).values_list("version", "changed_at").first() or (0, UNCHANGED)
        config = cached.config if cached is not None and cached.config.stamp == row else _load(*row)
    except AWAY:
        circuit_breaker.note(now)
        raise
    _kept = _Kept(config, now)
    return config


def forget() -> None:
    """Clear the cache of this process."""
    global _kept  # noqa: PLW0603 - the cache of this process
    _kept = None


def _load(version: int, changed_at: datetime) -> Config:
    served = with_parts().filter(status__in=[status.value for status in SERVED])
    flags = [(experiment, replace(flag_of(experiment), rollout=rollout_of(experiment))) for experiment in served]
    # Of several experiments under one flag, serve the live one, else the rolled-out one, else the last one started.
    flags.sort(key=lambda it: (it[0].status in LIVE, it[1].rollout is not None, it[0].started_at or it[0].created_at))
    by_name = {each.flag: each for _, flag in flags for each in (flag, *nudge_flags(flag))}
    return Config(version, changed_at, by_name, some_drawn_as=DrawnAs.objects.exists())


def rows_gone() -> None:
    """Call when assignment rows are deleted: it makes every process clear its cache (`remembered`)."""
    ConfigVersion.touch()
