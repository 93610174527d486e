"""What allauth asks of this site about accounts: who may sign in, what is told, where they go."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.internal.flows.reauthentication import get_reauthentication_flows
from allauth.core import context
from django.conf import settings
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from insight_site.pages.language import take_up_choices
from insight_site.signin import throttle
from insight_site.signin.sign_in_record import address_of

SAID = {
    "mfa/messages/totp_activated.txt": _("The authenticator app is set up."),
    "mfa/messages/totp_deactivated.txt": _("The authenticator app is no longer asked for."),
    "mfa/messages/webauthn_added.txt": _("The security key was added."),
    "mfa/messages/webauthn_removed.txt": _("The security key was removed."),
}


class Accounts(DefaultAccountAdapter):  # type: ignore[misc]
    """Passwords go through our throttle; nobody signs up by themselves; no message says what the page shows anyway."""

    error_messages = {
        **DefaultAccountAdapter.error_messages,
        "incorrect_code": _("This code isn't right, or it was used already."),
        "incorrect_password": _("This isn't your password."),
        "too_many_login_attempts": _("Too many tries. Wait a quarter of an hour, then try again."),
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Never: an administrator makes accounts, or a provider (`providers_adapter`)."""
        return False

    def authenticate(self, request: HttpRequest, **credentials: Any) -> User | None:
        """Who has this name and password.

        Raises:
            ValidationError: too many tries.
        """
        if not settings.LOCAL_PASSWORDS:
            return None
        try:
            return throttle.check_password(request, credentials.get("username", ""), credentials.get("password", ""))
        except throttle.Locked as locked:
            error = self.validation_error("too_many_login_attempts")
            error.message = locked_text(locked)
            raise error from None

    def is_reauthentication_required(self, *, app: str, **_more: Any) -> bool:
        """Not of people who have nothing to confirm it with: who came by a provider couldn't add a first key."""
        return bool(get_reauthentication_flows(context.request.user))

    def post_login(self, request: HttpRequest, user: User, **more: Any) -> HttpResponse:
        """Where they go now; the site takes up what the account chose elsewhere."""
        response: HttpResponse = super().post_login(request, user, **more)
        take_up_choices(response, user)
        return response

    def add_message(
        self,
        request: HttpRequest,
        level: int,
        message_template: str | None = None,
        message_context: dict[str, Any] | None = None,
        extra_tags: str = "",
        message: str | None = None,
    ) -> None:
        """Our words for allauth's; where there are none, the page shows it anyway."""
        said = message or SAID.get(message_template or "")
        if said:
            super().add_message(request, level, extra_tags=extra_tags, message=said)

    def get_client_ip(self, request: HttpRequest) -> str:
        """The caller's address, as everywhere on this site."""
        return address_of(request) or "0.0.0.0"  # noqa: S104 - "no address", not a place to listen


def locked_text(locked: throttle.Locked) -> str:
    """Why no password was tried. It is the same for names that nobody has."""
    return ngettext(
        "Too many tries. Try again in %(n)d minute.", "Too many tries. Try again in %(n)d minutes.", locked.minutes
    ) % {"n": locked.minutes}
