"""What people call an event or a property, where they gave it a name to show. Pure: the site lends the table.

Stored results, documents for machines and command lines keep names as they are sent. Pages say `shown(name)`: inside a
request of a person, the site has lent a table (`names_from`); elsewhere a name stands for itself.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar

type Lookup = Callable[[str, str], str]
_lookup: ContextVar[Lookup | None] = ContextVar("shown_names", default=None)


def shown(event: str, property: str = "") -> str:
    """The name of an event, or of one of its properties, as the reader's language shows it."""
    lookup = _lookup.get()
    name = property or event
    return (lookup(event, property) or name) if lookup else name


@contextmanager
def names_from(lookup: Lookup) -> Iterator[None]:
    """Let `shown` ask this until the block ends: event and property (or "") in, the name to show or "" out."""
    token = _lookup.set(lookup)
    try:
        yield
    finally:
        _lookup.reset(token)


def as_sent() -> AbstractContextManager[None]:
    """Until the block ends, names stand for themselves: for documents that machines read."""
    return names_from(lambda _event, _property: "")
