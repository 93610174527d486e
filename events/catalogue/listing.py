"""The list of the store's events, for every page that lets people choose one. No engine is queried here.

`catalogue()` costs one small query: the list itself is only read again when a worker has made a newer one.
"""

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from events.catalogue import labels
from events.models import CatalogueSnapshot
from events.schema import EXPOSURE_EVENTS
from runs.site_zone import site_date

# Guess which event begins a user's life; a person can correct it. Pure.

EVERY_EVENT = "*"
# Common names of a signup event: snake_case, "Signed Up", camelCase and Korean are compared by letters only.
NAMES = re.compile(
    r"^(user|account|app|member)?(signup|signedup|signupcompleted?|completedsignup|register(ed)?|registration(completed?)?"
    r"|completeregistration|accountcreated|createaccount|created|usercreated|firstopen|install(ed)?|join(ed)?"
    r"|회원가입(완료)?|가입(완료)?|신규가입|계정생성)$"
)
LEAST_USERS = 0.3  # of all users: the name alone doesn't make a rare event the signup
LEAST_SCORE = 0.6


@dataclass(frozen=True)
class NameFacts:
    """Counts of one event name: users who did it, did it exactly once, and began with it."""

    name: str
    users: int
    once: int
    begins: int


def guess_signup(names: Sequence[NameFacts]) -> str:
    """The event that most users do first and only once, preferring names common for signups; or "*".

    "*" stands for each user's first event of any kind: right if no event marks a beginning.
    """
    largest = max((facts.users for facts in names), default=0)
    called = [facts for facts in names if NAMES.match(_letters(facts.name)) and facts.users >= LEAST_USERS * largest]
    if called:
        return max(called, key=lambda facts: facts.users).name
    scored = [(facts.begins / facts.users * facts.once / facts.users, facts) for facts in names if facts.users]
    fitting = [(score, facts) for score, facts in scored if score >= LEAST_SCORE and facts.users >= 0.5 * largest]
    if not fitting:
        return EVERY_EVENT
    return max(fitting, key=lambda pair: (pair[0], pair[1].users))[1].name


def _letters(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())


SCHEMA = 1
NEAREST_OF = 1_000  # how many names are compared letter by letter


@dataclass(frozen=True)
class PropertyEntry:
    """One property of an event, as the sampled events carry it; or one trait of users.

    Attributes:
        name: as it is sent.
        kind: ``number``, ``boolean``, ``text``, ``nested`` (a list or an object), ``mixed`` or ``unknown``.
        events: sampled events that carry it; of a trait, users.
        users: sampled users with such an event.
        of_events: events in the sample; `share` is the share that carries it.
        of_users: users in the sample.
        different: number of different values in the sample.
        values: the most frequent values as (text, events), at most ten, cut at 80 characters.
        least: smallest number; None for other kinds.
        greatest: largest number, alike.
    """

    name: str
    kind: str
    events: int
    users: int
    of_events: int
    of_users: int
    different: int = 0
    values: tuple[tuple[str, int], ...] = ()
    least: float | None = None
    greatest: float | None = None

    @property
    def share(self) -> float:
        """Share of the sampled events that carry it, 0 to 1."""
        return self.events / self.of_events if self.of_events else 0.0


@dataclass(frozen=True)
class EventEntry:
    """One event name of the store.

    Attributes:
        name: as it is sent.
        events: how often it occurred.
        users: by how many users; an estimate where the catalogue says `one_in` above 1.
        first_seen: time of its first occurrence, UTC.
        last_seen: of its last.
        reached: new users who did it at or after their signup; None if unknown.
        reached_of: new users in all.
        weeks: occurrences in each week from its first to its last, at most 26 of them, the oldest first.
        properties: what its events carry, the most frequent first; also empty if they weren't queried.
        detailed: whether properties were queried.
    """

    name: str
    events: int
    users: int
    first_seen: datetime
    last_seen: datetime
    reached: int | None = None
    reached_of: int = 0
    weeks: tuple[int, ...] = ()
    properties: tuple[PropertyEntry, ...] = ()
    detailed: bool = False

    @property
    def first_day(self) -> date:
        """The site's date of its first occurrence."""
        return site_date(self.first_seen)

    @property
    def last_day(self) -> date:
        """The site's date of its last."""
        return site_date(self.last_seen)

    @property
    def reach(self) -> float | None:
        """Share of new users who ever did it, 0 to 1; None when it isn't known."""
        return self.reached / self.reached_of if self.reached is not None and self.reached_of else None

    @property
    def is_exposure(self) -> bool:
        """Insight's own record that a unit was exposed to its variant: not a behaviour of the unit."""
        return self.name in EXPOSURE_EVENTS

    @property
    def label(self) -> str:
        """The display name in the active language."""
        return labels.label(self.name)

    def find(self, name: str) -> PropertyEntry | None:
        """The property with this name."""
        return next((entry for entry in self.properties if entry.name == name), None)


@dataclass(frozen=True)
class Catalogue:
    """The catalogue of the store at one moment.

    Attributes:
        events: the events, those with the most users first; at most `names` are in the store.
        names: number of different event names in the store: above `len(events)` when not all are listed.
        users: number of users in the store.
        total_events: number of events in the store.
        first_time: time of the oldest event, UTC; None for an empty store.
        last_time: of the newest.
        first_week: Monday of the week of the oldest event.
        signup: the guessed signup event, or "*".
        traits: of users, from their latest identify events.
        one_in: users and reach are counted among one in so many users; 1 for all.
        made_at: when the list was made; None when there is none yet.
        pending: a worker has been asked to make it.
    """

    events: tuple[EventEntry, ...] = ()
    names: int = 0
    users: int = 0
    total_events: int = 0
    first_time: datetime | None = None
    last_time: datetime | None = None
    first_week: date | None = None
    signup: str = EVERY_EVENT
    traits: tuple[PropertyEntry, ...] = ()
    one_in: int = 1
    made_at: datetime | None = None
    pending: bool = False
    _by_name: dict[str, EventEntry] = field(default_factory=dict, compare=False, repr=False)

    @property
    def is_empty(self) -> bool:
        """True when nothing is listed: no event came yet, or the list is still to be made (`pending`)."""
        return not self.events

    @property
    def first_day(self) -> date | None:
        """The site's date of the oldest event."""
        return site_date(self.first_time) if self.first_time else None

    @property
    def last_day(self) -> date | None:
        """The site's date of the newest event."""
        return site_date(self.last_time) if self.last_time else None

    @property
    def unlisted(self) -> int:
        """How many event names of the store are not in the list."""
        return max(0, self.names - len(self.events))

    def find(self, name: str) -> EventEntry | None:
        """The event with exactly this name."""
        return self._by_name.get(name)

    def guess_signup(self) -> str:
        """The event that most likely begins a user's life, or "*": each user's first event of any kind."""
        return self.signup

    def search(
        self, text: str, limit: int = 20, *, hidden: bool = False, exposures: bool = False
    ) -> tuple[EventEntry, ...]:
        """Events whose name, display name (either language) or description holds the text.

        Args:
            text: what was typed; empty for the events with the most users.
            limit: the most that are wanted.
            hidden: also those that people have hidden.
            exposures: also Insight's own exposure events.

        Returns:
            First those whose name or display name begins with the text, then the others; each by number of users.
        """
        known, wanted = labels.table(), text.strip().casefold()
        begins: list[EventEntry] = []
        others: list[EventEntry] = []
        for entry in self.events:
            label = known.get((entry.name, ""))
            if (label and label.hidden and not hidden) or (entry.is_exposure and not exposures):
                continue
            titles = [entry.name, *([label.name_en, label.name_ko] if label else [])]
            if any(title.casefold().startswith(wanted) for title in titles if title):
                begins.append(entry)
                if len(begins) >= limit:
                    break
            elif any(wanted in text.casefold() for text in [*titles, *(label.descriptions() if label else ())]):
                others.append(entry)
        return tuple([*begins, *others][:limit])

    def nearest(self, name: str) -> str | None:
        """The listed name that is spelled most like this one, for "did you mean"; None when none is near."""
        plain = {_plain(entry.name): entry.name for entry in reversed(self.events[:NEAREST_OF])}
        for title, label in labels.table().items():
            if not title[1] and title[0] in self._by_name:
                plain |= {_plain(text): title[0] for text in (label.name_en, label.name_ko) if text}
        matches = difflib.get_close_matches(_plain(name), plain, n=1, cutoff=0.6)
        return plain[matches[0]] if matches else None


def catalogue() -> Catalogue:
    """The newest list; an empty one if there is none yet (`events.catalogue.refresh` makes one)."""
    newest = CatalogueSnapshot.objects.made().values_list("pk", flat=True).first()
    if newest is None:
        return Catalogue()
    if newest not in _read:
        row = CatalogueSnapshot.objects.filter(pk=newest).first()
        if row is None or row.made_at is None:  # a newer one was made in between
            return Catalogue()
        _read.clear()
        _read[newest] = from_payload(row.payload, row.made_at)
    return _read[newest]


_read: dict[int, Catalogue] = {}  # cache of this process: the list read last, by its row


def from_payload(payload: dict[str, Any], made_at: datetime) -> Catalogue:
    """The list stored in a row; an empty one for a row of another version, which is soon replaced."""
    if payload.get("schema") != SCHEMA:
        return Catalogue()
    events = tuple(_event(row) for row in payload["events"])
    return Catalogue(
        events=events,
        names=payload["names"],
        users=payload["users"],
        total_events=payload["total_events"],
        first_time=_moment(payload["first_time"]),
        last_time=_moment(payload["last_time"]),
        first_week=date.fromisoformat(payload["first_week"]) if payload["first_week"] else None,
        signup=payload["signup"],
        traits=_properties(payload["traits"]),
        one_in=payload["one_in"],
        made_at=made_at,
        _by_name={entry.name: entry for entry in events},
    )


def _event(row: dict[str, Any]) -> EventEntry:
    moments = {name: datetime.fromisoformat(row[name]) for name in ("first_seen", "last_seen")}
    return EventEntry(**{**row, **moments, "weeks": tuple(row["weeks"]), "properties": _properties(row["properties"])})


def _properties(rows: Iterable[dict[str, Any]]) -> tuple[PropertyEntry, ...]:
    return tuple(
        PropertyEntry(**{**row, "values": tuple((text, events) for text, events in row["values"])}) for row in rows
    )


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _plain(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())
