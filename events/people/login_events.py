"""Extract reported links (anonymous id, user id) from events and calls, before the database is queried.

Browsers send both ids with every event after a login, so each process caches the links that it has already stored:
senders without logins, and known logins, cost no query.
"""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from events.schema import EventRecord

REMEMBERED = 100_000
FORGOTTEN_SECONDS = 3600.0  # links deleted by retention may be reported again
# Placeholders that broken senders send as ids; each would merge everybody into one person. PostHog refuses the same.
NO_IDS = frozenset(
    {
        "anonymous",
        "guest",
        "distinctid",
        "distinct_id",
        "id",
        "not_authenticated",
        "email",
        "undefined",
        "true",
        "false",
    }
    | {"null", "none", "nan", "0", "-1", "unknown", "userid", "user_id", "anonymousid", "anonymous_id"}
    | {"[object object]", "00000000-0000-0000-0000-000000000000"}
)


@dataclass(frozen=True, slots=True)
class Said:
    """A reported link: a visitor is a user, since a moment.

    Attributes:
        visitor: the id that the person had before.
        user: the user's id.
        at: when it happened.
        is_alias: reported as an alias.
    """

    visitor: str
    user: str
    at: datetime
    is_alias: bool = False


_lock = threading.Lock()
_known: dict[tuple[str, str, bool, bool], datetime] = {}
_since = time.monotonic()


def said_in(records: Sequence[EventRecord], *, by_server: bool) -> list[Said]:
    """Links in these events that this process hasn't stored yet; the earliest report of each."""
    telling = [record for record in records if record.earlier_id is not None]
    if not telling:
        return []
    links: dict[tuple[str, str, bool], Said] = {}
    for record in telling:
        # An alias sent by a browser means that a visitor has signed up: it counts as a login.
        alias = by_server and record.event == "$alias"
        link = Said(record.earlier_id or "", record.user_id, record.time, alias)
        earlier = links.get((link.visitor, link.user, alias))
        if earlier is None or link.at < earlier.at:
            links[link.visitor, link.user, alias] = link
    return [link for link in links.values() if is_new(link, by_server=by_server)]


def is_new(link: Said, *, by_server: bool) -> bool:
    """True when this process hasn't stored this link for this or an earlier time, and neither id is a placeholder."""
    global _since  # noqa: PLW0603 - the memory of this process
    if time.monotonic() - _since > FORGOTTEN_SECONDS:
        forget()
        _since = time.monotonic()
    known = _known.get((link.visitor, link.user, link.is_alias, by_server))
    if known is not None and known <= link.at:
        return False
    return link.visitor.lower() not in NO_IDS and link.user.lower() not in NO_IDS


def handed_on(links: Sequence[Said], *, by_server: bool) -> None:
    """Add links to the cache, after their transaction has committed."""
    with _lock:
        for link in links:
            _known[link.visitor, link.user, link.is_alias, by_server] = link.at
        for key in list(islice(_known, max(0, len(_known) - REMEMBERED))):
            del _known[key]


def forget() -> None:
    """Clear the cache."""
    with _lock:
        _known.clear()
