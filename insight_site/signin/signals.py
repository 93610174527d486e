"""Handlers of Django's and allauth's sign-in signals, which write the sign-in log. Connected in `insight_site.apps`."""

from typing import Any

from allauth.account.internal.flows.login import get_authentication_records
from allauth.mfa import signals as mfa
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib.auth.models import User
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.http import HttpRequest
from django.utils import timezone

from insight_site.signin import session_life
from insight_site.signin.sign_in_record import Event, address_of, record

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
    session_life.begin(request)
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
