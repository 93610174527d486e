"""On what and with what a figure was measured."""

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.frame import commit

LIBRARIES = ("django", "gunicorn", "psycopg", "duckdb", "ibis-framework", "deltalake", "pyarrow", "numpy")


def where_and_when() -> dict[str, Any]:
    """Machine, system, versions, commit, date and load, for the record of a job."""
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "commit": commit(),
        "machine": f"{os.cpu_count()} cores ({processor()}), {memory_gb():.0f} GB",
        "system": f"{system()}, Python {platform.python_version()}, PostgreSQL {postgresql()}",
        "versions": ", ".join(f"{name} {version(name)}" for name in LIBRARIES),
        "load": round(os.getloadavg()[0], 1),
    }


def processor() -> str:
    """The processor's name as Linux gives it."""
    names = [line.split(":", 1)[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    return names[0] if names else platform.machine()


def memory_gb() -> float:
    """Memory of the machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def system() -> str:
    """Name and version of the distribution."""
    names = [line.split("=", 1)[1].strip('"') for line in _lines("/etc/os-release") if line.startswith("PRETTY_NAME=")]
    return names[0] if names else platform.system()


def postgresql() -> str:
    """Version of the server that the benchmarks use; "none" where nobody answers."""
    import psycopg

    from benchmarks.harness.site import postgres_url

    try:
        with psycopg.connect(postgres_url(), connect_timeout=2) as connection:
            found = connection.info.server_version
    except psycopg.OperationalError:
        return "none"
    return f"{found // 10_000}.{found % 10_000}"


def _lines(path: str) -> list[str]:
    place = Path(path)
    return place.read_text(encoding="utf-8").splitlines() if place.exists() else []
