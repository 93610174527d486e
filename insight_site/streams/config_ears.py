"""Listen for committed changes of the configuration: PostgreSQL's LISTEN, in a thread with its own connection."""

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import structlog
from django.db import DatabaseError, InterfaceError, connection

from experiments.models import ConfigVersion

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
