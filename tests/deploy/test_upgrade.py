"""The commands of docs/upgrade.md and docs/deploy.md, given under load to a systemd with the units of 0.4 and ours."""

import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.clients.server import free_port
from tests.conftest import missing
from tests.insight_site.test_migrations import database
from tests.insight_site.upgrade import release_before
from tests.insight_site.upgrade.release_before import ROOT

pytestmark = [pytest.mark.deploy, pytest.mark.timeout(900)]
SYSTEMD = Path("/usr/lib/systemd/systemd")
# A user's systemd, in a group of processes of its own, none of which is left.
MANAGER = f"""
umount -R /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup && mount -t tmpfs none /run || exit 1
before=/sys/fs/cgroup$(sed -n 's/^0:://p' /proc/self/cgroup) own=/sys/fs/cgroup/insight-test-$$
mkdir -p /run/systemd/system $own && echo $$ > $own/cgroup.procs || exit 1
{SYSTEMD} --user --unit=basic.target --log-target=console --log-level=notice
echo $$ > $before/cgroup.procs; echo 1 > $own/cgroup.kill; sleep 1; find $own -depth -type d -exec rmdir {{}} +
"""
PREPARE = """
import django; django.setup()
import json
from django.contrib.auth.models import User
from django.test import Client
from events.models import Source
from experiments.models import Experiment
from insight_site.access.keys import issue_key
from tests.experiments.make import running
running("exp")
person = Client()
person.force_login(User.objects.create_superuser("boss", password="pass"))
_, key = issue_key(name="k", source=Source.objects.get_or_create(name="app")[0], kind="server",
                   scopes=["events:write", "assign:read"], rate=1_000_000)
print(json.dumps([key, Experiment.objects.get(key="exp").flag_key, person.cookies["sessionid"].value]))
"""
FLUSH = """
import django; django.setup()
import json
from events.outbox.flush import flush_events
from tests.events.conftest import file_uris
from tests.clients.server import stored
while flush_events():
    pass
print(json.dumps([row[0] for row in stored(file_uris())]))
"""


class Machine:
    """A systemd, the folders of three versions where docs/deploy.md has them, and both releases' units."""

    def __init__(self, folder: Path, address: str) -> None:
        self.folder, self.old_port, self.port = folder, free_port(), free_port()
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "DJANGO_ALLOW"))},
            "ALLOWED_HOSTS": "127.0.0.1",
            "DATABASE_URL": address,
            "DEBUG": "0",
            "DJANGO_SETTINGS_MODULE": "insight_site.settings",
            "EVENTS_URL": str(folder / "events"),
            "HOME": str(folder),
            "HTTPS": "0",
            "LOG_LEVEL": "WARNING",
            "PATH": f"{folder}/bin:{os.environ['PATH']}",
            "REDIS_URL": "",
            "SECRET_KEY": "only-for-tests-" + uuid.uuid4().hex * 2,
            "SYSTEMD_UNIT_PATH": f"{folder}/units:",
            "VAR_DIR": str(folder / "var"),
            "XDG_RUNTIME_DIR": str(folder / "run"),
        }
        self.environment.pop("XDG_CONFIG_HOME", None)
        release_before.unpack(folder / "insight")
        (folder / "insight/.venv").symlink_to(ROOT / ".venv")
        for version in ("0.5", "0.6"):
            (folder / f"insight-{version}").symlink_to(ROOT)
        for name in ("var", "run", "bin", "units/insight-.service.d"):
            (folder / name).mkdir(parents=True)
        for tree in (folder / "insight", ROOT):
            for unit in (tree / "deploy/systemd").glob("insight-*"):
                (folder / "units" / unit.name).write_text(self.here(unit.read_text()))
        for name in ("web", "migrate", "worker"):  # which their hardening.conf says
            (folder / f"units/insight-{name}.service.d").mkdir()
            (folder / f"units/insight-{name}.service.d/hardening.conf").write_text(
                f"[Service]\nWorkingDirectory={folder}/insight\n"
            )

    def here(self, text: str) -> str:
        """With folders and ports of this test."""
        text = re.sub(r"/opt/insight\b", f"{self.folder}/insight", text)
        return text.replace("127.0.0.1:8000", f"127.0.0.1:{self.old_port}").replace(":8002", f":{self.port}")

    @contextmanager
    def running(self) -> Iterator[None]:
        with (self.folder / "systemd.log").open("wb") as log:
            process = subprocess.Popen(
                ["unshare", "--mount", "sh", "-c", MANAGER],
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        command = self.folder / "bin/systemctl"
        command.write_text(f'#!/bin/sh\nexec nsenter --mount --target={process.pid} /usr/bin/systemctl --user "$@"\n')
        command.chmod(0o755)
        try:
            until = time.monotonic() + 30
            while not (self.folder / "run/systemd/private").exists():
                assert process.poll() is None, self.log()
                assert time.monotonic() < until, self.log()
                time.sleep(0.1)
            yield
        finally:
            subprocess.run(["systemctl", "exit"], env=self.environment, check=False, timeout=60)
            try:
                process.wait(90)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                raise

    def log(self) -> str:
        return (self.folder / "systemd.log").read_text()[-4_000:]

    def shell(self, line: str) -> str:
        done = subprocess.run(
            ["sh", "-ec", self.here(line)], env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, line + done.stderr + self.log()
        return done.stdout

    def python(self, tree: Path, code: str) -> Any:
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=tree, env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-3_000:]
        return json.loads(done.stdout.splitlines()[-1])


class Senders:
    """Four callers without pause: kept connections are left after a second of rest, as our proxies leave them."""

    def __init__(self, port: int, key: str, flag: str, session: str) -> None:
        self.port = port  # where the proxy sends them
        self.calls = 0
        self.failed: list[str] = []
        self.acknowledged: list[str] = []
        self.over = threading.Event()
        self.machine = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        self.flag, self.person = flag, {"Cookie": f"sessionid={session}"}
        kinds = [(self.event, True), (self.event, False), (self.evaluation, True), (self.page, False)]
        self.threads = [threading.Thread(target=self.send, args=kind) for kind in kinds]

    def event(self) -> tuple[str, str, Any, dict[str, str], list[str]]:
        ids = [uuid.uuid4().hex for _ in range(3)]
        batch = [{"type": "track", "event": "e", "userId": f"u-{one}", "messageId": one} for one in ids]
        return "POST", "/v1/batch", {"batch": batch}, self.machine, ids

    def evaluation(self) -> tuple[str, str, Any, dict[str, str], list[str]]:
        asked = {"context": {"targetingKey": uuid.uuid4().hex}}
        return "POST", f"/ofrep/v1/evaluate/flags/{self.flag}", asked, self.machine, []

    def page(self) -> tuple[str, str, Any, dict[str, str], list[str]]:
        return "GET", "/experiments/", None, self.person, []

    def send(self, kind: Callable[[], tuple[str, str, Any, dict[str, str], list[str]]], keep: bool) -> None:
        connection, used, port = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10), 0.0, self.port
        while not self.over.wait(0.03):
            if not keep or port != self.port or time.monotonic() - used > 1:
                connection.close()
                port = self.port
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            method, path, body, headers, ids = kind()
            self.calls += 1
            try:
                connection.request(method, path, json.dumps(body) if body else None, headers)
                with connection.getresponse() as answer:
                    said = answer.read()
                if not 200 <= answer.status < 300:
                    self.failed.append(f"{path}: {answer.status} {said[:200]!r}")
                self.acknowledged += ids if answer.status == 200 else []
            except (OSError, http.client.HTTPException) as lost:
                self.failed.append(f"{path}: {lost!r}")
                connection.close()
            used = time.monotonic()
        connection.close()

    @contextmanager
    def sending(self) -> Iterator[None]:
        for thread in self.threads:
            thread.start()
        try:
            yield
        finally:
            self.over.set()
            for thread in self.threads:
                thread.join()


def commands(document: str, heading: str) -> list[str]:
    """The lines that an operator types, under a heading."""
    text = (ROOT / "docs" / document).read_text().partition(f"\n## {heading}\n")[2]
    block = re.search(r"^```\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    assert block
    return block[1].splitlines()


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    if os.geteuid() != 0:
        missing("root, for a systemd of its own,")
    if not SYSTEMD.exists() or shutil.which("unshare") is None:
        missing("systemd")
    with database("deploy") as address:
        found = Machine(tmp_path, address)
        with found.running():
            yield found


def test_upgrade__from_0_4_and_to_the_version_after__fails_no_call_and_keeps_each_event_once(machine: Machine) -> None:
    machine.shell("systemctl start insight-web")
    senders = Senders(machine.old_port, *machine.python(machine.folder / "insight", PREPARE))
    with senders.sending():
        time.sleep(2)
        for line in commands("upgrade.md", "From 0.4 to 0.5") + commands("deploy.md", "A new version"):
            if "upstream.conf" in line:  # the proxy that is told
                senders.port = machine.port
            elif line.startswith("sleep "):
                time.sleep(3)
            elif "insight-worker" not in line:
                machine.shell(line)
        time.sleep(2)
    running = machine.shell("systemctl list-units --plain --no-legend --state=running,listening 'insight-*'")
    ids = machine.python(ROOT, FLUSH)
    print(f"deploy: {senders.calls} calls, {len(senders.acknowledged)} events", file=sys.__stderr__)

    assert senders.failed == []
    assert {line.split()[0] for line in running.splitlines()} == {"insight-port.socket", "insight-web@0.6.service"}
    assert sorted(one for one in ids if one in set(senders.acknowledged)) == sorted(senders.acknowledged)
    assert len(senders.acknowledged) > 100
