"""How a draw becomes a row and its exposure, in one transaction; group commit, and the cache of assignments."""

import hashlib
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Any

import orjson
import psycopg
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from events.models import FormerOutboxEvent, MessageId, OutboxEvent
from events.outbox.accept import add_to_outbox, keys_of
from events.people.visits import mark_of_visitor
from events.schema import EXPOSURE, EventRecord, marked
from experiments.draw.evaluation import Draw, Flag
from experiments.models import Assignment, DrawnAs

# Cache of assignment rows per process, so that a known unit needs no query.
#
# An entry is stale only when its row was deleted (an erased unit, a site set up anew) or changed by joining ids. Code
# that does this increments the configuration's number in the same transaction (`experiments.serve.config`); every
# process then clears its cache.

type Pair = tuple[str, int]  # unit, experiment
type Stamp = tuple[int, datetime]  # number of a configuration, and when it changed: a new site restarts the numbers


@dataclass(frozen=True, slots=True)
class Stored:
    """The cached part of an assignment row; another process may have set `exposed_at` since."""

    pk: int
    variant_id: int
    segment: str | None
    bucket: int
    exposed_at: datetime | None
    cluster: str | None
    visit: str = ""
    named_at: datetime | None = None

    @property
    def unnamed(self) -> bool:
        """True while only client keys have requested the unit; a server key that requests it must store that."""
        return bool(self.visit) and self.named_at is None


_lock = threading.Lock()
_rows: dict[Pair, Stored] = {}
_stamp: Stamp | None = None


def recall(pair: Pair, stamp: Stamp) -> Stored | None:
    """The cached row under the current configuration; None: query the database."""
    return _rows.get(pair) if stamp == _stamp else None


def keep(rows: Mapping[Pair, Stored], stamp: Stamp) -> None:
    """Cache rows read under this configuration: at most ASSIGNMENTS_REMEMBERED, the oldest are evicted.

    Only rows of one configuration are cached: those read under an earlier one may have been deleted. Nothing is cached
    inside a transaction, which may be rolled back.
    """
    global _stamp  # noqa: PLW0603 - the memory of this process
    if connection.in_atomic_block:
        return
    with _lock:
        if stamp != _stamp:
            _rows.clear()
            _stamp = stamp
        _rows.update(rows)
        for pair in list(islice(_rows, max(0, len(_rows) - settings.ASSIGNMENTS_REMEMBERED))):
            del _rows[pair]


def forget() -> None:
    """Clear the cache."""
    global _stamp  # noqa: PLW0603 - the memory of this process
    with _lock:
        _rows.clear()
        _stamp = None


# Group commit: batch concurrent calls of several threads into one piece of work.
#
# A call starts at once while no work is running. Calls that arrive meanwhile wait and form the next batch: no call
# waits for others to arrive, and under load one statement and one commit serve many calls.


class _Ticket[T, R]:
    """One call: its gate opens when its result is there, or when it must lead the next batch."""

    def __init__(self, asked: T) -> None:
        self.asked = asked
        self.gate = threading.Lock()
        self.gate.acquire()
        self.leads = False
        self.result: list[R] = []
        self.trouble: BaseException | None = None


class Together[T, R]:
    """Batches concurrent calls: `Together(work)(asked)` is the result of this call.

    Args:
        work: returns the results of several calls in their order, in the thread of one of the callers. An exception is
            raised in every caller of the batch.
    """

    def __init__(self, work: Callable[[Sequence[T]], Sequence[R]]) -> None:
        self._work = work
        self._lock = threading.Lock()
        self._waiting: list[_Ticket[T, R]] = []
        self._busy = False

    def __call__(self, asked: T) -> R:
        """The result of one call."""
        ticket: _Ticket[T, R] = _Ticket(asked)
        with self._lock:
            self._waiting.append(ticket)
            leads, self._busy = not self._busy, True
        if not leads:
            ticket.gate.acquire()
        if leads or ticket.leads:
            self._lead()
        if ticket.trouble is not None:
            raise ticket.trouble
        return ticket.result[0]

    def _lead(self) -> None:
        with self._lock:
            piece, self._waiting = self._waiting, []
        try:
            results = self._work([ticket.asked for ticket in piece])
            for ticket, result in zip(piece, results, strict=True):
                ticket.result.append(result)
        except BaseException as trouble:
            for ticket in piece:
                ticket.trouble = trouble
        finally:
            with self._lock:
                following = next(iter(self._waiting), None)
                self._busy = following is not None
            if following is not None:
                following.leads = True
                following.gate.release()
            for ticket in piece:
                ticket.gate.release()


# Store a draw as a row with its exposure, in one transaction (docs/assignment.md, "Exactly one row").
#
# On PostgreSQL the usual first call is one statement, `keep_first`, shared by all threads that arrive meanwhile;
# other calls are insert-or-ignore, read, expose.

OUTBOX_PREFIX = "assignment"  # not the caller's source: a unit is exposed once, whichever key calls
READ = "id, variant_id, segment_key, bucket, exposed_at, cluster, visit, named_at"
# For each unit the existing row, else a new row and its event. A call that loses a race to another process gets
# neither, and so does a call for a unit that draws by another id. Ordered by unit, so that two overlapping
# statements can't deadlock.
FIRST_CALLS = f"""
    WITH given AS (SELECT * FROM unnest(
        %(unit)s::varchar[], %(flag)s::bigint[], %(arm)s::bigint[], %(segment)s::varchar[], %(bucket)s::smallint[],
        %(now)s::timestamptz[], %(exposed)s::timestamptz[], %(cluster)s::varchar[], %(message)s::varchar[],
        %(key)s::uuid[], %(properties)s::text[], %(visit)s::varchar[], %(marked)s::varchar[])
        AS one (unit, flag, arm, segment, bucket, now, exposed, cluster, message, key, properties, visit, marked)),
    found AS (SELECT stored.* FROM given CROSS JOIN LATERAL (
        SELECT unit, experiment_id, {READ} FROM {Assignment._meta.db_table} AS row
        WHERE row.unit = given.unit AND experiment_id = flag OFFSET 0) AS stored),
    made AS (
        INSERT INTO {Assignment._meta.db_table}
            (unit, experiment_id, variant_id, segment_key, bucket, assigned_at, exposed_at, cluster, visit)
        SELECT unit, flag, arm, segment, bucket, now, exposed, cluster, visit FROM given
        WHERE NOT EXISTS (SELECT FROM found WHERE found.unit = given.unit AND experiment_id = flag)
            AND (SELECT 1 FROM {DrawnAs._meta.db_table} d WHERE d.unit = given.unit) IS NULL
        ORDER BY unit, flag
        ON CONFLICT (unit, experiment_id) DO NOTHING RETURNING unit, experiment_id, {READ}
    ),
    known AS (
        INSERT INTO {MessageId._meta.db_table} (key, received_at)
        SELECT given.key, now FROM given JOIN made ON made.unit = given.unit AND experiment_id = flag
        WHERE exposed IS NOT NULL
            AND (SELECT 1 FROM {FormerOutboxEvent._meta.db_table} o WHERE o.message_id = message) IS NULL
        ORDER BY given.key
        ON CONFLICT (key) DO NOTHING RETURNING key
    ),
    told AS (
        INSERT INTO {OutboxEvent._meta.db_table} (message_id, user_id, event, time, properties, received_at)
        SELECT marked, unit, %(event)s::varchar, now, properties, now FROM given JOIN known USING (key)
    )
    SELECT unit, experiment_id, {READ}, false FROM found UNION ALL SELECT unit, experiment_id, {READ}, true FROM made
"""  # noqa: S608 - names of our own tables


@dataclass(frozen=True, slots=True)
class _First:
    """Row and event that a first call would store."""

    unit: str
    flag: Flag
    row: Stored
    now: datetime
    told: EventRecord

    @property
    def pair(self) -> Pair:
        return self.unit, self.flag.pk


def stored_rows(pairs: Sequence[tuple[str, Flag]]) -> dict[Pair, Stored]:
    """The rows of these units in these experiments."""
    units, experiments = {unit for unit, _ in pairs}, {flag.pk for _, flag in pairs}
    # One value is queried with `=`: Django builds that statement much faster than `IN` with a list of one.
    whom = {"unit": next(iter(units))} if len(units) == 1 else {"unit__in": units}
    where = {"experiment_id": next(iter(experiments))} if len(experiments) == 1 else {"experiment_id__in": experiments}
    rows = Assignment.objects.filter(**whom, **where).values_list(
        "unit",
        "experiment_id",
        "pk",
        "variant_id",
        "segment_key",
        "bucket",
        "exposed_at",
        "cluster",
        "visit",
        "named_at",
    )
    return {
        (unit, experiment): Stored(pk, arm, segment, bucket, at, cluster, visit, named_at)
        for unit, experiment, pk, arm, segment, bucket, at, cluster, visit, named_at in rows
    }


def keep_first(
    unit: str, flag: Flag, draw: Draw, *, expose: bool, visitor: str | None = None
) -> tuple[Stored, bool] | None:
    """The stored row of this unit, created with its exposure if missing; one round trip to PostgreSQL.

    Returns:
        The row, and whether this call created it. None where the general path is needed: on another database, after a
        lost race, and for a row that this call must still expose or mark as named.
    """
    if connection.vendor != "postgresql":
        return None
    now = timezone.now()
    arm, bucket = flag.arms[draw.arm or 0].pk, round(draw.bucket * 10_000)
    row = Stored(0, arm, draw.segment, bucket, now if expose else None, draw.cluster, _visit_of(visitor, now))
    first = _First(unit, flag, row, now, _exposure(unit, flag, row, now))
    # Another thread's connection doesn't see a transaction that is open here.
    stored = _keep([first])[0] if connection.in_atomic_block else _together(first)
    if stored is None or (expose and stored[0].exposed_at is None) or (visitor is None and stored[0].unnamed):
        return None
    return stored


def _keep(calls: Sequence[_First]) -> list[tuple[Stored, bool] | None]:
    """The row of each call and whether the call created it; None for a lost race."""
    by_pair: dict[Pair, _First] = {}
    for call in calls:
        by_pair.setdefault(call.pair, call)
    firsts = list(by_pair.values())
    messages = [f"{OUTBOX_PREFIX}:{first.told.message_id}" for first in firsts]
    answer = _prepared(
        FIRST_CALLS,
        {
            "unit": [first.unit for first in firsts],
            "flag": [first.flag.pk for first in firsts],
            "arm": [first.row.variant_id for first in firsts],
            "segment": [first.row.segment for first in firsts],
            "bucket": [first.row.bucket for first in firsts],
            "now": [first.now for first in firsts],
            "exposed": [first.row.exposed_at for first in firsts],
            "cluster": [first.row.cluster for first in firsts],
            "message": messages,
            "key": keys_of(messages),
            "properties": [first.told.properties for first in firsts],
            "visit": [first.row.visit for first in firsts],
            "marked": [f"{OUTBOX_PREFIX}:{marked(first.row.visit)}{first.told.message_id}" for first in firsts],
            "event": EXPOSURE,
        },
    )
    stored = {(unit, flag): (Stored(*row), made) for unit, flag, *row, made in answer}
    results = []
    for call in calls:
        result = stored.get(call.pair)
        is_first = by_pair[call.pair] is call  # with two simultaneous calls for one unit, only one has created the row
        results.append(result and (result[0], result[1] and is_first))
    return results


_together = Together(_keep)


def _prepared(sql: str, given: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """Rows of a prepared statement, planned once per connection: planning takes as long as executing.

    Django's own cursors bind in the client and don't prepare statements.
    """
    connection.close_if_health_check_failed()
    connection.ensure_connection()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        return cursor.execute(sql, given, prepare=settings.DATABASE_PREPARES).fetchall()


def keep_draws(
    fresh: Sequence[tuple[str, Flag]],
    drawn: Mapping[Pair, Draw],
    known: Mapping[Pair, Stored],
    unseen: Sequence[tuple[str, Flag]],
    *,
    expose: bool,
    visitor: str | None = None,
) -> dict[Pair, Stored]:
    """Insert or ignore, read again, stamp and expose: one transaction.

    Args:
        fresh: units and flags without a row, which get their draw.
        drawn: draws of `fresh`.
        known: existing rows that a server key requests for the first time, after client keys only.
        unseen: units and flags with a row that isn't exposed yet, to be exposed.
        expose: whether the fresh ones are exposed, too.
        visitor: the caller's address with a client key; None for all other callers.
    """
    now = timezone.now()
    mark = _visit_of(visitor, now)
    rows = [_row(unit, flag, drawn[unit, flag.pk], now if expose else None, now, mark) for unit, flag in fresh]
    # Always in the same order, so that two overlapping calls can't deadlock.
    rows.sort(key=lambda row: (row.unit, row.experiment_id))
    with transaction.atomic():
        Assignment.objects.bulk_create(rows, ignore_conflicts=True)
        if known:
            unnamed = Assignment.objects.filter(pk__in=[row.pk for row in known.values()], named_at=None)
            unnamed.update(named_at=now)
        stored = {pair: replace(row, named_at=now) for pair, row in known.items()} | stored_rows([*fresh, *unseen])
        if expose:
            exposed = [
                _exposure(unit, flag, row, now)
                for unit, flag in (*fresh, *unseen)
                if _is_first(row := stored[unit, flag.pk], now)
            ]
            add_to_outbox(exposed, prefix=OUTBOX_PREFIX, received_at=now, mark=mark)
    return stored


def _is_first(row: Stored, now: datetime) -> bool:
    """True when this call is the one that exposes: it created the row, or sets its exposure time now."""
    if row.exposed_at is None:
        return bool(Assignment.objects.filter(pk=row.pk, exposed_at=None).update(exposed_at=now))
    return row.exposed_at == now  # a call in the same microsecond has the same message id and is ignored


def _visit_of(visitor: str | None, at: datetime) -> str:
    """Hash that identifies a caller with a client key; "" for all other callers."""
    return "" if visitor is None else mark_of_visitor(visitor, at)


def _row(unit: str, flag: Flag, draw: Draw, exposed_at: datetime | None, now: datetime, visit: str) -> Assignment:
    return Assignment(
        unit=unit,
        experiment_id=flag.pk,
        variant_id=flag.arms[draw.arm or 0].pk,
        segment_key=draw.segment,
        bucket=round(draw.bucket * 10_000),
        assigned_at=now,
        exposed_at=exposed_at,
        cluster=draw.cluster,
        drawn_by=draw.drawn_by,
        visit=visit,
    )


def _exposure(unit: str, flag: Flag, row: Stored, now: datetime) -> EventRecord:
    """The exposure event. Its id is derived from experiment and unit, so a replay inserts nothing."""
    arm = next(arm for arm in flag.arms if arm.pk == row.variant_id)
    properties = {
        "experiment_id": flag.key,
        "variation_id": arm.key,
        "experiment_name": flag.name,
        "variation_name": arm.name,
        **({"segment": row.segment} if row.segment is not None else {}),
        **({"cluster": row.cluster} if row.cluster is not None else {}),
        "bucket": row.bucket / 10_000,
        "source": "ofrep",
    }
    text = orjson.dumps(properties).decode()
    digest = hashlib.sha256(f"{flag.key}\n{unit}".encode()).hexdigest()
    return EventRecord(user_id=unit, event=EXPOSURE, time=now, properties=text, message_id=digest)
