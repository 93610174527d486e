"""Verify that a file is a complete, unchanged backup; on request also that everything in it can be loaded."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import IO, Any
from urllib.parse import unquote

from pyarrow import ArrowInvalid, parquet

from events.delta import dictionary
from insight_site.backup import archive, backup_place, database_load, scratch_database, site_settings
from runs.refusals import Refused

LOG = "store/_delta_log/"


@dataclass(frozen=True)
class Verified:
    """A backup that was verified.

    Attributes:
        place: file or address.
        insight: version of Insight that made it.
        made_at: instant of its database snapshot.
        rows: number of database rows.
        events: number of events in the store.
        parts: number of files in it.
        warnings: what will not work on this site.
    """

    place: str
    insight: str
    made_at: str
    rows: int
    events: int
    parts: int
    warnings: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """As JSON, for `--json`."""
        return asdict(self)


@dataclass
class _Store:
    """The event store in a backup as read so far: number of events, its files, and the files that its log names."""

    events: int = 0
    files: set[str] = field(default_factory=set)
    named: set[str] = field(default_factory=set)
    removed: set[str] = field(default_factory=set)

    def look(self, name: str, file: Any) -> None:
        """Process one part of the backup.

        Raises:
            Refused: the part can't be read.
        """
        if not name.startswith("store/"):
            return
        try:
            if name.startswith(LOG):
                for action, path in _paths(name, file):
                    {"add": self.named, "remove": self.removed}[action].add(path)
            else:
                rows = parquet.ParquetFile(file).metadata.num_rows
                self.files.add(name)
                self.events += 0 if dictionary.is_dictionary(name) else rows
        except (ArrowInvalid, ValueError, TypeError, AttributeError) as error:
            raise Refused("A file of the backup can't be read: {name}.", name=name) from error

    def check_log(self) -> None:
        """Reject a log that names a file outside the store: a restored site would read events from there."""
        for name in sorted(self.named):
            # A removed file is either kept for readers of the previous version, or gone.
            if not archive.NAMES.fullmatch(name) or (name not in self.files and name not in self.removed):
                raise Refused("The log of the backup's store names a file that isn't in it: {name}.", name=name[:200])


def _paths(name: str, file: Any) -> Iterator[tuple[str, str]]:
    """ "add" or "remove", and the name in a backup, of each file that this file of the Delta log names."""
    if name.endswith(".json"):
        rows = [json.loads(line) for line in file.read().splitlines() if line.strip()]
    elif name.endswith(".parquet"):
        checkpoint = parquet.ParquetFile(file)
        kept = [column for column in ("add", "remove") if column in checkpoint.schema_arrow.names]
        rows = checkpoint.read([f"{column}.path" for column in kept]).to_pylist()
    else:
        rows = []
    for row in rows:
        for action in ("add", "remove"):
            if (said := row.get(action)) and said.get("path") is not None:
                yield action, f"store/{unquote(said['path'])}"


def verify(source: IO[bytes]) -> dict[str, Any]:
    """Read a whole backup, with every Parquet footer and the log of its store; returns its manifest.

    Raises:
        Refused: with one sentence when anything is wrong.
    """
    store = _Store()
    manifest = archive.read_through(source, store.look)
    store.check_log()
    if store.events != manifest["store"]["events"]:
        raise Refused(
            "The backup's store has {found} events in place of {rows}.",
            found=store.events,
            rows=manifest["store"]["events"],
        )
    return manifest


def check(place: str) -> Verified:
    """Verify a backup by loading its database into a temporary one; the site isn't touched.

    Raises:
        Refused: with one sentence when it can't be restored.
    """
    with backup_place.opened(place) as source:
        manifest = verify(source)
        with scratch_database.elsewhere():
            database_load.load(source, manifest)
    return report(place, manifest)


def report(place: str, manifest: dict[str, Any]) -> Verified:
    """The result of a verification for people."""
    rows = sum(table["rows"] for table in manifest["database"]["tables"].values())
    return Verified(
        place,
        manifest["insight"],
        manifest["made_at"],
        rows,
        manifest["store"]["events"],
        len(manifest["parts"]),
        tuple(site_settings.warnings(manifest["settings"])),
    )
