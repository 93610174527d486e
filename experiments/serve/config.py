"""The served configuration, cached per process and refreshed within two seconds of a change in any process."""

import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import structlog
from django.db import InterfaceError, OperationalError

from events.outbox import away
from experiments.draw.evaluation import Flag
from experiments.models import ConfigVersion, DrawnAs
from experiments.plan.lifecycle import LIVE, SERVED
from experiments.plan.served import flag_of, with_parts
from experiments.serve.rollout.served_rollout import rollout_of

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
    kept = _kept
    if kept is not None and now - kept.checked < CHECK_SECONDS:
        return kept.config
    try:
        return renewed()
    except AWAY as trouble:
        if kept is None:
            raise
        log.warning("config.database_away", error=type(trouble).__name__)
    _kept = _Kept(kept.config, now)
    return kept.config


def renewed() -> Config:
    """The configuration as currently in the database.

    Raises:
        django.db.Error: the database is unavailable.
    """
    global _kept  # noqa: PLW0603 - the cache of this process
    now = time.monotonic()
    kept = _kept
    try:
        away.refuse_if_silent()
        # The number first: changes during the following reads are then noticed at the next check.
        row = ConfigVersion.objects.filter(pk=1).values_list("version", "changed_at").first() or (0, UNCHANGED)
        config = kept.config if kept is not None and kept.config.stamp == row else _load(*row)
    except AWAY:
        away.note(now)
        raise
    _kept = _Kept(config, now)
    return config


def forget() -> None:
    """Clear the cache of this process."""
    global _kept  # noqa: PLW0603 - the cache of this process
    _kept = None


def _load(version: int, changed_at: datetime) -> Config:
    served = with_parts().filter(status__in=[status.value for status in SERVED])
    flags = [(one, replace(flag_of(one), rollout=rollout_of(one))) for one in served]
    # Of several experiments under one flag, serve the live one, else the rolled-out one, else the last one started.
    flags.sort(key=lambda it: (it[0].status in LIVE, it[1].rollout is not None, it[0].started_at or it[0].created_at))
    by_name = {flag.flag: flag for _, flag in flags}
    return Config(version, changed_at, by_name, some_drawn_as=DrawnAs.objects.exists())


def rows_gone() -> None:
    """Call when assignment rows are deleted: it makes every process clear its cache (`remembered`)."""
    ConfigVersion.touch()
