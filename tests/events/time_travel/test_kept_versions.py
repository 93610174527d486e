"""A vacuum deletes what left the table, but for the files of a kept version; what is let go, goes with the next."""

import pytest
from deltalake import DeltaTable

from events import store
from events.delta import raw_files
from events.models import KeptVersion
from events.time_travel import kept_versions
from events.time_travel.store_files import files_at
from tests.events.test_flush_store import rows

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("event_store")]


def test_vacuum__of_a_kept_version__leaves_its_files_until_it_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    for version in (1, 2):
        store.append(rows(f"m{version}"), app_id="w", version=version)
    files = files_at(store.snapshot())
    kept_versions.keep(files)
    store.append(rows("m3"), app_id="w", version=3)
    third = set(store.snapshot().paths()) - {*files.events, *files.dictionary}
    store.compact()
    DeltaTable(store.url()).alter.set_table_properties({"delta.deletedFileRetentionDuration": "interval 0 hours"})
    monkeypatch.setattr(store, "KEEP_REMOVED_HOURS", 0)

    deleted = store.vacuum(keep_hours=0, kept=kept_versions.kept_paths())

    assert deleted == len(third) == 1
    assert not third & set(raw_files.names())
    assert kept_versions.missing_in(files) == []
    assert kept_versions.let_go_before_erasure() == 1
    assert (KeptVersion.objects.get().gone, kept_versions.kept_paths()) == ("erasure", frozenset())
    left = {*files.events, *files.dictionary} - set(store.snapshot().paths())
    assert left >= set(files.events)
    store.vacuum(keep_hours=0, kept=kept_versions.kept_paths())
    assert set(kept_versions.missing_in(files)) == left
