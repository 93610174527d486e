"""Session lifetime, and enforcement of a required second factor.

A session lasts `SESSION_DAYS` in all, and `SESSION_IDLE_MINUTES` without a request. A person whose role requires a
second factor must add one first.
"""

import time
from collections.abc import Callable
from typing import cast

from allauth.mfa.utils import is_mfa_enabled
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone

from insight_site.access.permissions import error, machine_door
from insight_site.signin import second_factor
from insight_site.signin.sign_in_record import Event, address_of, record

BEGAN, SEEN = "signin_began", "signin_seen"
NAMED = "signin_header_name"  # for a session from a proxy's header: the person named
SEEN_EVERY = 60  # seconds between writes of the time of last use
# Pages allowed to a person who must still add a second factor.
WITHOUT_FACTOR = ("/account/", "/logout/", "/login/", "/language/", "/theme/", "/static/")


def session_life(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware after the session's account is known."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if settings.SESSION_COOKIE_NAME in request.COOKIES and request.user.is_authenticated:
            going = _look(request)
            if going and (refused := _without_factor(request)) is not None:
                return refused
        return get_response(request)

    return middleware


def begin(request: HttpRequest) -> None:
    """At sign-in, start a new lifetime, also in an existing session."""
    request.session[BEGAN] = request.session[SEEN] = time.time()


def _look(request: HttpRequest) -> bool:
    """End an expired session and return False; else record its use, at most once a minute."""
    now, session = time.time(), request.session
    began, seen = session.get(BEGAN), session.get(SEEN, now)
    over = began is not None and (
        now - began > settings.SESSION_DAYS * 86_400 or now - seen > settings.SESSION_IDLE_MINUTES * 60
    )
    if over:
        user = cast(User, request.user)
        UserSession.objects.filter(session_key=session.session_key).delete()
        record(request, Event.ENDED, user=user, note="its time was up")
        session.flush()  # not logout(): nobody signed out
        request.user = AnonymousUser()
        return False
    if began is None or now - seen >= SEEN_EVERY:
        session[BEGAN], session[SEEN] = began or now, now
        UserSession.objects.filter(session_key=session.session_key).update(
            last_seen_at=timezone.now(),
            ip=address_of(request) or "0.0.0.0",  # noqa: S104 - "no address"
        )
    return True


def _without_factor(request: HttpRequest) -> HttpResponse | None:
    """The page to add a second factor, for people who must and haven't; None for others."""
    user = cast(User, request.user)
    if not settings.MFA_REQUIRED_ROLES or request.path_info.startswith(WITHOUT_FACTOR):
        return None
    if NAMED in request.session:  # the proxy is responsible: this site requires no factor then
        return None
    if not second_factor.is_required(user) or is_mfa_enabled(user):
        return None
    if machine_door(request.path_info) is not None:
        return error(request, 403, "second_factor_required", "this role needs a second factor: add one on the site")
    return redirect(f"{reverse('mfa_index')}?needed")
