"""Identify who sent an event from the prefix of its message id. Pure.

The prefix is always added by us, never by the sender, so no sender can forge another's id:

    {source}:s:{id}    by a server or admin key of that source
    {source}:c:{id}    by a client key, which anyone can read in a web page
    {source}:{id}      written by 0.3 without the kind of key; treated as a server's
    assignment:{id}    Insight's own: an exposure that our API logged
    anything else      read from a file by `import_events`, which only an operator can run

Since 0.5, ids of events sent or evaluated with a client key also contain a mark of the visitor's address in that hour
(`events.visits`), before the id: ``{source}:c:~{mark}:{id}``, and ``assignment:~{mark}:{id}``. Repeats are recognised
without the mark: a sender told to retry may have another address by then.
"""

import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["insight", "server", "client", "file"]

OWN = "assignment"
# For SQL: POSIX classes and no groups, so that every engine matches alike.
BY_CLIENT = "^[0-9]+:c:"
BY_VISITOR = "^assignment:~"  # our own, for an evaluation with a client key
_MARKED = re.compile("^([0-9]{1,18}:c|assignment):~([0-9a-f]{8}):")
LETTERS = {"client": "c", "server": "s", "admin": "s"}


@dataclass(frozen=True)
class Sender:
    """Who sent an event.

    Attributes:
        source: the row of `events.Source`; None where no key sent the event.
        kind: ``client`` for a public key, ``server`` for a secret one (or unknown, of 0.3), ``insight`` for our own
            events, ``file`` for what an operator imported.
    """

    source: int | None
    kind: Kind


def prefix_of(source: int, kind: str) -> str:
    """The message id prefix of a caller, without the colon that follows.

    Args:
        source: the row of `events.Source`.
        kind: of the key: ``client``, ``server`` or ``admin``.

    Raises:
        KeyError: for another kind.
    """
    return f"{source}:{LETTERS[kind]}"


def marked(mark: str) -> str:
    """The mark as it stands between the prefix with its colon and the sender's id; "" without a mark."""
    return f"~{mark}:" if mark else ""


def mark_of(message_id: str | None) -> str:
    """The visitor's mark in a stored message id; "" if it has none."""
    found = _MARKED.match(message_id or "")
    return found[2] if found else ""


def unmarked(message_id: str) -> str:
    """A stored message id without the mark, as used to recognise repeats."""
    return _MARKED.sub(r"\1:", message_id, count=1)


def sender_of(message_id: str | None) -> Sender:
    """Who sent the event with this stored message id."""
    first, colon, rest = (message_id or "").partition(":")
    if first == OWN and colon:
        return Sender(None, "insight")
    if not colon or not re.fullmatch("[0-9]{1,18}", first):
        return Sender(None, "file")
    return Sender(int(first), "client" if rest.startswith("c:") else "server")
