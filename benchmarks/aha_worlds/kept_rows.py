"""One line of JSON a world and seed, so that a run can stop and go on: benchmarks/aha_worlds/rows.jsonl."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.aha_worlds.generator import world_hash

type Row = dict[str, Any]
FILE = Path(__file__).parent / "rows.jsonl"


def read(path: Path) -> dict[tuple[str, int, int], Row]:
    """The rows by world, seed and users; later lines win. Rows of other parameters of a world are left out."""
    if not path.exists():
        return {}
    rows = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line)
    return {key(row): row for row in rows if row["parameters"] == world_hash(row["world"])}


def key(row: Row) -> tuple[str, int, int]:
    """What a row is about."""
    return row["world"], row["seed"], row["units"]


def append(path: Path, row: Row) -> None:
    """Add a line; a run that is killed loses the rounds that it was at and no other."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row, separators=(",", ":"), ensure_ascii=False) + "\n")


def write(path: Path, rows: Iterable[Row]) -> None:
    """Write them anew, one line each, in the order of worlds and seeds."""
    lines = [json.dumps(row, separators=(",", ":"), ensure_ascii=False) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
