"""Which ids are one person: what senders say, the rule for what of it holds, and their counts (docs/identity.md)."""

import re
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import batched
from typing import Any, Literal

from django.apps import apps
from django.core.cache import cache
from django.db import connection, transaction
from django.db.models import Count, Q, QuerySet
from django.utils.module_loading import import_string
from prometheus_client import Counter

from events.models import IdLink, Source, UnitTraits
from events.people import tombstones
from events.people.login_events import Said, handed_on, is_new

# Ids that are one person, from the database; cheap to import in every process.

BATCH = 500
STEPS = 64  # of a chain of aliases: more than `partition.MOST_USERS`


def roots_of(names: Iterable[str]) -> dict[str, str]:
    """The id that each of these ids counts as; itself if it counts as no other."""
    roots = {name: name for name in names}
    for _ in range(STEPS):
        ends = set(roots.values())
        held: dict[str, str] = {}
        for some in batched(sorted(ends), BATCH):
            rows = IdLink.objects.filter(state=IdLink.State.HOLDS, visitor__in=some)
            held |= dict(rows.values_list("visitor", "user"))
        if not held:
            break
        roots = {name: held.get(root, root) for name, root in roots.items()}
    return roots


def ids_with(names: Iterable[str]) -> set[str]:
    """These ids and all others that count as the same people, from the database."""
    above = set(names)
    above |= set(roots_of(above).values())
    ids = set(above)
    while above:
        below: set[str] = set()
        for some in batched(sorted(above), BATCH):
            rows = IdLink.objects.filter(state=IdLink.State.HOLDS, user__in=some)
            below.update(rows.values_list("visitor", flat=True))
        above = below - ids
        ids |= below
    return ids


def visitors_of(users: Iterable[str]) -> dict[str, set[str]]:
    """For each of these ids, the other ids that count as it."""
    visitors: dict[str, set[str]] = {}
    above = {name: name for name in users}  # by id, the one of `users` that it counts as
    while above:
        below: dict[str, str] = {}
        for some in batched(sorted(above), BATCH):
            rows = IdLink.objects.filter(state=IdLink.State.HOLDS, user__in=some).values_list("visitor", "user")
            below |= {visitor: above[user] for visitor, user in rows}
        for visitor, user in below.items():
            visitors.setdefault(user, set()).add(visitor)
        above = below
    return visitors


# Which links between ids hold. Pure (docs/identity.md).
#
# One id has at most one user: that of the earliest trusted link, whatever arrives first. Links reported by a server
# key win over those of a client key. So the result depends only on the set of links; only the two limits and
# `knew_visitor`, recorded when a link is first reported, depend on their order of arrival.

State = Literal["holds", "second_user", "known_user", "cycle", "too_many", "public_key"]

# Mixpanel's limit (500 ids per person); people clear cookies, but not more often than daily for over a year.
MOST_IDS = 500
# Users joined by aliases: people change an e-mail address or a login now and then.
MOST_USERS = 20


@dataclass(frozen=True)
class Link:
    """A link reported by a sender: two ids are one person.

    Attributes:
        visitor: the id that counts as the other from then on: a visitor's, or with an alias perhaps a user's.
        user: the id of the user.
        at: when the person logged in, as sent with the event.
        is_alias: a server key reported explicitly that both are one, so both may be users.
        by_server: reported by a server key.
        believed: reported by a server key, or the source trusts its client keys.
        knew_visitor: the visitor's id had been sent as a user's when this link was first reported.
    """

    visitor: str
    user: str
    at: datetime
    is_alias: bool = False
    by_server: bool = True
    believed: bool = True
    knew_visitor: bool = False

    @property
    def ids(self) -> tuple[str, str]:
        """Both ids, as a key."""
        return self.visitor, self.user

    @property
    def rank(self) -> tuple[bool, datetime, str, str]:
        """Sort key of links, independent of their arrival."""
        return not self.by_server, self.at, self.user, self.visitor


def judge(
    links: Iterable[Link], users: Collection[str], others: Mapping[str, tuple[int, int]] | None = None
) -> dict[tuple[str, str], State]:
    """The state of each link.

    Args:
        links: all links of the visitors; for aliases, of both ids and the ids that they lead to.
        users: ids that are the user of any trusted link.
        others: for users, how many ids (and of these, users) count as them by links that are not in `links`.
    """
    states: dict[tuple[str, str], State] = {}
    parents: dict[str, str] = {}
    sizes: dict[str, tuple[int, int]] = {name: (1 + ids, 1 + more) for name, (ids, more) in (others or {}).items()}
    for link in sorted(links, key=lambda link: link.rank):
        state = _state(link, users, parents, sizes)
        states[link.ids] = state
        if state == "holds":
            root, moved = root_of(link.user, parents), sizes.get(link.visitor, _alone(link.visitor, users))
            into = sizes.get(root, _alone(root, users))
            parents[link.visitor] = link.user
            sizes[root] = (into[0] + moved[0], into[1] + moved[1])
    return states


def _state(
    link: Link, users: Collection[str], parents: Mapping[str, str], sizes: Mapping[str, tuple[int, int]]
) -> State:
    if not link.believed:
        return "public_key"
    # Two users of one device are two people: only an alias sent by a server joins them.
    if not link.is_alias and (link.visitor in users or link.knew_visitor):
        return "known_user"
    if link.visitor in parents:
        return "second_user"
    root = root_of(link.user, parents)
    if root == link.visitor:
        return "cycle"
    moved, into = sizes.get(link.visitor, _alone(link.visitor, users)), sizes.get(root, _alone(root, users))
    if moved[0] + into[0] > MOST_IDS or moved[1] + into[1] > MOST_USERS:
        return "too_many"
    return "holds"


def _alone(name: str, users: Collection[str]) -> tuple[int, int]:
    return 1, int(name in users)


def root_of(name: str, parents: Mapping[str, str]) -> str:
    """The id that this one finally counts as, following all links."""
    while name in parents:
        name = parents[name]
    return name


# Store links between ids reported by senders, and decide which of them hold (docs/identity.md).
#
# All of it happens in the transaction of the event that reports the link: once the sender has its 200, flags are
# evaluated for the user as for the visitor before. The decision holds a lock until the end of that transaction, so
# that two simultaneous logins of one visitor are judged one after the other.

LOCK = 7_019_008  # PostgreSQL advisory lock for decisions about ids
UNBELIEVED_AN_HOUR = 10_000  # rows of one source: enough to show what is happening
MOST_LOOKED_AT = 5_000  # links considered in one decision
TRUST_SECONDS = 2.0
# The format generated by browser and mobile libraries. Any other id sent with a public key may be a user's.
MADE_ID = re.compile(r"[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}", re.IGNORECASE)
LINKS = Counter("insight_identity_links", "What senders said of two ids, by what became of it.", ["state"])
STATES = {state: LINKS.labels(state.value) for state in IdLink.State}
_trusted: tuple[float, frozenset[int]] = (float("-inf"), frozenset())


@dataclass(frozen=True)
class Joined:
    """Two ids that count as one from now on.

    Attributes:
        visitor: one of them.
        user: the other; `root` the id as which both count.
        by_server: reported by a server key.
        is_new_user: the user was never joined to another id before.
    """

    visitor: str
    user: str
    root: str
    by_server: bool
    is_new_user: bool


def join_now(visitor: str, user: str, *, source_id: int, by_server: bool, now: datetime) -> None:
    """Store a link between two ids that an API call reports before any event does."""
    link = Said(visitor, user, now)
    if visitor == user or not is_new(link, by_server=by_server):
        return
    with transaction.atomic():
        keep_said([link], source_id=source_id, by_server=by_server, received_at=now)
    if not connection.in_atomic_block:
        handed_on([link], by_server=by_server)


def keep_said(logins: Sequence[Said], *, source_id: int, by_server: bool, received_at: datetime) -> None:
    """Store reported links and decide again about the ids in them. Call it last in a transaction.

    Raises:
        django.db.Error: when the database can't keep them.
    """
    erased = set(tombstones.are_known({name for link in logins for name in (link.visitor, link.user)}))
    links = [
        Link(link.visitor, link.user, link.at, link.is_alias, by_server, by_server or trusts(source_id))
        for link in logins
        if not erased & {link.visitor, link.user}
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
    """True when the source trusts logins reported with its client keys; a change takes effect after two seconds."""
    global _trusted  # noqa: PLW0603 - what this process knows
    now = time.monotonic()
    if now - _trusted[0] > TRUST_SECONDS:
        _trusted = now, frozenset(Source.objects.filter(trusts_logins=True).values_list("pk", flat=True))
    return source_id in _trusted[1]


def forget() -> None:
    """Clear the cache, so that the next call queries the database."""
    global _trusted  # noqa: PLW0603 - alike
    _trusted = float("-inf"), frozenset()


def _wait_for_turn() -> None:
    """Take the lock. SQLite runs one writing transaction at a time anyway."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])


def _with_room(links: list[Link], source_id: int, received_at: datetime) -> list[Link]:
    """Limit untrusted links per source and hour, against floods with a public key; trusted links are unlimited."""
    if all(link.believed for link in links):
        return links
    hour = IdLink.objects.filter(state=IdLink.State.PUBLIC_KEY, received_at__gt=received_at - timedelta(hours=1))
    room = max(0, UNBELIEVED_AN_HOUR - hour.filter(source=source_id).count())
    unbelieved = [link for link in links if not link.believed]
    STATES[IdLink.State.PUBLIC_KEY].inc(max(0, len(unbelieved) - room))
    return [link for link in links if link.believed] + unbelieved[:room]


def _keep_links(links: Sequence[Link], source_id: int, received_at: datetime) -> list[Link]:
    """Insert or update the rows; returns the links that add information."""
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
    """Merge a link into its row: a server's report and time win over a client's, an alias over a login."""
    before = (row.at, row.is_alias, row.by_server, row.believed)
    if link.by_server and not row.by_server:
        row.at, row.by_server = link.at, True
    elif link.by_server == row.by_server and (link.believed, row.believed) != (False, True):
        row.at = min(row.at, link.at) if link.believed == row.believed else link.at
    row.is_alias |= link.is_alias
    row.believed |= link.believed
    return before != (row.at, row.is_alias, row.by_server, row.believed)


def _users_among(names: Collection[str]) -> set[str]:
    """Ids that an identify event has sent as a user's, or may have before this was recorded."""
    users: set[str] = set()
    for some in _some(names):
        rows = UnitTraits.objects.filter(user_id__in=some).exclude(is_user=False)
        users.update(rows.values_list("user_id", flat=True))
    return users


def _decide(names: Collection[str]) -> None:
    """Judge all links that affect these ids, and notify the apps."""
    rows = _bearing_on(names)
    ids = {name for row in rows for name in (row.visitor, row.user)}
    users = {user for some in _some(ids) for user in _believed().filter(user__in=some).values_list("user", flat=True)}
    states = judge([_link(row) for row in rows], users, _others(ids, rows))
    before = {row.pk: row.state for row in rows}
    for row in rows:
        row.state = states[row.visitor, row.user]
    changed = [row for row in rows if before[row.pk] != row.state]
    held = IdLink.State.HOLDS
    turned = [row for row in changed if held in (row.state, before[row.pk])]
    for row in turned:
        row.in_store = False
    # At most one link of a visitor holds at any moment: first update those that no longer do.
    for some in ([row for row in changed if row.state != held], [row for row in changed if row.state == held]):
        IdLink.objects.bulk_update(some, ["state", "in_store"], batch_size=BATCH)
    _write_below([row.visitor for row in turned])
    for row in changed:
        STATES[IdLink.State(row.state)].inc()
    _tell([row for row in turned if row.state == held], rows)


def _believed() -> QuerySet[IdLink]:
    return IdLink.objects.filter(believed=True)


def _bearing_on(names: Collection[str]) -> list[IdLink]:
    """The links of these ids, and of all ids joined with them by aliases."""
    links: dict[int, IdLink] = {}
    seen: set[str] = set()
    ids = set(names)
    while ids and len(links) < MOST_LOOKED_AT:
        seen |= ids
        new: list[IdLink] = []
        for some in _some(ids):
            new += IdLink.objects.filter(Q(visitor__in=some) | Q(user__in=some, is_alias=True, believed=True))
        links |= {row.pk: row for row in new}
        ids = {name for row in new if row.is_alias for name in (row.visitor, row.user)} - seen
        # A visitor's own user may be an alias of another user: then their ids are counted together.
        ids |= {row.user for row in new if row.believed} - seen if len(seen) < BATCH else set()
    # Ids that weren't searched as visitors may have another user by a link that isn't loaded.
    return [row for row in links.values() if row.visitor in seen]


def _others(ids: Collection[str], rows: Iterable[IdLink]) -> dict[str, tuple[int, int]]:
    """How many visitors count as each of these ids by links that aren't loaded."""
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
    """Mark the links of all ids that count as these for rewriting: the store must map them to the new person."""
    above = set(names)
    seen: set[str] = set()
    while above:
        seen |= above
        below: set[str] = set()
        for some in _some(above):
            held = IdLink.objects.filter(state=IdLink.State.HOLDS, user__in=some)
            below.update(held.values_list("visitor", flat=True))
            held.update(in_store=False)
        above = below - seen


def _tell(new: Sequence[IdLink], rows: Iterable[IdLink]) -> None:
    """Call the functions that apps list as `when_joined` in their `apps.py`, for data stored by unit."""
    if not new:
        return
    parents = {row.visitor: row.user for row in rows if row.state == IdLink.State.HOLDS}
    users = {row.user for row in new}
    known = {user for some in _some(users) for user in _heard_of(some, new)}
    joined = [
        Joined(row.visitor, row.user, root_of(row.user, parents), row.by_server, row.user not in known) for row in new
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


# How many ids were joined and how many links were rejected: for the data page, metrics and REST.

KEPT_SECONDS = 60
KEY = "identity-counts"


@dataclass(frozen=True)
class Counts:
    """Counts since the beginning.

    Attributes:
        joined_ids: ids that count as another one; persons: the people that they count as.
        shared_devices: visitors with whom a second user has logged in.
        two_users: pairs of users that would have become one without an alias.
        circles: aliases between ids that were one already.
        too_many: links rejected because the person has too many ids.
        by_public_keys: logins reported by client keys only.
    """

    joined_ids: int = 0
    persons: int = 0
    shared_devices: int = 0
    two_users: int = 0
    circles: int = 0
    too_many: int = 0
    by_public_keys: int = 0

    @property
    def is_empty(self) -> bool:
        """True when no link was ever reported."""
        return self == Counts()


def counts() -> Counts:
    """The counts, cached for a minute: frequent requests don't read the tables each time."""
    numbers = cache.get(KEY)
    if not isinstance(numbers, Counts):
        numbers = counted()
        cache.set(KEY, numbers, KEPT_SECONDS)
    return numbers


def counted() -> Counts:
    """The counts, from the database."""
    state = IdLink.State
    rows = IdLink.objects.values("state").annotate(n=Count("pk"), visitors=Count("visitor", distinct=True))
    held = IdLink.objects.filter(state=state.HOLDS)
    persons = held.exclude(user__in=held.values("visitor")).aggregate(n=Count("user", distinct=True))["n"]
    by: dict[str, Any] = {row["state"]: row for row in rows}

    def of(name: str, what: str = "n") -> int:
        return int(by[name][what]) if name in by else 0

    return Counts(
        joined_ids=of(state.HOLDS),
        persons=int(persons),
        shared_devices=of(state.SECOND_USER, "visitors"),
        two_users=of(state.KNOWN_USER),
        circles=of(state.CYCLE),
        too_many=of(state.TOO_MANY),
        by_public_keys=of(state.PUBLIC_KEY),
    )
