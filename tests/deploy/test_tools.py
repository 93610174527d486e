"""The files of systemd and Caddy, read by the programs that they are for."""

import re
import shutil
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path

import pytest

from tests.deploy.image import Stage, enter, new_folder
from tests.deploy.site import ROOT, Running

pytestmark = pytest.mark.deploy
UNITS = sorted(path.name for path in (ROOT / "deploy/systemd").glob("insight-*"))
SERVICES = [unit for unit in UNITS if unit.endswith(".service")]
MOST_EXPOSED = 2.5  # of ten; systemd calls what is below three safe


@pytest.fixture(scope="module")
def installed(tools: Stage, room: Path) -> Stage:
    """A machine on which the units lie where docs/deploy.md puts them."""
    top = new_folder(room / "units")
    place = top / "etc/systemd/system"
    (place / "insight-.service.d").mkdir(parents=True)
    for unit in (ROOT / "deploy/systemd").glob("insight-*"):
        shutil.copy(unit, place)
    shutil.copy(ROOT / "deploy/systemd/hardening.conf", place / "insight-.service.d")
    for name in ("gunicorn", "python"):
        program = top / "opt/insight-0.5/.venv/bin" / name
        program.parent.mkdir(parents=True, exist_ok=True)
        program.touch(mode=0o755)
    return Stage([top, *tools.layers])


def ask(stage: Stage, work: Path, *command: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    inside = enter(stage.layers, command, work=work, env={**stage.env, **(env or {})}, tmpfs=("/tmp",))
    return subprocess.run(inside, capture_output=True, text=True, check=False)


def test_units__systemd__reads_them_without_a_complaint(installed: Stage, tmp_path: Path) -> None:
    done = ask(
        installed,
        tmp_path,
        "systemd-analyze",
        "--instance=0.5",
        "verify",
        *[f"/etc/systemd/system/{unit}" for unit in UNITS],
    )

    ours = [line for line in done.stderr.splitlines() if "insight" in line]
    assert (done.returncode, ours) == (0, []), done.stderr


@pytest.mark.parametrize("unit", SERVICES)
def test_units__systemd__finds_them_little_exposed(unit: str, installed: Stage, tmp_path: Path) -> None:
    done = ask(
        installed, tmp_path, "systemd-analyze", "security", "--no-pager", "--offline=true", "--instance=0.5", unit
    )

    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    assert found, done.stdout + done.stderr
    assert float(found[1]) <= MOST_EXPOSED, done.stdout


@pytest.mark.parametrize("running", ["disk"], indirect=True)
def test_caddy__in_front__passes_pages_on_and_monitoring_not(running: Running, tools: Stage, tmp_path: Path) -> None:
    binds = {f"ro:{ROOT / 'deploy/caddy/Caddyfile'}": "/run/Caddyfile", f"ro:{running.room / 'hosts'}": "/etc/hosts"}
    command = enter(
        tools.layers,
        ["caddy", "run", "--adapter", "caddyfile", "--config", "/run/Caddyfile"],
        work=tmp_path / "caddy",
        env={**tools.env, "INSIGHT_HOST": "localhost", "INSIGHT_UPSTREAM": "127.0.0.1:8000", "HOME": "/tmp"},
        binds=binds,
        tmpfs=("/tmp",),
    )
    running.start("caddy", command)
    trust = ssl.create_default_context()
    trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE  # Caddy's own, of this minute

    def status(path: str, **headers: str) -> int:
        request = urllib.request.Request(f"https://localhost{path}", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=20, context=trust) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as refused:
            return refused.code

    until = time.monotonic() + 30
    while time.monotonic() < until:
        with suppress(OSError):
            status("/healthz")
            break
        time.sleep(0.2)

    assert {path: status(path) for path in ("/healthz", "/login/", "/metrics", "/readyz", "/healthz/parts")} == {
        "/healthz": 200,
        "/login/": 200,
        "/metrics": 404,
        "/readyz": 404,
        "/healthz/parts": 404,
    }, running.log("caddy")[-2_000:]
