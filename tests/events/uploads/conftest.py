"""A site of one test: its own uploads and store, a person who may import, and how to send a file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from pytest_django import Settings

from events.models import FileImport, Upload


@pytest.fixture(autouse=True)
def own_folders(settings: Settings, tmp_path: Path) -> None:
    settings.EVENTS_URL = str(tmp_path / "store")
    settings.UPLOADS_DIR = tmp_path / "uploads"


@pytest.fixture
def client(db: None) -> Client:
    """A PM's browser."""
    user = User.objects.create_user("pm")
    user.groups.add(Group.objects.get(name="PM"))
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def send(client: Client) -> Callable[..., Any]:
    """Send a file as upload.js does; the last answer."""

    def _send(name: str, content: bytes) -> Any:
        begun = client.post("/data/import/", {"name": name, "size": len(content)})
        if begun.status_code != 200:
            return begun
        place, at = begun.json(), 0
        while True:
            piece = content[at : at + place["bytes"]]
            answer = client.post(f"{place['pieces']}?at={at}", piece, content_type="application/octet-stream")
            if answer.status_code != 200 or "next" in answer.json():
                return answer
            at = answer.json()["received"]

    return _send


def fields(response: Any) -> dict[str, str]:
    """What a browser would send of the page's form as it stands."""
    data = {"asked": response.context["asked"]}
    for field in [*response.context["form"], *response.context["reading_form"]]:
        value = field.value()
        if value not in (False, None):
            data[field.html_name] = "on" if value is True else value
    return data


@pytest.fixture
def confirm(client: Client, send: Callable[..., Any]) -> Callable[..., FileImport]:
    """Send a file, change fields of the guess, and start the import; its row, not run yet."""

    def _confirm(name: str, content: bytes, **changes: str) -> FileImport:
        page = send(name, content).json()["next"]
        answer = client.post(page, {**fields(client.get(page)), **changes})
        assert answer.status_code == 302, answer.context["form"].errors
        return FileImport.objects.get(pk=answer.headers["Location"].strip("/").split("/")[-1])

    return _confirm


def waiting() -> list[str]:
    """Names of the uploads that lie there."""
    return [upload.name for upload in Upload.objects.order_by("pk")]
