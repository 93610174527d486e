"""Keep what senders say of ids, and decide which of it holds (docs/identity.md).

All of it happens in the transaction of the event that says it: once the sender has its 200, the door answers the user
as it answered the visitor. Who decides holds a lock until the end of that transaction, so that two logins of one
visitor at one moment are judged one after the other.
"""

import re
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import batched

from django.apps import apps
from django.db import connection, transaction
from django.db.models import Count, Q, QuerySet
from django.utils.module_loading import import_string
from prometheus_client import Counter

from events.identity import erased_users, partition
from events.identity.partition import Link
from events.identity.said import Said, handed_on, is_new
from events.models import IdLink, Source, UnitTraits

LOCK = 7_019_008  # of PostgreSQL's advisory locks: this one decides about ids
UNBELIEVED_AN_HOUR = 10_000  # rows of one source: enough to show people what is going on
MOST_LOOKED_AT = 5_000  # links of one decision
BATCH = 500
TRUST_SECONDS = 2.0
# What libraries of browsers and phones make. An id of another form, sent with a public key, may be a user's.
MADE_ID = re.compile(r"[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}", re.IGNORECASE)
LINKS = Counter("insight_identity_links", "What senders said of two ids, by what became of it.", ["state"])
STATES = {state: LINKS.labels(state.value) for state in IdLink.State}
_trusted: tuple[float, frozenset[int]] = (float("-inf"), frozenset())


@dataclass(frozen=True)
class Joined:
    """Two ids that count as one from now on.

    Attributes:
        visitor: the one.
        user: the other; `root` the id as which both count.
        by_server: a server key said so.
        is_new_user: nothing had been heard of the user before.
    """

    visitor: str
    user: str
    root: str
    by_server: bool
    is_new_user: bool


def join_now(visitor: str, user: str, *, source_id: int, by_server: bool, now: datetime) -> None:
    """What a call of another door says of two ids, before any event does."""
    one = Said(visitor, user, now)
    if visitor == user or not is_new(one, by_server=by_server):
        return
    with transaction.atomic():
        keep_said([one], source_id=source_id, by_server=by_server, received_at=now)
    if not connection.in_atomic_block:
        handed_on([one], by_server=by_server)


def keep_said(said: Sequence[Said], *, source_id: int, by_server: bool, received_at: datetime) -> None:
    """Keep these statements and decide anew about the ids in them. Call it last in a transaction.

    Raises:
        django.db.Error: when the database can't keep them.
    """
    erased = set(erased_users.are_known({name for one in said for name in (one.visitor, one.user)}))
    links = [
        Link(one.visitor, one.user, one.at, one.is_alias, by_server, by_server or trusts(source_id))
        for one in said
        if not erased & {one.visitor, one.user}
    ]
    if not by_server:
        links = [link if MADE_ID.fullmatch(link.visitor) else replace(link, believed=False) for link in links]
    if not links:
        return
    _wait_for_turn()
    links = _with_room(links, source_id, received_at)
    changed = _keep_links(links, source_id, received_at)
    if changed:
        _decide({name for link in changed for name in link.ids})


def trusts(source_id: int) -> bool:
    """True when the source believes the logins that its client keys report; a change counts two seconds later."""
    global _trusted  # noqa: PLW0603 - what this process knows
    now = time.monotonic()
    if now - _trusted[0] > TRUST_SECONDS:
        _trusted = now, frozenset(Source.objects.filter(trusts_logins=True).values_list("pk", flat=True))
    return source_id in _trusted[1]


def forget() -> None:
    """Ask the database anew the next time."""
    global _trusted  # noqa: PLW0603 - alike
    _trusted = float("-inf"), frozenset()


def _wait_for_turn() -> None:
    """On SQLite one transaction writes at a time anyway."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])


def _with_room(links: list[Link], source_id: int, received_at: datetime) -> list[Link]:
    """Who floods a public key fills no table; what is believed has no limit here."""
    if all(link.believed for link in links):
        return links
    hour = IdLink.objects.filter(state=IdLink.State.PUBLIC_KEY, received_at__gt=received_at - timedelta(hours=1))
    room = max(0, UNBELIEVED_AN_HOUR - hour.filter(source=source_id).count())
    unbelieved = [link for link in links if not link.believed]
    STATES[IdLink.State.PUBLIC_KEY].inc(max(0, len(unbelieved) - room))
    return [link for link in links if link.believed] + unbelieved[:room]


def _keep_links(links: Sequence[Link], source_id: int, received_at: datetime) -> list[Link]:
    """Insert or amend their rows; those that say something new."""
    visitors = {link.visitor for link in links}
    stored = {row.ids: row for some in _some(visitors) for row in map(_Row, IdLink.objects.filter(visitor__in=some))}
    users = _users_among(visitors)
    made: dict[tuple[str, str], IdLink] = {}
    changed: list[Link] = []
    for link in links:
        row = stored[link.ids].row if link.ids in stored else made.get(link.ids)
        if row is None:
            made[link.ids] = IdLink(
                visitor=link.visitor,
                user=link.user,
                at=link.at,
                received_at=received_at,
                is_alias=link.is_alias,
                by_server=link.by_server,
                believed=link.believed,
                knew_visitor=link.visitor in users,
                source=source_id,
                state=IdLink.State.PUBLIC_KEY,
            )
            changed.append(link)
        elif _amend(row, link):
            changed.append(link)
    IdLink.objects.bulk_create(made.values(), batch_size=BATCH)
    amended = [stored[link.ids].row for link in changed if link.ids in stored]
    IdLink.objects.bulk_update(amended, ["at", "is_alias", "by_server", "believed"], batch_size=BATCH)
    return changed


@dataclass(frozen=True)
class _Row:
    row: IdLink

    @property
    def ids(self) -> tuple[str, str]:
        return self.row.visitor, self.row.user


def _amend(row: IdLink, link: Link) -> bool:
    """Take over what says more: a server's word and its time before a client's, an alias before a login."""
    before = (row.at, row.is_alias, row.by_server, row.believed)
    if link.by_server and not row.by_server:
        row.at, row.by_server = link.at, True
    elif link.by_server == row.by_server and (link.believed, row.believed) != (False, True):
        row.at = min(row.at, link.at) if link.believed == row.believed else link.at
    row.is_alias |= link.is_alias
    row.believed |= link.believed
    return before != (row.at, row.is_alias, row.by_server, row.believed)


def _users_among(names: Collection[str]) -> set[str]:
    """Those that an identify event has named as users, or may have before this was noted."""
    found: set[str] = set()
    for some in _some(names):
        rows = UnitTraits.objects.filter(user_id__in=some).exclude(is_user=False)
        found.update(rows.values_list("user_id", flat=True))
    return found


def _decide(names: Collection[str]) -> None:
    """Judge all links that bear on these ids, and tell who must know."""
    rows = _bearing_on(names)
    ids = {name for row in rows for name in (row.visitor, row.user)}
    users = {user for some in _some(ids) for user in _believed().filter(user__in=some).values_list("user", flat=True)}
    states = partition.judge([_link(row) for row in rows], users, _others(ids, rows))
    before = {row.pk: row.state for row in rows}
    for row in rows:
        row.state = states[row.visitor, row.user]
    changed = [row for row in rows if before[row.pk] != row.state]
    held = IdLink.State.HOLDS
    turned = [row for row in changed if held in (row.state, before[row.pk])]
    for row in turned:
        row.in_store = False
    # Of one visitor at most one link holds at any moment: first those that don't any more.
    for some in ([row for row in changed if row.state != held], [row for row in changed if row.state == held]):
        IdLink.objects.bulk_update(some, ["state", "in_store"], batch_size=BATCH)
    _write_below([row.visitor for row in turned])
    for row in changed:
        STATES[IdLink.State(row.state)].inc()
    _tell([row for row in turned if row.state == held], rows)


def _believed() -> QuerySet[IdLink]:
    return IdLink.objects.filter(believed=True)


def _bearing_on(names: Collection[str]) -> list[IdLink]:
    """The links of these ids, and of all that aliases have brought together with them."""
    found: dict[int, IdLink] = {}
    seen: set[str] = set()
    asked = set(names)
    while asked and len(found) < MOST_LOOKED_AT:
        seen |= asked
        new: list[IdLink] = []
        for some in _some(asked):
            new += IdLink.objects.filter(Q(visitor__in=some) | Q(user__in=some, is_alias=True, believed=True))
        found |= {row.pk: row for row in new}
        asked = {name for row in new if row.is_alias for name in (row.visitor, row.user)} - seen
        # A visitor's own user may be an alias of another: then their ids are counted together.
        asked |= {row.user for row in new if row.believed} - seen if len(seen) < BATCH else set()
    # Who wasn't looked at as a visitor may have another user by a link that isn't here.
    return [row for row in found.values() if row.visitor in seen]


def _others(ids: Collection[str], rows: Iterable[IdLink]) -> dict[str, tuple[int, int]]:
    """How many visitors count as each of these ids by links that aren't looked at."""
    counts: dict[str, int] = {}
    for some in _some(ids):
        held = IdLink.objects.filter(state=IdLink.State.HOLDS, user__in=some).values("user").annotate(n=Count("pk"))
        counts |= {row["user"]: row["n"] for row in held}
    for row in rows:
        if row.state == IdLink.State.HOLDS and row.user in counts:
            counts[row.user] -= 1
    return {name: (number, 0) for name, number in counts.items()}


def _link(row: IdLink) -> Link:
    return Link(row.visitor, row.user, row.at, row.is_alias, row.by_server, row.believed, row.knew_visitor)


def _write_below(names: Sequence[str]) -> None:
    """Whoever counts as these ids counts as another one now: the store's numbers must say so."""
    asked = set(names)
    seen: set[str] = set()
    while asked:
        seen |= asked
        below: set[str] = set()
        for some in _some(asked):
            held = IdLink.objects.filter(state=IdLink.State.HOLDS, user__in=some)
            below.update(held.values_list("visitor", flat=True))
            held.update(in_store=False)
        asked = below - seen


def _tell(new: Sequence[IdLink], rows: Iterable[IdLink]) -> None:
    """The apps that keep something by unit: `when_joined` in their `apps.py`."""
    if not new:
        return
    parents = {row.visitor: row.user for row in rows if row.state == IdLink.State.HOLDS}
    users = {row.user for row in new}
    known = {user for some in _some(users) for user in _heard_of(some, new)}
    joined = [
        Joined(row.visitor, row.user, partition.root_of(row.user, parents), row.by_server, row.user not in known)
        for row in new
    ]
    for app in apps.get_app_configs():
        for name in getattr(app, "when_joined", ()):
            import_string(name)(joined)


def _heard_of(users: Sequence[str], new: Sequence[IdLink]) -> set[str]:
    """Those of these users who were joined to another id before."""
    pks = [row.pk for row in new]
    return set(IdLink.objects.filter(user__in=users).exclude(pk__in=pks).values_list("user", flat=True))


def _some(names: Iterable[str]) -> Iterator[tuple[str, ...]]:
    return batched(sorted(names), BATCH)
