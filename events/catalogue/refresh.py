"""Make the list of the store's events, in a worker or at once for a small store; and one event day by day."""

import hashlib
import math
import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.core.cache import cache
from django.utils import timezone

from events.catalogue import listing, queries
from events.catalogue.listing import EVERY_EVENT, SCHEMA, Catalogue, NameFacts, catalogue, guess_signup
from events.models import CatalogueSnapshot, OutboxEvent, UnitTraits
from events.outbox.flush import flush_events
from events.store import event_table
from events.store.ownership import StoreRefused
from events.warehouse.engine import connect
from events.warehouse.session import WarehouseSession, questions
from events.windows import Clock, DayMode
from runs.queue.jobs import put
from runs.refusals import Refused
from runs.site_zone import site_zone

# Query the warehouse for the list of events, as the payload that `events.catalogue.listing` reads.
#
# Bounded whatever the store holds: up to `LISTED` names are listed and up to `DETAILED` examined; users are sampled
# where their pairs with names would be more than `MOST_PAIRS`; properties are read from about `SAMPLED` events at
# most.

LISTED = 5_000
DETAILED = 300
MOST_PAIRS = 20_000_000
SAMPLED = 500_000
SAMPLED_OF_ONE = 20_000
WEEKS = 26
PROPERTIES = 40
VALUES = 10
TRAIT_ROWS = 5_000
type Row = dict[str, Any]


def gather_catalogue(store: WarehouseSession) -> dict[str, Any]:
    """Compute the payload of the list of events."""
    rows = _rows(store, queries.names(store.log, LISTED))
    totals = _rows(store, queries.number_of_names(store.log))[0]
    names = [row["event"] for row in rows]
    listed = names if totals["names"] > len(names) else []
    one_in = _one_in(sum(min(row["events"], totals["users"]) for row in rows), MOST_PAIRS)
    weeks = _weeks(store, rows)
    with store.warehouse.kept(queries.pairs(store.log, listed, one_in)) as pairs:
        facts = {row["event"]: row for row in _rows(store, queries.names_of_pairs(pairs))}
        signup = guess_signup([NameFacts(name, **_facts(facts.get(name))) for name in names])
        reached, reached_of = _reach(store, pairs, signup, facts, totals["users"] // one_in)
    detailed = names[:DETAILED]
    properties = _properties(store, {row["event"]: row["events"] for row in rows[:DETAILED]})
    events = [
        {
            "name": row["event"],
            "events": row["events"],
            "users": facts[row["event"]]["users"] * one_in if row["event"] in facts else 1,
            "first_seen": _iso(row["first_time"]),
            "last_seen": _iso(row["last_time"]),
            "reached": reached.get(row["event"], 0) if reached_of else None,
            "reached_of": reached_of,
            "weeks": weeks[row["event"]],
            "properties": properties.get(row["event"], []),
            "detailed": properties is not NOT_LISTED and row["event"] in detailed,
        }
        for row in rows
    ]
    return {
        "schema": SCHEMA,
        "events": sorted(events, key=lambda row: (-row["users"], -row["events"], row["name"])),
        "names": totals["names"],
        "users": totals["users"],
        "total_events": store.events,
        "first_time": min(row["first_seen"] for row in events),
        "last_time": max(row["last_seen"] for row in events),
        "first_week": min(_monday(row["first_time"], _zone(store)) for row in rows).isoformat(),
        "time_zone": _zone(store),
        "signup": signup,
        "traits": traits(),
        "one_in": one_in,
    }


NOT_LISTED: Mapping[str, list[Row]] = {}


def _facts(row: Row | None) -> dict[str, int]:
    return {name: row[name] if row else 0 for name in ("users", "once", "begins")}


def _reach(
    store: WarehouseSession, pairs: Any, signup: str, facts: Mapping[str, Row], users: int
) -> tuple[dict[str, int], int]:
    """Users by event name who did it at or after signup, and the number of new users."""
    if signup == EVERY_EVENT:  # every user is new with their first event
        return {name: row["users"] for name, row in facts.items()}, users
    reached = {row["event"]: row["users"] for row in _rows(store, queries.reach(pairs, signup))}
    return reached, reached.get(signup, 0)


def _weeks(store: WarehouseSession, rows: list[Row]) -> Mapping[str, list[int]]:
    """Weekly counts of each name up to its last week, from its first on, at most `WEEKS` of them.

    Each name has its own range: one event of today must not turn a log that ended years ago into a line at zero.
    """
    first, counts, zone = {}, {}, _zone(store)
    for row in rows:
        last = _monday(row["last_time"], zone)
        begin = max(_monday(row["first_time"], zone), last - timedelta(weeks=WEEKS - 1))
        first[row["event"]] = begin
        counts[row["event"]] = [0] * ((last - begin).days // 7 + 1)
    for row in _rows(store, queries.weeks(store.log, first, zone)):
        place = (row["week"] - first[row["event"]]).days // 7
        if 0 <= place < len(counts[row["event"]]):
            counts[row["event"]][place] = row["events"]
    return counts


def _zone(store: WarehouseSession) -> str:
    return store.basis.clock.time_zone


def _monday(moment: datetime, zone: str) -> date:
    day = Clock(DayMode.CALENDAR, zone).local_date(moment)
    return day - timedelta(days=day.weekday())


def _properties(store: WarehouseSession, events: Mapping[str, int]) -> Mapping[str, list[Row]]:
    """Properties by event name, from a sample of users for each; `NOT_LISTED` if the engine can't list them."""
    dialect = store.basis.dialect
    if dialect not in queries.KEYS:
        return NOT_LISTED
    each = min(SAMPLED_OF_ONE, max(500, SAMPLED // len(events)))
    one_in = {name: _one_in(number, each) for name, number in events.items()}
    values: dict[tuple[str, str], list[tuple[str, int]]] = defaultdict(list)
    with store.warehouse.kept(queries.sampled(store.log, one_in)) as sample:
        sizes = {row["event"]: row for row in _rows(store, queries.sample_sizes(sample))}
        with store.warehouse.kept(queries.members(sample, dialect)) as members:
            rows = _rows(store, queries.properties(members, PROPERTIES))
            for row in _rows(store, queries.values(members, VALUES)):
                values[row["event"], row["property"]].append((row["value"], row["events"]))
    properties: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        kind, size = _kind(row), sizes[row["event"]]
        numeric = kind == "number"
        properties[row["event"]].append(
            {
                "name": row["property"],
                "kind": kind,
                "events": row["events"],
                "users": row["users"],
                "of_events": size["events"],
                "of_users": size["users"],
                "different": row["different"],
                "values": values[row["event"], row["property"]],
                "least": _finite(row["least"]) if numeric else None,
                "greatest": _finite(row["greatest"]) if numeric else None,
            }
        )
    return properties


def _kind(row: Row) -> str:
    if not row["known"]:
        return "unknown"
    same = {"number": row["numbers"], "boolean": row["truths"], "nested": row["nested"]}
    for kind, number in same.items():
        if number == row["known"]:
            return kind
    return "mixed" if any(same.values()) else "text"


def traits() -> list[Row]:
    """Traits of the users with the most recent identify events, at most `TRAIT_ROWS` of them."""
    seen: Counter[str] = Counter()
    values: dict[str, Counter[str]] = defaultdict(Counter)
    kinds: dict[str, set[str]] = defaultdict(set)
    rows = list(UnitTraits.objects.order_by("-updated_at").values_list("traits", flat=True)[:TRAIT_ROWS])
    for row in rows:
        for name, value in row.items():
            seen[name] += 1
            kinds[name].add(_kind_of(value))
            if not isinstance(value, dict | list) and value is not None:
                values[name][_text(value)] += 1
    return [
        {
            "name": name,
            "kind": next(iter(kinds[name])) if len(kinds[name]) == 1 else "mixed",
            "events": number,
            "users": number,
            "of_events": len(rows),
            "of_users": len(rows),
            "different": len(values[name]),
            "values": values[name].most_common(VALUES),
        }
        for name, number in seen.most_common(PROPERTIES)
    ]


def _kind_of(value: object) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return "nested" if isinstance(value, dict | list) else "text"


def _text(value: object) -> str:
    return (str(value).lower() if isinstance(value, bool) else str(value))[: queries.VALUE_CHARS]


def _one_in(number: int, most: int) -> int:
    return max(1, math.ceil(number / most))


def _finite(number: float | None) -> float | None:
    return number if number is not None and math.isfinite(number) else None


def _iso(moment: datetime) -> str:
    return moment.replace(tzinfo=UTC).isoformat()


def _rows(store: WarehouseSession, question: Any) -> list[Row]:
    rows: list[Row] = store.warehouse.arrow(question).to_pylist()
    return rows


# Daily counts of one event, queried when its page is opened and cached for two minutes.

KEPT_SECONDS = 120


@dataclass(frozen=True)
class Day:
    """Occurrences of an event on one day of the site, and the number of users who did it."""

    day: date
    events: int
    users: int


def daily(name: str) -> tuple[Day, ...]:
    """The days from the event's first to the store's last day, days without it as zeros; empty for an unknown event.

    Raises:
        Refused: when the store must not be read.
    """
    listed = catalogue()
    made_at = listed.made_at.timestamp() if listed.made_at else ""
    zone = site_zone()
    key = f"events.trend:{zone}:{made_at}:{hashlib.sha256(name.encode()).hexdigest()}"
    trend: tuple[Day, ...] | None = cache.get(key)
    if trend is None:
        with connect() as warehouse:
            rows = warehouse.arrow(queries.days(warehouse.events, name, zone)).to_pylist()
        days = {row["day"]: Day(row["day"], row["events"], row["users"]) for row in rows}
        trend = _filled(days, listed.last_day)
        cache.set(key, trend, KEPT_SECONDS)
    return trend


def by_week(days: tuple[Day, ...]) -> tuple[tuple[date, int], ...]:
    """Monday and occurrences of each week. Users of several days can't be added up, so weeks have none."""
    weeks: dict[date, int] = {}
    for row in days:
        monday = row.day - timedelta(days=row.day.weekday())
        weeks[monday] = weeks.get(monday, 0) + row.events
    return tuple(weeks.items())


def _filled(days: dict[date, Day], last: date | None) -> tuple[Day, ...]:
    if not days:
        return ()
    first = min(days)
    last = max(days) if last is None else max(last, *days)
    all_days = (first + timedelta(days=place) for place in range((last - first).days + 1))
    return tuple(days.get(day, Day(day, 0, 0)) for day in all_days)


# Refresh the list of the store's events: in a worker when the store has changed, or at once for a small store.

TASK = "events.tasks.refresh_catalogue"
AT_ONCE_ROWS = 300_000  # about two seconds in a web process
ASKED_SECONDS = 60
PATIENCE = 10  # a list that took s seconds isn't refreshed for s times this long: at most a tenth of a core
LOST_AFTER = timedelta(minutes=15)  # after this, the process that was making the list counts as dead
WITHOUT_VERSION = timedelta(hours=1)  # maximum age of a list of a customer's warehouse, which has no version
log = structlog.get_logger()


def ready_catalogue() -> Catalogue:
    """The list; if there is none it is made now, or by a worker when that would take long.

    Raises:
        StoreRefused: when the store must not be read.
    """
    listed = listing.catalogue()
    if listed.made_at is not None or not _has_events():
        return listed
    rows = None if settings.WAREHOUSE_URL else event_table.row_count()
    if rows == 0 and not _waiting():  # all were erased, or forgotten as a test
        return listed
    if rows is not None and rows + _waiting() <= AT_ONCE_ROWS and make_catalogue():
        return listing.catalogue()
    request_catalogue()
    return Catalogue(pending=True)


def request_catalogue() -> None:
    """Queue a refresh of the list, at most once a minute: after an import, or while a page waits for it.

    A refresh runs every minute anyway; this only makes it sooner.
    """
    if cache.add("events.catalogue.asked", True, ASKED_SECONDS):
        put(TASK)


def refresh_if_due() -> bool:
    """Refresh the list if the store has changed since the last one; True when this call did."""
    flush_events()
    last = CatalogueSnapshot.objects.made().defer("payload").first()
    if last is not None and last.made_at is not None and not _is_due(last, last.made_at):
        return False
    return make_catalogue()


def make_catalogue() -> bool:
    """Make the list now; False when there are no events, or another process is making one.

    Raises:
        StoreRefused: when the store must not be read.
    """
    if CatalogueSnapshot.objects.filter(made_at=None, started_at__gte=timezone.now() - LOST_AFTER).exists():
        return False
    row, began = CatalogueSnapshot.objects.create(), time.monotonic()
    try:
        with questions() as store:
            row.store_version = _version()
            row.payload = gather_catalogue(store)
    except StoreRefused:
        row.delete()
        raise
    except Refused:  # no event yet
        row.delete()
        return False
    except Exception:
        row.delete()
        raise
    row.made_at, row.seconds = timezone.now(), time.monotonic() - began
    row.save()
    CatalogueSnapshot.objects.filter(pk__lt=row.pk).delete()
    log.info("catalogue.made", events=len(row.payload["events"]), seconds=round(row.seconds, 1))
    return True


def _is_due(last: CatalogueSnapshot, made_at: datetime) -> bool:
    age = timezone.now() - made_at
    if not CatalogueSnapshot.objects.filter(pk=last.pk, payload__schema=SCHEMA).exists():
        return True
    counted = CatalogueSnapshot.objects.filter(pk=last.pk).values_list("payload__time_zone", flat=True).first()
    if (counted or "UTC") != site_zone():  # weeks of another zone; 0.4 counted those of UTC
        return True
    if settings.WAREHOUSE_URL:
        return bool(age >= WITHOUT_VERSION)
    return last.store_version != _version() and bool(age >= timedelta(seconds=last.seconds * PATIENCE))


def _version() -> str:
    if settings.WAREHOUSE_URL:
        return ""
    return event_table.version()


def _has_events() -> bool:
    return bool(settings.WAREHOUSE_URL) or event_table.exists() or _waiting() > 0


def _waiting() -> int:
    return OutboxEvent.objects.count()
