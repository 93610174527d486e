"""Uploaded files: in pieces, within limits, under safe names, and gone in the end."""

import gzip
import io
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from events.importing import uploads
from events.importing.uploads import PIECE_BYTES, folder_of, path_of, receive_piece, remove_old_uploads, shown_name
from events.models import FileImport, Upload
from runs.refusals import Refused
from tests.events.uploads.conftest import waiting

pytestmark = pytest.mark.django_db
LOG = b"user,time,event\nu,2024-03-01,play\nv,2024-03-02,play\n"


def begin(size: int, name: str = "a.csv") -> Upload:
    return uploads.begin_upload(name=name, size=size, by=None)


def test_upload__in_pieces__is_the_file(send: Callable[..., Any]) -> None:
    content = b"user,time,event\n" + b"u,2024-03-01,play\n" * 120_000  # three pieces

    answer = send("a.csv", content)

    upload = Upload.objects.get()
    assert answer.json()["next"] == f"/data/import/{upload.key}/"
    assert path_of(upload).read_bytes() == content
    assert (upload.name, upload.stored_as) == ("a.csv", "data.csv")


def test_piece__sent_twice_or_too_early__changes_nothing() -> None:
    upload = begin(6)

    assert receive_piece(upload, at=0, stream=io.BytesIO(b"abc"), length=3) == 3
    assert receive_piece(upload, at=0, stream=io.BytesIO(b"abc"), length=3) == 3
    assert receive_piece(upload, at=4, stream=io.BytesIO(b"x"), length=1) == 3
    assert receive_piece(upload, at=3, stream=io.BytesIO(b"def"), length=3) == 6
    assert (folder_of(upload) / "incoming").read_bytes() == b"abcdef"


def test_piece__line_broken__half_of_it_is_forgotten() -> None:
    upload = begin(6)

    assert receive_piece(upload, at=0, stream=io.BytesIO(b"ab"), length=6) == 0
    assert (folder_of(upload) / "incoming").read_bytes() == b""


@pytest.mark.parametrize(("at", "length"), [(0, 7), (6, 1), (0, PIECE_BYTES + 1)])
def test_piece__beyond_what_was_said__is_refused(at: int, length: int) -> None:
    with pytest.raises(Refused, match="changed"):
        receive_piece(begin(6), at=at, stream=io.BytesIO(b""), length=length)


@pytest.mark.parametrize(("size", "fits"), [(0, False), (1, True), (1_000, True), (1_001, False)])
def test_begin__size__within_the_setting(settings: Settings, size: int, fits: bool) -> None:
    settings.UPLOAD_BYTES = 1_000

    if fits:
        assert begin(size).size == size
    else:
        with pytest.raises(Refused):
            begin(size)


def test_begin__as_many_as_may_wait__the_next_is_refused(settings: Settings) -> None:
    settings.UPLOADS_WAITING = 2
    begin(1)
    begin(1)

    with pytest.raises(Refused, match="2 uploaded files wait"):
        begin(1)


def test_begin__full_disk__is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "ROOM", 10**18)

    with pytest.raises(Refused, match="too little room"):
        begin(1)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\kim\\log.csv", "log.csv"),
        ("a\x00b\n\u202ecsv.exe", "abcsv.exe"),
        ("한글 로그.csv", "한글 로그.csv"),
        ("한글.csv", "한글.csv"),
        ("...", "file"),
        ("", "file"),
        ("x" * 300, "x" * 120),
    ],
)
def test_name__as_people_may_read_it(given: str, shown: str) -> None:
    assert shown_name(given) == shown


def test_name__never_names_a_file_on_the_disk(send: Callable[..., Any], tmp_path: Path) -> None:
    send("../../evil.csv", LOG)

    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["data.csv"]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.bin", bytes(range(256)) * 20, "no table of text"),
        ("a.csv", b"\n\n", "empty"),
        ("a.xlsx", b"PK\x03\x04 xl/workbook.xml", "Excel workbook"),
        ("a.parquet", gzip.compress(b"PAR1 and so on", mtime=0), "packed with gzip"),
        ("a.csv.gz", gzip.compress(LOG, mtime=0)[:-12], "damaged or cut"),
        ("a.csv.gz", gzip.compress(LOG, mtime=0)[:10] + b"\xff" * 20, "damaged or cut"),  # zlib's own error
        ("a.csv", b"x" * 2_000_000, "million characters"),
    ],
)
def test_hostile__no_table__is_refused_and_gone(
    send: Callable[..., Any], tmp_path: Path, name: str, content: bytes, words: str
) -> None:
    answer = send(name, content)

    assert answer.status_code == 422
    assert words in answer.json()["error"]
    assert waiting() == []
    assert [path for path in (tmp_path / "uploads").rglob("*") if path.is_file()] == []


def test_old_uploads__a_day_later__are_removed_with_their_folder(send: Callable[..., Any]) -> None:
    send("old.csv", LOG)
    send("read.csv", LOG)
    send("new.csv", LOG)
    old, read, new = Upload.objects.order_by("pk")
    FileImport.objects.create(upload=read, name="read.csv", status="running")
    past = timezone.now() - timedelta(days=1, seconds=1)
    Upload.objects.filter(pk__in=[old.pk, read.pk]).update(created_at=past)

    assert remove_old_uploads() == 1

    assert waiting() == ["read.csv", "new.csv"]
    assert [folder_of(row).exists() for row in (old, read, new)] == [False, True, True]


def test_piece__nonsense__is_400_and_404(client: Client) -> None:
    upload = begin(3)
    place = f"/data/import/{upload.key}/piece/"

    assert client.post(f"{place}?at=x", b"a", content_type="application/octet-stream").status_code == 400
    unknown = "00000000-0000-4000-8000-000000000000"
    assert client.post(f"/data/import/{unknown}/piece/?at=0", b"a", "text/plain").status_code == 404
