"""A person's preferences for pages: light or dark theme, and dismissed tours.

Each is a cookie, so that no page queries the database, and is stored with the account for other machines.
"""

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from insight_site.help.tours import TOURS
from insight_site.models import Preference
from runs.web import is_htmx

THEME_COOKIE, TOURS_COOKIE = "theme", "tours"
FIRST_DAY = "first-day"  # the onboarding checklist, which is dismissed like a tour
DISMISSABLE = TOURS.keys() | {FIRST_DAY}
THEMES = ("light", "dark")  # without a choice: the system's theme
COOKIE_SECONDS = 365 * 24 * 3600


def theme_of(request: HttpRequest) -> str:
    """`light` or `dark` if chosen; else empty, and the system decides."""
    chosen = request.COOKIES.get(THEME_COOKIE, "")
    return chosen if chosen in THEMES else ""


def admin_theme(request: HttpRequest) -> str | None:
    """The same for Unfold's settings (settings.UNFOLD)."""
    return theme_of(request) or None


def dismissed(request: HttpRequest) -> frozenset[str]:
    """Routes whose tour this person dismissed, and `FIRST_DAY`."""
    return frozenset(request.COOKIES.get(TOURS_COOKIE, "").split("|")) & DISMISSABLE


@require_POST
def choose_theme(request: HttpRequest) -> HttpResponse:
    """Choose light, dark or the system's theme, for the site and the admin."""
    theme = request.POST.get("theme", "")
    response = _back(request)
    if theme in ("", *THEMES):
        _set(response, THEME_COOKIE, theme)
        if request.user.is_authenticated:
            Preference.objects.update_or_create(user=request.user, defaults={"theme": theme})
    return response


@require_POST
def dismiss_tour(request: HttpRequest) -> HttpResponse:
    """Dismiss this page's tour; the question mark still shows it."""
    route = request.POST.get("route", "")
    response = HttpResponse() if is_htmx(request) else _back(request)
    if route in DISMISSABLE:
        seen = sorted({*dismissed(request), route})
        _set(response, TOURS_COOKIE, "|".join(seen))
        if is_htmx(request):
            response["HX-Replace-Url"] = _back(request).url  # without `?tour`, or a reload would show it again
        if request.user.is_authenticated:
            Preference.objects.update_or_create(user=request.user, defaults={"tours": seen})
    return response


def take_up(response: HttpResponse, preference: Preference) -> None:
    """At login, set this browser's cookies from the account's preferences."""
    _set(response, THEME_COOKIE, preference.theme)
    _set(response, TOURS_COOKIE, "|".join(preference.tours))


def forget_tours(response: HttpResponse) -> None:
    """At the login of an account without dismissed tours, clear the browser's."""
    _set(response, TOURS_COOKIE, "")


def _set(response: HttpResponse, name: str, value: str) -> None:
    if value:
        response.set_cookie(
            name, value, max_age=COOKIE_SECONDS, secure=settings.SESSION_COOKIE_SECURE, httponly=True, samesite="Lax"
        )
    else:
        response.delete_cookie(name, samesite="Lax")


def _back(request: HttpRequest) -> HttpResponseRedirect:
    there: Any = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(there, {request.get_host()}, require_https=request.is_secure())
    return HttpResponseRedirect(there if safe else "/")
