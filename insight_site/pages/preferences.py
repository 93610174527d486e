"""What a person chose for the pages: language, light or dark, time zone, tours they have seen; and the main menu."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext, gettext_lazy
from django.views.decorators.http import require_POST, require_safe
from django.views.i18n import set_language

from insight_site.access.keys import other_than_production
from insight_site.boards.board_services import PIN_COOKIE
from insight_site.models import Preference
from insight_site.pages import whats_new
from insight_site.pages.tours import TOURS
from runs.site_zone import is_zone, site_zone
from runs.web import is_htmx, person
from runs.zone_field import ZoneField

# A person's preferences for pages: light or dark theme, and dismissed tours.
#
# Each is a cookie, so that no page queries the database, and is stored with the account for other machines.

THEME_COOKIE, TOURS_COOKIE, ZONE_COOKIE = "theme", "tours", "zone"
FIRST_DAY = "first-day"  # the onboarding checklist, which is dismissed like a tour
DISMISSABLE = TOURS.keys() | {FIRST_DAY, whats_new.SEEN}
THEMES = ("light", "dark")  # without a choice: the system's theme
COOKIE_SECONDS = 365 * 24 * 3600


def theme_of(request: HttpRequest) -> str:
    """`light` or `dark` if chosen; else empty, and the system decides."""
    chosen = request.COOKIES.get(THEME_COOKIE, "")
    return chosen if chosen in THEMES else ""


def zone_of(request: HttpRequest) -> str:
    """The zone in which this person wants times shown; "" for the site's."""
    chosen = request.COOKIES.get(ZONE_COOKIE, "")
    return chosen if chosen and is_zone(chosen) else ""


def admin_theme(request: HttpRequest) -> str | None:
    """The same for Unfold's settings (settings.UNFOLD)."""
    return theme_of(request) or None


def dismissed(request: HttpRequest) -> frozenset[str]:
    """Routes whose tour this person dismissed, `FIRST_DAY`, and `whats_new.SEEN`."""
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


class OwnZoneForm(forms.Form):
    """The zone in which times are shown to one person."""

    zone = ZoneField(
        label=gettext_lazy("Show times in"),
        required=False,
        help_text=gettext_lazy("Empty: in the time zone of the site. Days stay those of the site for everybody."),
    )


@login_required
@require_POST
def choose_zone(request: HttpRequest) -> HttpResponse:
    """Choose one's own zone for times, or the site's."""
    form = OwnZoneForm(request.POST)
    if not form.is_valid():
        messages.error(request, " ".join(map(str, form.errors["zone"])))
        return redirect("account")
    zone, response = form.cleaned_data["zone"], redirect("account")
    Preference.objects.update_or_create(user=person(request), defaults={"time_zone": zone})
    _set(response, ZONE_COOKIE, zone)
    shown = zone or site_zone()
    messages.success(request, gettext("Times are shown in {zone}.").format(zone=shown))
    return response


@require_POST
def dismiss_tour(request: HttpRequest) -> HttpResponse:
    """Dismiss this page's tour, or every page's; the question mark still shows each."""
    route, whole = request.POST.get("route", ""), "all" in request.POST
    response = HttpResponse() if is_htmx(request) else _back(request)
    if route in DISMISSABLE:
        note_seen(request, response, route, *(TOURS if whole else ()))
        if is_htmx(request):
            response["HX-Replace-Url"] = _back(request).url  # without `?tour`, or a reload would show it again
    return response


def note_seen(request: HttpRequest, response: HttpResponse, *routes: str) -> None:
    """Remember in this browser, and with the account, that a person has seen these."""
    seen = sorted({*dismissed(request), *routes})
    _set(response, TOURS_COOKIE, "|".join(seen))
    if request.user.is_authenticated:
        Preference.objects.update_or_create(user=request.user, defaults={"tours": seen})


@login_required
@require_safe
def whats_new_page(request: HttpRequest) -> HttpResponse:
    """What is new in this version; once it was opened, the header says no more that there is news."""
    response = render(request, "insight_site/whats_new.html", {"news": whats_new.NEWS, "version": whats_new.VERSION})
    if whats_new.SEEN not in dismissed(request):
        note_seen(request, response, whats_new.SEEN)
    return response


def has_board(request: HttpRequest) -> bool:
    """Whether this person pinned a board, so that the first page asks which one."""
    return bool(request.COOKIES.get(PIN_COOKIE))


def take_up(response: HttpResponse, preference: Preference) -> None:
    """At login, set this browser's cookies from the account's preferences."""
    _set(response, THEME_COOKIE, preference.theme)
    _set(response, ZONE_COOKIE, preference.time_zone)
    _set(response, TOURS_COOKIE, "|".join(preference.tours))
    _set(response, PIN_COOKIE, "1" if preference.board_id else "")


def forget_choices(response: HttpResponse) -> None:
    """At the login of an account without preferences, clear the browser's tours, board and time zone."""
    _set(response, ZONE_COOKIE, "")
    _set(response, TOURS_COOKIE, "")
    _set(response, PIN_COOKIE, "")


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


# The language of an account: chosen once, the same on every machine.


def choose_language(request: HttpRequest) -> HttpResponse:
    """Django's own language switch, which sets a cookie; for a logged-in user it is also stored with the account."""
    response = set_language(request)
    language = request.POST.get("language", "")
    if request.method == "POST" and request.user.is_authenticated and language in dict(settings.LANGUAGES):
        Preference.objects.update_or_create(user=request.user, defaults={"language": language})
    return response


def take_up_choices(response: HttpResponse, user: User) -> None:
    """After a login, apply the account's stored language and theme to this browser."""
    preference = Preference.objects.filter(user=user).first()
    if preference is None:
        forget_choices(response)  # of the previous user of this browser
        return
    take_up(response, preference)
    if preference.language:
        response.set_cookie(
            settings.LANGUAGE_COOKIE_NAME,
            preference.language,
            max_age=settings.LANGUAGE_COOKIE_AGE,
            path=settings.LANGUAGE_COOKIE_PATH,
            secure=settings.LANGUAGE_COOKIE_SECURE,
            httponly=settings.LANGUAGE_COOKIE_HTTPONLY,
            samesite=settings.LANGUAGE_COOKIE_SAMESITE,
        )


# The main menu: one list; without an account only the public items.

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
    name_here, zone = match.view_name if match else "", site_zone()
    return {
        "navigation": [
            {"url": reverse(name), "label": label, "here": _space(name) == _space(name_here), "open": name in OPEN}
            for name, label in ITEMS
        ],
        "environment_shown": other_than_production(),
        "theme": theme_of(request),
        "time_zone": zone_of(request) or zone,
        "site_zone": zone,
        "has_news": whats_new.has_news(request, dismissed(request)),
    }


SPACES = {"connect": "events", "boards": "explore", "launches": "experiments"}  # routes that belong to another item


def _space(name: str) -> str:
    """The app of a route, or the route itself where it belongs to the site."""
    space = name.split(":")[0]
    return SPACES.get(space, space)
