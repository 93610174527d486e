"""The site: settings, routes, access and rendering. It may import every package; no package may import it."""

import re
from pathlib import Path


def _version() -> str:
    """The version in the first heading of CHANGELOG.md, where alone it is set: "0.4.0", or "0.5.0.dev0" before 0.5."""
    text = (Path(__file__).parent.parent / "CHANGELOG.md").read_text(encoding="utf-8")
    heading = re.search(r"^## (?:Unreleased \((\d+\.\d+)\)|(\d+\.\d+\.\d+))", text, flags=re.MULTILINE)
    if heading is None:
        return "0.0.0"
    return f"{heading[1]}.0.dev0" if heading[1] else heading[2]


__version__ = _version()
