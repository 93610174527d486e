"""Erase persons, step by step.

Each step is recorded as done in its own transaction, so a killed erasure resumes where it stopped, and a step that runs
twice finds nothing the second time.

1. *Known*: their events are dropped from now on (`events.people.tombstones`); all their ids are looked up.
2. *Outbox*: flushed, so that no waiting row can restore their data.
3. *Rows and texts* of the database, in the places that the apps list.
4. *Store*: one commit without their events; results based on their data record how many users they were.
5. *Old versions*: old files and the log are deleted, once nothing reads them any more; then free pages of the database.
6. *Rows again*: for processes that read the store before step 4 and wrote the data after step 3; they have ended by
   now.
"""

import time
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator
from datetime import datetime, timedelta
from functools import cached_property, partial
from itertools import batched

import structlog
from django.apps import apps
from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.module_loading import import_string

from events import erasure
from events.catalogue.refresh import request_catalogue
from events.erasure import SeenOfPersons
from events.models import OutboxEvent
from events.outbox import flush
from events.people import tombstones
from events.store import event_table, rewrite, time_travel
from insight_site.models import Erasure
from insight_site.privacy import in_database
from insight_site.privacy.in_database import words_among
from runs.kinds import all_kinds
from runs.models import Job, Run
from runs.personal_data import JSON_TEXT, UnitFiles, UnitRows, UnitTexts, all_places

# Records in finished results how many erased users their data held, without ids.


def count_in_results(seen: SeenOfPersons) -> int:
    """Add its number of erased users to each finished run; returns how many runs. Call it once, in a transaction."""
    by_experiment: dict[str, list[datetime]] = defaultdict(list)
    for (key, _user), moment in seen.exposed.items():
        by_experiment[key].append(moment)
    moments = {key: sorted(times) for key, times in by_experiment.items()} | {"*": sorted(seen.first.values())}
    changed = 0
    for kind in all_kinds():
        if not kind.units_of:
            continue
        done = kind.run_class._base_manager.filter(status=Run.Status.DONE)
        key = "pk" if kind.units_of == "*" else kind.units_of
        for pk, about, as_of, finished in done.values_list("pk", key, "as_of", "finished_at"):
            until = as_of or finished
            units = bisect_right(moments.get("*" if kind.units_of == "*" else about, []), until) if until else 0
            if units:
                kind.run_class._base_manager.filter(pk=pk).update(erased_units=F("erased_units") + units)
                changed += 1
    return changed


DOORS_SECONDS = tombstones.FRESH_SECONDS + 0.5
READERS_SECONDS = 1800.0  # an analysis that takes longer may have to be restarted
OWN_TASKS = ("insight_site.tasks.erase", "insight_site.tasks.retain")  # this task itself is among the running ones
POLL_SECONDS = 0.5
TRIES = 20
BATCH = 500
KEPT = (
    *("state", "error", "ids", "digests", "steps", "counts", "store_before", "store_after", "notes", "known_at"),
    "finished_at",
)
log = structlog.get_logger()


def perform_erasure(pk: int) -> Erasure | None:
    """Do the remaining steps; None when there is no such request.

    Raises:
        ownership.StoreRefused: when the store is damaged or belongs to another database; the request waits.
    """
    row = Erasure.objects.filter(pk=pk).first()
    if row is None or row.state == Erasure.State.DONE:
        return row
    row.state, row.error = Erasure.State.RUNNING, ""
    Erasure.objects.filter(pk=pk).update(state=row.state, error="")
    try:
        _Work(row).run()
    except Exception as error:
        Erasure.objects.filter(pk=pk).update(state=Erasure.State.FAILED, error=type(error).__name__)
        raise
    row.refresh_from_db()
    log.info("erasure.done", erasure=row.pk, counts=row.counts)
    return row


def unfinished() -> list[int]:
    """Requests without a running worker: after a failure, or when their worker died too often."""
    open_ones = Erasure.objects.exclude(state=Erasure.State.DONE)
    return list(open_ones.filter(asked_at__lt=timezone.now() - timedelta(hours=6)).values_list("pk", flat=True))


class _Work:
    """One request in progress."""

    def __init__(self, row: Erasure) -> None:
        self.row = row

    def run(self) -> None:
        """Do every remaining step."""
        self._step("known", self._know)
        self._step("outbox", self._empty_outbox)
        # Rows first: their deletion may leave records with the person's id, which the text search then finds.
        for place in all_places():
            if isinstance(place, UnitRows):
                step = f"{place.model}.{place.field}"  # a table may have two id columns
                self._counted(place.model, partial(in_database.erase_rows, place, self.ids), step=step)
        for place in all_places():
            if isinstance(place, UnitTexts):
                self._erase_texts(place)
        self._step("store", self._erase_events)
        self._step("what was", self._drop_what_was)
        for place in all_places():
            if isinstance(place, UnitFiles) and place.erase:
                self._counted(place.name, partial(import_string(place.erase), self.ids))
        for place in all_places():
            if isinstance(place, UnitRows):
                step = f"again {place.model}.{place.field}"
                self._counted(place.model, partial(in_database.erase_rows, place, self.ids), step=step)
        self._step("finished", self._finish)
        self._clean()

    def _erase_texts(self, place: UnitTexts) -> None:
        name = f"in {place.model}.{'+'.join(place.fields)}"
        if name not in self.row.steps:
            # Rejected events are deleted as a whole, also for ids that are common words: nothing needs them.
            is_refused = place.drop and place.kind == JSON_TEXT
            ids = set(self.ids) - (frozenset() if is_refused else self.words)
            rows = [(type(row), row.pk) for row, _changed in in_database.found_in(place, ids)]
            self._counted(name, partial(in_database.erase_texts, place, ids, rows))

    @cached_property
    def words(self) -> frozenset[str]:
        """Ids that remain in other people's data."""
        return words_among(self.ids)

    @property
    def ids(self) -> list[str]:
        """All ids of these persons."""
        all_ids: list[str] = self.row.ids
        return all_ids

    def _step(self, name: str, work: Callable[[], None]) -> None:
        if name in self.row.steps:
            return
        work()
        with transaction.atomic():
            self._done(name)

    def _counted(self, name: str, work: Callable[[], int], *, step: str = "") -> None:
        """Do a step unless it is done, in one transaction with storing its count under this name."""
        if (step or name) in self.row.steps:
            return

        def keep(count: int) -> None:
            if count:
                self.row.counts[name] = self.row.counts.get(name, 0) + count
            self._done(step or name)

        in_database.in_one_transaction(work, keep)

    def _done(self, name: str) -> None:
        self.row.steps = [*self.row.steps, name]
        self._keep()

    def _keep(self) -> None:
        """Not `save`: the audit log would record each step of a command."""
        values = {name: getattr(self.row, name) for name in KEPT}
        Erasure.objects.filter(pk=self.row.pk).update(**values)

    def _know(self) -> None:
        everybody, _numbers = erasure.ids_of(self.ids)
        self.row.ids, self.row.known_at = sorted(everybody), timezone.now()
        self.row.notes = ["words_stay"] if self.words else []
        self.row.digests = sorted(str(tombstones.key_of(name)) for name in everybody)
        tombstones.remember(everybody - set(tombstones.are_known(everybody)))

    def _empty_outbox(self) -> None:
        known = self.row.known_at or timezone.now()
        time.sleep(max(0.0, DOORS_SECONDS - (timezone.now() - known).total_seconds()))
        waiting = sum(OutboxEvent.objects.filter(user_id__in=some).count() for some in batched(self.ids, BATCH))
        if waiting:  # the flush drops those not yet in a batch
            self.row.counts["waiting events"] = waiting
        flush.flush_events()

    def _erase_events(self) -> None:
        _ids, numbers = erasure.ids_of(self.ids)

        def note(seen: erasure.SeenOfPersons) -> None:
            with transaction.atomic():
                for name, count in (("store", seen.events), ("in events", seen.mentions)):
                    if count:  # retry when another commit was first, or this process was killed
                        self.row.counts[name] = max(count, self.row.counts.get(name, 0))
                if "counted" not in self.row.steps:
                    self.row.counts["results"] = count_in_results(seen)
                    self._done("counted")

        done = erasure.erase_events(self.ids, numbers, note, self.words)
        self.row.store_before = self.row.store_before or done.before
        self.row.store_after = done.after

    def _drop_what_was(self) -> None:
        _wait_for_readers(timezone.now())
        if event_table.exists():
            time_travel.let_go_before_erasure()
            self.row.counts["files"] = rewrite.drop_what_was()

    def _finish(self) -> None:
        request_catalogue()
        self.row.ids = []

    def _clean(self) -> None:
        """At the very end, since the request's own row held the ids."""
        labels = {place.model for place in all_places() if not isinstance(place, UnitFiles)} | {"insight_site.Erasure"}
        labels |= {"events.OutboxEvent", "events.MessageId"}
        note = _until_free(labels)
        self.row.notes = [code for code in (*self.row.notes, note) if code]
        self.row.state, self.row.finished_at = Erasure.State.DONE, timezone.now()
        self._keep()


def _until_free(labels: Collection[str]) -> str:
    for _ in range(TRIES):
        note = in_database.clean_free_pages(labels)
        if note != "log_busy":
            return note
        time.sleep(POLL_SECONDS)
    return "log_busy"


def _wait_for_readers(since: datetime) -> None:
    """Wait up to `READERS_SECONDS` for processes that may have listed the store's old files and write what they read.

    A refresh of segments is no run, and a command's run is no background task.
    """
    limit = time.monotonic() + READERS_SECONDS
    jobs = Job.objects.filter(state=Job.State.RUNNING, started_at__lt=since).exclude(task__in=OWN_TASKS)
    while time.monotonic() < limit and (
        jobs.exists()
        or any(
            kind.run_class._base_manager.filter(status=Run.Status.RUNNING, started_at__lt=since).exists()
            for kind in all_kinds()
        )
    ):
        time.sleep(POLL_SECONDS)


# Nightly cleanup after erasures: requests whose worker died, and data that returned by a file or a flag evaluation.


def mend() -> dict[str, int]:
    """Resume abandoned erasures, erase users again whose data were re-imported, delete old digests."""
    again = unfinished()
    for pk in again:
        perform_erasure(pk)
    back = sorted(set(tombstones.are_known(_everybody())))
    if back:
        # Not `request_erasure`: the period in which their events are dropped must not start again.
        perform_erasure(Erasure.objects.create(ids=back, named=len(back), reference="nightly").pk)
    return {"erasures_continued": len(again), "users_erased_again": len(back), "digests_dropped": tombstones.drop_old()}


def _everybody() -> Iterator[str]:
    """Every id in the store and in rows about one unit."""
    yield from erasure.known_users()
    for place in all_places():
        if isinstance(place, UnitRows):
            rows = apps.get_model(place.model)._base_manager.exclude(**{place.field: None})
            yield from rows.order_by().values_list(place.field, flat=True).distinct().iterator()


# Preview of an erasure, without changing anything.


def count_places(named: Collection[str]) -> dict[str, int]:
    """Number of rows by place: the person's own, and others that contain an id; for events, those in the store."""
    ids = sorted(erasure.ids_of(named)[0])
    telling = set(ids) - words_among(ids)
    counts: Counter[str] = Counter()
    for place in all_places():
        if isinstance(place, UnitRows):
            counts[place.model] += sum(rows.count() for rows in in_database.rows_of(place, ids))
        elif isinstance(place, UnitTexts):
            counts[f"in {place.model}.{'+'.join(place.fields)}"] += sum(1 for _ in in_database.found_in(place, telling))
        elif place.export:
            counts[place.name] += erasure.count(ids)
    return {name: count for name, count in counts.items() if count}
