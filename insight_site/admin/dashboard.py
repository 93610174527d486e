"""The admin's first page: its areas, and a link to the site's first page, which lists what needs attention."""

from typing import Any

from django.http import HttpRequest

from insight_site.admin.sidebar import allowed_groups


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Callback named in Unfold's settings: shows the menu as a page."""
    context["groups"] = allowed_groups(request)
    return context
