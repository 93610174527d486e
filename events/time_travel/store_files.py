"""The files of the store at one version: enough to read it again after the log has dropped it."""

from dataclasses import dataclass

from events.delta import dictionary
from events.delta.snapshot import Snapshot


@dataclass(frozen=True)
class StoreFiles:
    """One version of the store.

    Attributes:
        version: as Delta counts.
        events: paths of the Parquet files with events, below the store's address, as the log has them.
        dictionary: likewise the files with the users' numbers.
        numbered: whether every event's user has a number.
    """

    version: int
    events: tuple[str, ...]
    dictionary: tuple[str, ...]
    numbered: bool


def files_at(at: Snapshot) -> StoreFiles:
    """The files of the version that this snapshot has open."""
    paths = sorted(at.paths())
    return StoreFiles(
        version=int(at.handle.version()),
        events=tuple(path for path in paths if not dictionary.is_dictionary(path)),
        dictionary=tuple(path for path in paths if dictionary.is_dictionary(path)),
        numbered=not at.unnumbered(),
    )
