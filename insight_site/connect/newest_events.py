"""The newest events as they arrive, and what a check of a source's data finds."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db.models import Count
from django.utils import timezone

from events.catalogue.listing import EVERY_EVENT
from events.models import Flush, OutboxEvent, Rejected, Source
from events.outbox.freshness import events_by_day, shortened, stored
from events.schema import ERRORS, sender_of
from events.windows import in_utc
from reporting.numbers import count, day_text, percent
from reporting.words import gettext

# Data quality checks on the newest events and the last days, one sentence per finding. Pure.

FEW = 20  # fewer events than this aren't judged
DAYS = 7
LATE = timedelta(days=1)
ONE_USER, REFUSED, CLOCKS, REPEATED = 0.5, 0.05, 0.1, 0.01  # warning thresholds, as shares
GOOD, ODD, PLAIN = "good", "warn", ""


@dataclass(frozen=True)
class NewEvent:
    """A recent event.

    Attributes:
        by_http: it came by HTTP, so its arrival time can be compared with its sender's clock.
        corrected: its time was corrected, because the sender's clock was wrong or ahead of ours.
    """

    user: str
    event: str
    time: datetime
    received_at: datetime
    properties: str
    by_http: bool
    corrected: bool


@dataclass(frozen=True)
class Seen:
    """Input of the checks.

    Attributes:
        newest: the newest events.
        days: events that came by HTTP on each of the last seven days and today, the oldest first.
        refused: events refused in the last seven days, by code.
        reason: the explanation of the most frequent code; "" without one.
        stored: number of events in the store, from the event catalogue.
        first, last: times of the oldest and the newest of them; None without a catalogue.
        signup: the event that looks like a signup; "" for none.
        listed: the event catalogue exists.
    """

    newest: tuple[NewEvent, ...]
    days: tuple[tuple[date, int], ...]
    refused: dict[str, int]
    reason: str
    stored: int
    first: datetime | None
    last: datetime | None
    signup: str
    listed: bool


@dataclass(frozen=True)
class Check:
    """One check: its name, its finding, and whether it is a warning (``warn``)."""

    slug: str
    name: str
    light: str
    sentence: str


def checks(seen: Seen) -> tuple[Check, ...]:
    """All checks, in the order in which a person would ask."""
    users = _users(seen.newest)
    rows = [
        ("volume", gettext("Events a day"), _volume(seen)),
        ("users", gettext("Users"), users),
        ("ids", gettext("Without a user id"), _without_id(seen)),
        ("refused", gettext("Refused"), _refused(seen)),
        ("clocks", gettext("Clocks"), _clocks(seen.newest)),
        ("repeated", gettext("Duplicates"), _repeated(seen.newest)),
        ("signup", gettext("Signup"), _signup(seen)),
    ]
    return tuple(Check(slug, name, light, sentence) for slug, name, (light, sentence) in rows)


def odd(event: NewEvent) -> Iterator[str]:
    """Warnings about one event, shown to the person who waits for the first one."""
    if "@" in event.user:
        yield gettext("The user id seems to be a mail address. An id that says nothing about the person is safer.")
    if event.user.casefold() in ("null", "undefined", "none", "nan", "0", "unknown", "anonymous"):
        yield gettext(
            "The user id “{id}” seems to be a missing value: all such events would count as one user's."
        ).format(id=event.user)
    if sum(letter.isdigit() for letter in event.event) >= 6:
        yield gettext("The event's name holds a long number. What differs from event to event belongs in a property.")
    if event.corrected:
        yield gettext("The sender's clock differs from ours; the time was corrected.")
    elif event.received_at - event.time > LATE:
        yield gettext("It happened over a day before it arrived.")


def _volume(seen: Seen) -> tuple[str, str]:
    number = sum(events for _day, events in seen.days)
    if not number:
        return _volume_of_files(seen)
    began = next(place for place, (_day, events) in enumerate(seen.days) if events)
    lived = seen.days[began:]
    silent = [day for day, events in lived[:-1] if not events]
    text = gettext("{n} events came by HTTP since {day}, today included: {each} a day on average.").format(
        n=count(number), day=day_text(lived[0][0]), each=count(round(number / len(lived)))
    )
    if not silent:
        return GOOD, text
    days = "; ".join(day_text(day) for day in silent)
    return ODD, text + " " + gettext("No event came on {days}.").format(days=days)


def _volume_of_files(seen: Seen) -> tuple[str, str]:
    if not seen.stored or seen.first is None or seen.last is None:
        return PLAIN, gettext("No event came by HTTP in the last 7 days, and the store isn't counted yet.")
    days = (seen.last.date() - seen.first.date()).days + 1
    return PLAIN, gettext(
        "No event came by HTTP in the last 7 days. The store holds {n} events of {first} to {last}: {each} a day on "
        "average."
    ).format(
        n=count(seen.stored),
        first=day_text(seen.first),
        last=day_text(seen.last),
        each=count(round(seen.stored / days)),
    )


def _users(newest: tuple[NewEvent, ...]) -> tuple[str, str]:
    number = len(newest)
    by_user = Counter(row.user for row in newest)
    text = gettext("The newest {n} events are of {users} users.").format(n=count(number), users=count(len(by_user)))
    if number < FEW:
        return PLAIN, text + " " + gettext("That is too little to judge by.")
    if (most := max(by_user.values())) >= ONE_USER * number:
        return ODD, text + " " + gettext(
            "One user has {share} of them: does every event carry its own user's id?"
        ).format(share=percent(most / number, 0))
    if len(by_user) == number:
        return ODD, text + " " + gettext("Every event has another user: does the id stay the same from visit to visit?")
    return GOOD, text


def _without_id(seen: Seen) -> tuple[str, str]:
    missing = seen.refused.get("missing_identity", 0)
    came = _came(seen)
    if not came:
        return PLAIN, gettext("No event came by HTTP in the last 7 days.")
    if not missing:
        return GOOD, gettext("None of the {n} events of the last 7 days came without a user id.").format(n=count(came))
    return ODD, gettext(
        "{missing} of the {n} events of the last 7 days ({share}) came without a user id and were refused."
    ).format(missing=count(missing), n=count(came), share=percent(missing / came))


def _refused(seen: Seen) -> tuple[str, str]:
    number, came = sum(seen.refused.values()), _came(seen)
    if not came:
        return PLAIN, gettext("No event came by HTTP in the last 7 days.")
    if not number:
        return GOOD, gettext("None of the {n} events of the last 7 days was refused.").format(n=count(came))
    text = gettext(
        "{refused} of the {n} events of the last 7 days ({share}) were refused, most of them because: {reason}"
    )
    sentence = text.format(refused=count(number), n=count(came), share=percent(number / came), reason=seen.reason)
    return (ODD if number > REFUSED * came else GOOD), sentence


def _came(seen: Seen) -> int:
    return sum(events for _day, events in seen.days) + sum(seen.refused.values())


def _clocks(newest: tuple[NewEvent, ...]) -> tuple[str, str]:
    sent = [row for row in newest if row.by_http]
    if not sent:
        return PLAIN, gettext("None of the newest events came by HTTP, so nothing is known of their senders' clocks.")
    late = sum(row.received_at - row.time > LATE for row in sent)
    wrong = sum(row.corrected for row in sent)
    text = gettext(
        "Of the newest {n} events that came by HTTP, {late} happened over a day before they arrived, and {wrong} had a "
        "clock that was corrected."
    ).format(n=count(len(sent)), late=count(late), wrong=count(wrong))
    return (ODD if len(sent) >= FEW and max(late, wrong) >= CLOCKS * len(sent) else GOOD), text


def _repeated(newest: tuple[NewEvent, ...]) -> tuple[str, str]:
    number = len(newest)
    same = number - len({(row.user, row.event, row.time, row.properties) for row in newest})
    if not same:
        return GOOD, gettext("None of the newest {n} events repeats another one.").format(n=count(number))
    text = gettext(
        "{same} of the newest {n} events ({share}) repeat another one in user, name, time and properties. A repeated "
        "message id is dropped, so give each event one."
    ).format(same=count(same), n=count(number), share=percent(same / number))
    return (ODD if number >= FEW and same >= REPEATED * number else GOOD), text


def _signup(seen: Seen) -> tuple[str, str]:
    if not seen.listed:
        return PLAIN, gettext("The list of events isn't made yet; a worker makes it within minutes.")
    if seen.signup:
        return GOOD, gettext("“{name}” seems to be the signup, from which a study counts.").format(name=seen.signup)
    return ODD, gettext("No event seems to be a signup. Without one, a study counts from each user's first event.")


def is_corrected(properties: str) -> bool:
    """True when the event holds the sender's original time besides the corrected one."""
    return '"originalTimestamp"' in properties


def first_odd(events: Iterable[NewEvent]) -> tuple[str, ...]:
    """Warnings about these events, without duplicates."""
    return tuple(dict.fromkeys(text for event in events for text in odd(event)))


# What these checks read: the newest events from outbox and store, and counts of the last days.

MOST = 1_000


def newest() -> tuple[NewEvent, ...]:
    """The newest events, at most `MOST`."""
    waiting = OutboxEvent.objects.order_by("-pk").values()[:MOST]
    rows = [*waiting, *(stored(MOST) if len(waiting) < MOST else ())]
    made = [
        new_event(row["message_id"], row["user_id"], row["event"], row["time"], row["received_at"], row["properties"])
        for row in rows
    ]
    return tuple(sorted(made, key=lambda row: row.received_at, reverse=True)[:MOST])


def new_event(
    message_id: str, user: str, event: str, time: datetime, received_at: datetime, properties: str | None
) -> NewEvent:
    """From a row of the outbox or of the store."""
    text = properties or "{}"
    by_http = sender_of(message_id).source is not None
    return NewEvent(user, event, in_utc(time), in_utc(received_at), text, by_http, is_corrected(text))


def seen() -> Seen:
    """The input of all checks.

    Raises:
        Refused: the store can't be read.
    """
    from events.catalogue.refresh import ready_catalogue  # imports the store: not for every web worker

    catalogue, now = ready_catalogue(), timezone.now()
    refused = Rejected.objects.filter(received_at__gte=now - timedelta(days=DAYS)).order_by()
    codes = {row["code"]: row["n"] for row in refused.values("code").annotate(n=Count("pk"))}
    most = max(codes, key=lambda code: codes[code], default="")
    return Seen(
        newest=newest(),
        days=events_by_day(now),
        refused=codes,
        reason=str(ERRORS.get(most, most)),
        stored=catalogue.total_events,
        first=catalogue.first_time,
        last=catalogue.last_time,
        signup="" if catalogue.guess_signup() == EVERY_EVENT else catalogue.guess_signup(),
        listed=not catalogue.is_empty,
    )


# Detects events of a source since a given time; polled every two seconds while a person waits.
LOOKED_AT = 20  # events that are checked for warnings
COLUMNS = ("message_id", "user_id", "event", "time", "received_at", "properties")


@dataclass(frozen=True)
class Received:
    """Events received since then.

    Attributes:
        number: number of events, at most `MOST`.
        names: event names with their counts, the most frequent first.
        user: user of the first event, shortened; "" before it arrives.
        at: when the first one arrived.
        time: when it happened, by its sender's clock.
        odd: warnings about the first ones, in the reader's language.
        refused: number of rejected events.
        reason: why the last one was rejected, in the reader's language.
    """

    number: int
    names: tuple[tuple[str, int], ...]
    user: str
    at: datetime | None
    time: datetime | None
    odd: tuple[str, ...]
    refused: int
    reason: str


def mark() -> int:
    """The current highest outbox id: later events have higher ones."""
    return OutboxEvent.objects.order_by("-pk").values_list("pk", flat=True).first() or 0


def _stored(source: Source, since: datetime) -> list[NewEvent]:
    """Events that a flush has since moved to the store, which is read only if there was one."""
    if not Flush.objects.filter(committed_at__gte=since).exists():
        return []
    return [
        new_event(*(row[name] for name in COLUMNS))
        for row in stored(MOST)
        if sender_of(row["message_id"]).source == source.pk and row["received_at"] >= since
    ]


def received(source: Source, *, after: int, since: datetime) -> Received:
    """Events of the source with ids above `after`, and rejections since a given time."""
    waiting = OutboxEvent.objects.filter(pk__gt=after, message_id__startswith=f"{source.pk}:").order_by("pk")
    rows = [new_event(*row) for row in waiting.values_list(*COLUMNS)[:MOST]]
    events = sorted([*_stored(source, since), *rows], key=lambda row: row.received_at)[:MOST]
    refused = Rejected.objects.filter(source=source, received_at__gte=since)
    last = refused.order_by("-pk").first()
    return Received(
        number=len(events),
        names=tuple(Counter(row.event for row in events if row.event).most_common(5)),
        user=shortened(events[0].user) if events else "",
        at=events[0].received_at if events else None,
        time=events[0].time if events else None,
        odd=first_odd(events[:LOOKED_AT]),
        refused=refused.count(),
        reason=str(ERRORS.get(last.code, last.message)) if last else "",
    )
