"""A PostgreSQL of our own in a folder: it may be killed without harm to the machine's."""

import os
import shutil
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import psycopg

from tests.clients.server import free_port

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

    def stop(self) -> None:
        """For good."""
        with suppress(subprocess.CalledProcessError):
            self.crash()
        time.sleep(0.5)

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), *arguments]
        if os.getuid() == 0:
            command = ["runuser", "-u", "postgres", "--", *command]
        # Its server would keep our pipes open: what it says goes to its log.
        subprocess.run(command, cwd="/", check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
