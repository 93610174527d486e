"""`{% tour %}`: the page's notes until they are dismissed. `{% tour_button %}`: the question mark that reopens them."""

from typing import Any

from django import template
from django.template import Context

from insight_site.help.tours import tour_of
from insight_site.pages.preferences import dismissed

register = template.Library()


@register.inclusion_tag("components/tour.html", takes_context=True)
def tour(context: Context) -> dict[str, Any]:
    """The notes, for a person who hasn't dismissed them or requests them with `?tour`."""
    request: Any = context.get("request")
    route = _route(request)
    asked = request is not None and "tour" in request.GET
    shown = bool(route) and (asked or route not in dismissed(request))
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
