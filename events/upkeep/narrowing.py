"""A list page's rows by tag, by owner and by whether they are archived: shared by the lists of all apps."""

from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest

from events.models import Tag
from events.upkeep.owners import OWNERS, owned_by
from events.upkeep.tags import tags_in_use
from events.upkeep.thing_kinds import ThingKind
from runs.web import person


@dataclass(frozen=True)
class Narrowing:
    """What a request asks for by ``tag``, ``owner=me`` and ``archived=1``; nonsense in them asks for nothing.

    Attributes:
        rows: those that were asked for, with owner and tags.
        tag: the chosen tag, or "".
        tags: those to choose from.
        mine: only the reader's own.
        archived: those that were put away, instead of the others.
        all_rows: whatever was asked for.
    """

    rows: QuerySet[Any]
    tag: str
    tags: tuple[str, ...]
    mine: bool
    archived: bool
    all_rows: QuerySet[Any]

    @property
    def filtered(self) -> bool:
        """True when the request narrows the list."""
        return bool(self.tag or self.mine or self.archived)

    @property
    def any_at_all(self) -> bool:
        """True when the kind has rows: an empty site and an empty answer need other words."""
        return self.all_rows.exists()


def narrowed(request: HttpRequest, kind: ThingKind, rows: QuerySet[Any]) -> Narrowing:
    """The rows of a list page; archived ones only where they are asked for.

    Args:
        request: the page's.
        kind: of the rows.
        rows: all rows of the kind, ordered, the archived ones too.
    """
    asked, tags = request.GET, tuple(tags_in_use(kind))
    tag = asked.get("tag", "")
    tag = tag if tag in tags else ""
    mine, archived = asked.get("owner") == "me", asked.get("archived") == "1"
    wanted = rows.filter(**kind.archived) if archived else rows.exclude(**kind.archived)
    found = with_tag(wanted, tag) if tag else wanted
    user = person(request)
    if mine and user is not None:
        found = found.filter(owned_by(user))
    return Narrowing(
        rows=found.select_related(*OWNERS).prefetch_related("tags"),
        tag=tag,
        tags=tags,
        mine=mine,
        archived=archived,
        all_rows=rows,
    )


def with_tag(rows: QuerySet[Any], name: str) -> QuerySet[Any]:
    """Those that bear a tag. By number, which is asked for once: the database then reads the index alone."""
    tag = Tag.objects.filter(name=name).values_list("pk", flat=True).first()
    return rows.none() if tag is None else rows.filter(tags=tag)
