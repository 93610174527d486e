"""What a person chose for the pages: light or dark, and the tours they have seen.

Each is a cookie, so that no page asks the database, and is kept with the account, so that the next machine knows.
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
FIRST_DAY = "first-day"  # the list of the first page, which is dismissed as a tour is
DISMISSABLE = TOURS.keys() | {FIRST_DAY}
THEMES = ("light", "dark")  # none of them: the system's
COOKIE_SECONDS = 365 * 24 * 3600


def theme_of(request: HttpRequest) -> str:
    """`light` or `dark` where it was chosen; else empty, and the system decides."""
    chosen = request.COOKIES.get(THEME_COOKIE, "")
    return chosen if chosen in THEMES else ""


def admin_theme(request: HttpRequest) -> str | None:
    """The same for Unfold, which asks by name (settings.UNFOLD)."""
    return theme_of(request) or None


def dismissed(request: HttpRequest) -> frozenset[str]:
    """Routes whose tour this person doesn't want to see again, and `FIRST_DAY`."""
    return frozenset(request.COOKIES.get(TOURS_COOKIE, "").split("|")) & DISMISSABLE


@require_POST
def choose_theme(request: HttpRequest) -> HttpResponse:
    """Light, dark or the system's, for the site and the admin."""
    theme = request.POST.get("theme", "")
    response = _back(request)
    if theme in ("", *THEMES):
        _set(response, THEME_COOKIE, theme)
        if request.user.is_authenticated:
            Preference.objects.update_or_create(user=request.user, defaults={"theme": theme})
    return response


@require_POST
def dismiss_tour(request: HttpRequest) -> HttpResponse:
    """Don't show this page's tour again; the question mark still does."""
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
    """At login: this browser gets what the account chose elsewhere."""
    _set(response, THEME_COOKIE, preference.theme)
    _set(response, TOURS_COOKIE, "|".join(preference.tours))


def forget_tours(response: HttpResponse) -> None:
    """At the login of an account that has dismissed none."""
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
