"""Administrators' actions on an account: end its sessions, deactivate it, assign roles. Admin and API call these."""

from collections.abc import Collection
from typing import Any

from allauth.usersessions.models import UserSession
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from insight_site.access.roles import ROLES
from insight_site.models import ApiKey, ShareLink
from insight_site.signin.provider_roles import change_roles
from insight_site.signin.sign_in_record import Event, record
from runs.refusals import Refused


def end_sessions(*, user: User, request: HttpRequest | None, but: str | None = None) -> int:
    """End a person's sessions on all devices; returns how many.

    All stored sessions are searched, since sessions from before the list of sessions existed are not in it.

    Args:
        user: the person.
        request: of the person who does it; None for a command.
        but: key of a session to keep.
    """
    ended = 0
    for session in Session.objects.filter(expire_date__gt=timezone.now()).iterator():
        if session.session_key != but and session.get_decoded().get(SESSION_KEY) == str(user.pk):
            session.delete()
            ended += 1
    UserSession.objects.filter(user=user).exclude(session_key=but or "").delete()
    if ended:
        record(request, Event.ENDED, user=user, note=_by(request, f"{ended} sessions"))
    return ended


def set_active(*, user: User, active: bool, request: HttpRequest | None, by: str = "") -> User:
    """Activate or deactivate an account. Deactivating ends its sessions and its share links at once.

    Args:
        user: the account.
        active: whether they may sign in.
        request: of the person who does it; None for a command.
        by: name of the key that does it, if it is no person.

    Raises:
        Refused: it is the last active superuser.
    """
    with transaction.atomic():
        # Lock all superusers: if the last two are deactivated at the same moment, one must see that the other is gone.
        rows = User.objects.select_for_update().filter(Q(pk=user.pk) | Q(is_superuser=True)).order_by("pk")
        user = next(row for row in rows if row.pk == user.pk)
        if user.is_active == active:
            return user
        if not active:
            refuse_if_last(user)
        user.is_active = active
        user.save(update_fields=["is_active"])
        record(request, Event.ACTIVATED if active else Event.DEACTIVATED, user=user, note=by or _by(request))
        if not active:
            end_sessions(user=user, request=request)
    return user


def refuse_if_last(user: User) -> None:
    """Refuse to lock out the last person who can administer everything.

    Raises:
        Refused: this is the last active superuser.
    """
    if user.is_superuser and not User.objects.filter(is_superuser=True, is_active=True).exclude(pk=user.pk).exists():
        raise Refused("This is the last active superuser: nobody could administer the site any more.")


def set_roles(*, user: User, roles: Collection[str], request: HttpRequest | None, by: str = "") -> User:
    """Assign these of the four roles and remove the others.

    Raises:
        Refused: there is no such role.
    """
    if unknown := sorted(set(roles) - ROLES.keys()):
        raise Refused("There is no role {role}.", role=unknown[0])
    with transaction.atomic():
        user = User.objects.select_for_update().get(pk=user.pk)
        has = set(user.groups.filter(name__in=ROLES).values_list("name", flat=True))
        if changed := change_roles(user, give=set(roles) - has, take=has - set(roles)):
            record(request, Event.ROLES, user=user, note=f"{by or _by(request)}: {changed}")
    return user


def links_of(user: User) -> QuerySet[ShareLink]:
    """Live share links that this person made: they work while the account is active."""
    return ShareLink.objects.filter(created_by=user, revoked_at=None, expires_at__gt=timezone.now())


def keys_of(user: User) -> list[ApiKey]:
    """Live keys that this person made: they belong to a service, and keep working without the account."""
    return [key for key in ApiKey.objects.filter(created_by=user, revoked_at=None) if key.is_live]


def _by(request: HttpRequest | None, what: str = "") -> str:
    person: Any = getattr(request, "user", None)
    name = person.get_username() if person is not None and person.is_authenticated else ""
    return " ".join(word for word in (what, f"by {name}" if name else "") if word)
