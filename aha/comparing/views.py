"""The page of two studies side by side, and its file."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from aha.comparing.two_studies import matched, numbers, populations
from aha.models import Study
from aha.questions.asked_changes import compared
from aha.study import studies
from aha.study.question import Inputs
from aha.study.result import Report
from reporting.csv import csv_lines
from reporting.document import load
from runs.payloads import Unreadable

MOST = 200


@login_required
@require_safe
def compare(request: HttpRequest) -> HttpResponse:
    """Two studies that are named by `a` and `b`; with `csv` their candidates as a file."""
    chosen = [_study(request.GET.get(name)) for name in ("a", "b")]
    context: dict[str, Any] = {"a": chosen[0], "b": chosen[1], "studies": _choices()}
    if chosen[0] is None or chosen[1] is None:
        return render(request, "aha/comparing/page.html", context)
    inputs = [load(Inputs, study.inputs) for study in chosen if study is not None]
    context["questions"] = compared(*inputs)
    context["same_retention"] = inputs[0].retention == inputs[1].retention
    reports = [_report(study) for study in chosen if study is not None]
    first, second = reports
    if first is not None and second is not None:
        if "csv" in request.GET:
            return _file(first, second, chosen[0].pk, chosen[1].pk)
        context |= {"populations": populations(first, second), "rows": matched(first, second)}
    else:
        context["unfinished"] = [str(study) for study, found in zip(chosen, reports, strict=True) if found is None]
    return render(request, "aha/comparing/page.html", context)


def _file(first: Report, second: Report, a: int, b: int) -> HttpResponse:
    response = HttpResponse("".join(csv_lines(numbers(first, second))), content_type="text/csv; charset=utf-8")
    name = f"insight-studies-{a}-{b}.{get_language()}.csv"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _report(study: Study) -> Report | None:
    found = studies.read_report(study)
    return None if isinstance(found, Unreadable) else found


def _study(number: str | None) -> Study | None:
    text = (number or "")[:18]
    return Study.objects.filter(pk=int(text)).first() if text.isascii() and text.isdigit() else None


def _choices() -> list[tuple[int, str]]:
    found = Study.objects.light().filter(status=Study.Status.DONE, archived_at=None)[:MOST]
    return [(study.pk, _("%(study)s (no. %(number)s)") % {"study": study, "number": study.pk}) for study in found]
