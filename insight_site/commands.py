"""What the site's own commands share; `runs.terminal` has what all commands do."""

import os
import tempfile
from pathlib import Path


def write_whole(path: Path, text: str) -> None:
    """Write a file atomically, so that a failure leaves the old content."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".insight-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
