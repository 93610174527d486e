"""The load, and what it was answered: the only witness at the end, which lives outside of the site."""

import http.client
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import duckdb


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


def compare(ledger: Ledger, testimony: dict[str, Any]) -> dict[str, Any]:
    """Counts of each broken promise, 0 everywhere for a site that kept all; with what was counted."""
    rows = _rows(testimony["files"])
    found = Counter(row[0] for row in rows)
    contents = {row[0]: (row[1], row[2]) for row in rows}
    wrong = [key for key, what in ledger.acknowledged.items() if key in contents and contents[key] != what]
    arms, hashed = testimony["arms"], testimony["hashed"]
    exposed = Counter(row[1] for row in rows if row[2] == "Experiment Viewed")
    return {
        "events acknowledged": len(ledger.acknowledged),
        "events in the store": len(rows),
        "events lost": sum(key not in found for key in ledger.acknowledged),
        "events doubled": sum(found[key] > 1 for key in ledger.sent),
        "events changed": len(wrong),
        "poison not set aside": len(ledger.set_aside - set(testimony["set aside"])),
        "units answered": len(ledger.variants),
        "units with two answers": sum(len(answers) > 1 for answers in ledger.variants.values()),
        "units stored twice": sum(len(rows) > 1 for rows in arms.values()),
        "units answered otherwise than stored": sum(
            unit in arms and answers != {arms[unit][0]} for unit, answers in ledger.variants.items()
        ),
        "units stored otherwise than drawn": sum(rows[0] != hashed[unit] for unit, rows in arms.items()),
        "units exposed twice": sum(number > 1 for number in exposed.values()),
        "units stored": len(arms),
        "units answered by hash alone": sum(unit not in arms for unit in ledger.variants),
        "exposures lost": sum(unit not in exposed for unit in arms),
        "half analyses": len(testimony["half analyses"]),
        "published by half": sum(
            refreshed and members != units for _number, units, members, refreshed in testimony["versions"]
        ),
        "errors of the witness": len(ledger.notes),
    }


def _rows(files: list[str]) -> list[tuple[str, str, str]]:
    """Id as its sender gave it, user and event of every row of the store."""
    if not files:
        return []
    found = duckdb.sql(
        "SELECT message_id, user_id, event FROM read_parquet($files)", params={"files": files}
    ).fetchall()
    return [(row[0].split(":", 2)[-1], row[1], row[2]) for row in found]


PROMISES = (
    "events lost",
    "events doubled",
    "events changed",
    "poison not set aside",
    "units with two answers",
    "units stored twice",
    "units answered otherwise than stored",
    "units stored otherwise than drawn",
    "units exposed twice",
    "exposures lost",
    "half analyses",
    "published by half",
    "errors of the witness",
    "runs stuck",
    "jobs stuck",
    "events stuck",
    "alerts missed",
    "alerts that stayed",
    "parts not well at the end",
    "badly answered at the end",
)
