"""What a library compiles before its first use, compiled once and kept on disk: no run has to wait for it.

Each app lists the functions that bring it about in its configuration (`warm_up` in `apps.py`), by dotted names.
"""

import hashlib
import os
import pkgutil
import threading
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import structlog
from django.apps import apps
from django.conf import settings

from runs.processes import GENTLE, ChildEndedError, alone

LIBRARIES = ("numba", "umap-learn", "pynndescent", "numpy")
log = structlog.get_logger()


def in_background() -> threading.Thread | None:
    """Compile in another process, beside what the worker does; None where all of it lies on disk already."""
    names = [name for app in apps.get_app_configs() for name in getattr(app, "warm_up", ())]
    texts = (*names, *(f"{library} {version(library)}" for library in LIBRARIES))
    ready = Path(settings.COMPILED_DIR) / f"ready-{hashlib.sha256(repr(texts).encode()).hexdigest()[:16]}"
    if ready.exists():
        return None
    thread = threading.Thread(target=_compile, args=(names, ready), name="warm", daemon=True)
    thread.start()
    return thread


def call_gently(names: Sequence[str]) -> None:
    """Call these functions, leaving the processor to others."""
    os.nice(GENTLE)
    for name in names:
        pkgutil.resolve_name(name)()


def _compile(names: Sequence[str], ready: Path) -> None:
    try:
        alone(call_gently, names)
        ready.parent.mkdir(parents=True, exist_ok=True)
        ready.touch()
    except (ChildEndedError, OSError, RuntimeError):  # the first run compiles instead
        log.warning("worker.not_warm", exc_info=True)
