"""gunicorn reads this by itself: `gunicorn insight_site.wsgi`. Every value can be given on the command line instead."""

import os
import re
from pathlib import Path
from typing import Any

workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
worker_class = "gthread"
threads = int(os.environ.get("WEB_THREADS", "4"))  # in each worker; each has a connection to the database
timeout = 30
graceful_timeout = 30
keepalive = 5
control_socket_disable = True  # two servers of one user would share its path
limit_request_field_size = 8190
# Workers share the memory of what the master has loaded, and one that is replaced answers at once. New code takes a
# master of its own (docs/upgrade.md): SIGHUP starts workers anew with the old.
preload_app = True

# Uploads and what else a worker writes is nobody else's on this machine (`insight_site.first_start`, for commands).
os.umask(os.umask(0o077) | 0o077)

# Counters of the last life would be added to those of this one. Here and not in `on_starting`: the application, which
# is loaded before that, opens files there. Once in a master's life: SIGHUP reads this file again, beside live workers.
# Only what prometheus_client writes: the folder may be somebody else's, too.
COUNTERS = re.compile(r"(counter|summary|histogram|gauge_\w+)_\d+\.db")
if (_folder := os.environ.get("PROMETHEUS_MULTIPROC_DIR")) and os.environ.get("METRICS_CLEARED_BY") != str(os.getpid()):
    os.environ["METRICS_CLEARED_BY"] = str(os.getpid())
    Path(_folder).mkdir(parents=True, exist_ok=True)
    for _file in Path(_folder).iterdir():
        if COUNTERS.fullmatch(_file.name):
            _file.unlink()


def child_exit(server: Any, worker: Any) -> None:
    """Forget the gauges of a worker that is gone."""
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        from prometheus_client import multiprocess  # noqa: PLC0415 - the master needs it nowhere else

        multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]
