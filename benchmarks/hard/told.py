"""Was the operator told? Prometheus watches the site with our own rules; this notes what fires and when."""

import threading
import time
from collections.abc import Collection

from tests.insight_site.operation.watched_site import Prometheus

LOOK = 0.5


class Told:
    """The alerts that fire, looked at twice a second."""

    def __init__(self, prometheus: Prometheus) -> None:
        self._prometheus, self._over = prometheus, threading.Event()
        self.now: set[str] = set()
        self.ever: set[str] = set()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def begin(self) -> None:
        self._prometheus.start()
        self._thread.start()

    def end(self) -> None:
        self._over.set()
        if self._thread.ident:
            self._thread.join(10)
        self._prometheus.stop()

    def wait_for(self, names: Collection[str], seconds: float) -> set[str]:
        """Those of these alerts that fired within the time."""
        seen: set[str] = set()
        end = time.monotonic() + seconds
        while not set(names) <= seen and time.monotonic() < end:
            seen |= self.now & set(names)
            time.sleep(LOOK)
        return seen

    def wait_until_silent(self, names: Collection[str] | None, seconds: float) -> set[str]:
        """Those of these alerts (None: of all) that still fired at the end of the time."""
        end = time.monotonic() + seconds
        while still := (set(self.now) if names is None else self.now & set(names)):
            if time.monotonic() > end:
                return still
            time.sleep(LOOK)
        return set()

    def _look(self) -> None:
        while not self._over.wait(LOOK):
            self.now = self._prometheus.firing()
            self.ever |= self.now
