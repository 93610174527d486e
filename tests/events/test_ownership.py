"""A store that is gone, older than its database, or another's: refused with a sentence, and nothing is lost."""

import shutil
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.core.management import call_command
from django.test import Client, override_settings
from django.utils import timezone, translation

from events.importing.import_file import import_files
from events.importing.options import ImportOptions
from events.models import Flush, OutboxEvent
from events.outbox import flush, reconcile_after_restore
from events.outbox.rows import to_table
from events.store import event_table, ownership
from events.store.ownership import Known, StoreRefused, Trouble, rows_of
from events.warehouse import engine
from events.warehouse.session import questions
from insight_site.operate import component_health
from tests.events.conftest import stored_ids
from tests.events.test_flush import accept_some, plain_ids

OPTIONS = ImportOptions(user="user", time="time", event="event")
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("event_store")]


def readers_count() -> int:
    with engine.connect() as house:
        return int(house.events.count().to_pandas())


def ready() -> Any:
    component_health.forget()
    with override_settings(INTERNAL_NETWORKS=["127.0.0.0/8"]):
        answer = Client().get("/healthz/parts/store")
    return answer.status_code, answer.json()["store"]


def refuse_everything(trouble: Trouble, tmp_path: Path, *, reading: bool = True) -> None:
    """No door uses the store; the events wait."""
    waiting = flush.outbox_state().rows
    events = tmp_path / "more.csv"
    events.write_text("user,event,time\nu,e,2026-11-01T00:00:00Z\n")
    doors = [flush.flush_events, flush.maintain_store, lambda: import_files([events], OPTIONS)]
    for door in [*doors, readers_count] if reading else doors:
        with pytest.raises(StoreRefused) as caught:
            door()
        assert caught.value.trouble == trouble
        assert str(Path(tmp_path / "events")) in str(caught.value)
    status, line = ready()
    assert (status, line) == (503, f"failed: {ownership.words(trouble)}")
    assert flush.outbox_state().rows == waiting


def flushed(*ids: str) -> None:
    accept_some(*ids)
    flush.flush_events()


def copy_of_database(number: int, event: str) -> None:
    """What a copy of this database writes: the same writer, the same next number, another event."""
    table = to_table([("u", "e", timezone.now(), "{}", event, timezone.now())])
    event_table.append(table, app_id=Flush.objects.latest("version").writer, version=number)


@pytest.mark.slow
def test_store__of_its_own_database__is_used() -> None:
    assert ready() == (200, "ok: no event has been flushed yet")
    flushed("a")
    flushed("b")

    assert ready() == (200, "ok: whole")
    assert readers_count() == 2


@pytest.mark.slow
def test_store__without_its_log__is_refused_and_goes_on_after_the_repair(event_store: Path, tmp_path: Path) -> None:
    flushed("a")
    accept_some("b")
    shutil.move(event_store, tmp_path / "unmounted")

    refuse_everything(Trouble.MISSING, tmp_path)
    assert not (event_store / "_delta_log").exists()
    shutil.rmtree(event_store, ignore_errors=True)
    shutil.move(tmp_path / "unmounted", event_store)

    assert flush.flush_events() == 1
    assert plain_ids() == {"a": 1, "b": 1}
    assert ready() == (200, "ok: whole")


def test_store__that_vanishes_while_a_batch_is_open__is_not_begun_anew(event_store: Path) -> None:
    flushed("a")
    accept_some("b")
    batch, _ = flush._seal()
    assert batch is not None
    shutil.rmtree(event_store)

    with pytest.raises(StoreRefused):
        flush.write_batch(batch)

    assert not event_store.exists()


@pytest.mark.slow
def test_store__older_than_its_database__is_refused_and_goes_on_after_the_repair(
    event_store: Path, tmp_path: Path
) -> None:
    flushed("a")
    shutil.copytree(event_store, tmp_path / "backup")
    flushed("b")
    shutil.move(event_store, tmp_path / "newest")
    shutil.copytree(tmp_path / "backup", event_store)
    accept_some("c")

    refuse_everything(Trouble.BEHIND, tmp_path)
    assert stored_ids() == {ident: 1 for ident in stored_ids() if ident.endswith(":a")}
    shutil.rmtree(event_store)
    shutil.move(tmp_path / "newest", event_store)

    assert flush.flush_events() == 1
    assert plain_ids() == dict.fromkeys("abc", 1)


@pytest.mark.parametrize(
    ("damage", "trouble"),
    [("empty", Trouble.UNREADABLE), ("cut", Trouble.UNREADABLE), ("gap", Trouble.UNREADABLE), ("gone", Trouble.BEHIND)],
)
def test_store__with_a_damaged_log__is_refused(
    damage: str, trouble: Trouble, event_store: Path, tmp_path: Path
) -> None:
    for name in "abc":
        flushed(name)
    accept_some("d")
    *_, middle, last = sorted((event_store / "_delta_log").glob("*.json"))
    kept = {path: path.read_bytes() for path in (middle, last)}
    if damage in ("empty", "cut"):
        last.write_bytes(kept[last][: 0 if damage == "empty" else 50])
    else:
        (middle if damage == "gap" else last).unlink()

    refuse_everything(trouble, tmp_path)
    for path, content in kept.items():
        path.write_bytes(content)

    assert flush.flush_events() == 1
    assert plain_ids() == dict.fromkeys("abcd", 1)


@pytest.mark.slow
def test_batch__whose_number_a_copy_of_the_database_took__is_not_called_moved(tmp_path: Path) -> None:
    flushed("a")
    accept_some("b", "c")
    batch, _ = flush._seal()
    assert batch is not None
    copy_of_database(batch.version, "0:s:stage")

    refuse_everything(Trouble.AHEAD, tmp_path, reading=False)
    with pytest.raises(StoreRefused):
        flush.write_batch(batch)
    assert rows_of(batch).count() == 2
    reconcile_after_restore.adopt_store()
    assert flush.flush_events() == 2
    assert plain_ids() == {"a": 1, "b": 1, "c": 1, "stage": 1}


@pytest.mark.slow
def test_batch__that_a_copy_has_overtaken__is_not_called_moved() -> None:
    flushed("a")
    accept_some("b")
    batch, _ = flush._seal()
    assert batch is not None
    copy_of_database(batch.version + 1, "0:s:stage")

    with pytest.raises(StoreRefused):
        flush.write_batch(batch)

    assert rows_of(batch).count() == 1


@pytest.mark.slow
def test_store__that_a_copy_of_the_database_wrote_to__is_not_written(tmp_path: Path) -> None:
    flushed("a")
    copy_of_database(2, "0:s:stage")
    accept_some("b")

    refuse_everything(Trouble.AHEAD, tmp_path, reading=False)


@pytest.mark.slow
@pytest.mark.parametrize("begun", [True, False])
def test_store__of_another_database__is_refused(begun: bool, event_store: Path, tmp_path: Path) -> None:
    flushed("a")
    OutboxEvent.objects.all().delete()
    Flush.objects.all().delete()  # a database of its own, made by migrate
    if begun:
        shutil.move(event_store, tmp_path / "production")
        flushed("own")
        shutil.rmtree(event_store)
        shutil.move(tmp_path / "production", event_store)
    accept_some("b")

    refuse_everything(Trouble.FOREIGN, tmp_path, reading=begun)
    assert plain_ids() == {"a": 1}


@pytest.mark.slow
def test_store__of_a_database_that_was_copied_elsewhere__is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed("a")
    accept_some("b")
    monkeypatch.setattr(ownership, "_place", lambda: "elsewhere")

    refuse_everything(Trouble.FOREIGN, tmp_path)
    assert plain_ids() == {"a": 1}


@pytest.mark.slow
def test_store__of_version_03__is_marked_by_the_first_flush() -> None:
    flushed("a")
    writer = Flush.objects.get().writer
    table = to_table([("u", "e", timezone.now(), "{}", "1:old", timezone.now())])
    shutil.rmtree(event_table.url())
    event_table.append(table, app_id=writer, version=1)
    before = event_table.look(writer)
    flushed("b")
    after = event_table.look(writer)

    assert before is not None
    assert before.owner is None
    assert after is not None
    assert after.owner == ownership.owner_mark(writer)


@pytest.mark.slow
def test_store__in_which_only_an_import_wrote__belongs_to_the_first_database(tmp_path: Path) -> None:
    events = tmp_path / "events.csv"
    events.write_text("user,event,time\nu,e,2026-11-01T00:00:00Z\n")
    import_files([events], OPTIONS)

    flushed("a")

    assert readers_count() == 2
    assert import_files([events], OPTIONS).already_there == 1


@pytest.mark.slow
@pytest.mark.parametrize("written", [True, False])
def test_adoption__with_a_batch_on_its_way__loses_and_doubles_nothing(written: bool) -> None:
    flushed("a")
    accept_some("b")
    batch, _ = flush._seal()
    assert batch is not None
    if written:
        flush.write_batch(batch)

    reconcile_after_restore.adopt_store()
    flush.flush_events()

    assert plain_ids() == {"a": 1, "b": 1}
    assert ready() == (200, "ok: whole")


@pytest.mark.slow
def test_adopt_command__says_what_is_wrong_and_acts_only_when_told(event_store: Path) -> None:
    flushed("a")
    accept_some("b")
    shutil.rmtree(event_store)

    asked, done = StringIO(), StringIO()
    call_command("adopt_store", stdout=asked)
    assert not event_store.exists()
    call_command("adopt_store", "--yes", stdout=done)

    assert "is not there" in asked.getvalue()
    assert "Nothing was changed" in asked.getvalue()
    assert "1 events wait" in done.getvalue()
    assert flush.flush_events() == 1
    assert plain_ids() == {"b": 1}


@pytest.mark.slow
def test_old_flushes__when_the_last_one_is_open__keep_the_last_number_of_the_store() -> None:
    flushed("a")
    accept_some("b")
    flush._seal()
    Flush.objects.filter(version=1).update(committed_at=timezone.now() - timedelta(days=8))

    flush.drop_old_message_ids()

    assert ownership.known() == Known(Flush.objects.get(version=1).writer, 1, 2)


def test_words__in_korean__name_the_store(event_store: Path) -> None:
    for trouble in Trouble:
        english = ownership.words(trouble)
        with translation.override("ko"):
            korean = ownership.words(trouble)
        assert str(event_store) in english
        assert str(event_store) in korean
        assert korean != english


@pytest.mark.slow
def test_new_study__while_the_store_is_missing__says_so_instead_of_offering_no_event(
    event_store: Path, admin_client: Client
) -> None:
    flushed("a")
    shutil.rmtree(event_store)
    cache.clear()

    page = admin_client.get("/aha/studies/new/").content.decode()

    assert "but this database has put events into it" in page


def test_questions__of_a_database_without_events__read_another_store(event_store: Path) -> None:
    flushed("a")
    OutboxEvent.objects.all().delete()
    Flush.objects.all().delete()

    with questions() as asked:
        assert asked.events == 1
