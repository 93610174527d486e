"""While a parser reads, this process opens only temporary files and what Python itself loads, and calls nobody."""

import sys
import tempfile
import zoneinfo
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

CALLS = {"socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn"}
OPEN = (tempfile.gettempdir(), sys.prefix, sys.base_prefix, sys.base_exec_prefix, str(Path(__file__).parents[2]))
_reading = False


class TrespassError(BaseException):
    """No `Exception`, so that no parser takes it for trouble of its own."""


@contextmanager
def closed_doors() -> Iterator[None]:
    """Raise `TrespassError` for each file and each call besides. What engines open by themselves isn't seen."""
    global _reading  # noqa: PLW0603 - a hook can't be taken away
    _install()
    _reading = True
    try:
        yield
    finally:
        _reading = False


@cache
def _install() -> None:
    sys.addaudithook(_hear)


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if not _reading:
        return
    if event in CALLS:
        raise TrespassError(f"{event} {arguments!r}")
    if event == "open" and isinstance(arguments[0], str | bytes | Path):
        path = str(Path(arguments[0].decode() if isinstance(arguments[0], bytes) else arguments[0]).absolute())
        if not path.startswith((*OPEN, *zoneinfo.TZPATH)):
            raise TrespassError(f"{event} {path}")
