"""`{% note "cace" %}`: a word's meaning behind a small button, without script. `{% terms "j" "phi" %}`: several."""

import secrets
from typing import Any

from django import template

from insight_site.glossary import entries

register = template.Library()


@register.inclusion_tag("components/note.html")
def note(slug: str, *, named: bool = False) -> dict[str, Any]:
    """A button that opens the meaning; with `named` the word itself is the button, else a question mark."""
    # A word may stand on a page twice, and htmx may bring a third one, so a counter would not keep the ids apart.
    return {"term": entries.find(slug), "named": named, "id": f"note-{slug}-{secrets.token_hex(3)}"}


@register.inclusion_tag("components/terms.html")
def terms(*slugs: str) -> dict[str, Any]:
    """A line of words to look up."""
    return {"slugs": slugs}


@register.inclusion_tag("components/terms.html")
def part_terms(part: str) -> dict[str, Any]:
    """The words that a part of a page needs, by the part's slug; nothing for a part that needs none."""
    return {"slugs": entries.shown_with(part)}
