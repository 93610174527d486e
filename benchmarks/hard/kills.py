"""SIGKILL to one process of the running site: which one, a seeded draw decides."""

import os
import random
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from benchmarks.hard.insider import Insider
from benchmarks.hard.kept_alive import WORKERS, KeptAlive

RUNNING = "SELECT owner FROM runs_job WHERE state = 'running' AND task = '{task}'"
ANALYSIS = "experiments.tasks.run_analysis"
FLUSH = "events.tasks.flush_events"
WAIT = 2.0  # seconds that a task may take until it begins


class Kills:
    """What was killed, by kind."""

    def __init__(self, site: KeptAlive, rng: random.Random, insider: Insider) -> None:
        self.site, self.rng = site, rng
        self.ask_for: dict[str, Callable[[], object]] = {
            ANALYSIS: lambda: insider.ask("analysis"),
            FLUSH: lambda: insider.ask("put", FLUSH),
        }
        self.number: dict[str, int] = {}
        slots: dict[str, Callable[[], bool]] = {
            f"process of the queue {queue}": partial(self._slot, queue) for queue in ("store", "quick", "long")
        }
        self._kinds: dict[str, tuple[float, Callable[[], bool]]] = {
            "web process": (5, self._web_process),
            "web, all of it": (0.7, lambda: site.kill_program("web")),
            "worker with its schedules": (0.7, lambda: site.kill_program(rng.choice(WORKERS))),
            **{name: (1.5, kill) for name, kill in slots.items()},
            "process in an analysis": (2, lambda: self._owner_of(ANALYSIS)),
            "process in a flush": (2, lambda: self._owner_of(FLUSH)),
        }

    def one(self, *without: str) -> str:
        """Kill something; its kind, or "" when what was drawn wasn't there."""
        kinds = {name: kind for name, kind in self._kinds.items() if name not in without}
        (name,) = self.rng.choices([*kinds], [weight for weight, _kill in kinds.values()])
        if not kinds[name][1]():
            return ""
        self.number[name] = self.number.get(name, 0) + 1
        return name

    def _web_process(self) -> bool:
        return self._kill(self.site.children("web"))

    def _slot(self, queue: str) -> bool:
        return self._kill([pid for pid, name in self._named() if name.startswith(f"{queue}-")])

    def _owner_of(self, task: str) -> bool:
        """The process that does this task, at a random instant of it; it is asked for, and waited for a little."""
        with suppress(ConnectionError):
            self.ask_for[task]()
        end = time.monotonic() + WAIT
        while not (owners := self._ask(RUNNING.format(task=task))) and time.monotonic() < end:
            time.sleep(0.02)
        time.sleep(self.rng.uniform(0, 0.3))
        names = {"-".join(owner.rsplit(":", 2)[-2:]) for owner in owners}
        return self._kill([pid for pid, name in self._named() if name in names])

    def _named(self) -> list[tuple[int, str]]:
        found = []
        for worker in WORKERS:
            for pid in self.site.children(worker):
                with suppress(OSError):
                    found.append((pid, Path(f"/proc/{pid}/comm").read_text().strip()))
        return found

    def _kill(self, pids: list[int]) -> bool:
        if not pids:
            return False
        try:
            os.kill(self.rng.choice(pids), signal.SIGKILL)
        except ProcessLookupError:
            return False
        return True

    def _ask(self, question: str) -> list[str]:
        url = self.site.database_url
        try:
            if url.startswith("sqlite"):
                with closing(sqlite3.connect(url.removeprefix("sqlite:///"), timeout=1)) as database:
                    return [row[0] for row in database.execute(question)]
            with psycopg.connect(urlsplit(url).geturl(), connect_timeout=2) as server:
                return [row[0] for row in server.execute(question).fetchall()]
        except (psycopg.Error, sqlite3.Error):
            return []
