"""How fresh the events are: when each source sent last, and the last events that came or were refused."""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from django.core.cache import cache
from django.db.models import Count, F, Sum
from django.db.models.functions import Greatest
from django.utils import timezone

from events.models import Arrivals, Flush, OutboxEvent, Rejected, Source
from events.schema import ERRORS, sender_of
from events.windows import in_utc
from runs.site_zone import site_date

if TYPE_CHECKING:
    import pyarrow as pa


# Count arrived events by source and ten minutes, at each flush, since a week has too many events to count later.

KEPT = timedelta(days=8)
LATE = timedelta(days=1)
COLUMNS = ("message_id", "received_at", "time")
TEN_MINUTES = 600_000_000  # microseconds
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class Came:
    """Events of one source in ten minutes."""

    events: int
    late: int
    last: datetime


def counted(rows: Iterable[tuple[str, datetime, datetime]]) -> dict[tuple[int, datetime], Came]:
    """Count rows of (message id, arrival, time of the event) by source and ten minutes, without those of no source."""
    counts: dict[tuple[int, datetime], Came] = {}
    for message_id, received_at, time in rows:
        source = sender_of(message_id).source
        if source is None:
            continue
        began = received_at.replace(minute=received_at.minute // 10 * 10, second=0, microsecond=0)
        came = counts.setdefault((source, began), Came(0, 0, received_at))
        came.events += 1
        came.late += received_at - time > LATE
        came.last = max(came.last, received_at)
    return counts


def counted_in(table: "pa.Table") -> dict[tuple[int, datetime], Came]:
    """The same for a table with the store's columns, vectorised, since a batch has too many rows for a loop."""
    import pyarrow as pa
    import pyarrow.compute as pc

    received, time = (table.column(name).cast(pa.int64()) for name in ("received_at", "time"))
    # Equivalent to events.schema.sender_of.
    source = pc.struct_field(pc.extract_regex(table.column("message_id"), "^(?P<source>[0-9]{1,18}):"), "source")
    rows = pa.table(
        {
            "source": source,
            "began": pc.multiply(pc.divide(received, TEN_MINUTES), TEN_MINUTES),
            "received": received,
            "late": pc.greater(pc.subtract(received, time), LATE // timedelta(microseconds=1)).cast(pa.int64()),
        }
    ).filter(pc.is_valid(source))
    sums = rows.group_by(["source", "began"]).aggregate([("received", "count"), ("late", "sum"), ("received", "max")])
    return {
        (int(row["source"]), _moment(row["began"])): Came(
            row["received_count"], row["late_sum"], _moment(row["received_max"])
        )
        for row in sums.to_pylist()
    }


def _moment(microseconds: int) -> datetime:
    return EPOCH + timedelta(microseconds=microseconds)


def note(table: "pa.Table") -> None:
    """Count a stored batch; call it in the transaction that settles it, so that it counts once.

    Arrivals older than any page shows are left out: an import of history may have thousands of such ten minutes.
    """
    oldest = timezone.now() - KEPT
    for (source, began), came in counted_in(table).items():
        if began < oldest:
            continue
        row, made = Arrivals.objects.get_or_create(
            source=source, began=began, defaults={"events": came.events, "late": came.late, "last": came.last}
        )
        if not made:
            Arrivals.objects.filter(pk=row.pk).update(
                events=F("events") + came.events, late=F("late") + came.late, last=Greatest("last", came.last)
            )


def drop_old_arrivals() -> int:
    """Delete counts older than any page shows."""
    return Arrivals.objects.filter(began__lt=timezone.now() - KEPT).delete()[0]


# Status of each source: last event, volume, lateness and refusals.
#
# Counted by ten minutes (`events.outbox.arrivals`), so "the last hour" is 60 to 70 minutes. Imported files have no
# source.

MOST_WAITING = 50_000  # of those waiting for the store
KEPT_SECONDS = 5
STEP = timedelta(minutes=10)
HOUR, DAY, WEEK = timedelta(hours=1), timedelta(days=1), timedelta(days=7)
SILENT = DAY
COUNTS = ("hour", "day", "week", "late", "refused")
REFUSED_SHARE = 0.05
KEY = "events.source_pulse"


class State(StrEnum):
    """The main status of a source; the page has a sentence for each."""

    NEVER = "never"
    SILENT = "silent"
    REFUSED = "refused"
    LIVE = "live"


@dataclass(frozen=True)
class Pulse:
    """One source.

    Attributes:
        source: its row.
        last: when its last event arrived, within the last week; None when none did.
        hour: events that arrived in the last hour.
        day: in the last 24 hours.
        week: in the last seven days.
        late: of the week's, those that arrived more than a day after they happened.
        refused: events refused in the last seven days.
        reason: code of the most frequent refusal, or "".
    """

    source: Source
    last: datetime | None = None
    hour: int = 0
    day: int = 0
    week: int = 0
    late: int = 0
    refused: int = 0
    reason: str = ""

    @property
    def state(self) -> State:
        """The most important status: nothing ever arrived, arrivals stopped, many refusals, or all is well."""
        if self.last is None:
            return State.REFUSED if self.refused else State.NEVER
        if timezone.now() - self.last > SILENT:
            return State.SILENT
        return State.REFUSED if self.refused > REFUSED_SHARE * (self.week + self.refused) else State.LIVE


def pulses() -> list[Pulse]:
    """Every source by name; a few seconds old at most."""
    entries: dict[int, dict[str, Any]] | None = cache.get(KEY)
    if entries is None:
        entries = _count(timezone.now())
        cache.set(KEY, entries, KEPT_SECONDS)
    return [Pulse(source, **entries.get(source.pk, {})) for source in Source.objects.all()]


def events_by_day(now: datetime) -> tuple[tuple[date, int], ...]:
    """Events that came by HTTP on each of the last seven days and today, the oldest first. Days are the site's."""
    today = site_date(now)
    counts = {today - timedelta(days=back): 0 for back in range(WEEK.days, -1, -1)}
    for _source, began, came in _came(now):
        if (day := site_date(began)) in counts:
            counts[day] += came.events
    return tuple(counts.items())


def _count(now: datetime) -> dict[int, dict[str, Any]]:
    entries: dict[int, dict[str, Any]] = defaultdict(lambda: {"last": None, **dict.fromkeys(COUNTS, 0), "reason": ""})
    for source, began, came in _came(now):
        entry = entries[source]
        entry["last"] = came.last if entry["last"] is None else max(entry["last"], came.last)
        entry["late"] += came.late
        for name, span in (("hour", HOUR), ("day", DAY), ("week", WEEK)):
            entry[name] += came.events if now - began <= span + STEP else 0
    refused = Rejected.objects.filter(received_at__gte=now - WEEK, source__isnull=False)
    for row in refused.order_by().values("source", "code").annotate(number=Count("pk")).order_by("number"):
        entry = entries[row["source"]]
        entry["refused"] += row["number"]
        entry["reason"] = row["code"]  # the last one is the most frequent
    return dict(entries)


def _came(now: datetime) -> Iterator[tuple[int, datetime, Came]]:
    """Counts of stored events, by ten minutes, and of waiting ones."""
    for row in Arrivals.objects.filter(began__gte=now - WEEK):
        yield row.source, row.began, Came(row.events, row.late, row.last)
    waiting = OutboxEvent.objects.order_by("-pk")
    for (source, began), came in counted(waiting.values_list(*COLUMNS)[:MOST_WAITING]).items():
        yield source, began, came


# The latest events, waiting or stored, and the latest refused ones. User ids are shortened, keys are masked.

SHOWN = 50
PROPERTY_CHARS = 60
PROPERTIES = 8
KEYS = re.compile(r"\b([psa]k_)[A-Za-z0-9_-]{20,}")
STORED_SECONDS = 60


@dataclass(frozen=True)
class Arrival:
    """One event as the tail shows it.

    Attributes:
        received_at: when it arrived.
        time: when it happened.
        source: name of its source; "" for files and for Insight's own events.
        kind: who sent it: ``client``, ``server``, ``insight`` or ``file``.
        user: the user's id, shortened.
        event: its name.
        properties: names and values, cut and without keys.
        more: how many properties aren't shown.
        waits: not yet in the store.
    """

    received_at: datetime
    time: datetime
    source: str
    kind: str
    user: str
    event: str
    properties: tuple[tuple[str, str], ...]
    more: int
    waits: bool


@dataclass(frozen=True)
class Refusal:
    """One refused event: time, source, reason in the reader's language, and the beginning of what was sent."""

    received_at: datetime
    source: str
    code: str
    reason: str
    payload: str


def arrivals(most: int = SHOWN) -> list[Arrival]:
    """The last events that arrived, the newest first."""
    names = {source.pk: source.name for source in Source.objects.all()}
    waiting = OutboxEvent.objects.order_by("-pk")
    columns = ("received_at", "time", "message_id", "user_id", "event", "properties")
    rows = [
        _arrival(dict(zip(columns, row, strict=True)), names, waits=True)
        for row in waiting.values_list(*columns)[:most]
    ]
    if len(rows) < most:
        rows += [_arrival(row, names, waits=False) for row in stored(most)]
    return sorted(rows, key=lambda row: row.received_at, reverse=True)[:most]


def refusals(most: int = 20) -> list[Refusal]:
    """The last events that were refused, the newest first."""
    rows = Rejected.objects.select_related("source").order_by("-pk")[:most]
    return [
        Refusal(
            row.received_at,
            row.source.name if row.source else "",
            row.code,
            str(ERRORS.get(row.code, row.message)),
            masked(row.payload),
        )
        for row in rows
    ]


def sent_events(since: datetime | None) -> int | None:
    """How many events services have sent after a moment, or ever: flushed and waiting, imports not counted.

    None when that isn't known any more: flushes older than a week are deleted.
    """
    first = Flush.objects.order_by("version").values_list("version", flat=True).first()
    if first is not None and first > 1:
        return None
    flushed, waiting = Flush.objects.all(), OutboxEvent.objects.all()
    if since is not None:
        flushed, waiting = flushed.filter(created_at__gt=since), waiting.filter(received_at__gt=since)
    return (flushed.aggregate(rows=Sum("rows"))["rows"] or 0) + waiting.count()


def shortened(user_id: str) -> str:
    """A shortened id: enough to follow one user by eye, too little to identify someone."""
    return user_id if len(user_id) <= 6 else f"{user_id[:2]}…{user_id[-4:]}"


def masked(text: str) -> str:
    """Mask API keys in a text."""
    return KEYS.sub(r"\1…", text)


def stored(most: int) -> Sequence[Mapping[str, Any]]:
    """The newest rows of the store; cached until the next flush, since reading the store's log takes a second."""
    from events.store import event_table

    last = Flush.objects.filter(committed_at__isnull=False).order_by("-version").values_list("version", flat=True)
    key = f"events.live_tail:{last.first()}:{most}"
    rows: Sequence[Mapping[str, Any]] | None = cache.get(key)
    if rows is None:
        rows = event_table.latest_rows(most)
        cache.set(key, rows, STORED_SECONDS)
    return rows


def _arrival(row: Mapping[str, Any], names: Mapping[int, str], *, waits: bool) -> Arrival:
    sender = sender_of(row["message_id"])
    shown, more = _properties(row["properties"])
    return Arrival(
        received_at=in_utc(row["received_at"]),
        time=in_utc(row["time"]),
        source=names.get(sender.source or 0, ""),
        kind=sender.kind,
        user=shortened(row["user_id"]),
        event=row["event"],
        properties=shown,
        more=more,
        waits=waits,
    )


def _properties(text: str | None) -> tuple[tuple[tuple[str, str], ...], int]:
    try:
        decoded = json.loads(text or "{}")
    except ValueError:
        decoded = {}
    pairs = [(name, value) for name, value in decoded.items() if name != "context"] if isinstance(decoded, dict) else []
    shown = tuple((name[:PROPERTY_CHARS], _short(value)) for name, value in pairs[:PROPERTIES])
    return shown, len(pairs) - len(shown)


def _short(value: object) -> str:
    text = masked(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
    return text if len(text) <= PROPERTY_CHARS else text[: PROPERTY_CHARS - 1] + "…"
