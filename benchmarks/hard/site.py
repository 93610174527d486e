"""The site with web and workers that are started again when they end, a PostgreSQL of its own, hands inside from
another process, and SIGKILL to one process: which one, a seeded draw decides."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import psycopg

from tests.clients.server import ROOT, Site, free_port

PROGRAMS = Path("/usr/lib/postgresql")


class OwnPostgres:
    """One cluster, as the user postgres where we are root: the server refuses to run as root."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.url = f"postgres://postgres@127.0.0.1:{self.port}/postgres"
        versions = sorted(PROGRAMS.glob("*/bin"), key=lambda path: int(path.parent.name))
        if not versions:
            raise SystemExit("hard: PostgreSQL is missing (Debian: postgresql)")
        self._programs = versions[-1]
        folder.mkdir()
        if os.getuid() == 0:
            shutil.chown(folder, "postgres", "postgres")
        self._run("initdb", "-A", "trust", "-U", "postgres", "-D", str(folder / "data"))
        self.start()

    def start(self) -> None:
        """Serve; comes back when it takes connections."""
        log = self.folder / "log"
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 -c max_connections=150"
        self._run("pg_ctl", "-w", "-t", "60", "-D", str(self.folder / "data"), "-l", str(log), "-o", options, "start")

    def crash(self) -> None:
        """End at once, without a checkpoint, as when the machine stops; it recovers from its log when it starts."""
        self._run("pg_ctl", "-m", "immediate", "-D", str(self.folder / "data"), "stop")

    def cut(self) -> int:
        """End every connection but ours; how many there were."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            others = "FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND client_port > 0"
            end = f"SELECT pg_terminate_backend(pid) {others}"
            return len(connection.execute(end).fetchall())

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), *arguments]
        if os.getuid() == 0:
            command = ["runuser", "-u", "postgres", "--", *command]
        # Its server would keep our pipes open: what it says goes to its log.
        subprocess.run(command, cwd="/", check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@contextmanager
def own_postgres(folder: Path) -> Iterator[OwnPostgres]:
    server = OwnPostgres(folder)
    try:
        yield server
    finally:
        with suppress(subprocess.CalledProcessError):
            server.crash()
        time.sleep(0.5)


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


RUNNING = "SELECT owner FROM runs_job WHERE state = 'running' AND task = '{task}'"
ANALYSIS = "experiments.tasks.run_analysis"
FLUSH = "events.tasks.flush_events"
BEGINS = 2.0  # seconds that a task may take until it begins


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
        end = time.monotonic() + BEGINS
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
        try:
            with psycopg.connect(self.site.database_url, connect_timeout=2) as server:
                return [row[0] for row in server.execute(question).fetchall()]
        except psycopg.Error:
            return []
