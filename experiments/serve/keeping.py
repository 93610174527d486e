"""Store a draw as a row with its exposure, in one transaction (docs/assignment.md, "Exactly one row").

On PostgreSQL the usual first call is one statement, `keep_first`, shared by all threads that arrive meanwhile; other
calls are insert-or-ignore, read, expose.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import orjson
import psycopg
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from events.models import FormerOutboxEvent, MessageId, OutboxEvent
from events.outbox.accept import add_to_outbox
from events.outbox.message_ids import keys_of
from events.schema import EXPOSURE, EventRecord
from events.senders import marked
from events.visits import mark_of_visitor
from experiments.draw.evaluation import Draw, Flag
from experiments.models import Assignment, DrawnAs
from experiments.serve.remembered import Pair, Stored
from experiments.serve.together import Together

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
    kept = _keep([first])[0] if connection.in_atomic_block else _together(first)
    if kept is None or (expose and kept[0].exposed_at is None) or (visitor is None and kept[0].unnamed):
        return None
    return kept


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
    kept = {(unit, flag): (Stored(*row), made) for unit, flag, *row, made in answer}
    results = []
    for call in calls:
        result = kept.get(call.pair)
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
