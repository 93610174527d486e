"""What compose would run, as processes of this machine; a visitor; and the database."""

import http.client
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psycopg
import yaml

from tests.conftest import missing
from tests.deploy.image import PATH, Stage, enter, new_folder

ROOT = Path(__file__).resolve().parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "deploy/compose.yaml").read_text())
SITE = "https://insight.example:8443"


class Running:
    """What compose would run, in a network of its own."""

    def __init__(self, room: Path, image: Stage, tools: Stage, env_file: dict[str, str]) -> None:
        self.room, self.image, self.tools, self.env_file = room, image, tools, env_file
        self.data, self.count = room / "data", 0
        shutil.copytree(image.layers[0] / "data", self.data)
        os.chown(self.data, 10001, 10001)
        self.link, self.key, self.minutes = "", "", 0.0
        self.demo: dict[str, Any] = {}
        (image.layers[0] / "etc").mkdir(exist_ok=True)
        (image.layers[0] / "etc/hosts").touch()  # engines lay one into each container
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        (room / "hosts").write_text("127.0.0.1 localhost database web insight.example\n")

    def command(self, name: str, command: Sequence[str] = ()) -> list[str]:
        """The command line of a service, or of another command in its container."""
        service = COMPOSE["services"][name]
        given = {key: self._filled(str(value)) for key, value in service.get("environment", {}).items()}
        self.count += 1
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        return enter(
            self.image.layers,
            list(command) or [self._filled(word) for word in service.get("command", self.image.command)],
            work=new_folder(self.room / f"work-{self.count}"),
            env={**self.image.env, **self.env_file, **given},
            user=self.image.user,
            folder=self.image.folder,
            binds={str(self.data): "/data", f"ro:{self.room / 'hosts'}": "/etc/hosts"},
            tmpfs=("/tmp",),
        )

    def _filled(self, text: str) -> str:
        def value(found: re.Match[str]) -> str:
            default = (found[2] or "").removeprefix(":-")
            return self.env_file.get(found[1]) or default

        return re.sub(r"(?<!\$)\$\{(\w+)([^}]*)\}", value, text).replace("$$", "$")

    def run(self, name: str, *command: str, status: int = 0) -> str:
        """A command in a service's container, to its end."""
        done = subprocess.run(self.command(name, command), capture_output=True, text=True, check=False)
        assert done.returncode == status, done.stdout[-3_000:] + done.stderr[-3_000:]
        return done.stdout

    def start(self, name: str, command: Sequence[str] | None = None) -> None:
        """Start a service that stays."""
        with (self.room / f"{name}.log").open("ab") as log:
            (self.room / f"{name}.log").chmod(0o666)
            self.processes[name] = subprocess.Popen(
                command or self.command(name), stdout=log, stderr=log, start_new_session=True
            )

    def log(self, name: str) -> str:
        """What a service wrote."""
        return (self.room / f"{name}.log").read_text()

    def inside(self, name: str, test: Sequence[str]) -> int:
        """A health check, in the container of a service that runs."""
        pid = self.processes[name].pid
        command = ["nsenter", f"--target={pid}", "--mount", "--", "chroot", f"/proc/{pid}/root", *test]
        lines = Path(f"/proc/{pid}/environ").read_bytes().decode("utf-8", "replace").split("\0")
        env = {"PATH": PATH, **dict(line.split("=", 1) for line in lines if "=" in line)}  # nginx writes over its own
        return subprocess.run(command, env=env, capture_output=True, check=False).returncode

    def wait_healthy(self, name: str, test: Sequence[str], seconds: float = 90) -> None:
        """As compose waits."""
        until = time.monotonic() + seconds
        while self.inside(name, test):
            assert self.processes[name].poll() is None, self.log(name)[-3_000:]
            assert time.monotonic() < until, self.log(name)[-3_000:]
            time.sleep(0.5)

    def stop(self, name: str, seconds: float) -> float:
        """SIGTERM; how long the end took."""
        process, began = self.processes.pop(name), time.monotonic()
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=seconds)
        return time.monotonic() - began

    def end(self) -> None:
        """Everything that was started and still runs."""
        for process in self.processes.values():
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


class _Here(http.client.HTTPSConnection):
    """A connection to this machine, whatever the name; the certificate must hold the name all the same."""

    def connect(self) -> None:
        plain = socket.create_connection(("127.0.0.1", self.port), 60)
        self.sock = self._trust.wrap_socket(plain, server_hostname=self.host)

    def __init__(self, *args: Any, context: ssl.SSLContext, **kwargs: Any) -> None:
        super().__init__(*args, context=context, **kwargs)
        self._trust = context


class _Handler(urllib.request.HTTPSHandler):
    def __init__(self, trust: ssl.SSLContext) -> None:
        super().__init__(context=trust)
        self._trust = trust

    def https_open(self, req: urllib.request.Request) -> Any:
        return self.do_open(_Here, req, context=self._trust)  # type: ignore[arg-type]  # a class that makes one


class Person:
    """A browser that keeps its cookies, and trusts the certificate of the test."""

    def __init__(self, certificate: Path) -> None:
        self.cookies = CookieJar()
        trust = ssl.create_default_context(cafile=str(certificate))
        self.opener = urllib.request.build_opener(_Handler(trust), urllib.request.HTTPCookieProcessor(self.cookies))

    def ask(self, path: str, body: Any = None, **headers: str) -> tuple[int, str, Any]:
        """Status, text and headers; a form as a dict, JSON as anything else."""
        data = None
        if isinstance(body, dict) and "json" not in body:
            token = next((cookie.value for cookie in self.cookies if cookie.name == "csrftoken"), "") or ""
            data, headers = urlencode({**body, "csrfmiddlewaretoken": token}).encode(), {"Referer": SITE, **headers}
        elif body is not None:
            data, headers = json.dumps(body["json"]).encode(), {"Content-Type": "application/json", **headers}
        request = urllib.request.Request(SITE + path, data=data, headers=headers)
        try:
            with self.opener.open(request, timeout=60) as answer:
                return answer.status, answer.read().decode("utf-8", "replace"), answer
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read().decode("utf-8", "replace"), refused


@contextmanager
def postgresql(room: Path, password: str) -> Iterator[None]:
    """The database of compose: its user, its password, its port."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not programs:
        missing("PostgreSQL")
    programs_folder, place = programs[-1].parent, room / "postgresql"
    new_folder(place)
    shutil.chown(place, "postgres", "postgres")
    (room / "pw").write_text(password)
    shutil.chown(room / "pw", "postgres")
    as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--"]
    initdb = [str(programs_folder / "initdb"), "-D", str(place), "-U", "insight", "-A", "scram-sha-256"]
    subprocess.run([*as_user, *initdb, f"--pwfile={room / 'pw'}"], check=True, capture_output=True, cwd="/")
    options = ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]
    with (room / "postgresql.log").open("ab") as log:
        process = subprocess.Popen(
            [*as_user, str(programs_folder / "postgres"), "-D", str(place), *options], stdout=log, stderr=log, cwd="/"
        )
    try:
        until = time.monotonic() + 60
        while True:
            try:
                with psycopg.connect(
                    host="127.0.0.1", user="insight", password=password, dbname="postgres", autocommit=True
                ) as connection:
                    connection.execute("CREATE DATABASE insight")
                break
            except psycopg.OperationalError:
                assert time.monotonic() < until, (room / "postgresql.log").read_text()
                time.sleep(0.2)
        yield
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()
