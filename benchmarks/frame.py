"""What every program that writes a page of docs/ shares: its options, its processes, tables, the commit, the page."""

import argparse
import json
import os
import platform
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from textwrap import fill
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
LIBRARIES = ("django", "gunicorn", "psycopg", "duckdb", "ibis-framework", "deltalake", "pyarrow", "numpy")


def options_of(
    document: str | None, *, page: bool = True, processes: bool = True, **numbers: float
) -> argparse.ArgumentParser:
    """A parser whose help is the program's first lines, with `--write PAGE`, `--processes` and options of numbers."""
    parser = argparse.ArgumentParser(description=document, formatter_class=argparse.RawDescriptionHelpFormatter)
    if page:
        parser.add_argument("--write", type=Path, help="file for the page as Markdown")
    if processes:
        numbers["processes"] = 2
    for name, usual in numbers.items():
        parser.add_argument(
            f"--{name.replace('_', '-')}", type=type(usual), default=usual, help=f"{usual:,} without it"
        )
    return parser


def workers(processes: int) -> ProcessPoolExecutor:
    """Processes with one thread each, so that a run's time says what it costs."""
    os.environ["OMP_NUM_THREADS"] = "1"
    return ProcessPoolExecutor(processes)


def show(text: str, write: Path | None) -> None:
    """Print the page, and write it where a file was named."""
    print(text)
    if write:
        write.write_text(text + "\n", encoding="utf-8")


def filled(name: str, constants: Mapping[str, object] | None = None, **values: Any) -> str:
    """A page of `benchmarks/pages/`: its program's constants by their names, numbers, and tables as their lines."""
    text = (ROOT / "benchmarks" / "pages" / f"{name}.md").read_text(encoding="utf-8").removesuffix("\n")
    tables = {key: "\n".join(value) for key, value in values.items() if not isinstance(value, str | int | float)}
    return text.format_map({**(constants or {}), "commit": commit(), **values, **tables})


def write_between(page: Path, first: str, last: str, lines: Iterable[str]) -> None:
    """Put lines between two marks of a page that people write."""
    before, _, rest = page.read_text(encoding="utf-8").partition(first)
    page.write_text("\n".join([before + first, *lines, last + rest.partition(last)[2]]), encoding="utf-8")


def keep(path: Path, record: object, digits: int = 0) -> Any:
    """Keep a record as JSON, and give back what was kept: its numbers with so many digits where any are said."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shorter = (lambda text: float(f"{float(text):.{digits}g}")) if digits else float
    kept = json.loads(json.dumps(record), parse_float=shorter)
    path.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return kept


def kept(path: Path) -> Any:
    """A record that was kept; empty before the first."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def in_django(folder: Path | str | None = None, *, migrate: bool = True, **more: str) -> None:
    """Our own Django in this process, where a folder is given over a database and a store there."""
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "insight_site.settings")
    if folder is not None:
        places = {"EVENTS_URL": f"{folder}/store", "DATABASE_URL": f"sqlite:///{folder}/site.sqlite3"}
        os.environ |= places | {"EXPLORE_DIR": f"{folder}/explore"} | more
    django.setup()
    if folder is not None and migrate:
        from django.core.management import call_command

        call_command("migrate", verbosity=0)


def analysed(table: Any, design: Any) -> Any:
    """The report of an experiment that is given as a file, the door that a team's own export goes through."""
    import pyarrow.parquet as pq

    from experiments.files.analyze import analyze_file

    with tempfile.TemporaryDirectory(prefix="insight-bench-") as folder:
        path = Path(folder) / "experiment.parquet"
        pq.write_table(table, path)
        return analyze_file(path, design)


def line(*cells: str) -> str:
    """A row of a Markdown table."""
    return f"| {' | '.join(cells)} |"


def header(*names: str) -> tuple[str, str]:
    """The first two rows of a Markdown table."""
    return line(*names), line(*["---"] * len(names))


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table."""
    return [*header(*columns), *(line(*row) for row in rows)]


def paragraph(text: str) -> str:
    """A text of any layout, filled to the width of the docs."""
    return fill(" ".join(text.split()), 120, break_long_words=False, break_on_hyphens=False)


def commit() -> str:
    """Short name of the commit, with a plus where the tree differs from it (docs aside, which a benchmark writes)."""
    run = subprocess.run
    name = run(["git", "rev-parse", "--short=8", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True)
    changed = run(["git", "status", "--porcelain", "-uno"], cwd=ROOT, capture_output=True, text=True, check=True)
    outside = [row for row in changed.stdout.splitlines() if not row[3:].startswith("docs/")]
    return name.stdout.strip() + ("+" if outside else "")


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

    try:
        with psycopg.connect(postgres_url(), connect_timeout=2) as connection:
            found = connection.info.server_version
    except psycopg.OperationalError:
        return "none"
    return f"{found // 10_000}.{found % 10_000}"


def _lines(path: str) -> list[str]:
    place = Path(path)
    return place.read_text(encoding="utf-8").splitlines() if place.exists() else []


def postgres_url() -> str:
    """The server on which benchmarks make their databases: BENCH_POSTGRES, or the one of this machine."""
    return os.environ.get("BENCH_POSTGRES", "postgres://postgres@127.0.0.1:5432/postgres")
