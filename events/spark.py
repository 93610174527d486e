"""Spark as the warehouse: everything that must be set before its first question, and the one session of a process.

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
    # Small tables of ours go to the cluster, and answers come back, as Arrow: executors need no Python for them.
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
        os.environ.setdefault(name, sys.executable)  # another Python's pickles would not be read
    with _lock:
        builder = SparkSession.builder
        for name, value in conf(address).items():
            builder = builder.config(name, value)
        session = SparkSession.getActiveSession() or builder.getOrCreate()
        return ibis.pyspark.connect(session)


def conf(address: str) -> dict[str, str]:
    """Spark's settings: ours, then those of the address, then the time zone, which nobody may change."""
    parts = urlsplit(address)
    asked = dict(parse_qsl(parts.query))
    if place := parts.path.strip("/"):
        asked["spark.sql.warehouse.dir"] = str(Path("/") / place)
    zone = {"spark.sql.session.timeZone": OURS["spark.sql.session.timeZone"]}
    return OURS | {"spark.driver.memory": settings.SPARK_DRIVER_MEMORY} | asked | zone


@contextmanager
def kept(backend: Any, question: "ir.Table") -> Iterator["ir.Table"]:
    """Keep the answer to a question in the cluster's cache until the block ends.

    Not by `Table.cache` of Ibis: it doesn't send the small tables of this process that a question names, and it asks
    Ibis' own engine where a question names nothing else. The types are the question's: Spark truncates a date to a
    moment, which would come back as one from here on.

    Args:
        backend: what `connect` gave.
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
