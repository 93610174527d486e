"""Table of joined ids for the data page. Pure."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.translation import gettext

from reporting.numbers import count

if TYPE_CHECKING:
    from events.people.identity import Counts


@dataclass(frozen=True)
class Row:
    """One line of the list.

    Attributes:
        name: what is counted.
        value: how many, formatted.
        note: what it means for results, or what to do.
        state: code of the links that the administration lists for it; "" for those that hold.
    """

    name: str
    value: str
    note: str
    state: str


def rows(found: "Counts") -> list[Row]:
    """The rows with counts; empty if no sender ever reported a link between ids."""
    if found.is_empty:
        return []
    joined = Row(
        gettext("Joined ids"),
        count(found.joined_ids),
        gettext("of {persons} persons; all their events count as one user's.").format(persons=count(found.persons)),
        "holds",
    )
    others = [
        Row(
            gettext("Shared devices"),
            count(found.shared_devices),
            gettext("visitors with a second user who logged in: they belong to the first."),
            "second_user",
        ),
        Row(
            gettext("Two users, not joined"),
            count(found.two_users),
            gettext("logins that name one user's id as another's visitor: only a server's alias joins two users."),
            "known_user",
        ),
        Row(
            gettext("Said by client keys alone"),
            count(found.by_public_keys),
            gettext("logins that join nobody until a server key reports them, or their source is trusted with it."),
            "public_key",
        ),
        Row(
            gettext("Too many ids"),
            count(found.too_many),
            gettext("logins beyond the 500 ids of one person: check whether a sender uses one id for everybody."),
            "too_many",
        ),
    ]
    numbers = (found.shared_devices, found.two_users, found.by_public_keys, found.too_many)
    return [joined, *(row for row, number in zip(others, numbers, strict=True) if number)]
