"""Which links between ids hold. Pure (docs/identity.md).

One id has at most one user: that of the earliest trusted link, whatever arrives first. Links reported by a server key
win over those of a client key. So the result depends only on the set of links; only the two limits and `knew_visitor`,
recorded when a link is first reported, depend on their order of arrival.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

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
    for link in sorted(links, key=lambda one: one.rank):
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
