"""System checks of our own: settings that would lose events or let keys in, and ways to sign in that are unsafe."""

import importlib.util
import ipaddress
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

from events.store import object_store
from insight_site.access.roles import ROLES
from insight_site.signin.adapters import SUPERUSER

# System checks of sign-in settings: settings that would admit the wrong people, or lock everybody out.

WIDEST = {4: 16, 6: 48}  # shortest prefix lengths: a wider network contains more than proxies


@register()
def check_sign_in(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """All checks of sign-in, each with its own id."""
    return [*_ways_in(), *_headers(), *_providers(), *_roles()]


def _ways_in() -> list[CheckMessage]:
    messages: list[CheckMessage] = []
    if not settings.LOCAL_PASSWORDS and not settings.SOCIALACCOUNT_PROVIDERS and not settings.TRUSTED_HEADER_USER:
        text = "LOCAL_PASSWORDS is off, and neither OIDC, SAML nor TRUSTED_HEADER_USER is set: nobody could log in."
        messages.append(Error(text, hint="See docs/signin.md.", id="insight.E020"))
    if settings.PASSWORD_CHARS < 8:
        messages.append(Error("PASSWORD_CHARS must be at least 8.", id="insight.E021"))
    if min(settings.SESSION_DAYS, settings.SESSION_IDLE_MINUTES, settings.SIGNIN_DAYS) < 1:
        text = "SESSION_DAYS, SESSION_IDLE_MINUTES and SIGNIN_DAYS must be 1 or more."
        messages.append(Error(text, id="insight.E022"))
    if settings.SIGNIN_DAYS < 2:
        text = "SIGNIN_DAYS must be 2 or more: failed tries of a day are counted there."
        messages.append(Error(text, id="insight.E023"))
    return messages


def _headers() -> list[CheckMessage]:
    messages: list[CheckMessage] = []
    if not settings.TRUSTED_HEADER_USER:
        return messages
    if not settings.TRUSTED_PROXIES:
        text = "TRUSTED_HEADER_USER is set, and TRUSTED_PROXIES names no proxy: the header would count from nowhere."
        messages.append(Error(text, id="insight.E024"))
    for proxy in settings.TRUSTED_PROXIES:
        if proxy == "unix":
            continue
        try:
            network = ipaddress.ip_network(proxy)
        except ValueError:
            messages.append(Error(f"TRUSTED_PROXIES: {proxy!r} is no address or network.", id="insight.E025"))
            continue
        if network.prefixlen < WIDEST[network.version]:
            text = f"TRUSTED_PROXIES: whoever reaches the site from {proxy} can be anybody. Name the proxies alone."
            messages.append(Warning(text, id="insight.W026"))
        elif network.is_loopback and not settings.BEHIND_PROXY:
            text = f"TRUSTED_PROXIES: every account of this machine can reach the site from {proxy} and be anybody."
            messages.append(
                Warning(text, hint="Let the proxy and the site talk over a socket: unix.", id="insight.W027")
            )
    return messages


def _providers() -> list[CheckMessage]:
    messages: list[CheckMessage] = []
    for app in settings.SOCIALACCOUNT_PROVIDERS.get("openid_connect", {}).get("APPS", ()):
        if not app["client_id"] or not app["secret"]:
            text = "OIDC_SERVER_URL is set: OIDC_CLIENT_ID and OIDC_CLIENT_SECRET are needed too."
            messages.append(Error(text, id="insight.E028"))
        if not app["settings"]["server_url"].startswith("https://") and settings.HTTPS:
            text = "OIDC_SERVER_URL must begin with https://: who listens could sign in as anybody."
            messages.append(Error(text, id="insight.E029"))
    for app in settings.SOCIALACCOUNT_PROVIDERS.get("saml", {}).get("APPS", ()):
        idp = app["settings"]["idp"]
        if not idp["entity_id"] or not (idp["metadata_url"] or (idp["sso_url"] and idp["x509cert"])):
            text = "SAML needs SAML_IDP_ID, and SAML_METADATA_URL or both SAML_SSO_URL and SAML_CERTIFICATE."
            messages.append(Error(text, id="insight.E030"))
        if idp["metadata_url"] and not idp["metadata_url"].startswith("https://"):
            text = "SAML_METADATA_URL must begin with https://: it brings the key by which sign-ins are believed."
            messages.append(Error(text, id="insight.E031"))
    return messages


def _roles() -> list[CheckMessage]:
    messages: list[CheckMessage] = []
    bad = [role for roles in settings.SSO_ROLES.values() for role in roles if role not in ROLES]
    if bad or "" in settings.SSO_ROLES:
        text = f"SSO_ROLES: write group:Role with one of {', '.join(ROLES)}, and commas between."
        messages.append(Error(text, id="insight.E032"))
    if settings.SSO_REQUIRES_GROUP and not settings.SSO_ROLES:
        messages.append(Error("SSO_REQUIRES_GROUP is on, and SSO_ROLES names no group.", id="insight.E033"))
    if unknown := set(settings.MFA_REQUIRED_ROLES) - {*ROLES, SUPERUSER}:
        text = f"MFA_REQUIRED_ROLES: {', '.join(sorted(unknown))} is none of {', '.join(ROLES)}, {SUPERUSER}."
        messages.append(Error(text, id="insight.E034"))
    return messages


# System checks of our settings: `manage.py check` names those that would lose events or let keys in.

PEPPER_CHARS = 32


@register()
def check_settings(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """All checks, each with its own id."""
    messages: list[CheckMessage] = []
    database = settings.DATABASES["default"]
    if settings.WORKERS < 1:
        messages.append(
            Error("WORKERS must be at least 1: studies and analyses would wait for ever.", id="insight.E001")
        )
    if database["ENGINE"].endswith("sqlite3") and database.get("OPTIONS", {}).get("transaction_mode") != "IMMEDIATE":
        text = "DATABASES: SQLite needs transaction_mode IMMEDIATE, since select_for_update does nothing there."
        messages.append(Error(text, id="insight.E002"))
    if not settings.API_KEY_PEPPERS or any(len(pepper) < PEPPER_CHARS for pepper in settings.API_KEY_PEPPERS):
        text = f"API_KEY_PEPPERS: each pepper needs at least {PEPPER_CHARS} characters."
        messages.append(Error(text, id="insight.E003"))
    if settings.EVENT_ID_DAYS < 7:
        text = "EVENT_ID_DAYS must be at least 7: senders are promised that repeats are recognised for a week."
        messages.append(Error(text, id="insight.E004"))
    if settings.REDIS_URL and importlib.util.find_spec("redis") is None:
        messages.append(Error("REDIS_URL is set, but the package redis is not installed.", id="insight.E005"))
    if object_store.is_remote(str(settings.EVENTS_URL)) and not object_store.is_readable():
        text = "EVENTS_URL is in S3, and the package duckdb-extension-httpfs is not installed: see docs/events.md."
        messages.append(Error(text, id="insight.E007"))
    if any(rate < 1 for rate in settings.RATES.values()):
        messages.append(Error("RATE_… settings must be 1 or more calls a minute.", id="insight.E006"))
    return messages
