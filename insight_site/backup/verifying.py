"""Whether a file is a backup, whole and as it was made; on request also whether everything in it can be read."""

from dataclasses import asdict, dataclass
from typing import IO, Any

from pyarrow import ArrowInvalid, parquet

from events.user_numbers import dictionary
from insight_site.backup import archive, backup_place, database_load, scratch_database, site_settings
from runs.refusals import Refused


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


def verify(source: IO[bytes]) -> dict[str, Any]:
    """Read a backup through, with every footer of its store; its manifest.

    Raises:
        Refused: with one sentence when anything is wrong with it.
    """
    events = 0

    def look(name: str, file: Any) -> None:
        nonlocal events
        if name.endswith(".parquet") and not name.startswith("store/_delta_log"):
            try:
                rows = parquet.ParquetFile(file).metadata.num_rows
            except ArrowInvalid as error:
                raise Refused("A file of the backup can't be read: {name}.", name=name) from error
            events += 0 if dictionary.is_dictionary(name) else rows

    manifest = archive.read_through(source, look)
    if events != manifest["store"]["events"]:
        raise Refused(
            "The backup's store has {found} events in place of {rows}.", found=events, rows=manifest["store"]["events"]
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
