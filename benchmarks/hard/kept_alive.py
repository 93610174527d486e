"""The site with web and workers that are started again when they end, as an init system would do it."""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

from tests.clients.server import ROOT, Site

LOOK, PAUSE = 0.2, 0.5  # seconds between looks, and before a program is started again
WORKERS = ("worker 1", "worker 2")  # two: each has the schedules, too


class KeptAlive(Site):
    """`hold` takes a program away until `let_go`; `given` is what its environment has besides the site's."""

    def __init__(self, folder: Path, database_url: str, **environment: str) -> None:
        super().__init__(folder, database_url, **environment)
        self.given: dict[str, dict[str, str]] = {name: {} for name in ("web", *WORKERS)}
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.held: set[str] = set()
        self.starts = 0
        self._lock, self._over = threading.Lock(), threading.Event()
        self._keeper = threading.Thread(target=self._keep, daemon=True)

    def begin(self) -> None:
        self._keeper.start()

    def hold(self, *names: str) -> None:
        """Kill these, and don't start them again."""
        with self._lock:
            self.held.update(names)
        for name in names:
            self.kill_program(name)

    def let_go(self, *names: str) -> None:
        with self._lock:
            self.held.difference_update(names)

    def kill_program(self, name: str) -> bool:
        """SIGKILL to the first process of a program and, for the web, to all of it; False when there is none."""
        process = self.running.get(name)
        if process is None or process.poll() is not None:
            return False
        with suppress(ProcessLookupError):
            (os.killpg if name == "web" else os.kill)(process.pid, signal.SIGKILL)
        process.wait()
        return True

    def restart(self, name: str) -> None:
        """End it politely; it is started again with its present environment."""
        process = self.running.get(name)
        if process is not None and process.poll() is None:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(40)
            self.kill_program(name)

    def children(self, name: str) -> list[int]:
        process = self.running.get(name)
        if process is None:
            return []
        found = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=False)
        return [int(line) for line in found.stdout.split()]

    def end(self) -> None:
        self._over.set()
        self._keeper.join(30)
        for name, process in self.running.items():
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(40)
            self.kill_program(name)

    def _keep(self) -> None:
        ended: dict[str, float] = {}
        while not self._over.is_set():
            for name in self.given:
                process = self.running.get(name)
                if process is None or process.poll() is not None:
                    since = ended.setdefault(name, time.monotonic())
                    with self._lock:
                        wanted = name not in self.held
                    if wanted and (process is None or time.monotonic() - since >= PAUSE):
                        ended.pop(name)
                        self._start(name)
            self._over.wait(LOOK)

    def _start(self, name: str) -> None:
        web = [sys.executable, "-m", "gunicorn", "insight_site.wsgi", "--bind", f"127.0.0.1:{self.port}"]
        command = web if name == "web" else [sys.executable, "manage.py", "worker"]
        environment = {**self.environment, **self.given[name]}
        with (self.folder / f"{name.replace(' ', '-')}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                command, cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True
            )
        self.starts += 1
