"""Pages for people outside the admin: the home page, pictures of runs, and the report that the demo left."""

import json
from pathlib import Path

from django.apps import apps
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.utils.csp import CSP
from django.views.decorators.csp import csp_override
from django.views.decorators.http import require_safe
from drf_spectacular.views import SpectacularSwaggerSplitView

REPORTS = {"en": "report.html", "ko": "report.ko.html"}
# The report is one file with its style inside, so its own policy allows that and nothing else: no script, no request.
REPORT_CSP = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

# Swagger draws its icons from data: addresses; nothing else of the strict policy is loosened for it.
api_docs = csp_override({**settings.SECURE_CSP, "img-src": [CSP.SELF, "data:"]})(
    SpectacularSwaggerSplitView.as_view(url_name="api_schema")
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


@login_required
@require_safe
def picture(request: HttpRequest, label: str, pk: int, language: str, slug: str, kind: str) -> HttpResponse:
    """One chart of a run: as it is shown (`image`), or as PNG, SVG or Vega-Lite to take away."""
    from insight_site import pictures, rendering  # noqa: PLC0415 - the renderer costs a second to import

    if label not in pictures.SOURCES or language not in dict(settings.LANGUAGES):
        raise Http404
    run = get_object_or_404(apps.get_model(label), pk=pk)
    row = pictures.picture(run, language, slug)
    if row is None:
        raise Http404
    stored = bytes(row.content)
    is_svg = stored.startswith(b"<svg")
    match kind:
        case "image":
            return HttpResponse(stored, content_type="image/svg+xml" if is_svg else "image/png")
        case "svg":
            content = stored if is_svg else rendering.svg(row.spec, row.slug).encode()
            return HttpResponse(content, content_type="image/svg+xml")
        case "png":
            return HttpResponse(rendering.png(row.spec) if is_svg else stored, content_type="image/png")
        case "json":
            return HttpResponse(json.dumps(row.spec, ensure_ascii=False), content_type="application/json")
    raise Http404


def _report(language: str) -> Path:
    return Path(settings.VAR_DIR) / "demo" / REPORTS[language]
