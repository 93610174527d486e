"""Peers in folders of their own under .venv-peers/, never in the lock, the image or CI: made at their first use."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.frame import ROOT, postgres_url
from benchmarks.harness.clock import START_SECONDS, until_answered
from tests.clients.server import free_port, fresh_database

FOLDER = ROOT / ".venv-peers"  # hidden, as no tool and no test of ours should read it
OURS = ROOT / "benchmarks" / "peers"  # what we wrote to start them
UNLEASH = "unleash-server@8.2.0"  # AGPL
BESIDE = {"granian": "granian==2.8.7", "growthbook": "growthbook==4.0.0"}  # our own packages
OLD = "7e13d76b"  # version 0.4


@dataclass(frozen=True)
class Unleash:
    """A running Unleash with one flag of two variants for everybody."""

    port: int
    token: str

    def call(self) -> dict[str, Any]:
        """The call of a unit for the load driver: every enabled flag of the unit, evaluated in memory."""
        headers = {"Authorization": self.token, "Accept": "application/json"}
        return {"method": "GET", "path": "/api/frontend?userId={unit}", "headers": headers, "body": ""}


@contextmanager
def unleash(flag: str = "bench") -> Iterator[Unleash]:
    """Unleash on a database of its own, gone afterwards. Its limits are raised by its own options: no answer is
    429."""
    folder, node = unleash_folder(), shutil.which("node")
    if node is None:
        raise SystemExit("Unleash needs Node 20 or newer")
    os.environ["DATABASE_URL"] = postgres_url()
    with tempfile.TemporaryDirectory(prefix="insight-bench-") as name, fresh_database(Path(name)) as url:
        port, log_path = free_port(), Path(name) / "unleash.log"
        settings: dict[str, Any] = {
            "port": port,
            "database": url,
            "admin": "*:*.bench-admin",
            "frontend": "*:development.bench-front",
        }
        with log_path.open("wb") as log:
            process = subprocess.Popen(
                [node, "start.mjs", json.dumps(settings)], cwd=folder, stdout=log, stderr=log, env=_node_environment()
            )
        try:
            until_answered(f"http://127.0.0.1:{port}/health", process)
            _make_flag(port, settings["admin"], flag)
            _wait_for_flag(Unleash(port, settings["frontend"]), flag)
            yield Unleash(port, settings["frontend"])
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=20)
            process.kill()
            process.wait()


def unleash_folder() -> Path:
    """The npm package in its own folder, with our start file beside it."""
    folder = FOLDER / "unleash"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(OURS / "unleash.mjs", folder / "start.mjs")
    found = folder / "node_modules" / "unleash-server" / "package.json"
    if not found.exists() or json.loads(found.read_text())["version"] != UNLEASH.partition("@")[2]:
        (folder / "package.json").write_text('{"private": true}\n')
        quiet = ["--no-audit", "--no-fund", "--loglevel=error"]
        subprocess.run(["npm", "install", *quiet, UNLEASH], cwd=folder, check=True)
    return folder


def old_version() -> tuple[Path, Path]:
    """The checkout of version 0.4, and the Python of an environment made from its own locks."""
    folder = FOLDER / "v0_4"
    if not (folder / "manage.py").exists():
        folder.mkdir(parents=True, exist_ok=True)
        packed = subprocess.run(["git", "archive", OLD], cwd=ROOT, check=True, capture_output=True).stdout
        subprocess.run(["tar", "-x"], cwd=folder, input=packed, check=True)
    python = folder / ".venv" / "bin" / "python"
    if not (folder / ".venv" / ".ready").exists():
        uv = str(ROOT / ".venv" / "bin" / "uv")
        subprocess.run([uv, "venv", "-q", "--clear", "--python", sys.executable, str(folder / ".venv")], check=True)
        lock = ["--require-hashes", "-r", str(folder / "requirements.txt")]
        subprocess.run([uv, "pip", "install", "-q", "--python", str(python), *lock], check=True)
        (folder / ".venv" / ".ready").touch()
    return folder, python


def peer_folder(name: str) -> Path:
    """A package beside our own: a folder for PYTHONPATH."""
    folder = FOLDER / name
    stamp = folder / ".installed"
    if not stamp.exists() or stamp.read_text() != BESIDE[name]:
        uv = str(ROOT / ".venv" / "bin" / "uv")
        command = [uv, "pip", "install", "-q", "--python", sys.executable, "--target", str(folder), BESIDE[name]]
        subprocess.run(command, check=True)
        stamp.write_text(BESIDE[name])
    return folder


def _node_environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DATABASE", "UNLEASH"))}
    return {**kept, "NODE_ENV": "production", "CHECK_VERSION": "false", "SEND_TELEMETRY": "false", "LOG_LEVEL": "warn"}


def _make_flag(port: int, token: str, flag: str) -> None:
    """A flag with two variants, half of the units each, on for everybody in `development`."""
    project = "/api/admin/projects/default/features"
    variants = [{"name": f"arm{n}", "weight": 500, "weightType": "variable", "stickiness": "userId"} for n in range(2)]
    rollout = {"rollout": "100", "stickiness": "userId", "groupId": flag}
    _send(port, token, project, {"name": flag, "type": "experiment"})
    strategy = {"name": "flexibleRollout", "parameters": rollout, "constraints": [], "variants": variants}
    _send(port, token, f"{project}/{flag}/environments/development/strategies", strategy)
    _send(port, token, f"{project}/{flag}/environments/development/on", {})


def _wait_for_flag(peer: Unleash, flag: str) -> None:
    """Its front-end API reads the flags every few seconds."""
    deadline = time.monotonic() + START_SECONDS
    path = peer.call()["path"].replace("{unit}", "somebody")
    while time.monotonic() < deadline:
        request = urllib.request.Request(f"http://127.0.0.1:{peer.port}{path}", headers=peer.call()["headers"])
        with suppress(OSError), urllib.request.urlopen(request, timeout=5) as answer:
            if any(one["name"] == flag and one["variant"]["enabled"] for one in json.load(answer)["toggles"]):
                return
        time.sleep(0.5)
    raise SystemExit("Unleash doesn't serve its flag")


def _send(port: int, token: str, path: str, body: dict[str, Any]) -> None:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}",
        data=json.dumps(body).encode(),
        headers={"Authorization": token, "Content-Type": "application/json"},
        method="POST",
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        answer.read()
