"""Registry of the kinds of runs: each record names the pages, charts and files that belong to one kind.

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

PARTS, COUNT = "parts", "count"  # keys of the column `early`: partial results by name, and how many were added

type Address = tuple[str, ...]  # a route name, then the attributes of a run that are its arguments


@dataclass(frozen=True)
class RunKind:
    """One kind of long computation.

    Attributes:
        model: "app.Model". Stored pictures and share links hold it, so it never changes.
        page: the route of a run's page; the routes of its progress fragment and of cancelling end in "_progress" and
            "_cancel".
        permission: the permission needed to cancel a run.
        stages: label of each stage that the computation reports.
        task: name of the background task that computes a run; its argument is the run's id.
        home: the page to return to after cancelling; empty: the run's own.
        schema: dotted name of the `runs.payloads.Schema` of its payload.
        draw: dotted name of a function from the report and a chart's slug ("" for all charts) to a tuple of
            `reporting.charts.Drawing`; "" for a kind without charts.
        body: dotted name of a function from the run to the template context of its page's body; "" for a kind that
            can't be downloaded.
        template: the page's body; it is rendered with ``standalone`` and `run`.
        document: dotted name of a function from the report to the JSON document.
        early: dotted name of a function from the partial results of a running computation (documents by name) to a
            `reporting.table.Growing`, or None while there is nothing to show; "" for a kind whose page shows progress
            only.
        units_of: whose data the run uses: "*" for all users with events, the lookup of an experiment's key for the
            users exposed to it, "" for none. Used to count how many of them have been erased since.
        may_read: the permission needed to read the page, or "" when every account may.
        price: dotted name of a function from the run to what it would read (`runs.prices.Price`), asked before it
            begins; "" for kinds that aren't priced, which no budget refuses.
    """

    model: str
    page: Address
    permission: str
    stages: Mapping[str, str | Promise]
    task: str
    schema: str
    home: Address = ()
    draw: str = ""
    body: str = ""
    template: str = ""
    document: str = ""
    early: str = ""
    units_of: str = ""
    may_read: str = ""
    price: str = ""

    @property
    def run_class(self) -> "type[Run]":
        """The model class."""
        model: type[Run] = apps.get_model(self.model)
        return model

    def light(self) -> "QuerySet[Run]":
        """Rows with the fields that their name and URL need, without the payload, which may be megabytes."""
        return self.run_class.objects.light(*self.run_class.NAMED_BY)

    def url(self, run: "Run", action: str = "") -> str:
        """URL of a run's page, or of the "progress" or "cancel" route that `action` names."""
        route, *names = self.page
        return reverse(f"{route}_{action}" if action else route, args=_values(run, names))

    def home_url(self, run: "Run") -> str:
        """URL of the page to return to after cancelling a run."""
        route, *names = self.home or self.page
        return reverse(route, args=_values(run, names))

    def stage_words(self, run: "Run") -> str:
        """Label of the run's current stage; "" for a stage without a label."""
        return str(self.stages.get(run.stage, ""))

    def report(self, run: "Run") -> Any:
        """The report of a finished run, read from its payload; `runs.payloads.Unreadable` when it can't be read."""
        return import_string(self.schema).read(run.payload)

    def growing(self, run: "Run") -> "Growing | None":
        """Partial results of a running computation; None for kinds without any and for those of another version."""
        documents = (run.early or {}).get(PARTS) if self.early and run.is_open else None
        if not documents:
            return None
        try:
            page: Growing | None = import_string(self.early)(documents)
        except ValidationError:  # a worker of another version computes it: the page then shows progress only
            return None
        return page

    def drawings(self, run: "Run", slug: str = "") -> tuple[Any, ...]:
        """The charts of a finished run (or one of them), worded in the active language, not yet rendered."""
        report = self.report(run) if self.draw else None
        if report is None or isinstance(report, Unreadable):
            return ()
        charts: tuple[Any, ...] = import_string(self.draw)(report, slug)
        return charts

    def context(self, run: "Run") -> dict[str, Any]:
        """Template context for the body of a finished run's page."""
        values: dict[str, Any] = import_string(self.body)(run)
        return values

    def numbers(self, run: "Run") -> dict[str, Any]:
        """JSON document of a finished run, worded in the active language."""
        report = self.report(run)
        if isinstance(report, Unreadable):
            return {"unreadable": report.sentence()}
        document: dict[str, Any] = import_string(self.document)(report)
        return document | ({"erased_units": run.erased_units} if run.erased_units else {})


def all_kinds() -> Iterator[RunKind]:
    """Every kind of every installed app."""
    for app in apps.get_app_configs():
        yield from getattr(app, "run_kinds", ())


def find_kind(label: str) -> RunKind | None:
    """The kind with this model label; None when there is none."""
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
