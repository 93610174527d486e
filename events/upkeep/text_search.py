"""Search things by text: parts of words, in both languages, on every database, without an extension.

Each word must occur somewhere in a thing: in its columns, in a tag, in the display names of its behaviours, or in its
shown title. Texts are compared as NFC, and columns are also searched for the decomposed form (NFD): some machines type
Korean as single Jamo, and such stored text must be found. The outcome of an experiment is in no column that is
searched.
"""

import base64
import binascii
import json
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db.models import Model, Q, QuerySet
from django.utils import translation

from events.catalogue import labels
from events.models import EventLabel
from events.upkeep.tags_and_owners import owner_name, with_owner
from events.upkeep.thing_kinds import ThingKind

LONGEST = 200  # characters of a search text
MOST_WORDS = 8
MOST_TITLES = 1_000  # the newest rows whose generated titles are checked
MOST_EVENTS = 50  # events whose display name contains a word
AROUND = 60  # characters of a snippet on each side of the word


@dataclass(frozen=True)
class Snippet:
    """A match in context: the text before the word, the word as written there, the text after it."""

    before: str
    word: str
    after: str

    @property
    def text(self) -> str:
        """The snippet as one text."""
        return f"{self.before}{self.word}{self.after}"


@dataclass(frozen=True)
class Hit:
    """One search result, in the reader's language."""

    kind: ThingKind
    pk: int
    title: str
    url: str
    state: str
    owner: str
    made: datetime
    snippet: Snippet | None


@dataclass(frozen=True)
class Answer:
    """The first results, kind by kind, newest first; `more` is the cursor of the next page, or ""."""

    hits: tuple[Hit, ...]
    more: str


def words_of(typed: str) -> tuple[str, ...]:
    """The words of a search text."""
    text = unicodedata.normalize("NFC", typed.replace("\x00", " "))[:LONGEST]
    return tuple(dict.fromkeys(text.split()))[:MOST_WORDS]


def search(kinds: Iterable[ThingKind], words: Sequence[str], *, limit: int, after: str = "") -> Answer:
    """Search things of several kinds.

    Args:
        kinds: those that this reader may see, in the order of the answer.
        words: from `words_of`; none finds nothing.
        limit: hits at most.
        after: `Answer.more` of the page before; an invalid cursor starts from the beginning.
    """
    hits: list[Hit] = []
    begin, below = _place(after)
    known = list(kinds)
    if begin in [kind.slug for kind in known]:
        known = known[[kind.slug for kind in known].index(begin) :]
    else:
        below = None
    for kind in known if words else ():
        rows = matching(kind, words)
        if below is not None:
            rows = rows.filter(pk__lt=below)
        below = None
        room = limit - len(hits)
        page = list(with_owner(kind, rows).order_by("-pk")[: room + 1])
        hits += [_hit(kind, row, words) for row in page[:room]]
        if len(page) > room:
            # After the last result of this kind; if earlier kinds have filled the page, at this kind's first row.
            return Answer(tuple(hits), _more(kind, page[room - 1].pk if room else page[0].pk + 1))
    return Answer(tuple(hits), "")


def matching(kind: ThingKind, words: Sequence[str]) -> QuerySet[Any]:
    """The things of a kind that contain every word, in no order."""
    base, here = kind.row_class._base_manager, Q()
    for word in words:
        here &= Q(pk__in=base.filter(_holds(kind, word)).values("pk"))
    if kind.made_titles:
        here |= Q(pk__in=_titled(kind, words))
    return kind.rows().filter(here)


def _holds(kind: ThingKind, word: str) -> Q:
    """The filter for rows that contain a word."""
    forms = {word, unicodedata.normalize("NFD", word)}
    condition = Q()
    for form in forms:
        for name in kind.text_in:
            condition |= Q(**{f"{name}__icontains": form})
        # SQLite's JSON stores non-ASCII letters as \\uXXXX, PostgreSQL as themselves.
        for name in kind.lists_in:
            condition |= Q(**{f"{name}__icontains": form}) | Q(**{f"{name}__icontains": json.dumps(form)[1:-1]})
        if kind.tag_text:
            condition |= Q(**{f"{kind.tag_text}__icontains": form.lower()})
        else:
            condition |= Q(pk__in=kind.row_class._base_manager.filter(tags__name__icontains=form.lower()).values("pk"))
    for event in _called(forms) if kind.behaviours_in else ():
        for name in kind.behaviours_in:
            condition |= Q(**{f"{name}__icontains": event})
    return condition


def _called(forms: Iterable[str]) -> list[str]:
    """Events whose display name in either language contains the word."""
    named = Q()
    for form in forms:
        named |= Q(name_en__icontains=form) | Q(name_ko__icontains=form)
    return list(EventLabel.objects.filter(named).values_list("event", flat=True).distinct()[:MOST_EVENTS])


def _titled(kind: ThingKind, words: Sequence[str]) -> list[int]:
    """Rows whose title, as shown in either language, contains every word: it may be stored in no column."""
    wanted = [word.casefold() for word in words]
    ids: set[int] = set()
    rows = list(kind.rows().order_by("-pk")[:MOST_TITLES])
    for language, _name in settings.LANGUAGES:
        with translation.override(language), labels.shown_here():
            titles = {row.pk: _folded(kind.title_of(row)) for row in rows}
        ids |= {pk for pk, title in titles.items() if all(word in title for word in wanted)}
    return list(ids)


def _folded(text: str) -> str:
    return unicodedata.normalize("NFC", text).casefold()


def _hit(kind: ThingKind, row: Any, words: Sequence[str]) -> Hit:
    title = kind.title_of(row)
    return Hit(
        kind=kind,
        pk=row.pk,
        title=title,
        url=kind.url_of(row),
        state=kind.state_of(row),
        owner=owner_name(kind, row),
        made=getattr(row, kind.made),
        snippet=snippet(_texts(kind, row, title), words),
    )


def _texts(kind: ThingKind, row: Model, title: str) -> list[str]:
    """The text columns of a row, without its title, which is shown anyway."""
    strings: list[str] = []
    for name in (*kind.text_in, *kind.lists_in):
        value: Any = row
        for step in name.split("__"):
            value = value.get(step) if isinstance(value, dict) else getattr(value, step, None)
        strings += [text for text in (value if isinstance(value, list) else [value]) if isinstance(text, str)]
    texts = [unicodedata.normalize("NFC", text) for text in strings]
    return [text for text in texts if text not in ("", title)]


def snippet(texts: Iterable[str], words: Sequence[str]) -> Snippet | None:
    """The first occurrence of a word, with a little context; None if no text contains one."""
    for text in texts:
        flat = " ".join(text.split())
        folded = flat.lower()
        if len(folded) != len(flat):  # a letter that becomes longer in lower case: positions wouldn't match
            folded = flat
        for word in words:
            at = folded.find(word.lower())
            if at >= 0:
                end = at + len(word)
                before = ("…" if at > AROUND else "") + flat[max(at - AROUND, 0) : at]
                return Snippet(
                    before, flat[at:end], flat[end : end + AROUND] + ("…" if len(flat) > end + AROUND else "")
                )
    return None


def _more(kind: ThingKind, below: int) -> str:
    return base64.urlsafe_b64encode(f"{kind.slug}:{below}".encode()).decode().rstrip("=")


def _place(after: str) -> tuple[str, int | None]:
    """Parse a cursor into kind and number; an invalid one means the beginning."""
    try:
        slug, _, below = base64.urlsafe_b64decode(after + "=" * (-len(after) % 4)).decode().partition(":")
    except (binascii.Error, ValueError):
        return "", None
    return (slug, int(below)) if below.isascii() and below.isdigit() and len(below) < 19 else ("", None)
