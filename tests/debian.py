"""Programs of Debian that tests need and nobody installs: unpacked into a folder, so that no service starts."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
KEPT = Path(os.environ.get("INSIGHT_DEBIAN", ROOT / "var" / "debian"))


def unpacked(package: str, file: str) -> Path | None:
    """The file of this package, which is fetched once; None where it can't be had."""
    folder = KEPT / package
    if not (folder / file).exists():
        KEPT.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=KEPT) as fresh:
            found = _downloaded(package, fresh)
            if found is None and os.geteuid() == 0:  # a fresh machine has no lists of packages
                subprocess.run(["apt-get", "-qq", "update"], capture_output=True, check=False)
                found = _downloaded(package, fresh)
            if found is None:
                return None
            subprocess.run(["dpkg", "-x", str(found), f"{fresh}/all"], check=True)
            shutil.rmtree(folder, ignore_errors=True)
            Path(fresh, "all").rename(folder)
    return folder / file


def _downloaded(package: str, folder: str) -> Path | None:
    subprocess.run(["apt-get", "download", "-qq", package], cwd=folder, capture_output=True, check=False)
    return next(Path(folder).glob("*.deb"), None)
