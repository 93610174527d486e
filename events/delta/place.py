"""Where the event store lies, a folder or an object store, and how files get there and stay there."""

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings

from events import disk, object_store

LOG = "_delta_log"


def url() -> str:
    """Where the table lies: a folder or an object-store address (EVENTS_URL).

    Raises:
        Refused: when an address can't be used, which `object_store.checked` says.
    """
    place = str(settings.EVENTS_URL)
    return object_store.checked(place) if object_store.is_remote(place) else place.removeprefix("file://")


def local_folder() -> Path | None:
    """The table's folder; None when it lies in an object store."""
    return Path(url()).resolve() if is_local() else None


def shown_url() -> str:
    """The table's address for people: without user name, password or query, which may hold a secret."""
    parts = urlsplit(url())
    return url() if is_local() else f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def is_local() -> bool:
    """True when it is a folder."""
    return not object_store.is_remote(url())


@contextmanager
def staging() -> Iterator[Path]:
    """A folder for files to come; readers don't see it, and at the end of the block it is gone.

    It lies on the store's disk, so that a rename puts the files in their place; for an object store, where nothing can
    be renamed, in the machine's temporary folder (TMPDIR).
    """
    if not is_local():
        with tempfile.TemporaryDirectory(prefix="insight-import-") as folder:
            yield Path(folder)
        return
    Path(url()).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="_import-", dir=url()) as folder:  # Delta ignores names with an underscore
        yield Path(folder)


def sync_commit(version: int) -> None:
    """Force one commit to the disk: the writer doesn't, and the outbox forgets its rows after this."""
    if is_local():  # an object store has kept it when it answers
        disk.force_commit(Path(url()), version)


def sync_everything() -> None:
    """Another process, perhaps a killed one, wrote the batch: nobody knows what of it has reached the disk."""
    if is_local():
        os.sync()


def place(files: Sequence[tuple[Path, str]]) -> None:
    """Put files where a commit may name them: that is only of files which the disk, or the object store, has."""
    if is_local():
        disk.place(Path(url()), files)
    else:
        object_store.place(url(), files)


def discard(files: Sequence[tuple[Path, str]]) -> None:
    """Take files away again that no commit names; who wrote them has them where they were."""
    for path, name in files:
        if is_local():
            (Path(url()) / name).rename(path)
        else:
            object_store.remove(url(), name)
