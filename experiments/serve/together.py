"""Group commit: batch concurrent calls of several threads into one piece of work.

A call starts at once while no work is running. Calls that arrive meanwhile wait and form the next batch: no call waits
for others to arrive, and under load one statement and one commit serve many calls.
"""

import threading
from collections.abc import Callable, Sequence


class _Ticket[T, R]:
    """One call: its gate opens when its result is there, or when it must lead the next batch."""

    def __init__(self, asked: T) -> None:
        self.asked = asked
        self.gate = threading.Lock()
        self.gate.acquire()
        self.leads = False
        self.result: list[R] = []
        self.trouble: BaseException | None = None


class Together[T, R]:
    """Batches concurrent calls: `Together(work)(asked)` is the result of this call.

    Args:
        work: returns the results of several calls in their order, in the thread of one of the callers. An exception is
            raised in every caller of the batch.
    """

    def __init__(self, work: Callable[[Sequence[T]], Sequence[R]]) -> None:
        self._work = work
        self._lock = threading.Lock()
        self._waiting: list[_Ticket[T, R]] = []
        self._busy = False

    def __call__(self, asked: T) -> R:
        """The result of one call."""
        ticket: _Ticket[T, R] = _Ticket(asked)
        with self._lock:
            self._waiting.append(ticket)
            leads, self._busy = not self._busy, True
        if not leads:
            ticket.gate.acquire()
        if leads or ticket.leads:
            self._lead()
        if ticket.trouble is not None:
            raise ticket.trouble
        return ticket.result[0]

    def _lead(self) -> None:
        with self._lock:
            piece, self._waiting = self._waiting, []
        try:
            results = self._work([ticket.asked for ticket in piece])
            for ticket, result in zip(piece, results, strict=True):
                ticket.result.append(result)
        except BaseException as trouble:
            for ticket in piece:
                ticket.trouble = trouble
        finally:
            with self._lock:
                following = next(iter(self._waiting), None)
                self._busy = following is not None
            if following is not None:
                following.leads = True
                following.gate.release()
            for ticket in piece:
                ticket.gate.release()
