"""uvicorn with a bound on how long a connection may take to say what it wants.

uvicorn waits for the headers of a first request for ever: its own limit begins with the first answer. So a hundred
connections that never send a byte would hold a hundred places for as long as they like.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

HEADER_SECONDS = 10.0


class PatientProtocol(H11Protocol):
    """Closes a connection on which no request has begun for `HEADER_SECONDS`, and any beyond `most_connections`."""

    most_connections = 1_000

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take it, or close it at once where there are too many."""
        super().connection_made(transport)
        if len(self.connections) > self.most_connections:
            transport.abort()
        else:
            self._look_later()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is looked at any more."""
        if (look := getattr(self, "_look", None)) is not None:
            look.cancel()
        super().connection_lost(exc)

    def _look_later(self) -> None:
        self._look = self.loop.call_later(HEADER_SECONDS, self._end_unless_asked, self.cycle)

    def _end_unless_asked(self, before: Any) -> None:
        """Each request has a cycle of its own; one that is being answered may take its time."""
        now: Any = self.cycle  # None before the first request, whatever its type says
        if now is before and (now is None or now.response_complete):
            self.transport.abort()
        else:
            self._look_later()
