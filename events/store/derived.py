"""Tables that are made of the events and lie beside them in the store's folder, by local dates: what is right in them.

A partition's name holds its date and a digest of what it was made from. So a reader sees from the list of files alone
which dates are still right, and nothing has to be kept in step with flushes, compaction and erasures.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable, write_deltalake
from deltalake.exceptions import CommitFailedError, TableNotFoundError

from events.store import place

DAY, SOURCE = "day", "source"  # the columns by which such a table is parted
APART = "--"  # for the slash of a zone's name, in the name of its folder
KEEP_HOURS = 1  # of replaced files, which a running question may read


class Overtaken(Exception):  # noqa: N818 - what it is, not what went wrong in the program
    """Another process changed the table meanwhile; nothing was written."""


@dataclass(frozen=True)
class Derived:
    """A table of the store's folder.

    Attributes:
        name: of the table.
        zone: whose dates part it.
        schema: its columns, with `DAY` (a date) and `SOURCE` (a text) among them.
    """

    name: str
    zone: str
    schema: pa.Schema

    @property
    def address(self) -> str:
        """Where it lies."""
        return f"{place.url()}/{_folder(self.zone)}/{self.name}"

    def files(self) -> dict[tuple[date, str], tuple[str, ...]]:
        """By date and digest, the addresses of its Parquet files; empty where the table doesn't exist."""
        handle, found = self._opened(), dict[tuple[date, str], tuple[str, ...]]()
        for uri in map(str, [] if handle is None else handle.file_uris()):
            day, source = (part.partition("=")[2] for part in uri.split("/")[-3:-1])
            key = date.fromisoformat(day), source
            found[key] = (*found.get(key, ()), uri)
        return found

    def replace(self, days: Sequence[date], rows: pa.Table) -> None:
        """Put the rows into the place of all rows of these dates, in one commit; no rows delete the dates.

        Raises:
            Overtaken: when another process committed meanwhile.
        """
        if self._opened() is None:
            if place.is_local():
                Path(self.address).mkdir(parents=True, exist_ok=True)
            DeltaTable.create(self.address, self.schema, partition_by=[DAY, SOURCE], mode="ignore", name=self.name)
        listed = ", ".join(f"'{day.isoformat()}'" for day in days)
        try:
            write_deltalake(self.address, rows, mode="overwrite", predicate=f"{DAY} IN ({listed})")
        except CommitFailedError as error:
            raise Overtaken(self.name) from error

    def tidy(self, hours: int = KEEP_HOURS) -> None:
        """Delete replaced files that are older."""
        handle = self._opened()
        if handle is not None:
            handle.vacuum(retention_hours=hours, dry_run=False, enforce_retention_duration=False)

    def _opened(self) -> Any:
        try:
            return DeltaTable(self.address)
        except TableNotFoundError:
            return None


def _folder(zone: str) -> str:
    return f"{place.DERIVED}/{zone.replace('/', APART)}"


def zones() -> list[str]:
    """The zones by whose dates there are tables."""
    return sorted({name.split("/")[1].replace(APART, "/") for name in place.names(place.DERIVED)})


def leave(zone: str) -> None:
    """Delete all tables by the dates of a zone."""
    for name in place.names(_folder(zone)):
        place.remove(name)
