"""What a backup says of its tables is compared with what its migrations make."""

import io
from typing import Any

import pyarrow as pa
import pytest

from insight_site.operate import backup_database, verify_backup
from runs.refusals import Refused

pytestmark = pytest.mark.django_db(transaction=True)
COLUMNS = [["id", "integer"], ["app_label", "text"], ["model", "text"], ["name", "text"]]


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        ("made_up", COLUMNS),
        ("django_content_type", COLUMNS[:-1]),
        ("django_content_type", [*COLUMNS[:-1], ['name") SELECT 1, 2, 3, 4; --', "text"]]),
    ],
)
def test_load__other_tables_or_columns_than_the_migrations_make__are_refused(table: str, columns: Any) -> None:
    said = {"columns": columns, "rows": 0, "highest": 0, "key": "id", "counts": True}
    database = {"vendor": "sqlite", "migrations": [["contenttypes", "0001_initial"]], "tables": {table: said}}

    with verify_backup.elsewhere(), pytest.raises(Refused, match=f"its migrations don't make: {table}"):
        backup_database.load(io.BytesIO(), {"database": database})


def test_load__of_a_line_that_does_not_end__is_refused_before_it_fills_the_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(backup_database, "MOST_LINE", 1_000)
    packed = pa.Codec("zstd").compress(b"[" + b"1," * 100_000, asbytes=True)

    with pytest.raises(Refused, match="holds something that no backup has"):
        list(backup_database._rows("database/a/00000000.jsonl.zst", io.BytesIO(packed), []))
