"""System checks of sign-in settings: settings that would admit the wrong people, or lock everybody out."""

import ipaddress
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

from insight_site.access.roles import ROLES
from insight_site.signin.second_factor import SUPERUSER

WIDEST = {4: 16, 6: 48}  # shortest prefix lengths: a wider network contains more than proxies


@register()
def check_sign_in(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """All checks of sign-in, each with its own id."""
    return [*_ways_in(), *_headers(), *_providers(), *_roles()]


def _ways_in() -> list[CheckMessage]:
    found: list[CheckMessage] = []
    if not settings.LOCAL_PASSWORDS and not settings.SOCIALACCOUNT_PROVIDERS and not settings.TRUSTED_HEADER_USER:
        text = "LOCAL_PASSWORDS is off, and neither OIDC, SAML nor TRUSTED_HEADER_USER is set: nobody could log in."
        found.append(Error(text, hint="See docs/signin.md.", id="insight.E020"))
    if settings.PASSWORD_CHARS < 8:
        found.append(Error("PASSWORD_CHARS must be at least 8.", id="insight.E021"))
    if min(settings.SESSION_DAYS, settings.SESSION_IDLE_MINUTES, settings.SIGNIN_DAYS) < 1:
        text = "SESSION_DAYS, SESSION_IDLE_MINUTES and SIGNIN_DAYS must be 1 or more."
        found.append(Error(text, id="insight.E022"))
    if settings.SIGNIN_DAYS < 2:
        text = "SIGNIN_DAYS must be 2 or more: failed tries of a day are counted there."
        found.append(Error(text, id="insight.E023"))
    return found


def _headers() -> list[CheckMessage]:
    found: list[CheckMessage] = []
    if not settings.TRUSTED_HEADER_USER:
        return found
    if not settings.TRUSTED_PROXIES:
        text = "TRUSTED_HEADER_USER is set, and TRUSTED_PROXIES names no proxy: the header would count from nowhere."
        found.append(Error(text, id="insight.E024"))
    for one in settings.TRUSTED_PROXIES:
        if one == "unix":
            continue
        try:
            network = ipaddress.ip_network(one)
        except ValueError:
            found.append(Error(f"TRUSTED_PROXIES: {one!r} is no address or network.", id="insight.E025"))
            continue
        if network.prefixlen < WIDEST[network.version]:
            text = f"TRUSTED_PROXIES: whoever reaches the site from {one} can be anybody. Name the proxies alone."
            found.append(Warning(text, id="insight.W026"))
        elif network.is_loopback and not settings.BEHIND_PROXY:
            text = f"TRUSTED_PROXIES: every account of this machine can reach the site from {one} and be anybody."
            found.append(Warning(text, hint="Let the proxy and the site talk over a socket: unix.", id="insight.W027"))
    return found


def _providers() -> list[CheckMessage]:
    found: list[CheckMessage] = []
    for app in settings.SOCIALACCOUNT_PROVIDERS.get("openid_connect", {}).get("APPS", ()):
        if not app["client_id"] or not app["secret"]:
            text = "OIDC_SERVER_URL is set: OIDC_CLIENT_ID and OIDC_CLIENT_SECRET are needed too."
            found.append(Error(text, id="insight.E028"))
        if not app["settings"]["server_url"].startswith("https://") and settings.HTTPS:
            text = "OIDC_SERVER_URL must begin with https://: who listens could sign in as anybody."
            found.append(Error(text, id="insight.E029"))
    for app in settings.SOCIALACCOUNT_PROVIDERS.get("saml", {}).get("APPS", ()):
        idp = app["settings"]["idp"]
        if not idp["entity_id"] or not (idp["metadata_url"] or (idp["sso_url"] and idp["x509cert"])):
            text = "SAML needs SAML_IDP_ID, and SAML_METADATA_URL or both SAML_SSO_URL and SAML_CERTIFICATE."
            found.append(Error(text, id="insight.E030"))
        if idp["metadata_url"] and not idp["metadata_url"].startswith("https://"):
            text = "SAML_METADATA_URL must begin with https://: it brings the key by which sign-ins are believed."
            found.append(Error(text, id="insight.E031"))
    return found


def _roles() -> list[CheckMessage]:
    found: list[CheckMessage] = []
    bad = [role for roles in settings.SSO_ROLES.values() for role in roles if role not in ROLES]
    if bad or "" in settings.SSO_ROLES:
        text = f"SSO_ROLES: write group:Role with one of {', '.join(ROLES)}, and commas between."
        found.append(Error(text, id="insight.E032"))
    if settings.SSO_REQUIRES_GROUP and not settings.SSO_ROLES:
        found.append(Error("SSO_REQUIRES_GROUP is on, and SSO_ROLES names no group.", id="insight.E033"))
    if unknown := set(settings.MFA_REQUIRED_ROLES) - {*ROLES, SUPERUSER}:
        text = f"MFA_REQUIRED_ROLES: {', '.join(sorted(unknown))} is none of {', '.join(ROLES)}, {SUPERUSER}."
        found.append(Error(text, id="insight.E034"))
    return found
