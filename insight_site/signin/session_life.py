"""How long a session lives: `SESSION_DAYS` in all, `SESSION_IDLE_MINUTES` without a request; and what its owner must do
first, where a role asks for a second factor."""

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
NAMED = "signin_header_name"  # of a session that a proxy's header began: whom it named
SEEN_EVERY = 60  # seconds: no page writes more often because somebody looks at it
# Where somebody who must add a second factor may go.
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
    """A new sign-in begins a new life, in an old session too."""
    request.session[BEGAN] = request.session[SEEN] = time.time()


def _look(request: HttpRequest) -> bool:
    """End the session when its time is up, and say False; else note, once a minute, that it was used."""
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
    """The page to add a second factor, for those who must and haven't; None for everybody else."""
    user = cast(User, request.user)
    if not settings.MFA_REQUIRED_ROLES or request.path_info.startswith(WITHOUT_FACTOR):
        return None
    if NAMED in request.session:  # the proxy's affair: this site asks for no factor then
        return None
    if not second_factor.is_required(user) or is_mfa_enabled(user):
        return None
    if machine_door(request.path_info) is not None:
        return error(request, 403, "second_factor_required", "this role needs a second factor: add one on the site")
    return redirect(f"{reverse('mfa_index')}?needed")
