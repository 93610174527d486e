"""Sign-in by a trusted proxy that has authenticated people and names them in a header (`TRUSTED_HEADER_USER`).

Danger: anyone who reaches the site directly could send this header and be anybody. So it is accepted only on
connections whose own address is in `TRUSTED_PROXIES`. `X-Forwarded-For` is never used: callers can forge it.
"""

import ipaddress
from collections.abc import Callable

import structlog
from django.conf import settings
from django.contrib.auth import login, logout
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext

from insight_site.access.permissions import error, key_in_headers, machine_door
from insight_site.pages.preferences import take_up_choices
from insight_site.signin.accounts import give_roles, groups_of, may_enter
from insight_site.signin.session_life import HOW, NAMED
from insight_site.signin.sign_in_record import Event, record, refusal_page, refused

GROUPS = "signin_header_groups"
log = structlog.get_logger()


def trusted_header(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware after the session's account is known."""

    def middleware(request: HttpRequest) -> HttpResponse:
        program = machine_door(request.path_info) is not None and key_in_headers(request) is not None
        if not settings.TRUSTED_HEADER_USER or program:  # keys aren't valid on pages, so a key doesn't skip this check
            return get_response(request)
        named = request.headers.get(settings.TRUSTED_HEADER_USER, "").strip()
        if named and not is_trusted(str(request.META.get("REMOTE_ADDR", ""))):
            log.warning("signin.header_not_trusted", address=request.META.get("REMOTE_ADDR", ""))
            named = ""
        _end_other(request, named)
        if named and not request.user.is_authenticated and (refused := _sign_in(request, named)):
            return _refusal(request, refused)
        response = get_response(request)
        if named and getattr(request, HOW, ""):
            take_up_choices(response, request.user)  # type: ignore[arg-type]
        return response

    return middleware


def is_trusted(address: str) -> bool:
    """Whether a connection comes from a proxy in `TRUSTED_PROXIES`, which says `unix` for sockets without addresses."""
    if not address:
        return "unix" in settings.TRUSTED_PROXIES
    try:
        ip = ipaddress.ip_address(address)
        ip = getattr(ip, "ipv4_mapped", None) or ip
    except ValueError:
        return False
    return any(ip in ipaddress.ip_network(network) for network in settings.TRUSTED_PROXIES if network != "unix")


def _groups(request: HttpRequest) -> tuple[str, ...]:
    return groups_of(request.headers.get(settings.TRUSTED_HEADER_GROUPS, "") if settings.TRUSTED_HEADER_GROUPS else "")


def _end_other(request: HttpRequest, named: str) -> None:
    """End a session from the header if it now names no one, another person, or other groups."""
    if settings.SESSION_COOKIE_NAME not in request.COOKIES or NAMED not in request.session:
        return
    groups = list(_groups(request))
    if request.session[NAMED] != named or (named and request.session.get(GROUPS) != groups):
        logout(request)


def _sign_in(request: HttpRequest, named: str) -> str:
    """Begin a session for the named person; returns why it was refused, or ""."""
    groups = _groups(request)
    user = User.objects.filter(username=named).first() if "\x00" not in named else None
    if not may_enter(groups):
        return _refused(
            request, user, gettext("None of your groups may use this site. Ask its administrator."), "group"
        )
    if user is None:
        if not settings.SSO_CREATES_ACCOUNTS:
            text = gettext("You have no account here. Ask an administrator of this site to make one.")
            return _refused(request, None, text, "no account")
        user = _make(request, named)
        if user is None:
            return _refused(request, None, gettext("People with your e-mail address may not use this site."), "domain")
    if not user.is_active:
        return _refused(request, user, gettext("This account was deactivated."), "inactive")
    if changed := give_roles(user, groups):
        record(request, Event.ROLES, user=user, how="header", note=changed)
    setattr(request, HOW, "header")
    login(request, User.objects.get(pk=user.pk), backend="django.contrib.auth.backends.ModelBackend")
    request.session[NAMED], request.session[GROUPS] = named, list(groups)
    return ""


def _make(request: HttpRequest, named: str) -> User | None:
    """Create an account without a password; None for an address or a name that may not have one."""
    email = request.headers.get(settings.TRUSTED_HEADER_EMAIL, "") if settings.TRUSTED_HEADER_EMAIL else ""
    email = email or (named if "@" in named else "")
    domain = email.rpartition("@")[2].lower()
    if settings.SSO_EMAIL_DOMAINS and domain not in [allowed.lower() for allowed in settings.SSO_EMAIL_DOMAINS]:
        return None
    try:
        if email:
            validate_email(email)
        user = User(username=named, email=email)
        user.set_unusable_password()
        user.full_clean()
    except ValidationError:
        return None
    user.save()
    record(request, Event.ACTIVATED, user=user, how="header", note="made")
    return user


def _refused(request: HttpRequest, user: User | None, text: str, note: str) -> str:
    refused(request, user=user, how="header", note=note)
    return text


def _refusal(request: HttpRequest, text: str) -> HttpResponse:
    return (
        refusal_page(request, text)
        if machine_door(request.path_info) is None
        else error(request, 403, "forbidden", text)
    )
