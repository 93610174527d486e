"""What a library compiles before its first use, compiled once and kept on disk: no run has to wait for it.

Each app lists the functions that bring it about in its configuration (`warm_up` in `apps.py`), by dotted names.
"""

import hashlib
import os
import pkgutil
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

import structlog
from django.apps import apps
from django.conf import settings

from runs.processes import GENTLE

LIBRARIES = ("numba", "umap-learn", "pynndescent", "numpy")
log = structlog.get_logger()


def is_needed() -> bool:
    """False where all of it lies on disk already."""
    return bool(_names()) and not _ready().exists()


def warm_up() -> None:
    """Compile, leaving the processor to others; a worker does it in a process of its own, beside what it computes."""
    with suppress(OSError):  # a unit of systemd may forbid it: compiling at the usual priority is better than not
        os.nice(GENTLE)
    try:
        for name in _names():
            pkgutil.resolve_name(name)()
        _ready().parent.mkdir(parents=True, exist_ok=True)
        _ready().touch()
    except (OSError, RuntimeError):  # the first run compiles instead
        log.warning("worker.not_warm", exc_info=True)


def _names() -> list[str]:
    return [name for app in apps.get_app_configs() for name in getattr(app, "warm_up", ())]


def _ready() -> Path:
    """A file that says: these functions are compiled, of these versions."""
    texts = (*_names(), *(f"{library} {version(library)}" for library in LIBRARIES))
    return Path(settings.COMPILED_DIR) / f"ready-{hashlib.sha256(repr(texts).encode()).hexdigest()[:16]}"
