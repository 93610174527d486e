"""What people call an event or a property, where they gave it a name to show. Pure: the site lends the table.

Stored results, documents for machines and command lines keep names as they are sent. Pages say `shown(name)`: inside a
request of a person, the site has lent a table (`names_from`); elsewhere a name stands for itself.
"""

import re
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


def unescaped(text: str) -> str:
    """A specification without its backslashes; a name that people typed keeps its own."""
    return re.sub(r"\\([\\:\[\]#=/])", r"\1", text)


def shown_in(text: str) -> str:
    """A behaviour or metric, such as ``count:EVENT[property=value]:0-6``, with the names to show, unescaped."""
    words = re.split(r"(?<!\\)([:\[\]#=/])", text)
    event, made = "", ""
    for place in range(0, len(words), 2):
        word, before = unescaped(words[place]), words[place - 1] if place else ""
        is_form = place == 0 and words[1:2] == [":"]  # the "count" of count:EVENT:0-6
        if word and not is_form and before != "=":
            if event and (before in ("[", "#") or (before == ":" and words[0] == "sum" and place == 4)):
                word = shown(event, word)
            elif before in ("", ":"):
                event, word = word, shown(word)
        made += before + word
    return made


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
