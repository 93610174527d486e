"""The served configuration, kept in each process and renewed within two seconds of a change in any of them."""

import time
from dataclasses import dataclass
from datetime import datetime

import structlog
from django.db import InterfaceError, OperationalError
from django.utils import timezone

from events.outbox import away
from experiments.draw.evaluation import Flag
from experiments.models import ConfigVersion
from experiments.plan.lifecycle import LIVE, SERVED
from experiments.plan.served import flag_of, with_parts

CHECK_SECONDS = 1.0
AWAY = (OperationalError, InterfaceError)
log = structlog.get_logger()


@dataclass(frozen=True)
class Config:
    """What the doors serve: flags by flag key, the number of the configuration, and when it last changed."""

    version: int
    changed_at: datetime
    flags: dict[str, Flag]

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
        away.refuse_if_silent()
        # The number first: what changes while the rest is being read will be noticed at the next check.
        row = ConfigVersion.objects.filter(pk=1).values_list("version", "changed_at").first() or (0, timezone.now())
        config = kept.config if kept is not None and kept.config.stamp == row else _load(*row)
    except AWAY as trouble:
        away.note(now)
        if kept is None:
            raise
        log.warning("config.database_away", error=type(trouble).__name__)
        config = kept.config
    _kept = _Kept(config, now)
    return config


def forget() -> None:
    """Forget what this process has read."""
    global _kept  # noqa: PLW0603 - the cache of this process
    _kept = None


def _load(version: int, changed_at: datetime) -> Config:
    served = with_parts().filter(status__in=[status.value for status in SERVED])
    # Of several experiments under one flag the live one is served, else the last that was started.
    ordered = sorted(served, key=lambda one: (one.status in LIVE, one.started_at or one.created_at))
    return Config(version, changed_at, {one.flag_key: flag_of(one) for one in ordered})
