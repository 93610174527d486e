"""A site in a folder of its own, so that every byte of it can be looked through."""

from pathlib import Path

import pytest
from pytest_django import Settings

from events.people import tombstones
from insight_site.privacy import erasure


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where store, uploads and prepared copies lie; nobody waits for doors, which are in this process."""
    settings.EVENTS_URL, settings.EXPLORE_DIR = str(tmp_path / "events"), str(tmp_path / "explore")
    settings.UPLOADS_DIR = tmp_path / "uploads"
    monkeypatch.setattr(erasure, "DOORS_SECONDS", 0.0)
    tombstones.forget()
    return tmp_path
