import os
import signal
import time
from pathlib import Path


def sleep(seconds: int) -> None:
    time.sleep(seconds)


def sleep_in_quick(seconds: int) -> None:
    time.sleep(seconds)


def never_ends(file: str) -> None:
    """And has a process of its own, which must end with it; writes down both."""
    child = os.fork()
    if not child:
        time.sleep(600)
    unfinished = Path(f"{file}.unfinished")
    unfinished.write_text(f"{os.getpid()} {child}")
    unfinished.rename(file)
    time.sleep(600)


def die() -> None:
    """As the kernel ends a process that took too much memory."""
    os.kill(os.getpid(), signal.SIGKILL)


def note(file: str) -> None:
    with Path(file).open("a") as lines:
        lines.write("x")


def note_down() -> None:
    """For schedules, which give no arguments."""
    note(os.environ["PRETEND_NOTES"])
