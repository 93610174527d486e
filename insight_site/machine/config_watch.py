"""Watch the configuration for all streams of a process, by one question or by LISTEN of PostgreSQL."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from django.db import DatabaseError, InterfaceError, connection
from django.utils import timezone

from experiments.models import ConfigVersion
from experiments.serve import config

# Listen for committed changes of the configuration: PostgreSQL's LISTEN, in a thread with its own connection.

AGAIN_SECONDS = 2.0
log = structlog.get_logger()


class ConfigEars:
    """A thread that listens until `end`.

    Attributes:
        listening: it is connected, and missed no change.
        heard: number of notifications and reconnections; a reconnection counts, since notifications before it were
            lost.
    """

    def __init__(self, tell: Callable[[], None]) -> None:
        self.tell = tell  # called from the thread
        self.listening = False
        self.heard = 0
        self._ended = threading.Event()

    def begin(self) -> None:
        """Start listening."""
        threading.Thread(target=self._run, name="insight-config-ears", daemon=True).start()

    def end(self) -> None:
        """Stop listening."""
        self._ended.set()
        self.listening = False

    def distrust(self, heard: int) -> None:
        """Switch to polling: a change was read without a notification, as behind a pooler that shares connections."""
        if self.heard == heard:
            log.warning("streams.change_unheard")
            self.end()

    def _run(self) -> None:
        while not self._ended.is_set():
            own = connection.copy()
            try:
                self._listen(own)
            except (DatabaseError, InterfaceError, OSError) as trouble:
                log.warning("streams.not_listening", error=type(trouble).__name__)
            finally:
                self.listening = False
                with suppress(DatabaseError, InterfaceError):
                    own.close()
            self._ended.wait(AGAIN_SECONDS)

    def _listen(self, own: Any) -> None:
        with own.wrap_database_errors:
            with own.cursor() as cursor:
                cursor.execute(f"LISTEN {ConfigVersion.CHANNEL}")
            self._note()
            self.listening = not self._ended.is_set()
            while not self._ended.is_set():
                for _ in own.connection.notifies(timeout=1.0, stop_after=1):
                    self._note()

    def _note(self) -> None:
        self.heard += 1
        self.tell()


# Watch the configuration for all streams of a process: one query, however many are open.
#
# On PostgreSQL a separate connection listens for notifications of `ConfigVersion.touch`. Elsewhere, and if
# notifications don't arrive, the configuration's version is polled four times a second. Steps of rollouts are
# detected by the clock.

LOOK_SECONDS = 0.25
LISTENING_SECONDS = 5.0  # between polls while listening, in case a notification was missed
AWAY_SECONDS = 1.0
# Web processes may serve their cached configuration this long: notified earlier, a client would get the old answer.
SETTLE_SECONDS = config.CHECK_SECONDS + 0.1


@dataclass(frozen=True)
class Change:
    """Identifies one state of the served configuration.

    Attributes:
        tag: changes with every change of the configuration and every step of a rollout; never repeated on a site.
        at: when it changed.
    """

    tag: str
    at: datetime


def change_of(served: config.Config, now: datetime) -> Change:
    """The state at a given time."""
    changed = served.changed(now)
    return Change(f"{served.version}-{int(changed.timestamp() * 1000)}", changed)


class ConfigWatch:
    """Calls `announce` on the event loop: with the first state at once, with each change `SETTLE_SECONDS` later.

    Attributes:
        seen: the last state that was read; None before the first.
        away: the last query failed.
    """

    def __init__(self, announce: Callable[[Change], None]) -> None:
        self.announce = announce
        self.seen: Change | None = None
        self.away = False
        self._served: config.Config | None = None
        self._heard = 0  # notifications received, when the last poll began
        self._wake = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, "insight-config-watch")  # its thread keeps one connection to the database

    async def begin(self) -> None:
        """Read the configuration once. If the database is unavailable, `run` tries again."""
        self.loop = asyncio.get_running_loop()
        self.ears = ConfigEars(self._tell)
        if connection.vendor == "postgresql":
            self.ears.begin()
        await self._look()

    async def run(self) -> None:
        """Poll until cancelled."""
        try:
            while True:
                await self._wait()
                await self._look()
        finally:
            self.ears.end()
            self._thread.shutdown(wait=False, cancel_futures=True)

    async def _wait(self) -> None:
        """Wait for a notification, the next poll, or a step of a rollout."""
        for _ in range(round(LISTENING_SECONDS / LOOK_SECONDS) if self.ears.listening else 1):
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), AWAY_SECONDS if self.away else LOOK_SECONDS)
            stepped = self._served is not None and change_of(self._served, timezone.now()) != self.seen
            if self._wake.is_set() or stepped or not self.ears.listening:
                break
        self._wake.clear()

    async def _look(self) -> None:
        heard_before, self._heard = self._heard, self.ears.heard
        try:
            served = await self.loop.run_in_executor(self._thread, _read)
        except (DatabaseError, InterfaceError) as trouble:
            if not self.away:
                log.warning("streams.database_away", error=type(trouble).__name__)
            self.away = True
            return
        self.away = False
        before, self._served = self._served, served
        change = change_of(served, timezone.now())
        if self.seen is None:
            self.announce(change)
        elif change != self.seen:
            self.loop.call_later(SETTLE_SECONDS, self.announce, change)
            written = before is not None and served.stamp != before.stamp
            if written and self.ears.listening and self._heard == heard_before:
                self.loop.call_later(SETTLE_SECONDS, self.ears.distrust, heard_before)
        self.seen = change

    def _tell(self) -> None:
        """Called by the listening thread."""
        with suppress(RuntimeError):  # the event loop has ended
            self.loop.call_soon_threadsafe(self._wake.set)


def _read() -> config.Config:
    try:
        return config.renewed()
    except (DatabaseError, InterfaceError):
        connection.close()  # this thread's; the next poll opens another
        raise
