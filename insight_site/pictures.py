"""Pictures of finished runs: which charts a run has, and the stored rendering of each in each language.

Apps can't import the renderer, so this table names their pure functions: payload to report, report to drawings.
"""

from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.conf import settings
from django.utils import translation
from django.utils.module_loading import import_string
from django.utils.translation import gettext

from events.models import Run
from insight_site import rendering
from insight_site.models import Picture
from reporting.charts import Drawing

MANY_MARKS = 500  # beyond this an SVG is megabytes (STACK: a scatter of 5,000 points 1.5 MB), and PNG is small


@dataclass(frozen=True)
class Source:
    """Where the charts of one kind of run come from: dotted names of pure functions.

    Attributes:
        report: payload of the run to its report.
        draw: (report, gettext) to a tuple of `reporting.charts.Drawing`.
    """

    report: str
    draw: str


SOURCES: dict[str, Source] = {
    "segments.SegmentationRun": Source("segments.report_io.read", "segments.charts.draw"),
    "segments.ChurnRun": Source("segments.report_io.read_quality", "segments.charts.draw_quality"),
    "aha.Study": Source("aha.report_io.read", "aha.drawings.draw"),
    "experiments.Analysis": Source("experiments.drawings.read", "experiments.drawings.draw"),
}


def draw_run(label: str, pk: int) -> int:
    """Render and store every chart of a done run in every language; returns how many."""
    run: Run | None = apps.get_model(label).objects.filter(pk=pk, status=Run.Status.DONE).first()
    if run is None or label not in SOURCES:
        return 0
    count = 0
    for language, _name in settings.LANGUAGES:
        for drawing in drawings(run, language):
            _store(run, language, drawing)
            count += 1
    return count


def drawings(run: Run, language: str) -> tuple[Drawing, ...]:
    """The charts of a done run with words in `language`, not yet rendered."""
    source = SOURCES[run._meta.label]
    with translation.override(language):
        found: tuple[Drawing, ...] = import_string(source.draw)(import_string(source.report)(run.payload), gettext)
    return found


def picture(run: Run, language: str, slug: str) -> Picture | None:
    """One stored picture, rendered now if the worker hasn't come to it; None when the run has no such chart."""
    key: dict[str, Any] = {
        "run_label": run._meta.label, "run_pk": run.pk, "language": language, "slug": slug,
    }  # fmt: skip
    stored = Picture.objects.filter(**key).first()
    if stored is not None or run.status != Run.Status.DONE or run._meta.label not in SOURCES:
        return stored
    drawing = next((drawing for drawing in drawings(run, language) if drawing.slug == slug), None)
    return None if drawing is None else _store(run, language, drawing)


def _store(run: Run, language: str, drawing: Drawing) -> Picture:
    many = drawing.marks > MANY_MARKS
    content = rendering.png(drawing.spec) if many else rendering.svg(drawing.spec, drawing.slug).encode()
    row, _ = Picture.objects.update_or_create(
        run_label=run._meta.label, run_pk=run.pk, language=language, slug=drawing.slug,
        defaults={"label": drawing.label, "spec": drawing.spec, "marks": drawing.marks, "content": content},
    )  # fmt: skip
    return row
