"""Pages for people outside the admin: the home page and the report that the demo left."""

from pathlib import Path

from django.conf import settings
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_safe

REPORTS = {"en": "report.html", "ko": "report.ko.html"}
# The report is one file with its style inside, so its own policy allows that and nothing else: no script, no request.
REPORT_CSP = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """What Insight is, and where to go next."""
    made = [language for language in REPORTS if _report(language).is_file()]
    return render(request, "insight_site/home.html", {"reports": made})


@require_safe
def demo_report(request: HttpRequest, language: str) -> HttpResponseBase:
    """The demo's report in one language."""
    if language not in REPORTS or not _report(language).is_file():
        raise Http404
    response = FileResponse(_report(language).open("rb"), content_type="text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = REPORT_CSP
    return response


def _report(language: str) -> Path:
    return Path(settings.VAR_DIR) / "demo" / REPORTS[language]
