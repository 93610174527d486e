"""Run a query with an SQL metric: on a connection without files, network and settings, and with a time limit.

Even if something gets past validation, an embedded engine reads only the store, and each engine stops in time. A remote
warehouse has the rights of the role in WAREHOUSE_URL: docs/sql_metrics.md says which it needs.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Event, Timer
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from runs.refusals import Refused

if TYPE_CHECKING:
    import ibis.expr.types as ir

SECONDS = 600.0
ENGINES = ("duckdb", "postgres", "pyspark")  # their queries can be stopped from another thread


@contextmanager
def guarded(
    backend: Any, question: "ir.Table", readable: Sequence[str], seconds: float | None = None
) -> Iterator[None]:
    """Run the block on a locked connection, at most for `seconds`; queries without an SQL metric run unchanged.

    Args:
        backend: the Ibis backend; an embedded one stays locked until it is closed.
        question: the query that the block runs.
        readable: folders that the embedded engine may still read.
        seconds: None for `SECONDS`.

    Raises:
        Refused: on an engine that can't be stopped, and when the time is over.
    """
    if not holds_sql(question):
        yield
        return
    if backend.name not in ENGINES:
        raise Refused("SQL metrics run on DuckDB, PostgreSQL and Spark, not on {engine}.", engine=backend.name)
    if backend.name == "duckdb":
        lock(backend, readable)
    limit = SECONDS if seconds is None else seconds
    over, group = Event(), f"insight_{uuid4().hex}"
    if backend.name == "pyspark":
        backend._session.sparkContext.setJobGroup(group, "SQL metric", interruptOnCancel=True)

    def stop() -> None:
        over.set()
        _stop(backend, group)

    timer = Timer(limit, stop)
    timer.daemon = True
    timer.start()
    try:
        yield
    except Exception as error:  # each driver raises its own exception for a stopped query
        if not over.is_set():
            raise
        raise Refused(
            "The question with an SQL metric took longer than {seconds} seconds and was stopped.", seconds=f"{limit:g}"
        ) from error
    finally:
        timer.cancel()
        if backend.name == "pyspark":
            backend._session.sparkContext.setLocalProperty("spark.jobGroup.id", None)


def lock(backend: Any, readable: Sequence[str]) -> None:
    """Remove access to files, network and settings from an embedded engine, until it is closed.

    Args:
        backend: the Ibis backend of DuckDB.
        readable: folders that it may still read; its own scratch is one of them.
    """
    external, scratch = backend.raw_sql(
        "SELECT current_setting('enable_external_access'), current_setting('temp_directory')"
    ).fetchone()
    if not external:
        return
    folders = ", ".join("'" + folder.replace("'", "''") + "'" for folder in (*readable, scratch) if folder)
    for command in (
        f"SET allowed_directories = [{folders}]",
        "SET python_enable_replacements = false",
        "SET enable_external_access = false",
        "SET lock_configuration = true",
    ):
        backend.raw_sql(command)


def _stop(backend: Any, group: str) -> None:
    if backend.name == "duckdb":
        backend.con.interrupt()
    elif backend.name == "postgres":
        backend.con.cancel_safe()
    else:
        backend._session.sparkContext.cancelJobGroup(group)


def holds_sql(question: "ir.Table") -> bool:
    """Whether a query contains an SQL metric."""
    import ibis.expr.operations as ops

    return bool(question.op().find(ops.SQLStringView))
