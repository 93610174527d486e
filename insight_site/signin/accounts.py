"""What an administrator does with an account, roles by a provider's groups, links that stand for a password."""

from collections.abc import Collection
from datetime import timedelta
from typing import Any

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.models import Group, User
from django.contrib.auth.tokens import default_token_generator
from django.contrib.sessions.models import Session
from django.core import signing
from django.core.mail import send_mail
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from django.utils.translation import gettext

from insight_site.access.roles import ROLES
from insight_site.models import ApiKey, Preference, ShareLink, SignIn
from insight_site.signin.sign_in_record import Event, record
from runs.queue.jobs import put
from runs.refusals import Refused

# Roles by the groups of a provider or proxy: assigned and removed at every sign-in (`SSO_ROLES`).

ADMIN_ROLES = frozenset({"Admin", "Service owner"})  # roles that work in the admin (docs/roles.md)


def mapped_roles(groups: Collection[str]) -> set[str]:
    """The roles that these groups give."""
    return {role for group in groups for role in settings.SSO_ROLES.get(group, ())}


def may_enter(groups: Collection[str]) -> bool:
    """False for a person without a mapped group, if `SSO_REQUIRES_GROUP` is on."""
    return not settings.SSO_REQUIRES_GROUP or bool(mapped_roles(groups))


def give_roles(user: User, groups: Collection[str]) -> str:
    """Set the mapped roles to those of the groups; roles that the mapping doesn't contain stay unchanged.

    Returns:
        What changed, as "+PM -Analyst"; empty when nothing did.
    """
    managed = {role for roles in settings.SSO_ROLES.values() for role in roles}
    if not managed:
        return ""
    wanted = mapped_roles(groups)
    with transaction.atomic():
        user = User.objects.select_for_update().get(pk=user.pk)
        has = set(user.groups.filter(name__in=managed).values_list("name", flat=True))
        return change_roles(user, give=wanted - has, take=has - wanted)


def change_roles(user: User, *, give: Collection[str], take: Collection[str]) -> str:
    """Assign and remove roles, and access to the admin accordingly; returns the changes as `give_roles` does."""
    user.groups.add(*Group.objects.filter(name__in=give))
    user.groups.remove(*Group.objects.filter(name__in=take))
    enters = user.groups.filter(name__in=ADMIN_ROLES).exists()
    if (enters and not user.is_staff) or (user.is_staff and not enters and ADMIN_ROLES & set(take)):
        user.is_staff = enters or user.is_superuser
        user.save(update_fields=["is_staff"])
    return " ".join([*(f"+{role}" for role in sorted(give)), *(f"-{role}" for role in sorted(take))])


def groups_of(value: Any) -> tuple[str, ...]:
    """Parse a claim to group names: a list, or one comma-separated text; anything else gives none."""
    if isinstance(value, str):
        value = value.split(",")
    if not isinstance(value, list | tuple):
        return ()
    return tuple(name.strip() for name in value if isinstance(name, str) and name.strip())


# Links that replace a password: to set one (by e-mail), and the operator's login link (`manage.py sign_in_link`).
#
# Both are signed and short-lived, and work once: they end with the next sign-in or change of the password.

SENT_AN_HOUR = 5  # mails to one account: nobody's mailbox can be flooded from here
OPERATOR_MINUTES = 15
SALT = "insight.sign_in_link"
TASK = "insight_site.tasks.send_password_link"


def ask_for_link(request: HttpRequest, email: str) -> None:
    """Request a password link for an address.

    A row and a job are written for each address, known or not, so neither the response nor its timing reveals which has
    an account. Accounts without a password, which sign in by a provider, get none.
    """
    users: list[User | None] = [
        user for user in User.objects.filter(email__iexact=email, is_active=True) if user.has_usable_password()
    ]
    for user in users or [None]:
        send_link(request, user, kind="reset", name=email)


def send_link(request: HttpRequest, user: User | None, *, kind: str, name: str = "") -> None:
    """Let a worker send a password link; `kind` is `reset`, or `invite` if an administrator requests it."""
    row = record(request, Event.LINK, user=user, name=name, how=kind)
    put(TASK, row.pk, request.build_absolute_uri("/").rstrip("/"), translation.get_language() or settings.LANGUAGE_CODE)


def deliver(record_pk: int, site: str, language: str) -> bool:
    """Send the requested link; False if there is no recipient, or enough links were sent."""
    row = SignIn.objects.filter(pk=record_pk, event=Event.LINK).select_related("user").first()
    user = row.user if row is not None else None
    if row is None or user is None or not user.email or not user.is_active or not settings.LOCAL_PASSWORDS:
        return False
    hour = SignIn.objects.filter(
        event=Event.LINK, user=user, at__gt=timezone.now() - timedelta(hours=1), pk__lte=row.pk
    )
    if hour.count() > SENT_AN_HOUR:
        return False
    chosen = Preference.objects.filter(user=user).values_list("language", flat=True).first()
    with translation.override(chosen or language):
        where = site + password_path(user)
        words = {"user": user.get_username(), "link": where, "site": site}
        words["hours"] = str(settings.PASSWORD_RESET_TIMEOUT // 3600)
        subject, text = _invitation() if row.how == "invite" else _new_password()
        send_mail(subject, text.format(**words), None, [user.email])
    return True


def _invitation() -> tuple[str, str]:
    return gettext("Your account of Insight"), gettext(
        "You have an account of Insight at {site}.\n\nYour name there: {user}\nSet your password: {link}\n\n"
        "The link works once, for {hours} hours. If it is too old, ask the administrator for another.\n"
    )


def _new_password() -> tuple[str, str]:
    return gettext("A new password for Insight"), gettext(
        "Somebody, probably you, asked for a new password for Insight at {site}.\n\nYour name there: {user}\n"
        "Set a new password: {link}\n\n"
        "The link works once, for {hours} hours. If you did not ask for it, do nothing: your password stays.\n"
    )


def operator_path(user: User) -> str:
    """The path of a page that signs this person in once, within `OPERATOR_MINUTES`."""
    return reverse("sign_in_link", args=[signing.dumps([user.pk, str(user.last_login)], salt=SALT)])


def user_of_operator(token: str) -> User | None:
    """The person whom an operator's link signs in; None if it has expired, was used, or isn't ours."""
    try:
        pk, last_login = signing.loads(token, salt=SALT, max_age=OPERATOR_MINUTES * 60)
    except signing.BadSignature:
        return None
    user = User.objects.filter(pk=pk, is_active=True).first()
    return user if user is not None and str(user.last_login) == last_login else None


def password_path(user: User) -> str:
    """The path of a page to set a password; it expires by its first use, a login, or time."""
    uid = urlsafe_base64_encode(force_bytes(user.pk))
    return reverse("password_set", args=[uid, default_token_generator.make_token(user)])


# Administrators' actions on an account: end its sessions, deactivate it, assign roles. Admin and API call these.


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
