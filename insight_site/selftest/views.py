"""Pages of self-tests: an explanation and the latest ones, a single one, and the button that starts one."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from insight_site.models import SelfTest
from insight_site.selftest import self_tests
from insight_site.selftest.selftest_page import shown
from insight_site.selftest.selftest_result import SELF_TEST
from runs.models import Run
from runs.payloads import Unreadable
from runs.refusals import Refused
from runs.web import may, person, progress_of

SHOWN = 20


@login_required
@may("insight_site.view_selftest")
@require_safe
def self_test_list(request: HttpRequest) -> HttpResponse:
    """Explanation, start button, and the latest self-tests."""
    runs = SelfTest.objects.light("created_by")[:SHOWN]
    return render(request, "selftest/list.html", {"runs": runs})


@login_required
@may("insight_site.add_selftest")
@require_POST
def start(request: HttpRequest) -> HttpResponse:
    """Start one with the default inputs, those that a new study begins with."""
    waiting = SelfTest.objects.filter(status__in=Run.OPEN).light().first()
    if waiting is not None:  # it takes minutes: a second click must not start another
        return redirect("selftest:run", pk=waiting.pk)
    try:
        run = self_tests.start_self_test(asked=self_tests.usual_question(), by=person(request))
    except Refused as refusal:
        messages.error(request, refusal.sentence)
        return redirect("selftest:list")
    return redirect("selftest:run", pk=run.pk)


@login_required
@may("insight_site.view_selftest")
@require_safe
def self_test_page(request: HttpRequest, pk: int) -> HttpResponse:
    """A self-test: its progress, or its result."""
    run = get_object_or_404(SelfTest, pk=pk)
    return render(request, "selftest/run.html", {"run": run, **progress_of(run), **_body(run)})


def _body(run: SelfTest) -> dict[str, Any]:
    if run.payload is None:
        return {}
    report = SELF_TEST.read(run.payload)
    return {"unreadable": report.sentence()} if isinstance(report, Unreadable) else shown(report)
