"""Erase persons from every place: no byte is left, others' results stay, and whoever is killed goes on."""

import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, connections
from django.utils import timezone

from benchmarks.privacy.erasure import MARK, fill_rows, fill_store, prepare, traces
from events.catalogue.refresh import make_catalogue
from events.models import Rejected, Source, UnitTraits
from events.outbox import accept, flush
from events.people import tombstones
from events.people.tombstones import Scrub
from events.store import event_table
from experiments.models import Analysis, Assignment, ConfigVersion, Experiment
from insight_site.models import Erasure
from insight_site.privacy import erasure, erasure_requests, in_database
from insight_site.privacy.erasure_requests import receipt
from runs.models import Job
from runs.personal_data import UnitTexts, all_places
from runs.refusals import Refused
from segments.models import SegmentationRun
from segments.published.publish import publish_rule
from tests.events.conftest import asked as rows_of
from tests.events.conftest import file_uris
from tests.events.test_flush import NOW, accept_some
from tests.experiments.make import draft

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = Path(__file__).resolve().parents[3]
PERSONS = [f"{MARK}{number:05d}" for number in range(5)]


def filled(folder: Path, events: int = 2_000) -> None:
    fill_store(PERSONS, users=100, events=events)
    fill_rows(PERSONS)
    prepare()


def database_bytes() -> int:
    """How often the mark stands in SQLite's file and its log, or in the rows of every table.

    Another process reads the file: whoever closes it here drops the locks that SQLite holds on it for this process
    (https://sqlite.org/howtocorrupt.html, 2.2), and the next process deletes the log under our open connection.
    """
    if connection.vendor == "sqlite":
        name = str(connection.settings_dict["NAME"])
        files = [name + end for end in ("", "-wal") if Path(name + end).exists()]
        return subprocess.run(["cat", *files], capture_output=True, check=True).stdout.count(MARK.encode())
    with connection.cursor() as cursor:
        found = 0
        for table in connection.introspection.table_names():
            cursor.execute(f'SELECT count(*) FROM "{table}" AS t WHERE t::text LIKE %s', [f"%{MARK}%"])
            found += cursor.fetchone()[0]
        return found


def erase(*persons: str) -> Erasure:
    done = erasure.perform_erasure(erasure_requests.request_erasure(ids=persons, later=False).pk)
    assert done is not None
    return done


@pytest.mark.slow
def test_erase__ids_in_every_place__leaves_no_byte_and_a_receipt_without_ids(folder: Path) -> None:
    if connection.vendor == "sqlite":  # as SQLite is by itself; Debian's overwrites what it deletes
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA secure_delete = OFF")
    filled(folder)
    version, others = ConfigVersion.objects.get().version if ConfigVersion.objects.exists() else 0, others_events()
    texts = [place for place in all_places() if isinstance(place, UnitTexts)]
    before = traces(folder)

    done = erase(*PERSONS)

    assert len(before) > 10
    assert traces(folder) == {}
    assert database_bytes() == 0
    assert others_events() == others
    assert (done.state, done.ids, done.named, len(done.digests)) == ("done", [], 5, 5)
    assert (done.counts["experiments.Assignment"], done.counts["uploads"]) == (5, 1)
    assert MARK not in str(receipt(done))
    assert receipt(done)["notes"] == ([] if connection.vendor == "sqlite" else [receipt(done)["notes"][0]])
    assert ConfigVersion.objects.get().version > version
    assert sum(name.startswith("in ") for name in done.counts) >= 15
    assert not any(list(in_database.found_in(place, PERSONS)) for place in texts)


def others_events() -> list[tuple[Any, ...]]:
    files = file_uris()
    return rows_of(
        "SELECT user_id, event, time::VARCHAR, message_id FROM read_parquet($files) "
        f"WHERE NOT starts_with(user_id, '{MARK}') ORDER BY ALL",
        files,
    )


@pytest.mark.slow
def test_erase__late_events__are_dropped_and_a_second_request_finds_nothing(folder: Path) -> None:
    accept_some("a", user=PERSONS[0])
    flush.flush_events()
    accept_some("b", user=PERSONS[0])
    first = erase(PERSONS[0])

    assert accept_some("c", user=PERSONS[0]).accepted == 0
    assert flush.flush_events() == 0
    assert (first.counts["store"], first.counts["waiting events"]) == (1, 1)
    assert set(erase(PERSONS[0]).counts) <= {"files", "results"}


@pytest.mark.slow
@pytest.mark.parametrize("word", ["1", "a", "control", "plan", "unknown"])
def test_erase__an_id_that_is_a_word__takes_its_rows_and_leaves_others_data(folder: Path, word: str) -> None:
    source, plan = Source.objects.create(name="app"), draft("mine", hypothesis="a control of 1 plan, unknown to us")
    said = [
        {"type": "track", "event": "Experiment Viewed", "userId": name, "messageId": f"m-{name}",
         "properties": {"experiment_id": "mine", "variation_id": word, "plan": "1"}}
        for name in (word, "other")
    ]  # fmt: skip
    accept.accept_events(source_id=source.pk, key_kind="server", events=said, received_at=timezone.now())
    flush.flush_events()
    properties = "SELECT user_id, properties FROM read_parquet($files) WHERE user_id <> ''"
    before = [row for row in rows_of(properties, file_uris()) if row[0] == "other"]
    UnitTraits.objects.create(user_id="other", traits={"plan": word})
    assert make_catalogue()
    Rejected.objects.create(
        received_at=timezone.now(), code="bad_text", message="m", payload=json.dumps({"userId": word})
    )
    analysis = Analysis.objects.create(experiment=plan, status="done", payload={"arms": [{"arm": word}]})

    done = erase(word)

    assert rows_of(properties, file_uris()) == before
    assert UnitTraits.objects.get().traits == {"plan": word}
    assert Analysis.objects.get().payload == analysis.payload
    assert Experiment.objects.get().hypothesis == plan.hypothesis
    assert not Rejected.objects.exists()
    assert "words_stay" in done.notes


def test_erase__while_it_looks_through_a_table__others_write(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draft("mine", hypothesis=f"{PERSONS[0]} asked for it")
    draft("other", hypothesis="nobody asked for it")
    within: list[bool] = []
    plain = Scrub.plain

    def look(scrub: Scrub, text: str) -> str:
        within.extend([connection.in_atomic_block] if text == "nobody asked for it" else [])
        return plain(scrub, text)

    monkeypatch.setattr(Scrub, "plain", look)
    erase(*PERSONS)

    assert Experiment.objects.get(key="mine").hypothesis == "[erased] asked for it"
    assert within  # the row and its history's
    assert not any(within)  # SQLite lets nobody else write during a transaction


@pytest.mark.slow
def test_results__of_erased_units__say_how_many_and_others_stay(folder: Path) -> None:
    early, late_on = datetime(2026, 11, 20, tzinfo=UTC), datetime(2026, 11, 30, tzinfo=UTC)
    before, after, open_one = (
        SegmentationRun.objects.create(status=status, as_of=as_of)
        for status, as_of in (("done", early), ("done", late_on), ("queued", late_on))
    )
    for name in PERSONS[:3]:
        accept_some(f"m-{name}", user=name, at=NOW)  # on 24 November
    accept_some("stays", user="other", at=NOW)
    flush.flush_events()

    done = erase(*PERSONS)
    erase(*PERSONS)

    found = dict(SegmentationRun.objects.values_list("pk", "erased_units"))
    assert found == {before.pk: 0, after.pk: 3, open_one.pk: 0}
    assert done.counts["results"] == 1


@pytest.mark.slow
def test_analysis__counts_only_units_that_met_its_experiment(folder: Path) -> None:
    mine, other = draft("mine"), draft("other")
    runs = {
        one.key: Analysis.objects.create(experiment=one, status="done", as_of=NOW + timedelta(days=1))
        for one in (mine, other)
    }
    source = Source.objects.create(name="app")
    met = [
        {"type": "track", "event": "Experiment Viewed", "userId": name, "messageId": f"v-{name}",
         "properties": {"experiment_id": "mine", "variation_id": "control"}}
        for name in [*PERSONS[:2], "stays"]
    ]  # fmt: skip
    accept.accept_events(source_id=source.pk, key_kind="server", events=met, received_at=NOW)
    accept_some("a", user=PERSONS[2], at=NOW)
    flush.flush_events()

    erase(*PERSONS)

    for run in runs.values():
        run.refresh_from_db()
    assert {key: run.erased_units for key, run in runs.items()} == {"mine": 2, "other": 0}


@pytest.mark.slow
@pytest.mark.parametrize("step", ["outbox", "experiments.Assignment.unit", "counted", "store", "what was", "finished"])
def test_erase__ended_after_any_step__goes_on_and_counts_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    filled(folder, events=300)
    run = SegmentationRun.objects.create(status="done", as_of=timezone.now())
    row = erasure_requests.request_erasure(ids=PERSONS, later=False)
    done = erasure._Work._done

    def dies(work: Any, name: str) -> None:
        done(work, name)
        if name == step:
            raise KeyboardInterrupt

    monkeypatch.setattr(erasure._Work, "_done", dies)
    with pytest.raises(KeyboardInterrupt):
        erasure.perform_erasure(row.pk)
    monkeypatch.setattr(erasure._Work, "_done", done)
    end = erasure.perform_erasure(row.pk)
    run.refresh_from_db()

    assert end is not None
    assert (end.state, end.counts["experiments.Assignment"]) == ("done", 5)
    assert end.counts["store"] > 0
    assert run.erased_units == 5
    assert traces(folder) == {}
    assert database_bytes() == 0


@pytest.mark.slow
def test_erase__killed_at_any_moment__ends_when_it_is_done_again(folder: Path) -> None:
    filled(folder, events=300)
    row = erasure_requests.request_erasure(ids=PERSONS, later=False)
    connections.close_all()
    script = (
        "import django; django.setup()\nfrom insight_site.privacy import erasure; erasure.DOORS_SECONDS = 0\n"
        f"print('ready', flush=True); erasure.perform_erasure({row.pk})"
    )
    for wait in (0.05, 0.1, 0.15, 0.2, 0.3):
        process = subprocess.Popen(
            [sys.executable, "-c", script], cwd=ROOT, env=environment(folder), stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(wait)
        process.send_signal(signal.SIGKILL)
        process.communicate()

    done = erasure.perform_erasure(row.pk)

    assert done is not None
    assert (done.state, done.counts["experiments.Assignment"]) == ("done", 5)
    assert {name for name in traces(folder) if not name.startswith("events/_import")} == set()
    assert database_bytes() == 0


def environment(folder: Path) -> dict[str, str]:
    name = connection.settings_dict["NAME"]
    address = (
        f"sqlite:///{name}"
        if connection.vendor == "sqlite"
        else f"{os.environ['DATABASE_URL'].rpartition('/')[0]}/{name}"
    )
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "insight_site.settings",
        "DATABASE_URL": address,
        "EVENTS_URL": str(folder / "events"),
        "EXPLORE_DIR": str(folder / "explore"),
        "UPLOADS_DIR": str(folder / "uploads"),
        "LOG_LEVEL": "ERROR",
    }


@pytest.mark.slow
def test_erase__beside_a_flush_of_another_process__loses_and_doubles_nothing(folder: Path) -> None:
    fill_store(PERSONS, users=50, events=500)
    for number in range(40):
        accept_some(f"n{number}", user="other" if number % 2 else PERSONS[0])
    connections.close_all()
    script = (
        "import django; django.setup()\nimport time\nfrom events.outbox.flush import flush_events\n"
        "print('ready', flush=True)\nfor _ in range(40): flush_events(); time.sleep(0.05)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, env=environment(folder), stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.readline()

    erase(*PERSONS)
    for number in range(40, 60):
        accept_some(f"n{number}", user="other")
    flush.flush_events()
    assert process.wait(60) == 0

    kept = rows_of(
        "SELECT message_id, count(*) FROM read_parquet($files) WHERE user_id = 'other' GROUP BY 1", file_uris()
    )
    assert sorted(times for _name, times in kept) == [1] * 40
    assert traces(folder) == {}


@pytest.mark.slow
def test_erase__while_a_run_reads_the_store__waits_for_it_before_files_go(folder: Path) -> None:
    fill_store(PERSONS, users=50, events=5_000)
    run = SegmentationRun.objects.create(status="running", started_at=timezone.now())
    connections.close_all()
    script = (
        "import django; django.setup()\nimport time, duckdb\nfrom events.store.ownership import files_to_read\n"
        "from segments.models import SegmentationRun\nfiles = files_to_read(); print('ready', flush=True)\n"
        "time.sleep(3)\n"
        "print(duckdb.execute('SELECT count(*) FROM read_parquet($f)', {'f': files}).fetchone()[0])\n"
        f"SegmentationRun.objects.filter(pk={run.pk}).update(status='done')"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, env=environment(folder), stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    process.stdout.readline()

    erase(*PERSONS)

    assert process.communicate()[0].strip() == b"5000"
    assert traces(folder) == {}


REFRESHES = """
import django; django.setup()
import sys, time
from django.utils import timezone
from runs.models import Job
from segments.models import SegmentVersion
from segments.published import publish
write = publish._rewrite
def later(version, rows):
    print("read", flush=True)
    time.sleep(WAIT)  # an erasure takes its rows meanwhile
    write(version, rows)
publish._rewrite = later
version = SegmentVersion.objects.get()
while True:
    now = timezone.now()
    job = Job.objects.create(task="segments.tasks.refresh_segments", queue="long", state="running", started_at=now)
    publish.refresh(version=version)
    job.delete()
"""


@pytest.mark.slow
@pytest.mark.parametrize("erasures", [2, pytest.param(20, marks=pytest.mark.proof)])
def test_erase__beside_refreshes_of_segments__leaves_no_membership(erasures: int, folder: Path) -> None:
    """A refresh that had read the store before an erasure wrote the person back; its receipt said that all was done."""
    persons = [f"{MARK}{number:05d}" for number in range(erasures)]
    fill_store(persons, users=60, events=5_000)
    rule = {"all": [{"behaviour": "event_2", "days": 7, "at_least": 1}]}
    version = publish_rule(key="some", name="Some", signup_event="event_1", rule=rule)
    assert set(version.members.values_list("unit", flat=True)) >= set(persons)
    connections.close_all()
    with subprocess.Popen(
        [sys.executable, "-c", REFRESHES.replace("WAIT", "1.5")],
        cwd=ROOT, env=environment(folder), stdout=subprocess.PIPE,
    ) as refreshing:  # fmt: skip
        assert refreshing.stdout is not None
        try:
            for person in persons:
                assert refreshing.stdout.readline() == b"read\n"
                erase(person)
        finally:
            refreshing.kill()

    assert set(version.members.values_list("unit", flat=True)) & set(persons) == set()
    assert Erasure.objects.filter(state=Erasure.State.DONE).count() == erasures


def test_request__hands_it_to_a_worker_with_a_number_alone(folder: Path) -> None:
    row = erasure_requests.request_erasure(ids=[PERSONS[0], PERSONS[0]], reference="ticket 7", key_prefix="ak_12345")

    job = Job.objects.get()
    assert (job.task, job.arguments, job.queue) == ("insight_site.tasks.erase", [row.pk], "long")
    assert (row.named, row.asked_with) == (1, "ak_12345")
    assert tombstones.are_known([PERSONS[0]]) == [PERSONS[0]]


@pytest.mark.parametrize(
    ("ids", "reference"), [([], ""), (["x" * 257], ""), ([""], ""), (["a\0b"], ""), (["u7"], "please erase u7")]
)
def test_request__that_can_not_be_done__is_refused(ids: list[str], reference: str) -> None:
    with pytest.raises(Refused):
        erasure_requests.request_erasure(ids=ids, reference=reference)
    assert not Erasure.objects.exists()


def test_request__of_an_id_that_is_a_letter__takes_a_reference_with_that_letter(folder: Path) -> None:
    assert erasure_requests.request_erasure(ids=["a"], reference="data request 5").reference == "data request 5"


@pytest.mark.slow
def test_erase__store_refused__waits_and_is_done_later(folder: Path) -> None:
    accept_some("a", user=PERSONS[0])
    flush.flush_events()
    UnitTraits.objects.create(user_id=PERSONS[0])
    moved = folder / "elsewhere"
    Path(event_table.url()).rename(moved)
    row = erasure_requests.request_erasure(ids=PERSONS[:1], later=False)
    with pytest.raises(Refused):
        erasure.perform_erasure(row.pk)
    row.refresh_from_db()
    assert (row.state, row.error) == ("failed", "StoreRefused")
    moved.rename(event_table.url())

    done = erasure.perform_erasure(row.pk)

    assert done is not None
    assert (done.state, done.error) == ("done", "")
    assert not Assignment.objects.exists()
    assert database_bytes() == 0
