"""A vacuum deletes what left the table, but for the files of a kept version; what is let go, goes with the next."""

import pytest
from deltalake import DeltaTable

from events.models import KeptVersion
from events.store import event_table, place, time_travel
from events.store.snapshot import files_at
from tests.events.test_flush_store import rows

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("event_store")]


def test_vacuum__of_a_kept_version__leaves_its_files_until_it_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    for version in (1, 2):
        event_table.append(rows(f"m{version}"), app_id="w", version=version)
    files = files_at(event_table.snapshot())
    time_travel.keep(files)
    event_table.append(rows("m3"), app_id="w", version=3)
    third = set(event_table.snapshot().paths()) - {*files.events, *files.dictionary}
    event_table.compact()
    DeltaTable(event_table.url()).alter.set_table_properties({"delta.deletedFileRetentionDuration": "interval 0 hours"})
    monkeypatch.setattr(event_table, "KEEP_REMOVED_HOURS", 0)

    deleted = event_table.vacuum(keep_hours=0, kept=time_travel.kept_paths())

    assert deleted == len(third) == 1
    assert not third & set(place.names())
    assert time_travel.missing_in(files) == []
    assert time_travel.let_go_before_erasure() == 1
    assert (KeptVersion.objects.get().gone, time_travel.kept_paths()) == ("erasure", frozenset())
    left = {*files.events, *files.dictionary} - set(event_table.snapshot().paths())
    assert left >= set(files.events)
    event_table.vacuum(keep_hours=0, kept=time_travel.kept_paths())
    assert set(time_travel.missing_in(files)) == left
