"""What the senders were answered: the only witness at the end. It lives outside of the site."""

import threading
import time
from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Answer:
    """One call: when it was sent (monotonic), how long it took, its status (0: no answer), and its kind."""

    at: float
    seconds: float
    status: int
    kind: str


@dataclass
class Ledger:
    """Everything that was promised.

    Attributes:
        acknowledged: user and event of each message id that was answered with success.
        sent: ids that were sent, whatever came back: each may be in the store once.
        set_aside: ids that nobody can store, and that an operator must find in the quarantine.
        variants: by unit, the arms that it was answered.
        answers: of all calls.
        examples: the first body of each status of a server's own trouble.
        notes: errors of the senders themselves, which would make the witness worthless.
    """

    acknowledged: dict[str, tuple[str, str]] = field(default_factory=dict)
    sent: set[str] = field(default_factory=set)
    set_aside: set[str] = field(default_factory=set)
    variants: dict[str, set[str]] = field(default_factory=dict)
    answers: list[Answer] = field(default_factory=list)
    examples: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def keep(self, began: float, status: int, kind: str, body: str = "") -> None:
        with self.lock:
            if status >= 500:
                self.examples.setdefault(f"{kind} {status}", body[:300])
            self.answers.append(Answer(began, time.monotonic() - began, status, kind))

    def statuses(self) -> Counter[str]:
        with self.lock:
            return Counter(f"{one.kind} {one.status}" for one in self.answers)

    def load(self, begin: float, end: float) -> dict[str, float]:
        """Requests a second and p99 of those that were sent in a time, and the share that wasn't answered well."""
        with self.lock:
            found = [one for one in self.answers if begin <= one.at < end]
        times = sorted(one.seconds for one in found)
        bad = sum(not 200 <= one.status < 400 for one in found)
        return {
            "requests/s": len(found) / (end - begin),
            "p99 ms": 1e3 * times[int(0.99 * (len(times) - 1))] if times else float("nan"),
            "not answered well": bad / len(found) if found else 1.0,
        }
