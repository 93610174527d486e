"""Session lifetime, and enforcement of a required second factor.

A session lasts `SESSION_DAYS` in all, and `SESSION_IDLE_MINUTES` without a request. A person whose role requires a
second factor must add one first.
"""

import time
from collections.abc import Callable
from typing import Any, cast

from allauth.account.internal.flows.login import get_authentication_records
from allauth.core.internal import ratelimit
from allauth.mfa import signals as mfa
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import auth
from allauth.mfa.utils import is_mfa_enabled
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.core.cache import BaseCache, caches
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.connection import ConnectionProxy

from insight_site.access.permissions import error, machine_door
from insight_site.signin import adapters
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
    if not adapters.is_required(user) or is_mfa_enabled(user):
        return None
    if machine_door(request.path_info) is not None:
        return error(request, 403, "second_factor_required", "this role needs a second factor: add one on the site")
    return redirect(f"{reverse('mfa_index')}?needed")


# Handlers of Django's and allauth's sign-in signals, which write the sign-in log. Connected in `insight_site.apps`.

HOW = "signin_how"  # attribute of a request whose sign-in bypasses allauth: header, link


def connect() -> None:
    """Connect all handlers; a second call has no effect."""
    user_logged_in.connect(signed_in, dispatch_uid="insight.signin")
    user_logged_out.connect(signed_out, dispatch_uid="insight.signin")
    mfa.authenticator_added.connect(factor_added, dispatch_uid="insight.signin")
    mfa.authenticator_removed.connect(factor_removed, dispatch_uid="insight.signin")
    mfa.authenticator_reset.connect(factor_added, dispatch_uid="insight.signin")
    mfa.authentication_failed.connect(code_failed, dispatch_uid="insight.signin")


def signed_in(request: HttpRequest, user: User, **_more: Any) -> None:
    """A session began: add it to the list of sessions, and log it."""
    begin(request)
    if request.session.session_key is None:
        request.session.save()
    UserSession.objects.update_or_create(
        session_key=request.session.session_key,
        defaults={
            "user": user,
            "ip": address_of(request) or "0.0.0.0",  # noqa: S104 - "no address"
            "user_agent": request.headers.get("User-Agent", "")[:200].replace("\x00", ""),
            "last_seen_at": timezone.now(),
        },
    )
    record(request, Event.SIGNED_IN, user=user, how=how_of(request, user))


def signed_out(request: HttpRequest, user: User | None, **_more: Any) -> None:
    """A person signed out; expired and revoked sessions don't count."""
    if user is not None:
        UserSession.objects.filter(session_key=request.session.session_key).delete()
        record(request, Event.SIGNED_OUT, user=user)


def factor_added(request: HttpRequest, user: User, authenticator: Authenticator, **_more: Any) -> None:
    """An app, a security key or new recovery codes were added."""
    record(request, Event.FACTOR_ADDED, user=user, how=authenticator.type)


def factor_removed(request: HttpRequest, user: User, authenticator: Authenticator, **_more: Any) -> None:
    """A second factor was removed."""
    record(request, Event.FACTOR_REMOVED, user=user, how=authenticator.type)


def code_failed(request: HttpRequest, user: User, authenticator: Authenticator, **_more: Any) -> None:
    """A wrong code of the second factor. allauth limits these, separately from passwords: `how` distinguishes them."""
    record(request, Event.FAILED, user=user, name=f"second factor of {user.pk}", how=authenticator.type)


def how_of(request: HttpRequest, user: User) -> str:
    """How this sign-in was done: `password`, `password+totp`, `oidc:company` …"""
    if how := getattr(request, HOW, ""):
        return str(how)
    steps = []
    for step in get_authentication_records(request, user):
        method = step["method"]
        if method == "mfa":
            method = step.get("type", method)
        elif method == "socialaccount":
            method = f"provider:{step.get('provider', '')}"
        if method not in steps:
            steps.append(method)
    return "+".join(steps)


# Share allauth's cache of used codes and tries between processes.
#
# allauth keeps them in Django's default cache, which is per process without Redis: a code could then be used once in
# each. It has no setting for another cache.


def share() -> None:
    """Point allauth to the cache `signin`, which is in the database without Redis (`CACHES`)."""
    shared = cast(BaseCache, ConnectionProxy(caches, "signin"))
    ratelimit.cache = shared
    auth.cache = shared
