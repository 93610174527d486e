"""An event store with a simulated world, filled through the real import."""

from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.test import override_settings

from events.simulation import Simulation, write_files

IMPORT = ("--user", "user_id", "--event", "event", "--time", "time", "--properties", "properties")


@contextmanager
def store_of(world: Simulation, folder: Path) -> Iterator[None]:
    """The settings point at a store with the world's log inside the block."""
    write_files(world, folder / "world")
    with override_settings(EVENTS_URL=str(folder / "store")):
        load_file(folder / "world/events.parquet", *IMPORT, "--message-id", "message_id")
        yield


def load_file(path: Path, *options: str) -> None:
    """`import_events` in this process."""
    call_command("import_events", str(path), *options, "--json", stdout=StringIO(), stderr=StringIO())


def discover(*options: Any) -> str:
    """`discover` in this process; gives what it prints."""
    out = StringIO()
    call_command("discover", *map(str, options), stdout=out, stderr=StringIO())
    return out.getvalue()
