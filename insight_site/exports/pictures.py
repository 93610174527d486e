"""Pictures of finished runs: chart specification to SVG, by the worker, and the stored rendering in each language."""

import json
import re
import threading
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import QuerySet
from django.utils import timezone, translation

from events.catalogue import labels
from insight_site.models import Picture
from reporting.charts import Drawing
from runs.kinds import find_kind, kind_of
from runs.models import Job, Run
from runs.perform import PICTURES
from runs.queue.jobs import put
from runs.queue.status import is_alive, last_heard

# Render chart specifications to SVG. Rendering holds the GIL, so workers render stored runs.
#
# A process renders one chart at a time, and holds the lock `one_at_a_time` until the chart is stored. Otherwise
# rendering threads compete for the GIL, and one that has begun to write waits for them at each step while it holds
# SQLite's file lock: for seconds no other process could write ("database is locked").

one_at_a_time = threading.RLock()
SCALE = 2.0  # PNG pixels per CSS pixel, for sharp screens
# Vega puts names into its own expressions, in which these characters would end the line.
SIGNS = {"0085": "2424", "2028": "23ce", "2029": "00b6"}
SEPARATOR = re.compile(rf"(?<!\\)((?:\\\\)*)\\u({'|'.join(SIGNS)})")


def svg(chart: dict[str, Any], slug: str) -> str:
    """Render a chart as SVG for inlining in a page.

    Args:
        chart: a Vega-Lite specification with inline values only.
        slug: short name, unique on the page. vl-convert numbers its clip paths and gradients per process, so two
            charts on one page would share ids without this prefix.

    Returns:
        The `<svg>` element.
    """
    import vl_convert

    # An empty list of base URLs: a spec can otherwise make the server fetch any address (a way into private networks).
    with one_at_a_time:
        text = vl_convert.vegalite_to_svg(_specification(chart), allowed_base_urls=[])
    return _prefix_ids(text, slug)


def png(chart: dict[str, Any], *, scale: float = SCALE) -> bytes:
    """Render a chart as PNG, for charts with many marks and for slides."""
    import vl_convert

    with one_at_a_time:
        return bytes(vl_convert.vegalite_to_png(_specification(chart), scale=scale, allowed_base_urls=[]))


def png_of(svg_text: str, *, scale: float = 2.0) -> bytes:
    """Convert one of our SVGs, which has no external references, to PNG."""
    import vl_convert

    with one_at_a_time:
        return bytes(vl_convert.svg_to_png(svg_text, scale=scale))


def _specification(chart: dict[str, Any]) -> str:
    """The chart as JSON, with visible symbols for line separators in names, so that different names stay different."""
    return SEPARATOR.sub(lambda found: f"{found[1]}\\u{SIGNS[found[2]]}", json.dumps(chart))


def _prefix_ids(text: str, slug: str) -> str:
    names = set(re.findall(r'\bid="([^"]+)"', text))
    for name in names:
        text = re.sub(rf'\bid="{re.escape(name)}"', f'id="{slug}-{name}"', text)
        text = text.replace(f"url(#{name})", f"url(#{slug}-{name})").replace(f'"#{name}"', f'"#{slug}-{name}"')
    return text


# Stored charts of finished runs: which charts a run has, and each one's rendering per language.

MANY_MARKS = 500  # above this an SVG has megabytes (a scatter of 5,000 points had 1.5 MB), and a PNG is small
KEY = ("run_label", "run_pk", "language", "slug")
GIVEN_UP = timedelta(hours=1)  # after a worker failed to draw, no page requests it again for this long


def draw_run(label: str, pk: int, *, first: int | None = None) -> int:
    """Render and store a finished run's charts in every language, in the order of its page.

    All are planned before one is rendered, so that pages know their titles and sizes. Nothing is rendered inside a
    transaction, and each chart is stored by one statement, so that rendering doesn't block other writers.

    Args:
        label: label of the run's model.
        pk: id of the run.
        first: render only the first so many charts of the page; the others are only planned.

    Returns:
        How many were rendered; charts already stored aren't rendered again.
    """
    kind = find_kind(label)
    run = None if kind is None else kind.run_class._default_manager.filter(pk=pk, status=Run.Status.DONE).first()
    if run is None:
        return 0
    planned = [_plan_all(run, language) for language, _name in settings.LANGUAGES]
    waiting = [row for rows in zip(*planned, strict=False) for row in rows][: first and first * len(planned)]
    waiting = [row for row in waiting if not row.content]
    for row in waiting:
        _render(row)
    return len(waiting)


def ask_for(run: Run) -> bool:
    """Enqueue the missing charts of a page, once for all of them; False if a worker recently failed to draw."""
    coming: bool | None = vars(run).get("_pictures_come")
    if coming is None:
        coming = vars(run)["_pictures_come"] = _ask_for(run)
    return coming


def _ask_for(run: Run) -> bool:
    label = run._meta.label
    jobs = Job.objects.filter(task=PICTURES, arguments=[label, run.pk])
    if jobs.filter(state=Job.State.FAILED, ended_at__gt=timezone.now() - GIVEN_UP).exists():
        return False
    if is_alive(last_heard()) and not jobs.filter(state__in=(Job.State.WAITING, Job.State.RUNNING)).exists():
        put(PICTURES, label, run.pk)
    return True


def drawings(run: Run, language: str, slug: str = "") -> tuple[Drawing, ...]:
    """The charts of a finished run, or the one with this slug, with texts in `language`, not yet rendered."""
    with translation.override(language), labels.shown_here():
        return kind_of(run).drawings(run, slug)


def forget_pictures() -> int:
    """Delete charts after names of events changed; each is rendered again when it is next viewed."""
    return Picture.objects.all().delete()[0]


def planned_picture(run: Run, language: str, slug: str) -> Picture | None:
    """A chart's row; `content` is empty until it is rendered. None if the run has no such chart."""
    stored = _stored(run, language)
    row = stored.filter(slug=slug).first()
    if row is not None or run.status != Run.Status.DONE:
        return row
    charts = drawings(run, language, slug)
    if not charts:
        return None
    # Kept, since planning takes most of a page's time: else each request does it again until a worker comes by.
    Picture.objects.bulk_create([plan := _plan(run, language, charts[0])], ignore_conflicts=True)
    return stored.filter(slug=slug).first() or plan


def picture(run: Run, language: str, slug: str) -> Picture | None:
    """A chart, rendered now if no worker has done so; None if the run has no such chart."""
    row = planned_picture(run, language, slug)
    if row is not None and not row.content:
        _render(row)
    return row


def _stored(run: Run, language: str) -> QuerySet[Picture]:
    return Picture.objects.filter(run_label=run._meta.label, run_pk=run.pk, language=language)


def _plan(run: Run, language: str, drawing: Drawing) -> Picture:
    return Picture(
        run_label=run._meta.label,
        run_pk=run.pk,
        language=language,
        slug=drawing.slug,
        label=drawing.label,
        spec=drawing.spec,
        marks=drawing.marks,
        content=b"",
    )


def _plan_all(run: Run, language: str) -> list[Picture]:
    """Store every chart of a run in one language, in the order of its page, without content."""
    plans = [_plan(run, language, drawing) for drawing in drawings(run, language)]
    Picture.objects.bulk_create(plans, ignore_conflicts=True)
    stored = {row.slug: row for row in _stored(run, language)}
    return [stored[plan.slug] for plan in plans if plan.slug in stored]  # unless they were deleted meanwhile


def _render(row: Picture) -> None:
    many = row.marks > MANY_MARKS
    with one_at_a_time:  # until it is stored: see `rendering`
        row.content = png(row.spec) if many else svg(row.spec, row.slug).encode()
        if row.pk:
            Picture.objects.filter(pk=row.pk).update(content=row.content)
        else:
            Picture.objects.bulk_create([row], update_conflicts=True, unique_fields=KEY, update_fields=["content"])
