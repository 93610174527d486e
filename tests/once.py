"""What is dear to make is made once in a test run, however many workers run its tests."""

import atexit
import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path


def once(name: str, make: Callable[[Path], object]) -> Path:
    """A folder that the first worker who asks makes, and that all of them read, and none changes.

    Args:
        name: of the folder, one for what is made.
        make: fills the folder that it is given, which has another name until it is whole.
    """
    folder = _shared() / name
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            unfinished = Path(tempfile.mkdtemp(dir=folder.parent))
            try:
                make(unfinished)
            except BaseException:
                shutil.rmtree(unfinished, ignore_errors=True)
                raise
            unfinished.rename(folder)
    return folder


@cache
def _shared() -> Path:
    """A folder of the whole test run; of this process alone outside of one, as in a benchmark."""
    if given := os.environ.get("TESTS_FOLDER"):
        shared = Path(given) / "made-once"
        shared.mkdir(exist_ok=True)
        return shared
    own = Path(tempfile.mkdtemp(prefix="insight-made-once-"))
    atexit.register(shutil.rmtree, own, ignore_errors=True)
    return own
