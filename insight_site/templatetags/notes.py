"""`{% note "cace" %}`: a term's meaning behind a small button, without script. `{% terms "j" "phi" %}`: several."""

import secrets
from typing import Any

from django import template
from django.template import Context
from django.urls import reverse

from insight_site.pages import glossary
from insight_site.pages.glossary_terms import Term
from insight_site.pages.method_pages import anchor
from insight_site.pages.preferences import dismissed
from insight_site.pages.tours import tour_of

# `{% tour %}`: the page's notes until they are dismissed. `{% tour_button %}`: the question mark that reopens them.

register = template.Library()


@register.inclusion_tag("components/tour.html", takes_context=True)
def tour(context: Context) -> dict[str, Any]:
    """The notes, for a person who hasn't dismissed them or requests them with `?tour`."""
    request: Any = context.get("request")
    route = _route(request)
    requested = request is not None and "tour" in request.GET
    shown = bool(route) and (requested or route not in dismissed(request))
    return {
        "stops": tour_of(route) if shown else (),
        "route": route,
        "path": request.path if request else "",
        "csrf_token": context.get("csrf_token"),
    }


@register.inclusion_tag("components/tour_button.html", takes_context=True)
def tour_button(context: Context) -> dict[str, Any]:
    """The question mark; empty on a page without a tour."""
    request = context.get("request")
    return {"there": bool(tour_of(_route(request))), "path": request.path if request else ""}


def _route(request: Any) -> str:
    """The page's route name; empty without an account, since tours are for people who have one."""
    match = getattr(request, "resolver_match", None)
    user = getattr(request, "user", None)
    return str(match.view_name) if match and user is not None and user.is_authenticated else ""


@register.simple_tag
def method_link(term: Term) -> str:
    """The page and section that explain a term."""
    return f"{reverse('method', args=[term.doc])}#{anchor(term.heading)}"


@register.inclusion_tag("components/note.html", takes_context=True)
def note(context: Context, slug: str, *, named: bool = False) -> dict[str, Any]:
    """A button that opens a term's meaning; with `named` the term itself is the button, else a question mark."""
    # A term may appear twice on a page, and htmx may add a third, so a counter would not give unique ids.
    alone = bool(context.get("standalone"))  # a standalone file has no pages to link to
    return {
        "term": glossary.find(slug),
        "named": named,
        "id": f"note-{slug}-{secrets.token_hex(3)}",
        "standalone": alone,
    }


@register.inclusion_tag("components/terms.html", takes_context=True)
def terms(context: Context, *slugs: str) -> dict[str, Any]:
    """A line of terms to look up."""
    return {"slugs": slugs, "standalone": context.get("standalone")}


@register.inclusion_tag("components/terms.html", takes_context=True)
def part_terms(context: Context, part: str) -> dict[str, Any]:
    """The terms that a part of a page needs, by the part's slug; empty for a part that needs none."""
    return {"slugs": glossary.shown_with(part), "standalone": context.get("standalone")}
