"""What breaks besides processes: each a block inside which it is broken, and after which it is mended."""

import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.hard.site import WORKERS, Insider, KeptAlive, OwnPostgres
from benchmarks.hard.witness import Senders
from tests.debian import unpacked

FAKETIME = ("libfaketime", "usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")
PRETEND = "tests.runs.queue.pretend.tasks."
HOSTILE: tuple[Any, ...] = (
    {"type": "track", "event": "x" * 100_000, "userId": "u"},
    {"type": "track", "event": "Opened", "userId": "u", "properties": {"a": float("1e308"), "\x00": "\ud800"}},
    {"type": "track", "event": "Opened", "userId": "u", "timestamp": "9999-99-99"},
    {"type": "nothing"},
    [],
)


@dataclass
class Broken:
    """What the faults work on."""

    site: KeptAlive
    postgres: OwnPostgres
    senders: Senders
    insider: Insider
    store: Path  # a file system of its own where `mounted`
    mounted: bool
    clock_file: Path


@dataclass(frozen=True)
class Fault:
    """One kind.

    Attributes:
        name: as the page says it.
        block: broken inside.
        alerts: what the operator has to be told.
        is_possible: False where this machine can't do it.
    """

    name: str
    block: Callable[[Broken], AbstractContextManager[None]]
    alerts: tuple[str, ...] = ()
    is_possible: Callable[[Broken], bool] = lambda broken: True


@contextmanager
def _no_worker(broken: Broken) -> Iterator[None]:
    broken.site.hold(*WORKERS)
    yield
    broken.site.let_go(*WORKERS)


@contextmanager
def _torn_log(broken: Broken) -> Iterator[None]:
    """The last commit of the Delta log ends in its middle; then the disk gives it back."""
    commits = sorted((broken.store / "_delta_log").glob("*.json"))
    whole = commits[-1].read_bytes()
    broken.site.hold(*WORKERS)  # who has read it whole would write the next
    commits[-1].write_bytes(whole[: len(whole) // 2])
    broken.site.let_go(*WORKERS)
    yield
    commits[-1].write_bytes(whole)


@contextmanager
def _half_parquet(broken: Broken) -> Iterator[None]:
    """A part file that no commit names, cut off: what a writer leaves that is killed in the middle."""
    files = sorted(broken.store.rglob("*.parquet"))
    cut = files[-1].with_name("part-00000-half.parquet")
    cut.write_bytes(files[-1].read_bytes()[:500])
    yield
    broken.insider.ask("flush")


@contextmanager
def _read_only(broken: Broken) -> Iterator[None]:
    _remount(broken.store, "ro")
    try:
        yield
    finally:
        _remount(broken.store, "rw")


def _remount(place: Path, how: str) -> None:
    for _ in range(100):  # busy while a file is being written
        if (
            subprocess.run(["mount", "-o", f"remount,{how}", str(place)], capture_output=True, check=False).returncode
            == 0
        ):
            return
        time.sleep(0.1)
    raise RuntimeError(f"{place} could not be made {how}")


@contextmanager
def _full_disk(broken: Broken) -> Iterator[None]:
    filler = broken.store / "filler"
    with filler.open("wb") as file, suppress(OSError):
        while True:
            file.write(b"x" * (1 << 20))
    try:
        yield
    finally:
        filler.unlink()


@contextmanager
def _database_crash(broken: Broken) -> Iterator[None]:
    broken.postgres.crash()
    try:
        yield
    finally:
        broken.postgres.start()


@contextmanager
def _cut_connections(broken: Broken) -> Iterator[None]:
    for _ in range(5):
        broken.postgres.cut()
        time.sleep(1)
    yield


@contextmanager
def _clock_jumps(broken: Broken) -> Iterator[None]:
    """One machine's clock: two hours ahead in the middle, then as far behind, then right again."""
    library, worker = unpacked(*FAKETIME), WORKERS[1]
    broken.clock_file.write_text("+0")
    broken.site.given[worker] = {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(broken.clock_file),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    broken.site.restart(worker)
    time.sleep(8)
    broken.clock_file.write_text("+7200")
    yield
    broken.clock_file.write_text("-7200")
    time.sleep(15)
    broken.clock_file.write_text("+0")
    time.sleep(6)
    broken.site.given[worker] = {}
    broken.site.restart(worker)


@contextmanager
def _poison(broken: Broken) -> Iterator[None]:
    for number, event in enumerate(HOSTILE):
        status, _answer = broken.senders.call("poison", "/v1/batch", {"batch": [event, event]})
        if status >= 500:
            broken.senders.ledger.notes.append(f"a hostile batch {number} was answered {status}")
    name = f"poison-{time.monotonic_ns()}"
    broken.senders.ledger.acknowledged[f"{name}-0"] = "p", "Poison"  # its neighbour must come through
    broken.senders.ledger.set_aside.add(f"{name}-1")
    broken.insider.ask("poison", name)
    yield


@contextmanager
def _always_fails(broken: Broken) -> Iterator[None]:
    """Its process dies each time: tried three times, then given up."""
    pk = broken.insider.ask("put", f"{PRETEND}die")
    yield
    end = time.monotonic() + 60
    while (found := broken.insider.ask("job", pk))[0] != "failed" and time.monotonic() < end:
        time.sleep(0.5)
    if found[0] != "failed" or found[1] > 3:
        broken.senders.ledger.notes.append(f"a task that always dies ended as {found}")


@contextmanager
def _migration(broken: Broken) -> Iterator[None]:
    """An index of the busiest table and a table go and come, while events come in."""
    for _ in range(2):
        broken.insider.ask("migrate", "pretend", "zero")
        broken.insider.ask("migrate", "pretend")
    yield


@contextmanager
def _silent_redis(broken: Broken) -> Iterator[None]:
    """It takes connections and never answers."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.2)
        held: list[socket.socket] = []

        def take() -> None:
            while not over.is_set():
                with suppress(OSError):
                    held.append(listener.accept()[0])

        thread = threading.Thread(target=take, daemon=True)
        thread.start()
        broken.site.given["web"] = {"REDIS_URL": f"redis://127.0.0.1:{listener.getsockname()[1]}/0"}
        broken.site.restart("web")
        try:
            yield
        finally:
            broken.site.given["web"] = {}
            broken.site.restart("web")
            over.set()
            thread.join()
            for connection in held:
                connection.close()


def _has_mount(broken: Broken) -> bool:
    return broken.mounted


FAULTS = (
    Fault("torn Delta log", _torn_log, ("InsightStoreDamaged",)),
    Fault("half-written Parquet file", _half_parquet),
    Fault("full disk of the store", _full_disk, ("InsightDiskFull",), _has_mount),
    Fault("read-only store", _read_only, ("InsightStoreDamaged",), _has_mount),
    Fault("database crashes", _database_crash, ("InsightDatabaseAway",)),
    Fault("connections to the database cut", _cut_connections),
    Fault("poisonous events", _poison),
    Fault("task whose process dies each time", _always_fails, ("InsightJobsGivenUp",)),
    Fault("migration under traffic", _migration),
    Fault("silent Redis", _silent_redis, ("InsightCacheAway",)),
    Fault("no worker at all", _no_worker, ("InsightWorkerDead",)),
    Fault("clock jumps", _clock_jumps, ("InsightClockApart",), lambda broken: unpacked(*FAKETIME) is not None),
)
SHORT = (
    "torn Delta log",
    "full disk of the store",
    "database crashes",
    "connections to the database cut",
    "poisonous events",
)


@contextmanager
def own_disk(place: Path, megabytes: int) -> Iterator[bool]:
    """A small file system at a folder, in memory; False where only root may make one."""
    place.mkdir()
    mounted = os.getuid() == 0 and shutil.which("mount") is not None
    if mounted:
        options = f"size={megabytes}m"
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
        mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(place)], check=False)
