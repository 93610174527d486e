"""Links that replace a password: to set one (by e-mail), and the operator's login link (`manage.py sign_in_link`).

Both are signed and short-lived, and work once: they end with the next sign-in or change of the password.
"""

from datetime import timedelta

from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.auth.tokens import default_token_generator
from django.core import signing
from django.core.mail import send_mail
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from django.utils.translation import gettext

from insight_site.models import Preference, SignIn
from insight_site.signin.sign_in_record import Event, record
from runs.queue.enqueue import put

SENT_AN_HOUR = 5  # mails to one account: nobody's mailbox can be flooded from here
OPERATOR_MINUTES = 15
SALT = "insight.sign_in_link"
TASK = "insight_site.tasks.send_password_link"


def ask_for_link(request: HttpRequest, email: str) -> None:
    """Request a password link for an address.

    A row and a job are written for each address, known or not, so neither the response nor its timing reveals which has
    an account. Accounts without a password, which sign in by a provider, get none.
    """
    found: list[User | None] = [
        user for user in User.objects.filter(email__iexact=email, is_active=True) if user.has_usable_password()
    ]
    for user in found or [None]:
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
