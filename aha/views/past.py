"""Pooled results of past experiments on a definition, for pages and as a CSV file."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import get_language
from django.views.decorators.http import require_safe

from aha.evidence.findings import Definition
from aha.evidence.store_findings import past_experiments
from aha.report import past
from reporting.csv import csv_lines
from runs.refusals import Refused


def past_context(definition: Definition) -> dict[str, Any]:
    """Template context of the pooled results on a definition; empty without findings on its behaviour."""
    found = past_experiments(definition)
    if not found.used and not found.left_out:
        return {}
    return {
        "past": {
            "sentences": past.sentences(found),
            "drawing": past.drawing(found),
            "tables": past.tables(found),
            "address": f"{reverse('aha:past')}?{urlencode(vars(definition))}",
        }
    }


@login_required
@require_safe
def past_csv(request: HttpRequest) -> HttpResponse:
    """The tables of past experiments on a definition as a CSV file."""
    asked = request.GET
    try:
        definition = Definition(
            asked.get("behaviour", ""),
            int(asked.get("times", "")),
            int(asked.get("days", "")),
            asked.get("outcome", ""),
        )
        found = past_experiments(definition)
    except (ValueError, Refused):
        raise Http404 from None
    rows = [row for table in past.tables(found) for row in ((table.title,), table.columns, *table.rows, ())]
    response = HttpResponse("".join(csv_lines(rows)), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="insight-past-experiments.{get_language()}.csv"'
    return response
