"""Saved views: a question of Explore under a name. Its answer is counted when somebody opens it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import AnonymousUser, User
from django.db import transaction
from django.http import QueryDict
from django.urls import reverse
from django.utils.dateparse import parse_datetime
from django.utils.safestring import mark_safe

from aha.explore import answering, report_pages
from aha.explore.forms import ExploreForm, filled
from aha.explore.question import Question, address
from aha.models import SavedView
from events.upkeep.tags_and_owners import owner_of, set_tags, tag_names
from reporting.date_marks import DateAxis
from runs.refusals import Refused

LONGEST_NAME = 120


def save_view(*, name: str, question: Question, tags: str = "", by: User | None = None) -> SavedView:
    """Save a question under a name.

    Raises:
        Refused: without a name, or a tag isn't one.
    """
    labels = tag_names(tags)
    asked = QueryDict(address(question))
    with transaction.atomic():
        row = SavedView.objects.create(
            name=_name(name), view=question.view, question=dict(asked.lists()), created_by=by, owner=by
        )
        set_tags(thing=row, names=labels)
    return row


def rename_view(*, view: SavedView, name: str, by: User | None) -> SavedView:
    """Give a view another name.

    Raises:
        Refused: it belongs to somebody else, or without a name.
    """
    _refuse_others(view, by)
    view.name = _name(name)
    view.save(update_fields=["name"])
    return view


def delete_view(*, view: SavedView, by: User | None) -> None:
    """Delete a view.

    Raises:
        Refused: it belongs to somebody else.
    """
    _refuse_others(view, by)
    view.delete()


def owns(view: SavedView, user: User | AnonymousUser | None) -> bool:
    """Whether a person may rename and delete a view: its owner, and superusers."""
    return user is not None and (user.is_superuser or owner_of(view) == user)


def _refuse_others(view: SavedView, by: User | None) -> None:
    if not owns(view, by):
        raise Refused("“{name}” belongs to somebody else.", name=view.name)


def _name(typed: str) -> str:
    name = " ".join(typed.replace("\x00", " ").split())[:LONGEST_NAME]
    if not name:
        raise Refused("A saved view needs a name.", at="name")
    return name


def address_of(view: SavedView) -> str:
    """The address of its page."""
    return f"{reverse('explore:view', args=[view.view])}?{_query(view).urlencode()}"


def _query(view: SavedView) -> QueryDict:
    query = QueryDict(mutable=True)
    for name, values in sorted(view.question.items()):  # PostgreSQL keeps no order of a document's keys
        query.setlist(name, values)
    return query


@dataclass(frozen=True)
class Glance:
    """What a card shows of a saved view.

    Attributes:
        waits: it is still being counted; ask again.
        why: why there is no answer, in a sentence; "" where there is one.
        finding: the answer in a sentence.
        picture: its first chart as SVG markup, "" for none; `label` is its name.
        dates: those of the chart's axis; None without.
        counted_at: when.
    """

    waits: bool = False
    why: str = ""
    finding: str = ""
    picture: str = ""
    label: str = ""
    dates: DateAxis | None = None
    counted_at: datetime | None = None


def glance(view: SavedView) -> Glance:
    """The current answer of a saved view, or that it is being counted; the outcome lock holds as on its page."""
    form = ExploreForm(view.view, filled(_query(view), {}))
    if not form.is_valid():
        errors = [str(error) for some in form.errors.values() for error in some]
        return Glance(why=" ".join(errors))
    reply = answering.ask(form.question)
    if reply.refused is not None:
        return Glance(why=reply.refused.sentence)
    if reply.payload is None:
        return Glance(waits=not reply.failed)
    return _shown(form.question, reply.payload)


def _shown(question: Question, payload: dict[str, Any]) -> Glance:
    shown = report_pages.show(question, payload)
    sheet = shown.sheets[0] if shown.sheets else None
    return Glance(
        finding=shown.finding,
        # Names are escaped where the picture is drawn; the markup itself is ours.
        picture=mark_safe(sheet.markup()) if sheet else "",  # noqa: S308
        label=sheet.label if sheet else "",
        dates=sheet.dates if sheet else None,
        counted_at=parse_datetime(payload["counted_at"]),
    )
