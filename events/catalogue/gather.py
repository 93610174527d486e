"""Query the warehouse for the list of events, as the payload that `events.catalogue.listing` reads.

Bounded whatever the store holds: up to `LISTED` names are listed and up to `DETAILED` examined; users are sampled
where their pairs with names would be more than `MOST_PAIRS`; properties are read from about `SAMPLED` events at most.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from events.asking import Questions
from events.catalogue import queries
from events.catalogue.listing import SCHEMA
from events.catalogue.signup_guess import EVERY_EVENT, NameFacts, guess_signup
from events.models import UnitTraits

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


def gather_catalogue(asked: Questions) -> dict[str, Any]:
    """Compute the payload of the list of events."""
    found = _rows(asked, queries.names(asked.log, LISTED))
    totals = _rows(asked, queries.number_of_names(asked.log))[0]
    names = [row["event"] for row in found]
    listed = names if totals["names"] > len(names) else []
    one_in = _one_in(sum(min(row["events"], totals["users"]) for row in found), MOST_PAIRS)
    weeks = _weeks(asked, found)
    with asked.warehouse.kept(queries.pairs(asked.log, listed, one_in)) as pairs:
        facts = {row["event"]: row for row in _rows(asked, queries.names_of_pairs(pairs))}
        signup = guess_signup([NameFacts(name, **_facts(facts.get(name))) for name in names])
        reached, reached_of = _reach(asked, pairs, signup, facts, totals["users"] // one_in)
    detailed = names[:DETAILED]
    properties = _properties(asked, {row["event"]: row["events"] for row in found[:DETAILED]})
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
        for row in found
    ]
    return {
        "schema": SCHEMA,
        "events": sorted(events, key=lambda row: (-row["users"], -row["events"], row["name"])),
        "names": totals["names"],
        "users": totals["users"],
        "total_events": asked.events,
        "first_time": min(row["first_seen"] for row in events),
        "last_time": max(row["last_seen"] for row in events),
        "first_week": min(_monday(row["first_time"]) for row in found).isoformat(),
        "signup": signup,
        "traits": traits(),
        "one_in": one_in,
    }


NOT_LISTED: Mapping[str, list[Row]] = {}


def _facts(row: Row | None) -> dict[str, int]:
    return {name: row[name] if row else 0 for name in ("users", "once", "begins")}


def _reach(
    asked: Questions, pairs: Any, signup: str, facts: Mapping[str, Row], users: int
) -> tuple[dict[str, int], int]:
    """Users by event name who did it at or after signup, and the number of new users."""
    if signup == EVERY_EVENT:  # every user is new with their first event
        return {name: row["users"] for name, row in facts.items()}, users
    found = {row["event"]: row["users"] for row in _rows(asked, queries.reach(pairs, signup))}
    return found, found.get(signup, 0)


def _weeks(asked: Questions, found: list[Row]) -> Mapping[str, list[int]]:
    """Weekly counts of each name up to its last week, from its first on, at most `WEEKS` of them.

    Each name has its own range: one event of today must not turn a log that ended years ago into a line at zero.
    """
    first, counts = {}, {}
    for row in found:
        last = _monday(row["last_time"])
        begin = max(_monday(row["first_time"]), last - timedelta(weeks=WEEKS - 1))
        first[row["event"]] = begin
        counts[row["event"]] = [0] * ((last - begin).days // 7 + 1)
    for row in _rows(asked, queries.weeks(asked.log, first)):
        place = (row["week"] - first[row["event"]]).days // 7
        if 0 <= place < len(counts[row["event"]]):
            counts[row["event"]][place] = row["events"]
    return counts


def _monday(moment: datetime) -> date:
    return moment.date() - timedelta(days=moment.weekday())


def _properties(asked: Questions, events: Mapping[str, int]) -> Mapping[str, list[Row]]:
    """Properties by event name, from a sample of users for each; `NOT_LISTED` if the engine can't list them."""
    dialect = asked.basis.dialect
    if dialect not in queries.KEYS:
        return NOT_LISTED
    each = min(SAMPLED_OF_ONE, max(500, SAMPLED // len(events)))
    one_in = {name: _one_in(number, each) for name, number in events.items()}
    values: dict[tuple[str, str], list[tuple[str, int]]] = defaultdict(list)
    with asked.warehouse.kept(queries.sampled(asked.log, one_in)) as sample:
        sizes = {row["event"]: row for row in _rows(asked, queries.sample_sizes(sample))}
        with asked.warehouse.kept(queries.members(sample, dialect)) as members:
            rows = _rows(asked, queries.properties(members, PROPERTIES))
            for row in _rows(asked, queries.values(members, VALUES)):
                values[row["event"], row["property"]].append((row["value"], row["events"]))
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        kind, size = _kind(row), sizes[row["event"]]
        numeric = kind == "number"
        found[row["event"]].append(
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
    return found


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


def _rows(asked: Questions, question: Any) -> list[Row]:
    found: list[Row] = asked.warehouse.arrow(question).to_pylist()
    return found
