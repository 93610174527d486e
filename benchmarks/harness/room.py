"""What several jobs need is set up once in a run: the served site, the peer, a made log."""

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from typing import Any


class Room:
    """Opened things by name; all are closed at the end of the run, or of `clear`."""

    def __init__(self) -> None:
        self._stack, self._open = ExitStack(), dict[str, Any]()

    def __enter__(self) -> "Room":
        return self

    def __exit__(self, *_problem: object) -> None:
        self.clear()

    def get(self, name: str, make: Callable[[], AbstractContextManager[Any]]) -> Any:
        """The thing of this name, opened now if it isn't."""
        if name not in self._open:
            self._open[name] = self._stack.enter_context(make())
        return self._open[name]

    def clear(self) -> None:
        """Close everything: a server that nobody asks any more would still take memory from the next job."""
        self._open.clear()
        self._stack.close()
