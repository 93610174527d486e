"""What every program that writes a page of docs/ shares: its options, its processes, tables, the commit, the page."""

import argparse
import os
import subprocess
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from textwrap import fill

ROOT = Path(__file__).resolve().parents[1]


def options_of(document: str | None, *, processes: bool = True) -> argparse.ArgumentParser:
    """A parser whose help is the program's first lines, with `--write PAGE` and `--processes`."""
    parser = argparse.ArgumentParser(description=document, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", type=Path, help="file for the page as Markdown")
    if processes:
        parser.add_argument("--processes", type=int, default=2)
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
