"""Filter a list page's rows by tag, owner and archive state: shared by the lists of all apps."""

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
    """The filters of a request, from ``tag``, ``owner=me`` and ``archived=1``; invalid values are ignored.

    Attributes:
        rows: the filtered rows, with owner and tags.
        tag: the chosen tag, or "".
        tags: the tags to choose from.
        mine: only the reader's own.
        archived: the archived rows, instead of the others.
        all_rows: the unfiltered rows.
    """

    rows: QuerySet[Any]
    tag: str
    tags: tuple[str, ...]
    mine: bool
    archived: bool
    all_rows: QuerySet[Any]

    @property
    def filtered(self) -> bool:
        """True when the request filters the list."""
        return bool(self.tag or self.mine or self.archived)

    @property
    def any_at_all(self) -> bool:
        """True when the kind has rows: an empty site and an empty result need different messages."""
        return self.all_rows.exists()


def narrowed(request: HttpRequest, kind: ThingKind, rows: QuerySet[Any]) -> Narrowing:
    """The rows of a list page; archived ones only if requested.

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
    """Rows with a tag. The tag's number is queried first: the database then needs only the index."""
    tag = Tag.objects.filter(name=name).values_list("pk", flat=True).first()
    return rows.none() if tag is None else rows.filter(tags=tag)
