"""allauth's adapter for providers: find or create the account of a sign-in, and set its roles."""

from typing import Any

import structlog
from allauth.account.models import EmailAddress
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.adapter import _build_apps_from_settings as apps_of_settings
from allauth.socialaccount.models import SocialApp, SocialLogin
from allauth.socialaccount.providers.base.constants import AuthProcess
from django.conf import settings
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.utils.translation import gettext

from insight_site.signin.provider_roles import give_roles, groups_of, may_enter
from insight_site.signin.refusal import refusal_page
from insight_site.signin.sign_in_record import Event, record, refused

log = structlog.get_logger()


class Providers(DefaultSocialAccountAdapter):  # type: ignore[misc]
    """Providers come only from the environment; their statements are applied at every sign-in."""

    def list_apps(
        self, request: HttpRequest, provider: str | None = None, client_id: str | None = None
    ) -> list[SocialApp]:
        """The providers in settings; not those in the database, where a row could add a provider nobody configured."""
        found = apps_of_settings(provider=provider, client_id=client_id)
        return [app for apps in found.values() for app in apps]

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Refuse, join an existing account, or allow a new one.

        Raises:
            ImmediateHttpResponse: refused, with a sentence.
        """
        how = f"provider:{sociallogin.account.provider}"
        if sociallogin.state.get("process") != AuthProcess.LOGIN:  # allauth would join any account that is logged in
            _refuse(
                request,
                gettext("The sign-in did not work. Begin again, and tell your administrator."),
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
        text = gettext("The sign-in with {name} did not work. Begin again; if it fails again, tell your administrator.")
        _refuse(request, text.format(name=provider.app.name), None, f"provider:{provider.app.provider_id}", "error")

    def _join(self, request: HttpRequest, sociallogin: SocialLogin, how: str) -> None:
        """Link the sign-in to the account that has the same e-mail address here.

        Danger: if people can set any address in their profile at the provider, they could take over any account, even
        a superuser's. So it is done only if the provider states that it verified this person's address
        (`email_verified`), or the operator that it verifies all (`…_EMAIL_VERIFIED=1`), and only if exactly one account
        has the address.
        """
        verified = [one.email for one in sociallogin.email_addresses if one.verified]
        # Not by the database's comparison: PostgreSQL equates a dotless i with an i, and such an address can be owned.
        found = [user for email in verified for user in _accounts_with(email) if user.email.lower() == email.lower()]
        if len(found) == 1:
            sociallogin.connect(request, found[0])
            record(request, Event.CONFIRMED, user=found[0], how=how, note="joined by verified e-mail")

    def _check_new(self, request: HttpRequest, sociallogin: SocialLogin, how: str) -> None:
        email = sociallogin.user.email or next((one.email for one in sociallogin.email_addresses), "")
        if not settings.SSO_CREATES_ACCOUNTS:
            text = gettext("You have no account here. Ask an administrator of this site to make one.")
            _refuse(request, text, None, how, "no account")
        # An unverified address is only the person's own claim.
        domains = {one.email.rpartition("@")[2].lower() for one in sociallogin.email_addresses if one.verified}
        if settings.SSO_EMAIL_DOMAINS and not domains & {one.lower() for one in settings.SSO_EMAIL_DOMAINS}:
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
    said = sociallogin.account.extra_data
    claim = sociallogin.provider.app.settings.get("groups", "groups")
    places = (said, said.get("userinfo"), said.get("id_token"))
    return tuple(one for place in places if isinstance(place, dict) for one in groups_of(place.get(claim)))


def _set_roles(request: HttpRequest, sociallogin: SocialLogin, how: str) -> None:
    if changed := give_roles(sociallogin.user, _groups(sociallogin)):
        record(request, Event.ROLES, user=sociallogin.user, how=how, note=changed)


def _refuse(request: HttpRequest, text: str, user: User | None, how: str, note: str) -> None:
    refused(request, user=user, how=how, note=note)
    raise ImmediateHttpResponse(refusal_page(request, text))
