"""The release before this one, out of git's history: its code runs on the tables of today."""

import subprocess
import tarfile
from io import BytesIO
from pathlib import Path

import pytest

from tests.once import once

ROOT = Path(__file__).resolve().parents[3]
# The last commit of the release before (0.4). Who releases sets it anew, and empties the list of
# migrations that are allowed to contract.
COMMIT = "7e13d76b252b3ef9c4e6dd864b331cd8c0f7ecee"


def tree() -> Path:
    """Its whole tree: one for the test run, since a process in a fresh one compiles a thousand modules."""
    return once("release_before", unpack)


def unpack(folder: Path) -> None:
    """Put it into a folder."""
    with tarfile.open(fileobj=BytesIO(_git("archive", "--format=tar", COMMIT))) as archive:
        archive.extractall(folder, filter="data")
    (folder / "var").mkdir(exist_ok=True)


def migrations() -> set[str]:
    """The paths of its migrations."""
    listed = _git("ls-tree", "-r", "--name-only", COMMIT).decode().splitlines()
    return {path for path in listed if "/migrations/" in path and path.endswith(".py")}


def _git(*arguments: str) -> bytes:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=False)
    if done.returncode:
        pytest.fail(
            f"The commit {COMMIT[:8]} of the release before isn't in this clone, so nothing says that it runs on the "
            f"tables of today. Fetch the whole history (git fetch --unshallow). {done.stderr.decode()[-200:]}"
        )
    return done.stdout
