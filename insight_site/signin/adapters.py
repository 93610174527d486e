"""allauth's account adapter: who may sign in, which messages are shown, where people are redirected."""

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
    """Passwords go through our throttle; no self-registration; no message repeats what the page shows."""

    error_messages = {
        **DefaultAccountAdapter.error_messages,
        "incorrect_code": _("This code isn't right, or it was used already."),
        "incorrect_password": _("This isn't your password."),
        "too_many_login_attempts": _("Too many tries. Wait a quarter of an hour, then try again."),
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Always False: an administrator creates accounts, or a provider (`providers_adapter`)."""
        return False

    def authenticate(self, request: HttpRequest, **credentials: Any) -> User | None:
        """The account with this name and password.

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
        """False without a way to confirm: else people who sign in by a provider couldn't add a first security key."""
        return bool(get_reauthentication_flows(context.request.user))

    def post_login(self, request: HttpRequest, user: User, **more: Any) -> HttpResponse:
        """The redirect after login; applies the account's stored preferences."""
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
        """Replace allauth's messages with ours; drop those without a replacement, which the page shows anyway."""
        said = message or SAID.get(message_template or "")
        if said:
            super().add_message(request, level, extra_tags=extra_tags, message=said)

    def get_client_ip(self, request: HttpRequest) -> str:
        """The caller's address, as everywhere on this site."""
        return address_of(request) or "0.0.0.0"  # noqa: S104 - "no address", not a place to listen


def locked_text(locked: throttle.Locked) -> str:
    """Why no password was tried. The text is the same for unknown names."""
    return ngettext(
        "Too many tries. Try again in %(n)d minute.", "Too many tries. Try again in %(n)d minutes.", locked.minutes
    ) % {"n": locked.minutes}
