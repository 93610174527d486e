"""The load: events in batches that are sent again until they are answered, units that ask for their arm, pages."""

import http.client
import json
import random
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from benchmarks.hard.ledger import Ledger

FLAG = "hard"
BATCH = 20
AGAIN_SHARE = 0.05  # of the batches that were acknowledged, and are sent once more as if the answer was lost
NEW_SHARE = 0.3  # of the units that ask
PAGES = ("/healthz", "/login/", "/readyz")
NAMES = ("Opened", "Invited", "Paid", "Signed Up")
GAVE_NONE, WAIT = 0, 0.3


class Senders:
    """Threads with a pause between their calls; `stop` lets each of them bring its batch home first."""

    def __init__(self, port: int, key: str, ledger: Ledger, seed: int, units: int) -> None:
        self.port, self.key, self.ledger, self.units = port, key, ledger, units
        self._over = threading.Event()
        works: list[tuple[Callable[[random.Random, str], None], float]] = [
            *[(self._events, 0.08)] * 3,
            *[(self._asks, 0.03)] * 2,
            (self._pages, 0.2),
        ]
        self._threads = [
            threading.Thread(
                target=self._repeat, args=(work, pause, random.Random(f"{seed} {n}"), f"s{n}"), daemon=True
            )
            for n, (work, pause) in enumerate(works)
        ]
        self._numbers: dict[str, int] = {}

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self, patience: float) -> None:
        self._over.set()
        end = time.monotonic() + patience
        for thread in self._threads:
            thread.join(max(0.1, end - time.monotonic()))
            if thread.is_alive():
                self.ledger.notes.append("a sender got no answer until the end")

    def call(self, kind: str, path: str, body: Any = None, patience: float = 15) -> tuple[int, Any]:
        """One request over a connection of its own: its status (0: no whole answer) and JSON."""
        began, status, found, content = time.monotonic(), GAVE_NONE, None, b""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=patience)
        try:
            text = None if body is None else json.dumps(body).encode()
            headers = {"X-API-Key": self.key, "Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
            connection.request("GET" if text is None else "POST", path, text, headers)
            answer = connection.getresponse()
            content = answer.read()
            found = json.loads(content) if content[:1] in b"{[" and content else None
            status = answer.status
        except (OSError, http.client.HTTPException, ValueError):
            status = GAVE_NONE
        finally:
            connection.close()
        self.ledger.keep(began, status, kind, content.decode(errors="replace"))
        return status, found

    def send(self, events: list[dict[str, Any]]) -> bool:
        """A batch, again and again until it is taken whole; False when the senders ended first."""
        with self.ledger.lock:
            self.ledger.sent.update(event["messageId"] for event in events)
        while True:
            status, answer = self.call("events", "/v1/batch", {"batch": events})
            if status == 200:
                if answer["accepted"] + answer["duplicates"] != len(events):
                    self.ledger.notes.append(f"a good batch was taken in part: {answer}")
                with self.ledger.lock:
                    for event in events:
                        self.ledger.acknowledged[event["messageId"]] = event["userId"], event["event"]
                return True
            if status in (400, 401, 403, 413):
                self.ledger.notes.append(f"a good batch was answered {status}: {answer}")
                return False
            if self._over.wait(WAIT):
                return False

    def _repeat(self, work: Callable[[random.Random, str], None], pause: float, rng: random.Random, name: str) -> None:
        while not self._over.is_set():
            try:
                work(rng, name)
            except Exception as trouble:  # a witness that fails in silence would say that all is well
                self.ledger.notes.append(f"sender {name}: {trouble!r}")
            self._over.wait(pause * rng.uniform(0.5, 1.5))

    def _events(self, rng: random.Random, name: str) -> None:
        first = self._numbers.get(name, 0)
        self._numbers[name] = first + BATCH
        now = datetime.now(UTC).isoformat()
        events = [
            {
                "type": "track",
                "event": rng.choice(NAMES),
                "userId": f"u{rng.randrange(self.units)}",
                "messageId": f"{name}-{first + n}",
                "timestamp": now,
                "properties": {"n": n, "text": "값"},
            }
            for n in range(BATCH)
        ]
        if self.send(events) and rng.random() < AGAIN_SHARE:
            self.send(events)

    def _asks(self, rng: random.Random, name: str) -> None:
        unit = f"u{rng.randrange(self.units)}"
        if rng.random() < NEW_SHARE:  # somebody new at every instant of the run
            self._numbers[name] = self._numbers.get(name, 0) + 1
            unit = f"{name}-new{self._numbers[name]}"
        path = f"/ofrep/v1/evaluate/flags/{FLAG}"
        status, answer = self.call("assignments", path, {"context": {"targetingKey": unit}})
        if status == 200 and answer and "variant" in answer:
            with self.ledger.lock:
                self.ledger.variants.setdefault(unit, set()).add(answer["variant"])

    def _pages(self, rng: random.Random, _name: str) -> None:
        self.call("pages", rng.choice(PAGES))
