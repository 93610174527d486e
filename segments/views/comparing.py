"""Pages that compare two segments, and runs that compare their behaviour."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_POST, require_safe

from runs.models import Run
from runs.payloads import Unreadable
from runs.refusals import Refused
from runs.web import may, person, progress_of
from segments.models import ComparisonRun, Segment, SegmentVersion
from segments.names import title_of
from segments.published import compare_segments, members
from segments.published.drift import COMPARISON
from segments.report.two_segments import Side, by_construction, comparison, traits_table, two_segments


@login_required
@require_safe
def compare(request: HttpRequest) -> HttpResponse:
    """Compare two segments: `a` and `b`, or the two ticked in a list as `s`; else show a choice of two."""
    ids = request.GET.getlist("s") or [request.GET.get("a", ""), request.GET.get("b", "")]
    wanted = [int(text) for text in dict.fromkeys(ids) if text.isdecimal() and len(text) < 10]
    choices = list(
        Segment.objects.published().filter(version__in=_current_versions()).order_by("version__model__name", "number")
    )
    segments = {row.pk: row for row in Segment.objects.published().filter(pk__in=wanted[:2])}
    pair = [segments[pk] for pk in wanted if pk in segments]
    context: dict[str, Any] = {
        "choices": [(row.pk, f"{row.version.model.name}: {_title(row)}") for row in choices],
        "chosen": [row.pk for row in pair],
        "past": compare_segments.past_comparisons(),
    }
    if any(ids) and (len(wanted) != 2 or len(pair) != 2):
        context["wrong"] = gettext("Choose two different segments.")
        return render(request, "segments/compare.html", context)
    if len(pair) == 2:
        context |= _compared(pair[0], pair[1])
    return render(request, "segments/compare.html", context)


def _current_versions() -> Any:
    return [row.pk for row in SegmentVersion.objects.light().current().filter(model__archived_at=None)]


def _title(segment: Segment) -> str:
    return title_of(segment.name, segment.key, segment.pattern)


def _side(segment: Segment) -> Side:
    version = segment.version
    title = f"{version.model.name} v{version.number}"
    return Side(segment, title, version.units, version.rule, version.inputs, version.origin is not None)


def _compared(first: Segment, second: Segment) -> dict[str, Any]:
    size = first.version.segments.count()
    pairs = size * (size - 1) // 2 if first.version_id == second.version_id else 1
    traits = [members.who_is_in(segment).traits for segment in (first, second)]
    return {
        "first": first,
        "second": second,
        "titles": (_title(first), _title(second)),
        "two": two_segments(_side(first), _side(second), pairs=pairs),
        "traits": traits_table((_title(first), _title(second)), (traits[0], traits[1])),
        "runs": compare_segments.comparisons_of(first, second),
    }


@login_required
@may("segments.add_comparisonrun")
@require_POST
def start_comparison(request: HttpRequest) -> HttpResponse:
    """Start a comparison of two segments' behaviour."""
    segments = {str(row.pk): row for row in Segment.objects.published().filter(pk__in=_pks(request))}
    first, second = (segments.get(request.POST.get(name, "")) for name in ("first", "second"))
    try:
        if first is None or second is None:
            raise Refused("Choose two different segments.")
        run = compare_segments.start_comparison(first=first, second=second, by=person(request))
    except Refused as refusal:
        messages.error(request, refusal.sentence)
        return redirect("segments:compare")
    return redirect("segments:comparison", pk=run.pk)


def _pks(request: HttpRequest) -> list[int]:
    texts = [request.POST.get(name, "") for name in ("first", "second")]
    return [int(text) for text in texts if text.isdecimal() and len(text) < 10]


@login_required
@require_safe
def comparison_page(request: HttpRequest, pk: int) -> HttpResponse:
    """A comparison: its progress or its result."""
    run = get_object_or_404(ComparisonRun.objects.light("first__version__model", "second__version__model"), pk=pk)
    titles = (_title(run.first), _title(run.second))
    context = {"run": run, "titles": titles, **progress_of(run)}
    if run.status == Run.Status.DONE and run.payload is not None:
        result = COMPARISON.read(run.payload)
        if isinstance(result, Unreadable):
            context["unreadable"] = result.sentence()
        else:
            versions = (run.first.version, run.second.version)
            formed = all(version.rule is None and version.origin is None for version in versions)
            context["comparison"] = comparison(result, titles, constructed=formed)
            context["construction"] = by_construction(_side(run.first), _side(run.second))
            context["window"] = result.window
    return render(request, "segments/comparison.html", context)
