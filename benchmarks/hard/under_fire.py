"""One run: load, kills at random instants, a fault now and then, the reckoning, and docs/reliability.md."""

import json
import random
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.frame import ROOT, filled, line
from benchmarks.hard.faults import FAULTS, SHORT, Broken, Fault, own_disk
from benchmarks.hard.site import Commands, Insider, KeptAlive, Kills, own_postgres, write_import
from benchmarks.hard.witness import FLAG, PROMISES, Ledger, Senders, compare
from tests.insight_site.operation.watched_site import Prometheus

GLANCE = 0.5


class Told:
    """The alerts that fire, looked at twice a second."""

    def __init__(self, prometheus: Prometheus) -> None:
        self._prometheus, self._over = prometheus, threading.Event()
        self.now: set[str] = set()
        self.ever: set[str] = set()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def begin(self) -> None:
        self._prometheus.start()
        self._thread.start()

    def end(self) -> None:
        self._over.set()
        if self._thread.ident:
            self._thread.join(10)
        self._prometheus.stop()

    def wait_for(self, names: Collection[str], seconds: float) -> set[str]:
        """Those of these alerts that fired within the time."""
        seen: set[str] = set()
        end = time.monotonic() + seconds
        while not set(names) <= seen and time.monotonic() < end:
            seen |= self.now & set(names)
            time.sleep(GLANCE)
        return seen

    def wait_until_silent(self, names: Collection[str] | None, seconds: float) -> set[str]:
        """Those of these alerts (None: of all) that still fired at the end of the time."""
        end = time.monotonic() + seconds
        while still := (set(self.now) if names is None else self.now & set(names)):
            if time.monotonic() > end:
                return still
            time.sleep(GLANCE)
        return set()

    def _look(self) -> None:
        while not self._over.wait(GLANCE):
            self.now = self._prometheus.firing()
            self.ever |= self.now


SCHEDULER = "worker with its schedules"


@dataclass(frozen=True)
class Size:
    """How long and how hard.

    Attributes:
        kills: SIGKILLs in all, at least.
        pause: seconds between two of them, on average.
        quiet: seconds of load before the first fault and after the last.
        commands: an operator's commands run meanwhile, and are killed too.
        faults: names of `faults.FAULTS`; Prometheus watches where there are any.
        rounds: how often each of them comes.
        settle: seconds that everything may take to come to its end afterwards; a task's next try may be 5 minutes off.
        waits: False for a run that has no time for these pauses, and begins such tries at once.
        units: people that the load knows.
        disk: megabytes of the store's own disk.
    """

    kills: int
    pause: float
    quiet: float
    commands: bool
    faults: tuple[str, ...]
    rounds: int
    settle: float
    waits: bool
    units: int
    disk: int


SIZES = {
    "brief": Size(18, 1.0, 6, False, (), 0, 400, False, 300, 300),
    "short": Size(24, 1.2, 6, True, SHORT, 1, 150, False, 300, 300),
    "full": Size(520, 1.9, 60, True, tuple(fault.name for fault in FAULTS), 2, 450, True, 5_000, 2_000),
}


@dataclass
class Outcome:
    """What came of a run; `figures` has every promise of `PROMISES`."""

    seed: int
    size: str
    figures: dict[str, Any] = field(default_factory=dict)
    kills: dict[str, int] = field(default_factory=dict)
    faults: list[dict[str, Any]] = field(default_factory=list)
    load: dict[str, dict[str, float]] = field(default_factory=dict)
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list)
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def broken(self) -> dict[str, Any]:
        found = {name: self.figures.get(name, "not looked at") for name in PROMISES}
        return {name: number for name, number in found.items() if number != 0}


class UnderFire:
    """A site, everything around it, and what is done to it."""

    def __init__(self, broken: Broken, told: Told, size: Size, outcome: Outcome, say: Callable[[str], None]) -> None:
        self.broken, self.told, self.size, self.outcome, self.say = broken, told, size, outcome, say
        self.rng = random.Random(outcome.seed)
        self.kills = Kills(broken.site, random.Random(outcome.seed + 1), broken.insider)
        self.commands = Commands(broken.site, random.Random(outcome.seed + 2))
        self.imports: list[tuple[Path, dict[str, tuple[str, str]]]] = []
        self.over = threading.Event()

    def run(self) -> None:
        began, senders = time.monotonic(), self.broken.senders
        senders.start()
        self._load("before")
        commands = threading.Thread(target=self._operate, daemon=True)
        if self.size.commands:
            self.commands.run("flush", killed=False)
            commands.start()
        faults = [fault for fault in FAULTS if fault.name in self.size.faults] * self.size.rounds
        share = self.size.kills // (len(faults) + 1) + 1
        without = [SCHEDULER] if self.size.kills < 50 else []  # its jobs wait for a minute and a half
        for fault in [*faults, None]:
            self._kill(share, without)
            if fault is not None:
                self._break(fault)
        self.over.set()
        if self.size.commands:
            commands.join(120)
        self._settle()
        self._load("after")
        senders.stop(60)
        self._reckon()
        self.outcome.seconds = time.monotonic() - began

    def _load(self, when: str) -> None:
        begin = time.monotonic()
        time.sleep(self.size.quiet)
        self.outcome.load[when] = self.broken.senders.ledger.load(begin, time.monotonic())
        self.say(f"load {when}: {self.outcome.load[when]}")

    def _kill(self, number: int, without: list[str]) -> None:
        done, end = 0, time.monotonic() + 4 * number * self.size.pause
        while done < number and time.monotonic() < end:
            time.sleep(self.size.pause * self.rng.uniform(0.3, 1.7))
            done += bool(self.kills.one(*without))
        self.say(f"killed: {self.kills.number}; commands: {self.commands.killed}")

    def _operate(self) -> None:
        """Commands, each killed four times of five at a random instant, and begun anew."""
        folder, number = self.broken.site.folder, 0
        names = ["flush", "import_file", "compaction", "publish"]
        names += ["backup"] if self.broken.insider.ask("has_backup") else []
        while not self.over.is_set():
            name = self.rng.choice(names)
            if name == "import_file":
                if not self.imports or self.rng.random() < 0.3:
                    number += 1
                    file = folder / f"import-{number}.csv"
                    made = write_import(file, f"i{number}", 3_000, self.rng, self.size.units)
                    self.imports.append((file, made))
                    self.broken.senders.ledger.sent.update(made)
                file, made = self.imports[-1]
                if self.commands.run(name, str(file), killed=self.rng.random() < 0.8):
                    self.broken.senders.ledger.acknowledged.update(made)
            elif name == "backup":
                copy = folder / f"backup-{self.rng.randrange(10**9)}"
                self.commands.run(name, str(copy), killed=self.rng.random() < 0.8)
                copy.unlink(missing_ok=True)
            else:
                self.commands.run(name, killed=self.rng.random() < 0.8)
            self.over.wait(self.size.pause * 2)

    def _break(self, fault: Fault) -> None:
        row: dict[str, Any] = {"fault": fault.name, "expected": list(fault.alerts)}
        self.outcome.faults.append(row)
        if not fault.is_possible(self.broken):
            row["not possible here"] = True
            return
        began = time.monotonic()
        with fault.block(self.broken):
            seen = self.told.wait_for(fault.alerts, 75)
            time.sleep(2)
        row["seconds"] = round(time.monotonic() - began, 1)
        stayed = self.told.wait_until_silent(fault.alerts, 100)
        row |= {"seen": sorted(seen), "stayed": sorted(stayed)}
        self.say(f"{row}")

    def _settle(self) -> None:
        """Until nothing is on its way any more; what still is when the time is up is stuck."""
        for file, made in self.imports:
            for _ in range(3):
                if self.commands.run("import_file", str(file), killed=False):
                    self.broken.senders.ledger.acknowledged.update(made)
                    break
        end, found = time.monotonic() + self.size.settle, {"runs": -1, "jobs": -1}
        while time.monotonic() < end:
            with suppress(ConnectionError):
                if not self.size.waits:
                    self.broken.insider.ask("begin_tries_now")
                found = self.broken.insider.ask("open_work")
                if not found["runs"] and not found["jobs"] and not self.told.now and self._well():
                    break
            time.sleep(2)
        self.outcome.figures |= {"runs stuck": found["runs"], "jobs stuck": found["jobs"]}
        self.outcome.notes += [f"still fires: {sorted(self.told.now)}"] if self.told.now else []
        self.say(f"settled: {found}")

    def _reckon(self) -> None:
        insider, ledger = self.broken.insider, self.broken.senders.ledger
        insider.ask("flush")
        figures = self.outcome.figures
        figures["events stuck"] = insider.ask("open_work")["outbox"]
        testimony = insider.ask("testimony")
        figures |= compare(ledger, testimony)
        made = [row for row in self.outcome.faults if "seen" in row]
        figures["badly answered at the end"] = round(self.outcome.load["after"]["not answered well"], 4)
        figures["alerts expected"] = sum(len(row["expected"]) for row in made)
        figures["alerts missed"] = sum(len(set(row["expected"]) - set(row["seen"])) for row in made)
        figures["alerts that stayed"] = sum(len(row["stayed"]) for row in made)
        figures["parts not well at the end"] = 0 if self._well() else 1
        commands = {f"command: {name}": number for name, number in self.commands.killed.items()}
        self.outcome.kills = {**self.kills.number, **commands}
        figures["kills"] = sum(self.outcome.kills.values())
        self.outcome.notes += ledger.notes[:20]
        self.outcome.more = {
            "statuses": dict(ledger.statuses()),
            "examples": ledger.examples,
            "runs": testimony["runs"],
            "commands done": self.commands.done,
            "programs started": self.broken.site.starts,
            "alerts ever": sorted(self.told.ever),
        }

    def _well(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.broken.site.url}/healthz/parts", timeout=20) as answer:
                return int(answer.status) == 200
        except urllib.error.HTTPError as failed:
            self.outcome.more["parts"] = json.loads(failed.read() or b"{}")
            return False
        except OSError:
            return False


def go(size: str, seed: int, say: Callable[[str], None]) -> Outcome:
    outcome, wanted = Outcome(seed, size), SIZES[size]
    with tempfile.TemporaryDirectory(prefix="insight-hard-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)  # PostgreSQL runs as another user
        with own_disk(folder / "events", wanted.disk) as mounted, own_postgres(folder / "postgres") as postgres:
            site = KeptAlive(
                folder,
                postgres.url,
                DJANGO_SETTINGS_MODULE="tests.runs.queue.pretend.settings",
                DISK_FREE_MB="40",
                DATABASE_LOCK_SECONDS="4",
                WORKERS="2",
                EXPLORE_DIR=str(folder / "explore"),
                UPLOADS_DIR=str(folder / "uploads"),
            )
            site.manage("migrate", "-v0")
            insider = Insider(site)
            key = insider.ask("set_up", FLAG)
            senders = Senders(site.port, key, Ledger(), seed, wanted.units)
            told = Told(Prometheus(folder / "prometheus", site.port, window="30s"))
            broken = Broken(site, postgres, senders, insider, folder / "events", mounted, folder / "clock")
            fire = UnderFire(broken, told, wanted, outcome, say)
            try:
                site.begin()
                _wait_until_well(fire)
                if wanted.faults:
                    told.begin()
                fire.run()
            except BaseException:
                say(_last_words(folder))
                raise
            finally:
                fire.over.set()
                site.end()
                told.end()
                insider.end()
    return outcome


def _wait_until_well(fire: UnderFire, seconds: float = 300) -> None:
    end = time.monotonic() + seconds
    while not fire._well():
        if time.monotonic() > end:
            raise RuntimeError(f"the site was never well: {fire.outcome.more}")
        time.sleep(1)


def shown(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    return [line(*heads), "|" + "---|" * len(heads), *(line(*row) for row in rows)]


def _last_words(folder: Path) -> str:
    return "\n".join(f"{log.name}: {log.read_text()[-1500:]}" for log in sorted(folder.glob("*.log")))


PAGE = ROOT / "docs" / "reliability.md"


def write(outcome: Outcome, commit: str, machine: str, page: Path = PAGE) -> None:
    page.write_text(text_of(outcome, commit, machine), "utf-8")


def text_of(outcome: Outcome, commit: str, machine: str) -> str:
    figures, minutes = outcome.figures, outcome.seconds / 60
    kept = [(name, f"{figures.get(name, 'not looked at')}") for name in PROMISES]
    kills = [*((name, f"{number}") for name, number in outcome.kills.items()), ("all", f"{figures['kills']}")]
    parts = [
        filled("reliability") + "\n",
        f"Size {outcome.size}, seed {outcome.seed}, {minutes:.0f} minutes, commit {commit}, {machine}.\n",
        "## Promises\n",
        *shown(("promise", "broken"), kept),
        f"\n{figures['events acknowledged']:,} events were acknowledged and {figures['units answered']:,} units",
        f"got an arm; {figures['events in the store']:,} events lay in the store at the end, exposures among them.",
        f"{figures['alerts expected']} alerts were expected, {figures['alerts missed']} missed.\n",
        "## Kills\n",
        *shown(("SIGKILL to", "times"), kills),
        "\n## Faults\n",
        *shown(("fault", "times", "seconds", "alerts expected", "seen"), _fault_rows(outcome.faults)),
        "\n## Load\n",
        *shown(("when", "requests/s", "p99, ms", "not answered well"), _load_rows(outcome.load)),
        "\nSix callers make this load: three send batches of events, two ask for arms, one reads pages, and each",
        "waits 0.03 to 0.2 s on average between two calls. So the rate is theirs and not the site's; what the site can",
        "do: docs/performance.md.",
        *(["\n## Notes\n", *(f"* {note}" for note in outcome.notes)] if outcome.notes else []),
    ]
    return "\n".join(parts) + "\n"


def _load_rows(loads: dict[str, dict[str, float]]) -> list[tuple[str, ...]]:
    return [
        (when, f"{load['requests/s']:.0f}", f"{load['p99 ms']:.0f}", f"{100 * load['not answered well']:.1f} %")
        for when, load in loads.items()
    ]


def _fault_rows(rows: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    """One row for each kind; what one of its times missed is missed."""
    found: list[tuple[str, ...]] = []
    for name in dict.fromkeys(row["fault"] for row in rows):
        times = [row for row in rows if row["fault"] == name]
        if any("not possible here" in row for row in times):
            found.append((name, "0", "not possible on this machine", "", ""))
            continue
        expected = times[0]["expected"]
        missed = {alert for row in times for alert in row["expected"] if alert not in row["seen"]}
        seen = [f"{alert} MISSED" if alert in missed else alert for alert in expected]
        seconds = ", ".join(f"{row['seconds']:.0f}" for row in times)
        found.append((name, f"{len(times)}", seconds, ", ".join(expected) or "none", ", ".join(seen) or "none"))
    return found
