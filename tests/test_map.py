"""docs/map.md leads to files that exist, past no folder, and each "how to add" to a test."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "docs" / "map.md").read_text(encoding="utf-8")
NAMED = re.compile(r"`((?:[\w.-]+/)+(?:[\w-]+\.(?:py|md|po))?)`")
ITEMS = re.findall(r"^\* \*\*(.+?)\*\*: (.*(?:\n  .*)*)", TEXT, re.MULTILINE)


def _folders() -> list[str]:
    """Our packages, without tests and the folders whose names Django gives."""
    tops = [path for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".") and path.name != "tests"]
    found = [path.parent.relative_to(ROOT).as_posix() for top in tops for path in top.rglob("__init__.py")]
    return sorted(folder for folder in found if not {"management", "migrations"} & set(folder.split("/")))


def test_map__every_file_and_folder_it_names__exists() -> None:
    assert [name for name in NAMED.findall(TEXT) if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("folder", _folders())
def test_map__every_folder_of_code__is_named(folder: str) -> None:
    assert [name for name in NAMED.findall(TEXT) if name.rpartition("/")[0] == folder] != []


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: item[0])
def test_how_to_add__each__names_a_test_that_exists(item: tuple[str, str]) -> None:
    assert [name for name in NAMED.findall(item[1]) if re.fullmatch(r"tests/.*/test_\w+\.py", name)] != []


def test_map__fits_one_screen() -> None:
    assert 8 <= len(ITEMS) <= 12
    assert len(TEXT.splitlines()) <= 100
