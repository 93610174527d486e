"""What a run shows of itself before its end: parts that it hands over as they come, kept in its row until it ends.

They are no result: the row loses them at every end, and nothing but the run's own page reads them.
"""

import threading
from typing import Any

from reporting.document import dump
from runs.kinds import COUNT, PARTS, kind_of
from runs.models import Run


class EarlyParts:
    """The parts of one run; `tell` is the `runs.progress.Early` that its computation is given."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.owner = threading.get_ident()
        self.lock = threading.Lock()
        self.parts: dict[str, Any] = {}
        self.told = self.written = 0
        self.wanted = bool(kind_of(run).early)

    def tell(self, name: str, record: object) -> None:
        """Keep a part, or another state of it. Other threads leave it for `write`: theirs is no connection of ours."""
        if not self.wanted:
            return
        document = dump(record)
        with self.lock:
            self.parts[name] = document
            self.told += 1
        if threading.get_ident() == self.owner:
            self.write()

    def write(self) -> None:
        """Store what came since the last time; only while the run is being computed, so that an end stays an end."""
        with self.lock:
            if self.told == self.written:
                return
            self.written, kept = self.told, {COUNT: self.told, PARTS: dict(self.parts)}
        open_row = type(self.run)._default_manager.filter(pk=self.run.pk, status=Run.Status.RUNNING)
        open_row.update(early=kept)


def number_told(run: Run) -> int:
    """How often a part has come: a page that knows this number needs nothing new."""
    return int((run.early or {}).get(COUNT, 0)) if run.is_open else 0
