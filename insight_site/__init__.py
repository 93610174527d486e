"""The site: settings, routes, access and rendering. It may import everything; nobody imports it."""

import re
from pathlib import Path


def _version() -> str:
    """The newest version in CHANGELOG.md, its only home."""
    text = (Path(__file__).parent.parent / "CHANGELOG.md").read_text(encoding="utf-8")
    found = re.search(r"^## (\d+\.\d+\.\d+)", text, flags=re.MULTILINE)
    return found.group(1) if found else "0.0.0"


__version__ = _version()
