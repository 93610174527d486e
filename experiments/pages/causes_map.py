"""Page of the map of causes: which of all behaviours are the cause, from all finished experiments together."""

from math import inf
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from aha.evidence.store_findings import all_findings
from experiments.models import MapReading
from experiments.report.names import metric_words
from runs.refusals import Refused

MOST_DIGITS = 18  # of a reading's number
POINTS = 100  # the page asks for points of a share


@login_required
@require_safe
def causes_map(request: HttpRequest) -> HttpResponse:
    """`?outcome=SPEC`: sentence, picture and tables; by default of the outcome that most experiments share."""
    from experiments.analyse.across.site_map import site_map  # loads SciPy, which a web worker does not at its start
    from experiments.report import causes_map as words
    from experiments.report import causes_map_page

    margin = _number(request.GET.get("margin", ""))
    try:
        found = site_map(outcome=_asked(request), margin=None if margin is None else margin / POINTS)
    except Refused as refusal:
        return render(request, "experiments/causes_map.html", {"why": refusal.sentence})
    sentence = causes_map_page.finding(found)
    context: dict[str, Any] = {
        "found": found,
        "outcome": found.outcome,
        "margin": request.GET.get("margin", "") if margin is not None else "",
        "outcomes": [(spec, metric_words(spec)) for spec in _outcomes(found.outcome)],
        "finding": sentence,
        "agreement": words.agreement_sentence(found),
        "drawing": causes_map_page.draw(found, sentence),
        "legend": causes_map_page.legend(found),
        "tables": words.tables(found),
        "since": found.changes.since,
        "changes": causes_map_page.change_rows(found),
        "remarks": [words.remark_sentence(remark) for remark in found.remarks],
    }
    return render(request, "experiments/causes_map.html", context)


@login_required
@require_safe
def causes_map_file(request: HttpRequest) -> HttpResponse:
    """The map as JSON, as REST and `map --json` give it; `?reading=N`: that kept reading as a signed document."""
    from experiments.analyse.across.site_map import site_map
    from experiments.report.causes_map import document

    if "reading" in request.GET:
        return _signed(request.GET["reading"])
    try:
        found = site_map(outcome=_asked(request))
    except Refused as refusal:
        return JsonResponse({"detail": refusal.sentence}, status=404)
    return _as_file(document(found), "map.json")


def _signed(number: str) -> HttpResponse:
    from experiments.analyse.across.kept_maps import signed_reading

    rows = MapReading.objects.filter(pk=int(number)) if number.isdecimal() and len(number) < MOST_DIGITS else ()
    document = next((signed_reading(row) for row in rows), None)
    if document is None:
        raise Http404
    return _as_file(document, f"map-{number}.signed.json")


def _as_file(document: dict[str, Any], name: str) -> HttpResponse:
    answer = JsonResponse(document, json_dumps_params={"ensure_ascii": False, "indent": 1})
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def _asked(request: HttpRequest) -> str | None:
    return request.GET.get("outcome", "").replace("\x00", "") or None


def _number(text: str) -> float | None:
    """A number above 0; None for anything else."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 < value < inf else None


def _outcomes(shown: str) -> list[str]:
    """Outcomes of which there are findings, and the one that is shown."""
    return sorted({shown, *(row.definition.outcome for row in all_findings())})
