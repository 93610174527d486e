"""A site that Debian's own Prometheus watches with our rules, every second instead of every fifteen."""

import json
import re
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.clients.server import ROOT, Site, free_port
from tests.debian import unpacked

RULES = ROOT / "deploy" / "prometheus" / "alerts.yml"
EXAMPLE = ROOT / "deploy" / "prometheus" / "prometheus.yml"
PROGRAM = ("prometheus", "usr/bin/prometheus")
SECONDS = 90.0


class Prometheus:
    """The real server; what it says of our alerts."""

    def __init__(self, folder: Path, target: int, *, window: str = "") -> None:
        """`window` is what increases and rates look back on, where that of the rules is too long."""
        self.folder, self.port = folder, free_port()
        folder.mkdir()
        rules = re.sub(r"for: \d+m", "for: 0s", RULES.read_text())
        rules = re.sub(r"\[\d+[mh]\]", f"[{window}]", rules) if window else rules
        (folder / "alerts.yml").write_text(rules)
        example = EXAMPLE.read_text().replace(": 15s", ": 1s").replace("127.0.0.1:8002", f"127.0.0.1:{target}")
        # The tests' sites know this machine by INTERNAL_NETWORKS.
        example = re.sub(r"    authorization:\n      credentials_file: .*\n", "", example)
        (folder / "prometheus.yml").write_text(example)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        program = unpacked(*PROGRAM)
        if program is None:
            raise FileNotFoundError("Debian's prometheus")
        self.process = subprocess.Popen(
            [
                program,
                f"--config.file={self.folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={self.folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{self.port}",
            ],
            stderr=(self.folder / "log").open("wb"),
        )
        self._wait(lambda: self.ask("up") != [], "the first scrape")

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(30)

    def ask(self, expression: str) -> list[Any]:
        """The answer to an expression: labels and values."""
        found = self._get("query?" + urllib.parse.urlencode({"query": expression}))
        return list(found["result"]) if found else []

    def firing(self) -> set[str]:
        """Names of the alerts that fire."""
        found = self._get("alerts") or {"alerts": []}
        return {alert["labels"]["alertname"] for alert in found["alerts"] if alert["state"] == "firing"}

    def wait_for(self, *names: str, seconds: float = SECONDS) -> None:
        self._wait(lambda: set(names) <= self.firing(), f"{names}", seconds)

    def wait_until_silent(self, besides: Collection[str] = (), seconds: float = SECONDS) -> None:
        self._wait(lambda: self.firing() <= set(besides), f"silence besides {besides}", seconds)

    def _wait(self, happened: Any, what: str, seconds: float = SECONDS) -> None:
        end = time.monotonic() + seconds
        while not happened():
            if time.monotonic() > end:
                log = (self.folder / "log").read_text()[-1500:]
                parts = self.ask("insight_part_ok == 0")
                raise AssertionError(f"waited in vain for {what}; firing: {self.firing()}; {parts}\n{log}")
            time.sleep(0.3)

    def _get(self, path: str) -> Any:
        with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/{path}", timeout=5) as got:
            return json.load(got)["data"]
        return None


@contextmanager
def working(site: Site) -> Iterator[subprocess.Popen[bytes]]:
    """A worker of a site; killed at the end, which its processes notice by themselves."""
    with (site.folder / "worker.log").open("ab") as log:
        worker = subprocess.Popen(
            [sys.executable, "manage.py", "worker"], cwd=ROOT, env=site.environment, stdout=log, stderr=log
        )
    try:
        yield worker
    finally:
        worker.kill()
        worker.wait()
