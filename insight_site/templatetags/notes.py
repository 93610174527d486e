"""`{% note "cace" %}`: a term's meaning behind a small button, without script. `{% terms "j" "phi" %}`: several."""

import secrets
from typing import Any

from django import template
from django.template import Context
from django.urls import reverse

from insight_site.glossary import entries
from insight_site.glossary.terms import Term
from insight_site.help.method_pages import anchor

register = template.Library()


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
        "term": entries.find(slug),
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
    return {"slugs": entries.shown_with(part), "standalone": context.get("standalone")}
