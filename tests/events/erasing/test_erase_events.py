"""Out of the store: events, dictionary, mentions, old versions and the log; whatever others write meanwhile."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError
from django.db import connections

from events import erasure
from events.erasure import SeenOfPersons, erase_events
from events.models import MessageId
from events.outbox import flush
from events.store import event_table, object_store, ownership, place, rewrite
from events.store.disk import NewFile
from tests.events.conftest import asked, file_uris, files_there, stored_ids
from tests.events.test_flush import accept_some, plain_ids

ROOT = Path(__file__).resolve().parents[3]
MOMENT = datetime(2026, 11, 24, 12, tzinfo=UTC)
STAMP = pa.timestamp("us", tz="UTC")
DB = pytest.mark.django_db(transaction=True)


def rows(*people: str, said: str = "{}", event: str = "e", day: int = 0, ids: str = "") -> pa.Table:
    moment = pa.array([MOMENT + timedelta(days=day)] * len(people), STAMP)
    return pa.table(
        {
            "user_id": list(people),
            "event": [event] * len(people),
            "time": moment,
            "properties": [said] * len(people),
            "message_id": [f"{ids}{day}-{number}" for number, _ in enumerate(people)],
            "received_at": moment,
        }
    )


def erase(*people: str, seen: list[SeenOfPersons] | None = None) -> rewrite.Rewritten:
    return erase_events(*erasure.ids_of(people), (seen if seen is not None else []).append)


def files_with(text: str) -> list[str]:
    root = Path(event_table.url())
    return [
        str(path.relative_to(root)) for path in root.rglob("*") if path.is_file() and text in str(path.read_bytes())
    ]


@DB
@pytest.mark.usefixtures("any_store")
def test_erase__of_one_of_two__leaves_the_other_and_counts() -> None:
    event_table.append(
        rows("gone-1", "stays", event="Experiment Viewed", said='{"experiment_id": "x"}'), app_id="w", version=1
    )
    event_table.append(rows("gone-1", "stays", day=1), app_id="w", version=2)
    event_table.append(rows("stays", day=2), app_id="w", version=3)
    untouched = {uri for uri in file_uris() if "2026-11-26" in uri}
    seen: list[SeenOfPersons] = []

    done = erase("gone-1", seen=seen)

    assert (done.files, done.removed, done.after - done.before) == (3, 2, 1)  # two days and the dictionary, one commit
    assert seen[0].first == {"gone-1": MOMENT}
    assert seen[0].exposed == {("x", "gone-1"): MOMENT}
    assert stored_ids() == {"0-1": 1, "1-1": 1, "2-0": 1}
    assert untouched < set(file_uris())
    assert event_table.snapshot().unnumbered() == []
    assert erase("gone-1") == rewrite.Rewritten(done.after, done.after)
    event_table.append(rows("gone-1", day=3), app_id="w", version=4)
    assert asked('SELECT max("user") FROM read_parquet($files)', file_uris()) == [(3,)]  # no number is given twice


@DB
@pytest.mark.usefixtures("any_store")
def test_erase__of_somebody_whom_others_mention__takes_the_value_out_and_leaves_their_events() -> None:
    event_table.append(rows("other", said='{"invited":"gone-1","note":"gone-1 came"}'), app_id="w", version=1)
    seen: list[SeenOfPersons] = []

    erase("gone-1", seen=seen)

    said = asked("SELECT user_id, properties FROM read_parquet($files)", file_uris())
    assert said == [("other", '{"invited":"[erased]","note":"gone-1 came"}')]
    assert seen[0].mentions == 1


@pytest.mark.slow
@DB
@pytest.mark.usefixtures("event_store")
def test_drop_what_was__after_an_erasure__no_file_and_no_line_of_the_log_has_the_id() -> None:
    event_table.append(rows("gone-1", "stays"), app_id="w", version=1)
    event_table.append(rows("gone-1", "stays", ids="b"), app_id="w", version=2)
    event_table.compact()  # files that left the table have it too
    orphan = Path(event_table.url()) / "event_date=2026-11-24" / "killed.parquet"
    orphan.write_bytes(Path(file_uris()[0]).read_bytes())
    os.utime(orphan, (time.time() - 7300,) * 2)
    erase("gone-1")
    before = files_with("gone-1")

    rewrite.drop_what_was()

    assert len(before) > 4
    assert files_with("gone-1") == []
    assert len([path for path in files_there() if "_delta_log" not in path]) == len(file_uris()) + 1
    assert stored_ids() == {"0-1": 1, "b0-1": 1}
    assert event_table.append(rows("gone-1", "stays", ids="b"), app_id="w", version=2) is False  # the numbers survive
    assert event_table.append(rows("y", ids="c"), app_id="w", version=3)


@pytest.mark.slow
@DB
@pytest.mark.usefixtures("any_store")
def test_drop_what_was__in_any_store__leaves_a_log_without_the_id_that_goes_on() -> None:
    for version in range(1, 4):
        event_table.append(rows("gone-1", "stays", ids=f"{version}-"), app_id="w", version=version)
    erase("gone-1")

    rewrite.drop_what_was()

    log = [object_store.opened(event_table.url(), name) for name in place.names(place.LOG)]
    held = [file.read_bytes() if isinstance(file, Path) else file.read() for file in log]
    assert len(held) <= 6
    assert not any(b"gone-1" in data for data in held)
    assert len([path for path in files_there() if place.LOG not in path]) == len(file_uris()) + 1
    assert event_table.append(rows("new", ids="n"), app_id="w", version=4)
    assert event_table.append(rows("new", ids="n"), app_id="w", version=4) is False
    assert sum(stored_ids().values()) == 4


@DB
@pytest.mark.usefixtures("event_store")
def test_append__whose_version_was_erased_meanwhile__looks_again() -> None:
    event_table.append(rows("gone-1", "stays"), app_id="w", version=1)

    def overtaken(seen: "event_table.Seen | None") -> None:
        if not done:
            done.append(1)
            erase("gone-1")
            rewrite.drop_what_was()

    done: list[int] = []
    assert event_table.append(rows("new", ids="n"), app_id="w", version=2, check=overtaken)
    assert stored_ids() == {"0-1": 1, "n0-0": 1}


@DB
@pytest.mark.usefixtures("any_store")
@pytest.mark.parametrize("meanwhile", ["flush", "compaction", "import of the erased"])
def test_erase__others_commit_meanwhile__nothing_is_lost_or_doubled(meanwhile: str) -> None:
    event_table.append(rows("gone-1", "stays"), app_id="w", version=1)
    event_table.append(rows("gone-1", "stays", ids="b"), app_id="w", version=2)
    done: list[SeenOfPersons] = []

    def overtaken(seen: SeenOfPersons) -> None:
        done.append(seen)
        if len(done) > 1:
            return
        if meanwhile == "compaction":
            event_table.compact()
        else:
            event_table.append(rows("gone-1" if "erased" in meanwhile else "new", ids="n"), app_id="w", version=3)

    found = erase_events(*erasure.ids_of(["gone-1"]), overtaken)

    assert len(done) == 2
    assert found.removed == (3 if "erased" in meanwhile else 2)
    assert stored_ids() == {"0-1": 1, "b0-1": 1, **({"n0-0": 1} if meanwhile == "flush" else {})}


@pytest.mark.slow
@DB
@pytest.mark.usefixtures("event_store")
def test_compact__overtaken_by_an_erasure__brings_nobody_back(monkeypatch: pytest.MonkeyPatch) -> None:
    event_table.append(rows("gone-1", "stays"), app_id="w", version=1)
    event_table.append(rows("gone-1", "stays", ids="b"), app_id="w", version=2)
    joined = rewrite._joined

    def overtaken(paths: Sequence[str], folder: Path) -> NewFile:
        monkeypatch.setattr(rewrite, "_joined", joined)
        found = joined(paths, folder)
        erase("gone-1")
        return found

    monkeypatch.setattr(rewrite, "_joined", overtaken)

    assert event_table.compact() == {"added": 0, "removed": 0}
    assert stored_ids() == {"0-1": 1, "b0-1": 1}
    assert event_table.compact() == {"added": 1, "removed": 2}
    assert stored_ids() == {"0-1": 1, "b0-1": 1}


@DB
@pytest.mark.usefixtures("event_store")
@pytest.mark.parametrize("log_is_shortened", [True, False])
def test_compact__whose_commit_was_kept_and_not_answered__keeps_the_files_that_it_names(
    monkeypatch: pytest.MonkeyPatch, *, log_is_shortened: bool
) -> None:
    event_table.append(rows("a", "b"), app_id="w", version=1)
    event_table.append(rows("c", ids="b"), app_id="w", version=2)
    transaction = DeltaTable.create_write_transaction

    def unanswered(*given: Any, **said: Any) -> None:
        monkeypatch.setattr(DeltaTable, "create_write_transaction", transaction)
        transaction(*given, **said)
        if not log_is_shortened:
            raise CommitFailedError("the answer was lost on the way")
        rewrite.drop_what_was()

    monkeypatch.setattr(DeltaTable, "create_write_transaction", unanswered)
    event_table.compact()

    assert stored_ids() == {"0-0": 1, "0-1": 1, "b0-0": 1}


@DB
@pytest.mark.usefixtures("any_store")
def test_drop_what_was__a_file_that_waited_for_hours_and_was_placed_just_now__stays() -> None:
    event_table.append(rows("a"), app_id="w", version=1)
    with place.staging() as folder:
        waited = folder / "waited.parquet"
        waited.write_bytes(b"an import took hours to write all its files")
        os.utime(waited, (time.time() - 7300,) * 2)
        place.place([(waited, "event_date=2026-11-24/waited.parquet")])

        rewrite.drop_what_was()

    assert any(name.endswith("/waited.parquet") for name in files_there())


@DB
@pytest.mark.usefixtures("event_store")
def test_erase__of_accepted_events__forgets_their_message_ids() -> None:
    accept_some("a", user="gone-1")
    accept_some("b", user="stays")
    flush.flush_events()

    erase("gone-1")

    assert MessageId.objects.count() == 1
    assert plain_ids() == {"b": 1}
    ownership.check_to_write()


@pytest.mark.slow
@DB
@pytest.mark.usefixtures("event_store")
def test_erase__killed_at_any_moment__the_next_one_ends_it() -> None:
    for version in range(1, 6):
        event_table.append(rows("gone-1", "stays", day=version), app_id="w", version=version)
    connections.close_all()
    script = (
        "import django; django.setup()\n"
        "from events import erasure; from events.erasure import erase_events\n"
        "from events.store import rewrite; print('ready', flush=True)\n"
        "erase_events(*erasure.ids_of(['gone-1']), lambda seen: None); rewrite.drop_what_was()"
    )
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "insight_site.settings", "EVENTS_URL": event_table.url()}
    for wait in (0.0, 0.05, 0.1, 0.2):
        process = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, env=environment, stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(wait)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert {name: times for name, times in stored_ids().items() if name.endswith("-1")} == {
            f"{day}-1": 1 for day in range(1, 6)
        }

    erase("gone-1")
    rewrite.drop_what_was()

    assert stored_ids() == {f"{day}-1": 1 for day in range(1, 6)}
    assert [name for name in files_with("gone-1") if not name.startswith("_import")] == []
