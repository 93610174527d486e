"""A file that is no backup, not a whole one, a changed one or a hostile one: one clear sentence."""

import io
import tarfile
from collections.abc import Callable
from typing import Any

import pytest

from insight_site.operate import backup_files
from insight_site.operate.backup_files import ArchiveWriter, parts, read_through
from runs.refusals import Refused

ROWS = "database/events_source/00000001.jsonl.zst"
FILE = "store/event_date=2026-11-01/part-0.parquet"


def made(*, form: int = backup_files.FORMAT) -> bytes:
    out = io.BytesIO()
    writer = ArchiveWriter(out, {"insight": "9.9.9"} | {"format": form})
    for name, data in {ROWS: b"rows" * 500, FILE: bytes(range(256)) * 20, "uploads/k/content": b""}.items():
        writer.add(name, io.BytesIO(data), len(data))
    writer.close({"store": {"version": None}})
    return out.getvalue()


def refusal(data: bytes) -> str:
    with pytest.raises(Refused) as caught:
        read_through(io.BytesIO(data))
    return str(caught.value)


def test_read_through__what_was_written__gives_its_manifest_and_parts() -> None:
    data, seen = made(), list[str]()

    manifest = read_through(io.BytesIO(data), lambda name, file: seen.append(f"{name} {len(file.read())}"))

    assert seen == [f"{ROWS} 2000", f"{FILE} 5120", "uploads/k/content 0"]
    assert manifest["parts"].keys() == {ROWS, FILE, "uploads/k/content"}
    assert {name: file.read() for name, file in parts(io.BytesIO(data), "database")} == {ROWS: b"rows" * 500}


def test_read_through__cut_off_anywhere__says_that_it_is_not_whole() -> None:
    whole = made()
    end = whole.rindex(b"manifest.sha256") + 512 + 64  # zeros that follow say nothing

    said = {refusal(whole[:length]) for length in range(1025, end, 97)}  # the first member is whole

    assert said == {"The backup is not whole: it was cut off, or its making was interrupted."}


def test_read_through__any_byte_of_a_part_or_of_the_manifest_changed__is_refused() -> None:
    whole = bytearray(made())
    with tarfile.open(fileobj=io.BytesIO(bytes(whole))) as tar:
        places = [(one.offset_data, one.size) for one in tar.getmembers()[1:]]
    changed = [start + step for start, size in places for step in range(0, size, 37)]
    assert len(changed) > 200
    for place in changed:
        whole[place] ^= 1
        assert refusal(bytes(whole)).startswith("The backup ")
        whole[place] ^= 1


def test_read_through__of_a_newer_format__names_the_version_that_made_it() -> None:
    assert refusal(made(form=2)) == "The backup is of a newer Insight (9.9.9): restore it with that."


@pytest.mark.parametrize("data", [b"", b"text", b"\0" * 4096, bytes(range(256)) * 64, b"PK\3\4" + b"\0" * 2000])
def test_read_through__of_another_file__says_so(data: bytes) -> None:
    assert refusal(data) == "The file is not a backup of Insight."


def test_read_through__of_another_tar__says_so() -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("README"))

    assert refusal(out.getvalue()) == "The file is not a backup of Insight."


def _name(name: str) -> Callable[[tarfile.TarInfo], Any]:
    return lambda member: setattr(member, "name", name)


def _kind(kind: bytes) -> Callable[[tarfile.TarInfo], Any]:
    def change(member: tarfile.TarInfo) -> None:
        member.type, member.linkname, member.size = kind, "/etc/passwd", 0

    return change


def _sparse(member: tarfile.TarInfo) -> None:
    """As GNU tar names a file with holes: no byte in the archive, a terabyte to whoever reads it."""
    member.pax_headers = {"GNU.sparse.map": "0,1", "GNU.sparse.size": str(10**12)}


@pytest.mark.parametrize(
    "change",
    [
        _sparse,
        *map(_name, ("../../etc/cron.d/x", "/etc/passwd", "store/../../x", "uploads/../x", "uploads/a/../../b/c")),
        *map(_name, ("store/event_date=2026-11-01/../x.parquet", "uploads/.ssh/keys", "database/a/1.jsonl.zst", "x")),
        *map(_kind, (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE)),
    ],
)
def test_read_through__hostile_member__is_refused(change: Callable[[tarfile.TarInfo], Any]) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(made())) as source, tarfile.open(fileobj=out, mode="w") as target:
        for member in source.getmembers():
            data = source.extractfile(member)
            if member.name == "uploads/k/content":
                change(member)
            target.addfile(member, data)

    assert refusal(out.getvalue()).startswith("The backup holds something that no backup has")


def test_read_through__a_part_twice__is_refused() -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(made())) as source, tarfile.open(fileobj=out, mode="w") as target:
        for member in source.getmembers():
            for _ in range(2 if member.name == FILE else 1):
                target.addfile(member, source.extractfile(member))

    assert "no backup has" in refusal(out.getvalue())


def test_read_through__a_part_missing_or_more__is_refused() -> None:
    for left in (True, False):
        out = io.BytesIO()
        with tarfile.open(fileobj=io.BytesIO(made())) as source, tarfile.open(fileobj=out, mode="w") as target:
            for member in source.getmembers():
                if member.name == FILE and left:
                    continue
                if member.name == backup_files.MANIFEST and not left:
                    target.addfile(tarfile.TarInfo("uploads/more/content"))
                target.addfile(member, source.extractfile(member))

        assert "was changed or damaged" in refusal(out.getvalue())


def test_add__a_name_that_no_reader_takes__is_refused_by_the_writer_too() -> None:
    writer = ArchiveWriter(io.BytesIO(), {})

    with pytest.raises(ValueError, match="no part"):
        writer.add("../x", io.BytesIO(), 0)
