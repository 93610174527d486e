"""The digest is of the rows: files, their order and later events change nothing, one byte of a row does."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from events.store import event_table
from events.store.snapshot import StoreFiles, files_at
from events.store.time_travel import DataDigest, digest_of
from events.warehouse.queries import person_digests
from events.warehouse.session import questions

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("event_store")]
FIRST = datetime(2026, 1, 5, 12, tzinfo=UTC)
STAMP = pa.timestamp("us", tz="UTC")
ROWS = [("ann", "a", '{"n": 1}', "m1"), ("ann", "b", None, "m2"), ("bob", "a", "{}", "m3"), ("eve", "a", "{}", "m4")]


def put(version: int, *rows: tuple[str, str, str | None, str]) -> None:
    moments = [FIRST + timedelta(minutes=int(name[1:])) for *_, name in rows]
    users, events, properties, names = zip(*rows, strict=True)
    table = {
        "user_id": users,
        "event": events,
        "time": pa.array(moments, STAMP),
        "properties": pa.array(properties, pa.string()),
        "message_id": names,
        "received_at": pa.array(moments, STAMP),
    }
    event_table.append(pa.table(table), app_id="w", version=version)


def digest(at: StoreFiles | None = None, event: str = "a") -> DataDigest:
    with questions(at=at) as asked:
        people = asked.log.filter(asked.log.event == event).select("user_id").distinct()
        return digest_of(asked.warehouse.batches(person_digests(asked.log, people)))


def now() -> StoreFiles:
    return files_at(event_table.snapshot())


def test_digest__of_the_same_rows_in_other_files__is_the_same() -> None:
    for version, row in enumerate(ROWS, start=1):
        put(version, row)
    one = digest()
    before = now()

    assert event_table.compact()["added"] == 2  # events, and the dictionary
    assert now().events != before.events
    assert digest() == one
    assert (one.people, one.rows) == (3, 4)


def test_digest__at_an_earlier_version__does_not_see_later_rows() -> None:
    put(1, *ROWS[:2])
    one, then = digest(), now()
    put(2, *ROWS[2:])

    assert digest(then) == one
    assert digest().people == 3


@pytest.mark.parametrize(
    "other",
    [
        ("bob", "a", "{ }", "m3"),
        ("bob", "a", None, "m3"),
        ("bob", "a", "{}", "m5"),
        ("bo", "a", "{}", "m3"),
        ("bob", "a{}", "", "m3"),
    ],
)
def test_digest__of_rows_that_differ_in_one_place__is_another(
    other: tuple[str, str, str | None, str], tmp_path_factory: pytest.TempPathFactory, settings: object
) -> None:
    put(1, *ROWS)
    one = digest()
    settings.EVENTS_URL = str(tmp_path_factory.mktemp("other"))  # type: ignore[attr-defined]
    put(1, *ROWS[:2], other, ROWS[3])

    assert digest().sha256 != one.sha256


def test_digest__of_a_row_that_is_there_twice__is_another() -> None:
    put(1, *ROWS)
    one = digest()
    put(2, ROWS[3])

    assert digest().sha256 != one.sha256


def test_digest__of_some_people__leaves_the_others_out() -> None:
    put(1, *ROWS)

    assert digest(event="b").people == 1
