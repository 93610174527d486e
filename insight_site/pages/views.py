"""Pages outside the admin: home, glossary, charts of runs, and the report of the demo."""

import json
import os
import sys
from pathlib import Path

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.core.cache import cache
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import translation
from django.utils.cache import patch_vary_headers
from django.utils.csp import CSP
from django.utils.safestring import mark_safe
from django.views.decorators.csp import csp_override
from django.views.decorators.http import require_safe
from drf_spectacular.views import SpectacularSwaggerSplitView

from insight_site.exports import pictures
from insight_site.first_start import account_command
from insight_site.models import Picture
from insight_site.pages import glossary, method_pages, preferences
from insight_site.pages.preferences import FIRST_DAY
from reporting.charts import columns, darkened
from reporting.table import csv_lines
from runs.kinds import find_kind
from runs.models import Run
from runs.queue.status import is_alive, last_heard
from runs.refusals import Refused
from runs.web import is_htmx

DARK_SECONDS = 24 * 3600  # a finished run's chart never changes
REPORTS = {"en": "report.html", "ko": "report.ko.html"}
# The report is one file with its style inside, so its own policy allows that and nothing else: no script, no request.
REPORT_CSP = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

# Swagger's icons are data: addresses; the strict policy is otherwise unchanged for it.
api_docs = csp_override({**settings.SECURE_CSP, "img-src": [CSP.SELF, "data:"]})(
    SpectacularSwaggerSplitView.as_view(url_name="api_schema")
)


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Current experiments, latest results and next steps; without an account, what Insight is."""
    if not request.user.is_authenticated:
        # Paths of the machine are for whoever sets the site up, and for nobody else once there is an account.
        first = not User.objects.exists()
        command = account_command(settings.BASE_DIR, sys.executable, os.environ) if first else ""
        return render(request, "insight_site/welcome.html", {"command": command})
    from insight_site.pages import landing  # imports everything that computes; the public page needs none of it

    dismissed, board = FIRST_DAY in preferences.dismissed(request), preferences.has_board(request)
    return render(request, "insight_site/home.html", landing.landing(request.user, dismissed=dismissed, board=board))


@require_safe
def glossary_page(request: HttpRequest) -> HttpResponse:
    """Every term in plain words; it contains nobody's data, so it is public."""
    text, letter = request.GET.get("q", "")[:100], request.GET.get("letter", "")[:1]
    sections = glossary.sections()
    matches = glossary.matching(sections, text, letter)
    context = {"sections": matches, "letters": glossary.letters(sections), "letter": letter, "text": text}
    response = render(request, "insight_site/terms.html" if is_htmx(request) else "insight_site/glossary.html", context)
    patch_vary_headers(response, ["HX-Request"])
    return response


@require_safe
def methods_page(request: HttpRequest) -> HttpResponse:
    """The method documents; public, since they contain nobody's data either."""
    return render(request, "insight_site/methods.html", {"pages": method_pages.all_pages()})


@require_safe
def method_page(request: HttpRequest, slug: str) -> HttpResponse:
    """One method document."""
    if slug in method_pages.RENAMED:
        return redirect("method", method_pages.RENAMED[slug], permanent=True)
    page = method_pages.method_page(slug)
    if page is None:
        raise Http404
    # Rendered by markdown-it without raw HTML, from a file of this repository.
    return render(request, "insight_site/method.html", {"page": page, "html": mark_safe(page.html)})  # noqa: S308


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
def map_picture(request: HttpRequest, kind: str) -> HttpResponse:
    """The picture of the map of causes as SVG or PNG; `?outcome=SPEC` as on its page."""
    from experiments.analyse.across.site_map import site_map  # loads SciPy and Altair
    from experiments.report.causes_map_page import draw, finding

    try:
        found = site_map(outcome=request.GET.get("outcome", "").replace("\x00", "") or None)
    except Refused:
        raise Http404 from None
    drawing = draw(found, finding(found))
    if drawing is None or kind not in ("svg", "png"):
        raise Http404
    if kind == "svg":
        return HttpResponse(pictures.svg(drawing.spec, drawing.slug), content_type="image/svg+xml")
    return HttpResponse(pictures.png(drawing.spec), content_type="image/png")


@login_required
@require_safe
def picture(request: HttpRequest, label: str, pk: int, language: str, slug: str, kind: str) -> HttpResponse:
    """A chart of a run: as displayed (`image`, `dark`), or as a PNG, SVG, CSV or Vega-Lite download.

    `figure` is its placeholder on a page, which polls until a worker has drawn the chart; without a worker, the chart
    is drawn here.
    """
    run_kind = find_kind(label)
    if run_kind is None or language not in dict(settings.LANGUAGES):
        raise Http404
    run = get_object_or_404(run_kind.run_class, pk=pk)
    if kind == "figure" and is_alive(last_heard()):
        return _figure(request, run, language, slug)
    row = pictures.picture(run, language, slug)
    if row is None:
        raise Http404
    stored = bytes(row.content)
    is_svg = stored.startswith(b"<svg")
    match kind:
        case "figure":
            return _figure(request, run, language, slug)
        case "image":
            return HttpResponse(stored, content_type="image/svg+xml" if is_svg else "image/png")
        case "svg":
            content = stored if is_svg else pictures.svg(row.spec, row.slug).encode()
            return HttpResponse(content, content_type="image/svg+xml")
        case "png":
            return HttpResponse(pictures.png(row.spec) if is_svg else stored, content_type="image/png")
        case "dark":
            return HttpResponse(_dark(row), content_type="image/png")
        case "json":
            return HttpResponse(json.dumps(row.spec, ensure_ascii=False), content_type="application/json")
        case "csv":
            return HttpResponse(_rows(row), content_type="text/csv; charset=utf-8")
    raise Http404


def _figure(request: HttpRequest, run: Run, language: str, slug: str) -> HttpResponse:
    with translation.override(language):
        return render(request, "components/figure.html", {"run": run, "slug": slug})


def _dark(row: Picture) -> bytes:
    """The chart for dark mode; only charts with many marks request it, the others take their colours from CSS."""
    content: bytes | None = cache.get_or_set(f"dark:{row.pk}", lambda: pictures.png(darkened(row.spec)), DARK_SECONDS)
    return content or b""


def _rows(row: Picture) -> str:
    """The data behind a chart."""
    names, rows = columns(row.spec)
    return "".join(csv_lines([names, *([each.get(name, "") for name in names] for each in rows)]))


def _report(language: str) -> Path:
    return Path(settings.VAR_DIR) / "demo" / REPORTS[language]
