"""Lists of users in a real object store: the whole list, and each change beside it."""

import csv
import io
from typing import Any

import pytest

from events.store import object_store
from insight_site.audiences import audience_services, sync
from tests.insight_site.audiences.make import audience, place, segment

pytestmark = [pytest.mark.engines, pytest.mark.django_db]


def test_files__of_an_object_store__are_the_whole_list_and_each_change(bucket: str, settings: Any) -> None:
    settings.AUDIENCE_URLS = [f"{bucket}/lists"]
    place_of = f"{bucket}/lists/crm"
    group = segment()
    row = audience(group, way="file", url=place_of)
    place(group, "abc")
    audience_services.count(row.pk)

    assert sync.send_due() == 1
    place(group, ["b", "c", "=1+1", "쉼표,"])
    audience_services.count(row.pk)
    assert sync.send_due() == 1

    names = sorted(object_store.names(place_of, ""))
    assert names == [
        "fighters.changes.000000000001-000000000003.csv",
        "fighters.changes.000000000004-000000000006.csv",
        "fighters.csv",
    ]
    whole, later = (_lines(place_of, name) for name in (names[2], names[1]))
    assert [line[0] for line in whole] == ["unit", "=1+1", "b", "c", "쉼표,"]
    assert [line[:2] for line in later] == [["unit", "change"], ["a", "removed"], ["=1+1", "added"], ["쉼표,", "added"]]


def _lines(place_of: str, name: str) -> list[list[str]]:
    with object_store.opened_as_named(place_of, name) as file:
        return list(csv.reader(io.StringIO(file.read().decode())))
