"""Hands inside the site, from another process: one that stays, and ones that are killed at a random instant."""

import json
import random
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.clients.server import ROOT, Site

COMMAND = [sys.executable, "-m", "benchmarks.hard.inside"]


class Insider:
    """Asks one verb after the other of a process that has Django loaded."""

    def __init__(self, site: Site) -> None:
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            COMMAND,
            cwd=ROOT,
            env=site.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(site.folder / "insider.log").open("ab"),
            text=True,
        )
        self._read()

    def ask(self, name: str, *arguments: Any) -> Any:
        """Its answer.

        Raises:
            ConnectionError: the database was away.
        """
        with self._lock:
            assert self._process.stdin is not None
            self._process.stdin.write(json.dumps([name, arguments]) + "\n")
            self._process.stdin.flush()
            answer = self._read()
        if isinstance(answer, dict) and "trouble" in answer:
            raise ConnectionError(answer["trouble"])
        return answer

    def end(self) -> None:
        self._process.kill()
        self._process.wait()

    def _read(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the insider ended: see insider.log")
        return json.loads(line)


class Commands:
    """Commands of an operator, each killed at a random instant of the time that it last took."""

    def __init__(self, site: Site, rng: random.Random) -> None:
        self.site, self.rng = site, rng
        self.took: dict[str, float] = {}
        self.killed: dict[str, int] = {}
        self.done: dict[str, int] = {}

    def run(self, name: str, *arguments: Any, killed: bool = True) -> bool:
        """Run one; True when it came to its end by itself, and well."""
        with (self.site.folder / "commands.log").open("ab") as log:
            process = subprocess.Popen(
                [*COMMAND, name, json.dumps(arguments)],
                cwd=ROOT,
                env=self.site.environment,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        assert process.stdout is not None
        with process.stdout:
            process.stdout.readline()
            began = time.monotonic()
            if killed:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(self.rng.uniform(0, 1.1 * self.took.get(name, 1.0)))
                if process.poll() is None:
                    process.kill()
                    process.wait()
                    self.killed[name] = self.killed.get(name, 0) + 1
                    return False
            code = process.wait()
        if code == 0:
            self.done[name] = self.done.get(name, 0) + 1
            self.took[name] = time.monotonic() - began
        return code == 0


def write_import(file: Path, name: str, rows: int, rng: random.Random, units: int) -> dict[str, tuple[str, str]]:
    """A file of events; user and event of each message id in it."""
    made = {f"{name}-{n}": (f"u{rng.randrange(units)}", rng.choice(("Opened", "Paid"))) for n in range(rows)}
    lines = [
        f"{key},{user},{event},2026-10-{1 + n % 28:02}T10:00:00Z" for n, (key, (user, event)) in enumerate(made.items())
    ]
    file.write_text("id,user,event,time\n" + "\n".join(lines) + "\n")
    return made
