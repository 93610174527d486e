"""The search page, and the hits of the palette of every page."""

from dataclasses import asdict
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from events.upkeep.text_search import LONGEST, search, words_of
from events.upkeep.thing_kinds import thing_kinds
from insight_site.pages import palette

FIRST = 8  # hits of each kind on the page of all kinds
PAGE = 25  # hits of one kind


@login_required
@require_safe
def search_page(request: HttpRequest) -> HttpResponse:
    """Search results by kind; with ``kind`` all of one kind, paginated."""
    text = request.GET.get("q", "").replace("\x00", " ")[:LONGEST].strip()
    wanted, known = words_of(text), [kind for kind in thing_kinds() if request.user.has_perm(kind.permission("view"))]
    chosen = next((kind for kind in known if kind.slug == request.GET.get("kind")), None)
    parts: list[dict[str, Any]] = []
    for kind in known if chosen is None else [chosen]:
        answer = search([kind], wanted, limit=FIRST if chosen is None else PAGE, after=request.GET.get("after", ""))
        if answer.hits:
            parts.append({"kind": kind, "hits": answer.hits, "more": answer.more})
    others = [*palette.pages_found(request.user, text), *palette.references_found(request.user, text)] if wanted else []
    context = {
        "text": text,
        "found": parts,
        "others": others if chosen is None else [],
        "chosen": chosen,
        "number": sum(len(part["hits"]) for part in parts),
    }
    return render(request, "upkeep/search.html", context)


@login_required
@require_safe
def find(request: HttpRequest) -> HttpResponse:
    """Hits for the palette of every page, as JSON: `groups` of a `name` and `hits` with `title`, `note` and `url`."""
    text = request.GET.get("q", "").replace("\x00", " ")[:LONGEST]
    response = JsonResponse({"groups": [asdict(group) for group in palette.find(request.user, text)]})
    response["Cache-Control"] = "private, no-store"
    return response
