"""What a checkout needs before Django can start: the folder `var` and a secret key. `manage.py` calls this first.

Settings only read: importing them must change nothing.
"""

import os
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path

import environ


def prepare(base: Path) -> None:
    """Make `var` below this folder, and its key unless the environment or `.env` has one."""
    (base / "var").mkdir(mode=0o700, exist_ok=True)  # the database, events and uploads below it are nobody else's
    environ.Env.read_env(base / ".env")
    if not os.environ.get("SECRET_KEY"):
        make_key(base / "var" / "secret_key")


def make_key(path: Path) -> None:
    """Write a new key unless there is one. Whoever reads the file at any moment finds a whole key or no file."""
    if path.exists():
        return
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".secret_key-")  # only its owner may read it
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(secrets.token_urlsafe(50))
    with suppress(FileExistsError):  # another process was first: its key stays
        os.link(name, path)
    Path(name).unlink()
