"""Tags and owners of things: put tags on them; rename, merge and delete tags; whose a thing is; lists by them."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Count, Model, Q, QuerySet
from django.http import HttpRequest

from events.models import Tag
from events.upkeep.thing_kinds import ThingKind, thing_kinds
from runs.refusals import Refused
from runs.web import person

# Tags on things: set, rename, merge and delete them.

MOST = 10  # tags of one thing
LONGEST = 40
WORD = re.compile(r"[\w.\-/+&]+")  # letters and digits of every script


def tag_name(typed: str) -> str:
    """The normal form of a tag: lower case, blanks as hyphens, Unicode normalised.

    Raises:
        Refused: it is empty, too long or contains other characters.
    """
    name = re.sub(r"\s+", "-", unicodedata.normalize("NFC", typed).strip().lower())
    if not WORD.fullmatch(name) or len(name) > LONGEST:
        raise Refused(
            "A tag is one short word of letters, digits and - . / + &, at most {most} of them: “{tag}” isn't.",
            at="tags",
            most=LONGEST,
            tag=typed[:60],
        )
    return name


def tag_names(typed: str) -> list[str]:
    """The tags in a comma-separated field.

    Raises:
        Refused: as `tag_name`.
    """
    return [tag_name(word) for word in typed.split(",") if word.strip()]


def set_tags(*, thing: Model, names: Iterable[str]) -> list[str]:
    """Set a thing's tags, replacing all others; new ones are created. Returns them, in order.

    Raises:
        Refused: too many tags, or an invalid one.
    """
    wanted = sorted({tag_name(name) for name in names})
    if len(wanted) > MOST:
        raise Refused("At most {most} tags for one thing.", at="tags", most=MOST)
    row: Any = thing
    with transaction.atomic():
        row.tags.set([Tag.objects.get_or_create(name=name)[0] for name in wanted])
    return wanted


def rename_tag(*, tag: Tag, name: str) -> Tag:
    """Rename a tag; if a tag of that name exists, both are merged.

    Raises:
        Refused: the name is invalid.
    """
    wanted = tag_name(name)
    with transaction.atomic():
        row = Tag.objects.select_for_update().get(pk=tag.pk)
        other = Tag.objects.filter(name=wanted).exclude(pk=row.pk).first()
        if other is not None:
            return merge_tags(tag=row, into=other)
        _rewrite_texts(row.name, wanted)
        row.name = wanted
        row.save(update_fields=["name"])
    return row


def merge_tags(*, tag: Tag, into: Tag) -> Tag:
    """Replace `tag` by `into` on everything, and delete `tag`; returns `into`.

    Raises:
        Refused: both are the same.
    """
    if tag.pk == into.pk:
        raise Refused("A tag can't be merged into itself.", at="into")
    with transaction.atomic():
        # In the order of their ids: two merges of the same pair in opposite directions must not deadlock.
        locked = {
            row.pk: row for row in Tag.objects.select_for_update().filter(pk__in=[tag.pk, into.pk]).order_by("pk")
        }
        if len(locked) < 2:
            raise Refused("There is no such tag any more.")
        _rewrite_texts(locked[tag.pk].name, locked[into.pk].name)
        for kind in _related():
            links, thing = _links(kind)
            both = links.filter(tag_id=into.pk).values(thing)
            links.filter(tag_id=tag.pk).exclude(**{f"{thing}__in": both}).update(tag_id=into.pk)
        locked[tag.pk].delete()
    return locked[into.pk]


def delete_tag(*, tag: Tag) -> None:
    """Delete a tag and remove it from everything."""
    with transaction.atomic():
        _rewrite_texts(tag.name, "")
        tag.delete()


def tags_in_use(kind: ThingKind) -> list[str]:
    """The names of the tags used by things of a kind."""
    links, _thing = _links(kind)
    return list(Tag.objects.filter(pk__in=links.values("tag_id")).values_list("name", flat=True))


def all_tags() -> list[tuple[Tag, int]]:
    """Every tag and how many things have it."""
    counts: dict[int, int] = {}
    for kind in _related():
        links, _thing = _links(kind)
        for row in links.values("tag_id").annotate(number=Count("pk")):
            counts[row["tag_id"]] = counts.get(row["tag_id"], 0) + row["number"]
    texts = Counter(name for kind in _with_texts() for text in _texts(kind, ",") for name in text.split(","))
    return [(tag, counts.get(tag.pk, 0) + texts[tag.name]) for tag in Tag.objects.all()]


def _related() -> list[ThingKind]:
    return [kind for kind in thing_kinds() if not kind.tag_text]


def _with_texts() -> list[ThingKind]:
    return [kind for kind in thing_kinds() if kind.tag_text]


def _texts(kind: ThingKind, part: str) -> list[str]:
    rows = kind.row_class._base_manager.filter(**{f"{kind.tag_text}__contains": part})
    return list(rows.values_list(kind.tag_text, flat=True))


def _rewrite_texts(old: str, new: str) -> None:
    """Rewrite texts with tags (",a,b,"): replace `old` by `new`, or remove it."""
    for kind in _with_texts():
        for row in kind.row_class._base_manager.filter(**{f"{kind.tag_text}__contains": f",{old},"}):
            names = [new if name == old else name for name in getattr(row, kind.tag_text).split(",")]
            left = sorted({name for name in names if name})
            setattr(row, kind.tag_text, f",{','.join(left)}," if left else "")
            row.save(update_fields=[kind.tag_text])


def _links(kind: ThingKind) -> tuple[Any, str]:
    """The relation rows between tags and things of a kind, and the column that refers to the thing."""
    field = kind.row_class._meta.get_field("tags")
    return field.remote_field.through._default_manager.all(), f"{field.m2m_field_name()}_id"


# Ownership of things: the creator owns a thing until somebody else takes it over.

OWNERS = ("owner", "created_by")  # to join for `owner_of`


def owner_of(thing: Model) -> User | None:
    """The owner; None if unknown, for example if a key created it."""
    row: Any = thing
    owner: User | None = row.owner or row.created_by
    return owner


def owner_name(kind: ThingKind, thing: Model) -> str:
    """The name of the owner's account, or ""."""
    if kind.owner_text:
        return str(getattr(thing, kind.owner_text))
    owner = owner_of(thing)
    return "" if owner is None else owner.get_username()


def with_owner(kind: ThingKind, rows: QuerySet[Any]) -> QuerySet[Any]:
    """The same rows, joined with what `owner_name` reads."""
    return rows if kind.owner_text else rows.select_related(*OWNERS)


def owned_by(user: User) -> Q:
    """The filter for things owned by a person."""
    return Q(owner=user) | Q(owner__isnull=True, created_by=user)


def set_owner(*, thing: Model, owner: User) -> None:
    """Change the owner. It is recorded in the log of changes, and makes no new version of a plan.

    Raises:
        Refused: that account is deactivated.
    """
    if not owner.is_active:
        raise Refused(
            "The account {name} is deactivated: it can't own anything.", at="owner", name=owner.get_username()
        )
    with transaction.atomic():
        row: Any = type(thing)._default_manager.select_for_update().get(pk=thing.pk)
        row.owner = owner
        row.skip_history_when_saving = True
        row.save(update_fields=["owner"])
    thing.owner = owner  # type: ignore[attr-defined]


# Filter a list page's rows by tag, owner and archive state: shared by the lists of all apps.


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
    query, tags = request.GET, tuple(tags_in_use(kind))
    tag = query.get("tag", "")
    tag = tag if tag in tags else ""
    mine, archived = query.get("owner") == "me", query.get("archived") == "1"
    wanted = rows.filter(**kind.archived) if archived else rows.exclude(**kind.archived)
    listed = with_tag(wanted, tag) if tag else wanted
    user = person(request)
    if mine and user is not None:
        listed = listed.filter(owned_by(user))
    return Narrowing(
        rows=listed.select_related(*OWNERS).prefetch_related("tags"),
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
