"""Nothing in the locks binds those who run Insight to share their own code."""

import re
from importlib.metadata import distribution
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
COPYLEFT = re.compile(r"\bA?GPL|GNU (?:Affero )?General Public", re.IGNORECASE)
LESSER = re.compile(r"\bLGPL|Lesser|Library", re.IGNORECASE)
LOCKED = re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==", (ROOT / "requirements.txt").read_text(), re.MULTILINE)


def licence_of(name: str) -> str:
    """What a package's own metadata says: the expression, the field, the classifiers."""
    found = distribution(name).metadata
    whole = [found.get("License-Expression", ""), (found.get("License") or "").split("\n")[0]]
    return " | ".join([*whole, *(c for c in found.get_all("Classifier", []) if c.startswith("License"))])


@pytest.mark.parametrize("name", LOCKED)
def test_licence__of_each_locked_package__is_no_copyleft(name: str) -> None:
    words = licence_of(name)

    assert not COPYLEFT.search(LESSER.sub("", words)) or LESSER.search(words), words


def test_locks__are_read() -> None:
    assert {"django", "anyascii", "numpy"} <= set(LOCKED)
