"""The main menu: one list, shown to whoever is logged in."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy

ITEMS: tuple[tuple[str, Any], ...] = (
    ("segments:list", gettext_lazy("Segments")),
    ("aha:studies", gettext_lazy("AHA discovery")),
)


def navigation(request: HttpRequest) -> dict[str, Any]:
    """Context processor: the menu's items, the current one marked."""
    match = request.resolver_match
    space = match.namespace if match else ""
    return {
        "navigation": [
            {"url": reverse(name), "label": label, "here": name.split(":")[0] == space} for name, label in ITEMS
        ]
    }
