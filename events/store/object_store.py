"""Access to a store in Amazon S3 or a compatible service (MinIO, Ceph, R2): credentials, files, and DuckDB's extension.

Delta's own client reads the usual environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_REGION,
AWS_ENDPOINT_URL, AWS_ALLOW_HTTP); DuckDB is given the same. A commit is a PUT that the server refuses when the name is
taken (If-None-Match), so two commits never get the same number. `AWS_S3_ALLOW_UNSAFE_RENAME` would break that.

DuckDB's extension is installed from a wheel for exactly one version of DuckDB, and loaded by its path: nothing is
downloaded.
"""

import importlib.util
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import IO, Any
from urllib.parse import unquote, urlsplit

from runs.refusals import Refused

PACKAGE = "duckdb_extension_httpfs"
PIECE = 8 * 1024 * 1024  # bytes per read
AT_ONCE = 4
# Delta percent-encodes other characters once or twice, and every reader decodes them in its own way.
PLAIN = re.compile(r"s3://[a-z0-9][a-z0-9.-]+(/[A-Za-z0-9._~/=-]+)?")


def is_remote(place: str) -> bool:
    """True for an object-store address, False for a folder."""
    return urlsplit(place).scheme not in ("", "file")


def local_folder(place: str) -> Path | None:
    """The folder of a store on this machine; None for an object store."""
    return None if is_remote(place) else Path(place.removeprefix("file://")).resolve()


def checked(place: str, setting: str = "EVENTS_URL") -> str:
    """Validate the address of a store; returned without a final slash.

    Args:
        place: the address.
        setting: that names it, for the refusal.

    Raises:
        Refused: when its kind isn't supported, or keys are missing.
    """
    place = place.rstrip("/")
    if not PLAIN.fullmatch(place):
        raise Refused(
            "{setting} is a folder, or s3://bucket/path of letters without accents, digits and the characters - . _ "
            "~ =, not {place}",
            setting=setting,
            place=f"{urlsplit(place).scheme}://…",
        )
    missing = [name for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY") if not os.environ.get(name)]
    if missing:
        raise Refused(
            "{setting} is an address of S3, and its keys are missing: set {names}.",
            setting=setting,
            names=" and ".join(missing),
        )
    return place


def is_readable() -> bool:
    """True when DuckDB's extension is installed."""
    return importlib.util.find_spec(PACKAGE) is not None


def attach(place: str, execute: Callable[[str], Any]) -> None:
    """Let a DuckDB connection read the files of this store; does nothing for a folder.

    Args:
        place: the store's address, checked.
        execute: runs one statement.

    Raises:
        Refused: when the extension isn't installed.
    """
    if not is_remote(place):
        return
    spec = importlib.util.find_spec(PACKAGE)
    extensions = sorted(Path(str(spec.origin)).parent.rglob("httpfs.duckdb_extension")) if spec else []
    if not extensions:
        raise Refused("Events in S3 need one more package: pip install --require-hashes -r requirements-s3.txt.")
    execute(f"LOAD {_quoted(str(extensions[-1]))}")
    execute(f"CREATE OR REPLACE TEMPORARY SECRET insight_store ({', '.join(_secret())})")


def _secret() -> Iterator[str]:
    given = os.environ.get
    yield "TYPE s3"
    yield f"KEY_ID {_quoted(given('AWS_ACCESS_KEY_ID', ''))}"
    yield f"SECRET {_quoted(given('AWS_SECRET_ACCESS_KEY', ''))}"
    yield f"REGION {_quoted(given('AWS_REGION') or given('AWS_DEFAULT_REGION') or 'us-east-1')}"
    if token := given("AWS_SESSION_TOKEN"):
        yield f"SESSION_TOKEN {_quoted(token)}"
    if endpoint := given("AWS_ENDPOINT_URL"):
        parts = urlsplit(endpoint)
        yield f"ENDPOINT {_quoted(parts.netloc + parts.path.rstrip('/'))}"
        yield f"USE_SSL {str(parts.scheme == 'https').lower()}"
        yield "URL_STYLE 'path'"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def place(place: str, files: Sequence[tuple[Path, str]]) -> None:
    """Copy files into the store, each to its name below the address; if one fails, all are removed."""
    client = _client(place)
    try:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda file: _send(client, *file), files))
    except BaseException:
        for _, name in files:
            remove(place, name)
        raise


def _send(client: Any, path: Path, name: str) -> None:
    with path.open("rb") as source:
        _write(client, name, source)


def _write(client: Any, name: str, source: IO[bytes]) -> None:
    target = client.open_output_stream(name, None)
    shutil.copyfileobj(source, target, PIECE)
    target.close()


def remove(place: str, name: str) -> None:
    """Delete a file that no commit names."""
    with suppress(OSError):  # never written, or the store can't be reached: then nobody can read it either
        _client(place).delete_file(name)


def opened(place: str, name: str) -> Any:
    """Open one file of a store, in a folder or not, for reading with pyarrow.

    Args:
        place: the store's address, checked, or its folder.
        name: of the file below it, as Delta's log has it.

    Raises:
        FileNotFoundError: when a vacuum has deleted it.
    """
    return _client(place).open_input_file(unquote(name)) if is_remote(place) else Path(place) / unquote(name)


def names(place: str, folder: str) -> Iterator[str]:
    """The files below a folder of the store, "" for all of them."""
    from deltalake.fs import DeltaStorageHandler
    from pyarrow.fs import FileSelector, FileType

    listed = FileSelector(folder, allow_not_found=True, recursive=True)
    files = DeltaStorageHandler(place).get_file_info_selector(listed)
    yield from (file.path for file in files if file.type == FileType.File)


def opened_as_named(place: str, name: str) -> Any:
    """Open one file by its plain (not percent-encoded) name for random access.

    Raises:
        FileNotFoundError: when it isn't there.
    """
    import pyarrow as pa

    return pa.PythonFile(_client(place).open_input_file(name), mode="r")


def put(place: str, name: str, source: IO[bytes]) -> None:
    """Write one file; it becomes visible only when complete."""
    _write(_client(place), name, source)


def writer(place: str, name: str) -> Any:
    """A stream that writes one file, which appears when the stream is closed."""
    return _client(place).open_output_stream(name, None)


def remove_as_named(place: str, name: str) -> None:
    """Delete one file by its plain (not percent-encoded) name.

    Raises:
        OSError: when the store can't be reached.
    """
    _client(place).delete_file(name)


def _client(place: str) -> Any:
    from deltalake.fs import DeltaStorageHandler

    # The handler below pyarrow's: pyarrow passes its buffers on unchanged, and the writer below takes bytes only.
    return DeltaStorageHandler(place)._handler
