"""Pictures of finished runs: which charts a run has, and the stored rendering of each in each language."""

from typing import Any

from django.conf import settings
from django.utils import translation

from events.catalogue import labels
from insight_site.models import Picture
from insight_site.takeaways import rendering
from reporting.charts import Drawing
from runs.kinds import find_kind, kind_of
from runs.models import Run

MANY_MARKS = 500  # beyond this an SVG is megabytes (STACK: a scatter of 5,000 points 1.5 MB), and PNG is small


def draw_run(label: str, pk: int) -> int:
    """Render and store every chart of a done run in every language; returns how many."""
    kind = find_kind(label)
    run = None if kind is None else kind.run_class._default_manager.filter(pk=pk, status=Run.Status.DONE).first()
    if run is None:
        return 0
    count = 0
    for language, _name in settings.LANGUAGES:
        for drawing in drawings(run, language):
            _store(run, language, drawing)
            count += 1
    return count


def drawings(run: Run, language: str, slug: str = "") -> tuple[Drawing, ...]:
    """The charts of a done run, or the one of this slug, with words in `language`, not yet rendered."""
    with translation.override(language), labels.shown_here():
        return kind_of(run).drawings(run, slug)


def forget_pictures() -> int:
    """Names of events have changed: every picture is rendered anew by whoever looks at it first."""
    return Picture.objects.all().delete()[0]


def picture(run: Run, language: str, slug: str) -> Picture | None:
    """One stored picture, rendered now if the worker hasn't come to it; None when the run has no such chart."""
    key: dict[str, Any] = {"run_label": run._meta.label, "run_pk": run.pk, "language": language, "slug": slug}
    stored = Picture.objects.filter(**key).first()
    if stored is not None or run.status != Run.Status.DONE:
        return stored
    found = drawings(run, language, slug)
    return _store(run, language, found[0]) if found else None


def _store(run: Run, language: str, drawing: Drawing) -> Picture:
    many = drawing.marks > MANY_MARKS
    content = rendering.png(drawing.spec) if many else rendering.svg(drawing.spec, drawing.slug).encode()
    row, _ = Picture.objects.update_or_create(
        run_label=run._meta.label,
        run_pk=run.pk,
        language=language,
        slug=drawing.slug,
        defaults={"label": drawing.label, "spec": drawing.spec, "marks": drawing.marks, "content": content},
    )
    return row
