"""Numbers inside the warehouse, ids at its doors, and two users who count as one."""

from typing import Any

import ibis
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from pytest_django import Settings

from events import store, warehouse
from events.user_numbers.joining import join_users
from runs.refusals import Refused
from tests.events.user_numbers.conftest import rows

pytestmark = [pytest.mark.usefixtures("event_store"), pytest.mark.django_db]


def by_user() -> dict[Any, int]:
    """Events of each user, by the id that leaves the warehouse."""
    with warehouse.connect() as house:
        counts = house.events.group_by("user_id").aggregate(n=house.events.count())
        frame = house.run(house.named(counts))
    return dict(zip(frame.user_id.tolist(), frame.n.tolist(), strict=True))


def test_events__of_a_numbered_store__have_numbers_inside_and_ids_outside() -> None:
    store.append(rows(["b", "a", "b"], "x"), app_id="w", version=1)

    with warehouse.connect() as house:
        inside = house.run(house.events)
        named = house.run(house.named(house.events.select("user_id", "event"), key="user_key"))

    assert sorted(zip(inside.user_id, inside.user_text, strict=True)) == [(1, "b"), (1, "b"), (2, "a")]
    assert list(named.columns) == ["user_id", "event", "user_key"]
    assert sorted(zip(named.user_id, named.user_key, strict=True)) == [("a", 2), ("b", 1), ("b", 1)]


def test_keyed__a_table_from_outside__joins_and_leaves_strangers_out() -> None:
    store.append(rows(["b", "a", "b"], "x"), app_id="w", version=1)

    with warehouse.connect() as house:
        given = ibis.memtable({"user_id": ["b", "stranger"], "group": ["g", "h"]})
        found = house.run(house.events.join(house.keyed(given), "user_id"))

    assert (found.group.tolist(), found.user_text.tolist()) == (["g", "g"], ["b", "b"])


def test_events__one_file_without_numbers__all_are_read_by_id() -> None:
    store.append(rows(["a", "b"], "x"), app_id="w", version=1)
    old = rows(["a"], "old")
    old = old.append_column("event_date", old.column("time").cast(pa.date32()))
    old = old.append_column("user", pa.nulls(1, pa.int64())).select(store.TABLE.names).cast(store.TABLE)
    write_deltalake(DeltaTable(store.url()), old, mode="append")

    with warehouse.connect() as house:
        assert house.users is None
        assert house.events.columns == tuple(warehouse.COLUMNS)
    assert by_user() == {"a": 2, "b": 1}


def test_join_users__two_who_are_one__count_as_one_before_and_after() -> None:
    store.append(rows(["a", "b", "b", "c"], "x"), app_id="w", version=1)
    assert by_user() == {"a": 1, "b": 2, "c": 1}

    assert join_users("a", "b")

    assert by_user() == {"b": 3, "c": 1}
    store.append(rows(["a"], "later"), app_id="w", version=2)
    assert by_user() == {"b": 4, "c": 1}
    assert not join_users("a", "b")
    assert not join_users("b", "a")


def test_join_users__one_after_another__all_count_as_the_last() -> None:
    store.append(rows(["a", "b", "c", "d"], "x"), app_id="w", version=1)

    join_users("a", "b")
    join_users("b", "c")
    store.compact()

    assert by_user() == {"c": 3, "d": 1}
    with warehouse.connect() as house:
        given = ibis.memtable({"user_id": ["a", "b", "c", "d"], "group": ["from a", "from b", "from c", "from d"]})
        found = house.run(house.keyed(given))
    assert dict(zip(found.user_id, found.group, strict=True)) == {3: "from c", 4: "from d"}


def test_forget__of_the_one_who_stays__gives_the_other_back() -> None:
    store.append(rows(["a", "b", "b"], "x"), app_id="w", version=1)
    join_users("a", "b")

    assert store.forget(["b"]) == 2

    assert by_user() == {"a": 1}


def test_join_users__of_a_stranger__is_refused() -> None:
    with pytest.raises(Refused, match="a"):
        join_users("a", "b")
    store.append(rows(["a"], "x"), app_id="w", version=1)

    with pytest.raises(Refused, match="b"):
        join_users("a", "b")


def test_mapped_table__that_is_a_store__leaves_the_dictionary_out(settings: Settings, tmp_path: Any) -> None:
    import duckdb

    store.append(rows(["a", "b"], "x"), app_id="w", version=1)
    files = [str(uri) for uri in DeltaTable(store.url()).file_uris()]
    with duckdb.connect(str(tmp_path / "other.duckdb")) as connection:
        connection.execute("CREATE TABLE hits AS SELECT * FROM read_parquet($files)", {"files": files})
    settings.WAREHOUSE_URL, settings.WAREHOUSE_TABLE = f"duckdb://{tmp_path / 'other.duckdb'}", "hits"

    assert by_user() == {"a": 1, "b": 1}
