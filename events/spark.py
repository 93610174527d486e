"""Spark as the warehouse: settings that must be made before the first query, and the single session of a process.

The address is ``pyspark://`` with Spark's own settings behind a question mark, such as
``pyspark://?spark.master=spark://host:7077&spark.executor.memory=8g``; what it leaves out, Spark reads from
``SPARK_CONF_DIR/spark-defaults.conf``. Most settings are read once, when Java starts: none of them can wait for Ibis.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4

from django.conf import settings

from runs.refusals import Refused

if TYPE_CHECKING:
    import ibis.expr.types as ir

_lock = Lock()
OURS = {
    "spark.app.name": "insight",
    "spark.sql.session.timeZone": "UTC",
    # Our small tables go to the cluster, and results come back, as Arrow: executors need no Python for them.
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    "spark.sql.execution.arrow.pyspark.fallback.enabled": "false",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}


def connect(address: str) -> Any:
    """An Ibis backend on this process's session, which stays until the process ends: a start takes ten seconds.

    Raises:
        Refused: when the package isn't installed.
    """
    import ibis

    try:
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise Refused(
            "Spark needs one more package: pip install --require-hashes -r requirements-spark.txt."
        ) from error
    for name in ("PYSPARK_PYTHON", "PYSPARK_DRIVER_PYTHON"):
        os.environ.setdefault(name, sys.executable)  # pickles of another Python version could not be read
    with _lock:
        builder = SparkSession.builder
        for name, value in conf(address).items():
            builder = builder.config(name, value)
        session = SparkSession.getActiveSession() or builder.getOrCreate()
        return ibis.pyspark.connect(session)


def conf(address: str) -> dict[str, str]:
    """Spark's settings: ours, then those of the address, then the time zone, which can't be overridden."""
    parts = urlsplit(address)
    asked = dict(parse_qsl(parts.query))
    if place := parts.path.strip("/"):
        asked["spark.sql.warehouse.dir"] = str(Path("/") / place)
    zone = {"spark.sql.session.timeZone": OURS["spark.sql.session.timeZone"]}
    return OURS | {"spark.driver.memory": settings.SPARK_DRIVER_MEMORY} | asked | zone


@contextmanager
def kept(backend: Any, question: "ir.Table") -> Iterator["ir.Table"]:
    """Cache the result of a query in the cluster until the block ends.

    Not by `Table.cache` of Ibis: it doesn't send this process's in-memory tables that a query uses, and runs on Ibis'
    own engine if a query uses nothing else. The column types are those of the query: Spark truncates a date to a
    timestamp, which would stay one from here on.

    Args:
        backend: from `connect`.
        question: computed when it is first read.
    """
    name = f"insight_{uuid4().hex}"
    table = backend.create_view(name, question)
    catalog = backend._session.catalog
    try:
        catalog.cacheTable(name)
        yield table.cast(question.schema())
    finally:
        catalog.uncacheTable(name)
        backend.drop_view(name, force=True)
