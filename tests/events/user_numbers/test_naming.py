"""Numbers inside the warehouse, ids at its doors, and two users who count as one."""

from typing import Any

import ibis
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from pytest_django import Settings

from events.outbox.rows import count_as
from events.store import event_table
from events.warehouse import columns, engine
from events.warehouse.columns import PART_DAY
from tests.events.conftest import erased
from tests.events.user_numbers.conftest import rows

pytestmark = [pytest.mark.usefixtures("event_store"), pytest.mark.django_db]


def by_user() -> dict[Any, int]:
    """Events of each user, by the id that leaves the warehouse."""
    with engine.connect() as house:
        counts = house.events.group_by("user_id").aggregate(n=house.events.count())
        frame = house.run(house.named(counts))
    return dict(zip(frame.user_id.tolist(), frame.n.tolist(), strict=True))


def test_events__of_a_numbered_store__have_numbers_inside_and_ids_outside() -> None:
    event_table.append(rows(["b", "a", "b"], "x"), app_id="w", version=1)

    with engine.connect() as house:
        inside = house.run(house.events)
        named = house.run(house.named(house.events.select("user_id", "event"), key="user_key"))

    assert sorted(zip(inside.user_id, inside.user_text, strict=True)) == [(1, "b"), (1, "b"), (2, "a")]
    assert list(named.columns) == ["user_id", "event", "user_key"]
    assert sorted(zip(named.user_id, named.user_key, strict=True)) == [("a", 2), ("b", 1), ("b", 1)]


def test_keyed__a_table_from_outside__joins_and_leaves_strangers_out() -> None:
    event_table.append(rows(["b", "a", "b"], "x"), app_id="w", version=1)

    with engine.connect() as house:
        given = ibis.memtable({"user_id": ["b", "stranger"], "group": ["g", "h"]})
        found = house.run(house.events.join(house.keyed(given), "user_id"))

    assert (found.group.tolist(), found.user_text.tolist()) == (["g", "g"], ["b", "b"])


def test_events__one_file_without_numbers__all_are_read_by_id() -> None:
    event_table.append(rows(["a", "b"], "x"), app_id="w", version=1)
    old = rows(["a"], "old")
    old = old.append_column("event_date", old.column("time").cast(pa.date32()))
    old = old.append_column("user", pa.nulls(1, pa.int64())).select(event_table.TABLE.names).cast(event_table.TABLE)
    write_deltalake(DeltaTable(event_table.url()), old, mode="append")

    with engine.connect() as house:
        assert house.users is None
        assert house.events.columns == (*columns.COLUMNS, PART_DAY)
    assert by_user() == {"a": 2, "b": 1}


def test_count_as__two_who_are_one__count_as_one_before_and_after() -> None:
    event_table.append(rows(["a", "b", "b", "c"], "x"), app_id="w", version=1)
    assert by_user() == {"a": 1, "b": 2, "c": 1}

    assert count_as({"a": "b"}) == 1

    assert by_user() == {"b": 3, "c": 1}
    event_table.append(rows(["a"], "later"), app_id="w", version=2)
    assert by_user() == {"b": 4, "c": 1}
    assert count_as({"a": "b"}) == 0


def test_count_as__one_after_another__all_count_as_the_last() -> None:
    event_table.append(rows(["a", "b", "c", "d"], "x"), app_id="w", version=1)

    count_as({"a": "b"})
    count_as({"a": "c", "b": "c"})
    event_table.compact()

    assert by_user() == {"c": 3, "d": 1}
    with engine.connect() as house:
        given = ibis.memtable({"user_id": ["a", "b", "c", "d"], "group": ["from a", "from b", "from c", "from d"]})
        found = house.run(house.keyed(given))
    assert dict(zip(found.user_id, found.group, strict=True)) == {3: "from c", 4: "from d"}


def test_count_as__oneself_again__undoes_it() -> None:
    event_table.append(rows(["a", "b"], "x"), app_id="w", version=1)
    count_as({"a": "b"})

    assert count_as({"a": "a"}) == 1

    assert by_user() == {"a": 1, "b": 1}


def test_count_as__of_ids_without_events__counts_those_that_come_later() -> None:
    event_table.append(rows(["c"], "x"), app_id="w", version=1)

    count_as({"a": "b"})
    event_table.append(rows(["a", "d"], "later"), app_id="w", version=2)
    event_table.append(rows(["b"], "last"), app_id="w", version=3)

    assert by_user() == {"b": 2, "c": 1, "d": 1}
    with engine.connect() as house:
        numbers = house.run(house.events.select("user_id", "user_text").distinct())
    assert len(set(numbers.user_id)) == 3  # no number was given twice


@pytest.mark.parametrize("named", ["a", "b"])
def test_erase__of_one_who_was_joined__takes_all_ids_of_the_person(named: str) -> None:
    event_table.append(rows(["a", "b", "b", "c"], "x"), app_id="w", version=1)
    count_as({"a": "b"})

    assert erased(named) == 3

    assert by_user() == {"c": 1}


def test_mapped_table__that_is_a_store__leaves_the_dictionary_out(settings: Settings, tmp_path: Any) -> None:
    import duckdb

    event_table.append(rows(["a", "b"], "x"), app_id="w", version=1)
    files = [str(uri) for uri in DeltaTable(event_table.url()).file_uris()]
    with duckdb.connect(str(tmp_path / "other.duckdb")) as connection:
        connection.execute("CREATE TABLE hits AS SELECT * FROM read_parquet($files)", {"files": files})
    settings.WAREHOUSE_URL, settings.WAREHOUSE_TABLE = f"duckdb://{tmp_path / 'other.duckdb'}", "hits"

    assert by_user() == {"a": 1, "b": 1}
