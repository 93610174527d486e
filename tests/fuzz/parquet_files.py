"""Parquet of a stranger, uploaded: up to the preview of its import."""

import io
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pa_parquet

from events.importing.first_rows import Beginning, parquet_sample, preview
from events.importing.mapping import Context, Mapping, guess_mapping, mistakes
from events.importing.text_reading import Reading, Sample, guess_reading
from runs.refusals import Refused

MAGIC = b"PAR1"
_NOON = datetime(2026, 10, 31, 12, tzinfo=UTC)


def _bytes(columns: dict[str, Any], compression: str = "none", **how: Any) -> bytes:
    made = io.BytesIO()
    pa_parquet.write_table(pa.table(columns), made, compression=compression, store_schema=False, **how)
    return made.getvalue()


_EVENTS = {"user": ["u1", "u2", None], "time": [_NOON] * 3, "event": ["signup", "level_up", "level_up"]}
_ODD = {
    "when": ["2026-10-31 12:00:00", "", "never"],
    "who": pa.array([1, 2, None], pa.int64()),
    "deep": [{"a": [1, None], "b": "x"}, None, {"a": [], "b": ""}],
    "bytes": [b"\xff\x00", b"", None],
    "price": [Decimal("1.50"), Decimal("-0.01"), None],
    "flag": [True, False, None],
}
UPLOADS = (_bytes(_EVENTS), _bytes(_EVENTS, "zstd", version="1.0"), _bytes(_ODD), _bytes(_ODD, "snappy"))
FINISHED = (
    _bytes({"unit": ["1", "2"], "variant": ["a", "b"], "y": [0.5, None]}),
    _bytes({"unit": [1, 2], "variant": pa.array(["a", "b"]).dictionary_encode(), "y": [True, False]}, "gzip"),
)
WORDS = ("PAR1", "user", "time", "event", "\x00", '"', "'; SELECT", "/etc/passwd")


def uploaded(data: bytes) -> None:
    """An uploaded file: its columns and first rows, and what would be kept of it."""
    data = MAGIC + data[len(MAGIC) :]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "data.parquet"
        path.write_bytes(data)
        reading = guess_reading(data)
        assert reading.kind == "parquet"
        try:
            sample = parquet_sample(path)
        except Refused as refusal:
            str(refusal)
            return
        mapping = guess_mapping(sample, Context("data.parquet"))
        if mistakes(mapping, sample) and len(sample.columns) > 1:  # what somebody may choose all the same
            first, second, *others = sample.columns
            kept = tuple((name, "text") for name in others)
            mapping = Mapping(first, second, "iso", "Asia/Seoul", event_name="seen", properties=kept)
        _preview(path, reading, sample, mapping)


def _preview(path: Path, reading: Reading, sample: Sample, mapping: Mapping) -> None:
    if mistakes(mapping, sample):
        return
    try:
        found = preview(Beginning(path, b"", False, False), reading, sample, mapping, _NOON)
    except Refused as refusal:
        str(refusal)
        return
    assert found.count >= found.refused_rows >= 0
    "".join(cell for _row, cells in found.table for cell in cells).encode()
