"""Uploaded files that hold an id go, in whatever form it stands in them; others wait on."""

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet
from pytest_django import Settings

from events.erasure import remove_uploads
from events.importing import uploads
from events.models import Upload

pytestmark = pytest.mark.django_db


def uploaded(name: str, content: bytes) -> Upload:
    upload = uploads.begin_upload(name=name, size=len(content), by=None)
    (uploads.folder_of(upload) / uploads.INCOMING).write_bytes(content)
    uploads.finish_upload(upload)
    return upload


def as_parquet(folder: Path, **columns: list[object]) -> bytes:
    parquet.write_table(pa.table(columns), folder / "x.parquet")
    return (folder / "x.parquet").read_bytes()


@pytest.mark.parametrize("name", ["gone-1", "조이"])
@pytest.mark.parametrize(
    "kind", ["csv", "json", "escaped json", "packed", "utf-16", "parquet", "parquet with JSON", "parquet with structs"]
)
def test_remove_uploads__of_a_file_with_the_id__and_of_no_other(
    settings: Settings, tmp_path: Path, name: str, kind: str
) -> None:
    settings.UPLOADS_DIR = tmp_path / "uploads"
    people = [name, "gone-12"]
    for who in people:
        line = json.dumps({"user": who, "n": 1}, ensure_ascii=kind == "escaped json")
        content = {
            "csv": f"user,time\n{who},2026-01-01\n".encode(),
            "packed": gzip.compress(f"user,time\n{who},2026-01-01\n".encode()),
            "utf-16": f"user,time\n{who},2026-01-01\n".encode("utf-16" if who == name else "utf-8"),
            "parquet": as_parquet(tmp_path, user=[who, None]),
            "parquet with JSON": as_parquet(tmp_path, user=["x"], properties=[line]),
            "parquet with structs": as_parquet(tmp_path, user=["x"], properties=[{"friends": [who]}]),
        }.get(kind, line.encode())
        ends = {"csv": "csv", "packed": "csv.gz", "utf-16": "csv", "json": "jsonl", "escaped json": "jsonl"}
        uploaded(f"rows.{ends.get(kind, 'parquet')}", content)

    assert remove_uploads([name]) == 1
    assert Upload.objects.count() == 1
