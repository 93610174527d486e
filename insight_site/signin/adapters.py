"""allauth's adapters: who may sign in and what is shown, the encrypted second factor, and accounts of a provider."""

import base64
import hashlib
from typing import TYPE_CHECKING, Any

import structlog
from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.internal.flows.reauthentication import get_reauthentication_flows
from allauth.account.models import EmailAddress
from allauth.core import context
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.adapter import _build_apps_from_settings as apps_of_settings
from allauth.socialaccount.models import SocialApp, SocialLogin
from allauth.socialaccount.providers.base.constants import AuthProcess
from django.conf import settings
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.utils.encoding import force_bytes
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from insight_site.pages.preferences import take_up_choices
from insight_site.signin import throttle
from insight_site.signin.accounts import give_roles, groups_of, may_enter
from insight_site.signin.sign_in_record import Event, address_of, record, refusal_page, refused

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet


# The second factor: encryption of its secrets, and who must have one.

SUPERUSER = "superuser"


class SecondFactor(DefaultMFAAdapter):  # type: ignore[misc]
    """allauth's adapter for second factors, which encrypts the stored secrets of apps and recovery codes."""

    error_messages = {
        **DefaultMFAAdapter.error_messages,
        "incorrect_code": _("This code isn't right, or it was used already."),
    }

    def encrypt(self, text: str) -> str:
        """Encrypt a secret: a copy of the database alone must not be enough to make codes."""
        return _box().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        """Decrypt with the present SECRET_KEY or an earlier one.

        Raises:
            cryptography.fernet.InvalidToken: it was encrypted with another key.
        """
        return _box().decrypt(encrypted_text.encode()).decode()


def is_required(user: User) -> bool:
    """Whether one of this person's roles requires a second factor (`MFA_REQUIRED_ROLES`)."""
    wanted = set(settings.MFA_REQUIRED_ROLES)
    if not wanted:
        return False
    if SUPERUSER in wanted and user.is_superuser:
        return True
    return user.groups.filter(name__in=wanted - {SUPERUSER}).exists()


def _box() -> "MultiFernet":
    from cryptography.fernet import Fernet, MultiFernet  # noqa: PLC0415 - a web worker starts without OpenSSL's bindings

    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return MultiFernet(
        [Fernet(base64.urlsafe_b64encode(hashlib.sha256(b"mfa:" + force_bytes(key)).digest())) for key in keys]
    )


# allauth's adapter for providers: find or create the account of a sign-in, and set its roles.

log = structlog.get_logger()


class Providers(DefaultSocialAccountAdapter):  # type: ignore[misc]
    """Providers come only from the environment; their statements are applied at every sign-in."""

    def list_apps(
        self, request: HttpRequest, provider: str | None = None, client_id: str | None = None
    ) -> list[SocialApp]:
        """The providers in settings; not those in the database, where a row could add a provider nobody configured."""
        by_provider = apps_of_settings(provider=provider, client_id=client_id)
        return [app for apps in by_provider.values() for app in apps]

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Refuse, join an existing account, or allow a new one.

        Raises:
            ImmediateHttpResponse: refused, with a sentence.
        """
        how = f"provider:{sociallogin.account.provider}"
        if sociallogin.state.get("process") != AuthProcess.LOGIN:  # allauth would join any account that is logged in
            _refuse(
                request,
                gettext("The sign-in did not work. Begin again, and ask your administrator."),
                None,
                how,
                "no sign-in",
            )
        if not may_enter(_groups(sociallogin)):
            known = sociallogin.user if sociallogin.is_existing else None
            _refuse(
                request, gettext("None of your groups may use this site. Ask its administrator."), known, how, "group"
            )
        if not sociallogin.is_existing:
            self._join(request, sociallogin, how)
        if not sociallogin.is_existing:
            self._check_new(request, sociallogin, how)
        elif not sociallogin.user.is_active:
            _refuse(request, gettext("This account was deactivated."), sociallogin.user, how, "inactive")
        else:
            _set_roles(request, sociallogin, how)

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        """Always True: `pre_social_login` has already refused those who may not."""
        return True

    def save_user(self, request: HttpRequest, sociallogin: SocialLogin, form: Any = None) -> User:
        """Save the new account, with its roles."""
        user: User = super().save_user(request, sociallogin, form)
        record(request, Event.ACTIVATED, user=user, how=f"provider:{sociallogin.account.provider}", note="made")
        _set_roles(request, sociallogin, f"provider:{sociallogin.account.provider}")
        return user

    def on_authentication_error(
        self, request: HttpRequest, provider: Any, error: Any = None, exception: Any = None, extra_context: Any = None
    ) -> None:
        """Log an error between this site and the provider; the page says what to do.

        Raises:
            ImmediateHttpResponse: always.
        """
        reason = (extra_context or {}).get("saml_last_error_reason") or exception or error
        log.warning("signin.provider_error", provider=str(provider.app.name), error=str(reason)[:300])
        text = gettext("The sign-in with {name} did not work. Begin again; if it fails again, ask your administrator.")
        _refuse(request, text.format(name=provider.app.name), None, f"provider:{provider.app.provider_id}", "error")

    def _join(self, request: HttpRequest, sociallogin: SocialLogin, how: str) -> None:
        """Link the sign-in to the account that has the same e-mail address here.

        Danger: if people can set any address in their profile at the provider, they could take over any account, even
        a superuser's. So it is done only if the provider states that it verified this person's address
        (`email_verified`), or the operator that it verifies all (`…_EMAIL_VERIFIED=1`), and only if exactly one account
        has the address.
        """
        verified = [address.email for address in sociallogin.email_addresses if address.verified]
        # Not by the database's comparison: PostgreSQL equates a dotless i with an i, and such an address can be owned.
        users = [user for email in verified for user in _accounts_with(email) if user.email.lower() == email.lower()]
        if len(users) == 1:
            sociallogin.connect(request, users[0])
            record(request, Event.CONFIRMED, user=users[0], how=how, note="joined by verified e-mail")

    def _check_new(self, request: HttpRequest, sociallogin: SocialLogin, how: str) -> None:
        email = sociallogin.user.email or next((address.email for address in sociallogin.email_addresses), "")
        if not settings.SSO_CREATES_ACCOUNTS:
            text = gettext("You have no account here. Ask an administrator of this site to make one.")
            _refuse(request, text, None, how, "no account")
        # An unverified address is only the person's own claim.
        domains = {
            address.email.rpartition("@")[2].lower() for address in sociallogin.email_addresses if address.verified
        }
        if settings.SSO_EMAIL_DOMAINS and not domains & {domain.lower() for domain in settings.SSO_EMAIL_DOMAINS}:
            _refuse(request, gettext("People with your e-mail address may not use this site."), None, how, "domain")
        if email and (_accounts_with(email) or EmailAddress.objects.filter(email__iexact=email).exists()):
            text = gettext(
                "An account with your e-mail address exists, and the provider doesn't say that it has checked the "
                "address. Ask an administrator of this site."
            )
            _refuse(request, text, None, how, "e-mail not verified")


def _accounts_with(email: str) -> list[User]:
    return list(User.objects.filter(email__iexact=email))


def _groups(sociallogin: SocialLogin) -> tuple[str, ...]:
    """Group names from the provider: in its response about the person, or in the signed token."""
    profile = sociallogin.account.extra_data
    claim = sociallogin.provider.app.settings.get("groups", "groups")
    places = (profile, profile.get("userinfo"), profile.get("id_token"))
    return tuple(group for place in places if isinstance(place, dict) for group in groups_of(place.get(claim)))


def _set_roles(request: HttpRequest, sociallogin: SocialLogin, how: str) -> None:
    if changed := give_roles(sociallogin.user, _groups(sociallogin)):
        record(request, Event.ROLES, user=sociallogin.user, how=how, note=changed)


def _refuse(request: HttpRequest, text: str, user: User | None, how: str, note: str) -> None:
    refused(request, user=user, how=how, note=note)
    raise ImmediateHttpResponse(refusal_page(request, text))


# allauth's account adapter: who may sign in, which messages are shown, where people are redirected.

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
        """Always False: an administrator creates accounts, or a provider (`Providers`)."""
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
        text = message or SAID.get(message_template or "")
        if text:
            super().add_message(request, level, extra_tags=extra_tags, message=text)

    def get_client_ip(self, request: HttpRequest) -> str:
        """The caller's address, as everywhere on this site."""
        return address_of(request) or "0.0.0.0"  # noqa: S104 - "no address", not a place to listen


def locked_text(locked: throttle.Locked) -> str:
    """Why no password was tried. The text is the same for unknown names."""
    return ngettext(
        "Too many tries. Try again in %(n)d minute.", "Too many tries. Try again in %(n)d minutes.", locked.minutes
    ) % {"n": locked.minutes}
