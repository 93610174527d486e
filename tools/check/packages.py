"""Nothing in the lock of what runs binds those who run Insight to share their own code."""

import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COPYLEFT = re.compile(r"\bA?GPL|GNU (?:Affero )?General Public", re.IGNORECASE)
LESSER = re.compile(r"\bLGPL|Lesser|Library", re.IGNORECASE)
LOCKED = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==", re.MULTILINE)


def is_copyleft(licence: str) -> bool:
    """Whether a licence, in the words of a package, is GPL or AGPL; the lesser GPL is not."""
    return bool(COPYLEFT.search(LESSER.sub("", licence))) and not LESSER.search(licence)


def licences() -> Iterator[str]:
    """Locked packages whose own metadata name a copyleft licence, or that aren't installed, so that none is known."""
    names = LOCKED.findall((ROOT / "requirements.txt").read_text("utf-8"))
    if len(names) < 50:
        yield f"requirements.txt: only {len(names)} locked packages were read"
    for name in names:
        try:
            found = distribution(name).metadata
        except PackageNotFoundError:
            yield f"requirements.txt: {name} isn't installed, so its licence isn't known"
            continue
        said = [found.get("License-Expression") or "", (found.get("License") or "").split("\n")[0]]
        said += [one for one in found.get_all("Classifier") or [] if one.startswith("License")]
        if is_copyleft(" | ".join(said)):
            yield f"requirements.txt: {name} has the licence {' | '.join(filter(None, said))}"


CHECKS = (licences,)
