"""The admin's first page: its own areas, and the way to the site's first page, which says what needs a person."""

from typing import Any

from django.http import HttpRequest

from insight_site.admin.sidebar import allowed_groups


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Unfold asks for it by name: the menu as a page, for a person who came without knowing where to go."""
    context["groups"] = allowed_groups(request)
    return context
