"""How many bytes the embedded engine reads from files, by its own log of file operations; only where a run is metered.

The engine's query profile leaves out what its threads read of local files, and `/proc/self/io` counts other threads
and no object store. The log counts each reading of this connection alone, wherever the file lies.
"""

from typing import Any

from runs.prices import add_read, is_metered


def begin(backend: Any) -> bool:
    """Count the readings of an embedded engine from now on. Returns whether they are counted."""
    if not is_metered():
        return False
    backend.raw_sql("CALL enable_logging('FileSystem', storage = 'memory')")
    return True


def end(backend: Any) -> None:
    """Add what the engine has read to the run's meter; before it is closed."""
    found = backend.raw_sql("SELECT sum(bytes) FROM duckdb_logs_parsed('FileSystem') WHERE op = 'READ'").fetchone()
    add_read(int(found[0] or 0))
