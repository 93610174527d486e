"""uvicorn with a timeout for connections that send no request.

uvicorn waits for the headers of a first request for ever: its own limit starts after the first answer. So a hundred
connections that never send a byte would occupy a hundred places for as long as they like.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

HEADER_SECONDS = 10.0


class PatientProtocol(H11Protocol):
    """Closes a connection on which no request has begun for `HEADER_SECONDS`, and any beyond `most_connections`."""

    most_connections = 1_000

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept the connection, or close it at once if there are too many."""
        super().connection_made(transport)
        if len(self.connections) > self.most_connections:
            transport.abort()
        else:
            self._look_later()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timer."""
        if (look := getattr(self, "_look", None)) is not None:
            look.cancel()
        super().connection_lost(exc)

    def _look_later(self) -> None:
        self._look = self.loop.call_later(HEADER_SECONDS, self._end_unless_asked, self.cycle)

    def _end_unless_asked(self, before: Any) -> None:
        """Close the connection unless a request has begun: each has its own cycle, and its answer may take its time."""
        now: Any = self.cycle  # None before the first request, whatever its type says
        if now is before and (now is None or now.response_complete):
            self.transport.abort()
        else:
            self._look_later()
