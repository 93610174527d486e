"""The kinds of long computations: one record for each, which says where its pages, pictures and files come from.

Each app lists its own in its configuration (`run_kinds` in `apps.py`), by dotted names: so no app imports one above it,
and a web process starts without SciPy and Altair.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.module_loading import import_string
from pydantic import ValidationError

from runs.payloads import Unreadable

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from reporting.table import Growing
    from runs.models import Run

PARTS, COUNT = "parts", "count"  # in the column `early`: documents by name, and how often one has come

type Address = tuple[str, ...]  # a route, then the attributes of a run that are its arguments


@dataclass(frozen=True)
class RunKind:
    """One kind of long computation.

    Attributes:
        model: "app.Model". Stored pictures and share links hold it, so it never changes.
        page: the page of a run; its fragment and its cancelling are the same route with "_progress" and "_cancel".
        permission: what a person needs who cancels one.
        stages: what a run is doing, by the stage that its computation names.
        task: the background task that computes a run, by its name; its argument is the run's id.
        home: the page to return to after cancelling; empty: the run's own.
        read: payload to report; "" while no page but the run's own reads it.
        draw: the report, and the slug of one picture or "" for all, to a tuple of `reporting.charts.Drawing`; "" for
            a kind without pictures.
        body: the run to the context of its page's body; "" for a kind that can't be taken away.
        template: the page's body; it is rendered with ``standalone`` and `run`.
        document: the report to the JSON document.
        early: the parts that a running one has told so far, as documents by name, to a `reporting.table.Growing`, or
            None while there is nothing to show; "" for a kind whose page says how far it is, and nothing else.
        units_of: whose data it is made of: "*" for everybody with events, the lookup of an experiment's key for those
            who met it, "" for nobody. So it can say how many of them were erased since.
        may_read: what a person needs to read the page, or "" when every account may.
    """

    model: str
    page: Address
    permission: str
    stages: Mapping[str, str | Promise]
    task: str
    home: Address = ()
    read: str = ""
    draw: str = ""
    body: str = ""
    template: str = ""
    document: str = ""
    early: str = ""
    units_of: str = ""
    may_read: str = ""

    @property
    def run_class(self) -> "type[Run]":
        """The model itself."""
        found: type[Run] = apps.get_model(self.model)
        return found

    def light(self) -> "QuerySet[Run]":
        """Rows with all that their name and address read, and without their payload, which may be megabytes."""
        return self.run_class.objects.light(*self.run_class.NAMED_BY)

    def url(self, run: "Run", action: str = "") -> str:
        """Where a run's page is; with "progress" or "cancel" where that is asked for."""
        route, *names = self.page
        return reverse(f"{route}_{action}" if action else route, args=_values(run, names))

    def home_url(self, run: "Run") -> str:
        """The page to which a person returns after cancelling a run."""
        route, *names = self.home or self.page
        return reverse(route, args=_values(run, names))

    def stage_words(self, run: "Run") -> str:
        """What a run is doing now; "" for a stage without words."""
        return str(self.stages.get(run.stage, ""))

    def report(self, run: "Run") -> Any:
        """What a done run found, read from its payload; `runs.payloads.Unreadable` when it can't be."""
        return import_string(self.read)(run.payload)

    def growing(self, run: "Run") -> "Growing | None":
        """What a running one shows before its end; None for most, and for parts that another version wrote."""
        documents = (run.early or {}).get(PARTS) if self.early and run.is_open else None
        if not documents:
            return None
        try:
            found: Growing | None = import_string(self.early)(documents)
        except ValidationError:  # a worker of another version computes it: the page then says how far it is
            return None
        return found

    def drawings(self, run: "Run", slug: str = "") -> tuple[Any, ...]:
        """The charts of a done run, or one of them, with words in the active language, not yet rendered."""
        report = self.report(run) if self.draw else None
        if report is None or isinstance(report, Unreadable):
            return ()
        found: tuple[Any, ...] = import_string(self.draw)(report, slug)
        return found

    def context(self, run: "Run") -> dict[str, Any]:
        """What the body of a done run's page shows."""
        found: dict[str, Any] = import_string(self.body)(run)
        return found

    def numbers(self, run: "Run") -> dict[str, Any]:
        """A done run's JSON document, with words in the active language."""
        report = self.report(run)
        if isinstance(report, Unreadable):
            return {"unreadable": report.sentence()}
        found: dict[str, Any] = import_string(self.document)(report)
        return found | ({"erased_units": run.erased_units} if run.erased_units else {})


def all_kinds() -> Iterator[RunKind]:
    """Every kind of every installed app."""
    for app in apps.get_app_configs():
        yield from getattr(app, "run_kinds", ())


def find_kind(label: str) -> RunKind | None:
    """The kind of a model's label; None when there is none."""
    return next((kind for kind in all_kinds() if kind.model == label), None)


def kind_of(run: "Run") -> RunKind:
    """The kind of a run.

    Raises:
        LookupError: for a model that its app doesn't list.
    """
    kind = find_kind(run._meta.label)
    if kind is None:
        raise LookupError(f"{run._meta.label} is missing in the run_kinds of its app")
    return kind


def _values(run: "Run", names: list[str]) -> list[Any]:
    return [attrgetter(name)(run) for name in names]
