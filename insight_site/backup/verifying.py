"""Whether a file is a backup, whole and as it was made; on request also whether everything in it can be read."""

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
    """A backup that is good.

    Attributes:
        place: file or address.
        insight: the version that made it.
        made_at: its instant.
        rows: of the database.
        events: in the store.
        parts: how many files it consists of.
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
        """For `--json`."""
        return asdict(self)


@dataclass
class _Store:
    """What was seen of the event store in a backup: its events, its files, and those that its log names."""

    events: int = 0
    files: set[str] = field(default_factory=set)
    named: set[str] = field(default_factory=set)
    removed: set[str] = field(default_factory=set)

    def look(self, name: str, file: Any) -> None:
        """Take one part of the backup in.

        Raises:
            Refused: it can't be read, or the log names what no restore could bring back.
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
        """Refuse a log that names a file outside of the store: events would be read from wherever it leads."""
        for name in sorted(self.named):
            # A file that was removed since is kept for readers of the version before, or is gone.
            if not archive.NAMES.fullmatch(name) or (name not in self.files and name not in self.removed):
                raise Refused("The log of the backup's store names a file that isn't in it: {name}.", name=name[:200])


def _paths(name: str, file: Any) -> Iterator[tuple[str, str]]:
    """ "add" or "remove", and the name in a backup, of each file that this file of Delta's log names."""
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
    """Read a backup through, with every footer and the log of its store; its manifest.

    Raises:
        Refused: with one sentence when anything is wrong with it.
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
    """Verify a backup and load its database into one that is thrown away; the site isn't touched.

    Raises:
        Refused: with one sentence when it couldn't be restored.
    """
    with backup_place.opened(place) as source:
        manifest = verify(source)
        with scratch_database.elsewhere():
            database_load.load(source, manifest)
    return report(place, manifest)


def report(place: str, manifest: dict[str, Any]) -> Verified:
    """What people are told of it."""
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
