"""Preparation before Django can start: the folder VAR_DIR and a secret key. `manage.py` calls this first.

Settings only read: importing them must change nothing on disk.
"""

import os
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path

import environ
from django.core.exceptions import ImproperlyConfigured

# Each can be given as a file: NAME_FILE holds its path, as Docker, systemd and Kubernetes pass secrets.
SECRETS = (
    "SECRET_KEY",
    "SECRET_KEY_FALLBACKS",
    "API_KEY_PEPPERS",
    "ERASURE_PEPPER",
    "SIGNING_KEY",
    "DATABASE_URL",
    "REDIS_URL",
    "WAREHOUSE_URL",
    "EMAIL_URL",
    "OIDC_CLIENT_SECRET",
    "SAML_CERTIFICATE",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
)
OTHERS, ALL_BUT_ME = 0o007, 0o077


def prepare(base: Path) -> None:
    """Create VAR_DIR (`var` below this folder), and a secret key in it unless the environment or `.env` has one.

    Database, events and uploads are private: no other account of the machine, in the same group or not, may read a file
    that this process creates; and an existing folder is closed to accounts outside its group. An operator who wants a
    group to read VAR_DIR must give it that folder and set the mode of files.
    """
    os.umask(os.umask(ALL_BUT_ME) | ALL_BUT_ME)
    environ.Env.read_env(base / ".env")
    read_secret_files()
    var = Path(os.environ.get("VAR_DIR") or base / "var")
    var.mkdir(mode=0o700, parents=True, exist_ok=True)
    if (mode := var.stat().st_mode & 0o777) & OTHERS:
        with suppress(PermissionError):  # another account's folder: `manage.py doctor` reports it
            var.chmod(mode & ~OTHERS)
    if not os.environ.get("SECRET_KEY"):
        make_key(var / "secret_key")


def read_secret_files() -> None:
    """Load what NAME_FILE of each of `SECRETS` holds into the environment, where libraries look for it too.

    Raises:
        ImproperlyConfigured: a file can't be read or is empty.
    """
    for name in SECRETS:
        if not (path := os.environ.get(f"{name}_FILE")):
            continue
        try:
            value = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as trouble:
            raise ImproperlyConfigured(f"{name}_FILE: {path} can't be read ({type(trouble).__name__}).") from None
        if not value:
            raise ImproperlyConfigured(f"{name}_FILE: {path} is empty.")
        os.environ[name] = value


def make_key(path: Path) -> None:
    """Write a new key unless there is one."""
    if not path.exists():
        write_once(path, secrets.token_urlsafe(50))


def write_once(path: Path, text: str) -> None:
    """Create a file that only its owner may read, unless it exists; readers see the complete file or none."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(text)
    with suppress(FileExistsError):  # another process was first: use its key
        os.link(name, path)
    Path(name).unlink()
