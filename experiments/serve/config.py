"""The served configuration, kept in each process and renewed within two seconds of a change in any of them."""

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
UNCHANGED = datetime(2000, 1, 1, tzinfo=UTC)  # of a site where nothing was ever started
AWAY = (OperationalError, InterfaceError)
log = structlog.get_logger()


@dataclass(frozen=True)
class Config:
    """What the doors serve.

    Attributes:
        version: the number of the configuration.
        changed_at: when it last changed.
        flags: by flag key.
        some_drawn_as: there are users who draw by another id (`experiments.models.DrawnAs`).
    """

    version: int
    changed_at: datetime
    flags: dict[str, Flag]
    some_drawn_as: bool = False

    def changed(self, now: datetime) -> datetime:
        """When what is served changed last: by a change of the configuration, or by a step of a rollout."""
        steps = [flag.rollout.last_step(now) for flag in self.flags.values() if flag.rollout is not None]
        return max([self.changed_at, *(step for step in steps if step is not None)])

    @property
    def stamp(self) -> tuple[int, datetime]:
        """What tells this configuration from every other, also from one of a site that was laid anew."""
        return self.version, self.changed_at


@dataclass
class _Kept:
    config: Config
    checked: float  # monotonic seconds


_kept: _Kept | None = None


def current() -> Config:
    """The configuration, at most `CHECK_SECONDS` old, or older while the database is away.

    Raises:
        django.db.Error: when the database is away and this process has none yet.
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
    """The configuration as the database has it now.

    Raises:
        django.db.Error: when the database is away.
    """
    global _kept  # noqa: PLW0603 - the cache of this process
    now = time.monotonic()
    kept = _kept
    try:
        away.refuse_if_silent()
        # The number first: what changes while the rest is being read will be noticed at the next check.
        row = ConfigVersion.objects.filter(pk=1).values_list("version", "changed_at").first() or (0, UNCHANGED)
        config = kept.config if kept is not None and kept.config.stamp == row else _load(*row)
    except AWAY:
        away.note(now)
        raise
    _kept = _Kept(config, now)
    return config


def forget() -> None:
    """Forget what this process has read."""
    global _kept  # noqa: PLW0603 - the cache of this process
    _kept = None


def _load(version: int, changed_at: datetime) -> Config:
    served = with_parts().filter(status__in=[status.value for status in SERVED])
    flags = [(one, replace(flag_of(one), rollout=rollout_of(one))) for one in served]
    # Of several experiments under one flag the live one is served, else what is rolled out, else the last one started.
    flags.sort(key=lambda it: (it[0].status in LIVE, it[1].rollout is not None, it[0].started_at or it[0].created_at))
    by_name = {flag.flag: flag for _, flag in flags}
    return Config(version, changed_at, by_name, some_drawn_as=DrawnAs.objects.exists())


def rows_gone() -> None:
    """Rows of units are being taken away: every process must forget what `remembered` holds of them."""
    ConfigVersion.touch()
