"""What a site needs before Django can start: the folder VAR_DIR and a secret key. `manage.py` calls this first.

Settings only read: importing them must change nothing on a disk.
"""

import os
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path

import environ
from django.core.exceptions import ImproperlyConfigured

# Each can be given as a file: NAME_FILE holds its path, as secrets of Docker, systemd and Kubernetes are handed over.
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
    """Make VAR_DIR (`var` below this folder), and its key unless the environment or `.env` has one.

    The database, events and uploads are nobody else's: no other account of the machine, of the same group or not, may
    read a file that this process makes; and an existing folder is closed to those outside its group. Whoever wants a
    group to read VAR_DIR gives it that folder, and sets the mode of files himself.
    """
    os.umask(os.umask(ALL_BUT_ME) | ALL_BUT_ME)
    environ.Env.read_env(base / ".env")
    read_secret_files()
    var = Path(os.environ.get("VAR_DIR") or base / "var")
    var.mkdir(mode=0o700, parents=True, exist_ok=True)
    if (mode := var.stat().st_mode & 0o777) & OTHERS:
        with suppress(PermissionError):  # another account's folder: `manage.py doctor` says so
            var.chmod(mode & ~OTHERS)
    if not os.environ.get("SECRET_KEY"):
        make_key(var / "secret_key")


def read_secret_files() -> None:
    """Put what NAME_FILE of each of `SECRETS` holds into the environment, where libraries look for it too.

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
    """Write a file that only its owner may read, unless it is there; whoever reads it finds a whole one or none."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(text)
    with suppress(FileExistsError):  # another process was first: its key stays
        os.link(name, path)
    Path(name).unlink()
