"""The main menu: one list; without an account only the public items."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy

from insight_site.environment_name import other_than_production
from insight_site.pages.preferences import theme_of

ITEMS: tuple[tuple[str, Any], ...] = (
    ("events:overview", gettext_lazy("Data")),
    ("explore:start", gettext_lazy("Explore")),
    ("segments:list", gettext_lazy("Segments")),
    ("aha:studies", gettext_lazy("AHA discovery")),
    ("experiments:list", gettext_lazy("Experiments")),
    ("glossary", gettext_lazy("Terms")),
)
OPEN = ("glossary",)  # public items


def navigation(request: HttpRequest) -> dict[str, Any]:
    """Context processor: the menu's items, the current one marked; the theme, and the time zone of days."""
    match = request.resolver_match
    name_here = match.view_name if match else ""
    return {
        "navigation": [
            {"url": reverse(name), "label": label, "here": _space(name) == _space(name_here), "open": name in OPEN}
            for name, label in ITEMS
        ],
        "environment_shown": other_than_production(),
        "theme": theme_of(request),
        "time_zone": settings.TIME_ZONE,
    }


SPACES = {"connect": "events"}  # routes that belong to another item


def _space(name: str) -> str:
    """The app of a route, or the route itself where it belongs to the site."""
    space = name.split(":")[0]
    return SPACES.get(space, space)
