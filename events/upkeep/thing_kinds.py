"""Registry of the kinds of things that people create: experiments, studies, moments, segments.

Each app lists its own in its configuration (`thing_kinds` in `apps.py`), by dotted names: so no app imports one above
it. A listed kind can be tagged, owned, searched for and, if it has a column for it, archived.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

from django.apps import apps
from django.db.models import Model, QuerySet
from django.urls import reverse
from django.utils.functional import Promise

ARCHIVED_AT: Mapping[str, Any] = {"archived_at__isnull": False}


@dataclass(frozen=True)
class ThingKind:
    """One kind of things. Its model has the columns `created_by` and `owner`, and the relation `tags` to `Tag`.

    Or it has text columns instead: `tag_text` and `owner_text` name them.

    Attributes:
        slug: its name in URLs and in REST; it never changes.
        model: "app.Model".
        name, plural: singular and plural for people.
        page: route of a thing's page, then the attributes of a row that are its arguments.
        list_page: route of the list of all.
        title: attribute with the name that readers are shown; "" for the row's own text.
        state: method that returns its state in the reader's language; never about an outcome.
        made: attribute with the time at which it was made.
        joined: relations that title and page read, as for `select_related`.
        text_in: columns that search reads. None may hold the outcome of an experiment: outcomes are locked until their
            day.
        lists_in: columns with a JSON list of texts that search reads too.
        behaviours_in: columns with names of events; search also matches their display names.
        made_titles: the shown title may be generated from other columns, so that search must check the title itself.
        archived: the filter for archived rows.
        own_archive: whether it is archived by its own services instead of `events.upkeep.archive`.
        tag_text: column with the tags as text, ",a,b,", where there is no relation; its lists are its own.
        owner_text: column with the name of the owner's account, where there is no relation.
    """

    slug: str
    model: str
    name: str | Promise
    plural: str | Promise
    page: tuple[str, ...]
    list_page: str
    title: str = ""
    state: str = "get_status_display"
    made: str = "created_at"
    joined: tuple[str, ...] = ()
    text_in: tuple[str, ...] = ()
    lists_in: tuple[str, ...] = ()
    behaviours_in: tuple[str, ...] = ()
    made_titles: bool = False
    archived: Mapping[str, Any] = field(default_factory=lambda: ARCHIVED_AT)
    own_archive: bool = False
    tag_text: str = ""
    owner_text: str = ""

    @property
    def row_class(self) -> Any:
        """The model class."""
        return apps.get_model(self.model)

    def rows(self) -> "QuerySet[Any]":
        """Every row with the fields that its name and URL need, without heavy columns."""
        manager = self.row_class.objects
        if hasattr(manager, "light"):
            rows: QuerySet[Any] = manager.light(*self.joined)
            return rows
        rows = manager.select_related(*self.joined) if self.joined else manager.all()
        return rows.defer(*(f"{path}__{name}" for path in self.joined for name in self._heavy(path)))

    def _heavy(self, path: str) -> tuple[str, ...]:
        model: Any = self.row_class
        for step in path.split("__"):
            model = model._meta.get_field(step).related_model
        return tuple(getattr(model, "HEAVY", ()))

    def current(self) -> "QuerySet[Any]":
        """Rows that aren't archived."""
        return self.rows().exclude(**self.archived)

    def title_of(self, row: Model) -> str:
        """Its name in the reader's language."""
        return str(attrgetter(self.title)(row)) if self.title else str(row)

    def state_of(self, row: Model) -> str:
        """Its state in words."""
        return str(getattr(row, self.state)())

    def url_of(self, row: Model) -> str:
        """URL of its page."""
        route, *names = self.page
        return reverse(route, args=[attrgetter(name)(row) for name in names])

    def permission(self, action: str) -> str:
        """The permission to "view" or "change" things of this kind."""
        meta = self.row_class._meta
        return f"{meta.app_label}.{action}_{meta.model_name}"


def thing_kinds() -> list[ThingKind]:
    """The kinds of all apps, the topmost app first: people look for experiments before they look for segments."""
    return [kind for app in apps.get_app_configs() for kind in getattr(app, "thing_kinds", ())]


def find_kind(slug: str) -> ThingKind | None:
    """The kind with this slug; None when there is none."""
    return next((kind for kind in thing_kinds() if kind.slug == slug), None)


def kind_of(thing: Model | type[Model]) -> ThingKind:
    """The kind of a row, or of a model."""
    return next(kind for kind in thing_kinds() if kind.model == thing._meta.label)
