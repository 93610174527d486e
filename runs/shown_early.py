"""Partial results of a running computation, stored in its row until it ends.

They are no final results: every end deletes them, and only the run's own page reads them.
"""

import threading
from typing import Any

from reporting.document import dump
from runs.kinds import COUNT, PARTS, kind_of
from runs.models import Run


class EarlyParts:
    """The partial results of one run; its computation gets `tell` as its `runs.progress.Early`."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.owner = threading.get_ident()
        self.lock = threading.Lock()
        self.parts: dict[str, Any] = {}
        self.told = self.written = 0
        self.wanted = bool(kind_of(run).early)

    def tell(self, name: str, record: object) -> None:
        """Add or replace a partial result. Other threads leave it to `write`: they must not use our connection."""
        if not self.wanted:
            return
        document = dump(record)
        with self.lock:
            self.parts[name] = document
            self.told += 1
        if threading.get_ident() == self.owner:
            self.write()

    def write(self) -> None:
        """Store partial results added since the last write, but only while the run is running."""
        with self.lock:
            if self.told == self.written:
                return
            self.written, kept = self.told, {COUNT: self.told, PARTS: dict(self.parts)}
        open_row = type(self.run)._default_manager.filter(pk=self.run.pk, status=Run.Status.RUNNING)
        open_row.update(early=kept)


def number_told(run: Run) -> int:
    """How many partial results have been written: a page that has this number needs no update."""
    return int((run.early or {}).get(COUNT, 0)) if run.is_open else 0
