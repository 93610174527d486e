"""A DuckDB for the import, separate from the warehouse that answers queries."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

Scratch = duckdb.DuckDBPyConnection
ScratchError = duckdb.Error


@contextmanager
def scratch(folder: Path, *, memory: str = "1GB") -> Iterator[Scratch]:
    """A DuckDB of its own for set-based work on files (the import): bounded memory, the rest spills into `folder`."""
    connection = duckdb.connect(
        str(folder / "scratch.duckdb"), config={"memory_limit": memory, "temp_directory": str(folder / "spill")}
    )
    try:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET enable_progress_bar_print = false")
        yield connection
    finally:
        connection.close()
