"""Lazily loaded views of `urls`: our own pages, and those of sign-in providers."""

from collections.abc import Callable
from typing import Any

import structlog
from allauth.socialaccount.providers.openid_connect import views as oidc
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from requests import RequestException

from insight_site.access import limits
from insight_site.addresses import visitor_of
from insight_site.signin import views
from insight_site.signin.refusal import refusal_page
from insight_site.signin.sign_in_record import refused

log = structlog.get_logger()
A_MINUTE = 120  # provider logins from one address, which may be an office's; each leaves a session behind
RESPONSE_BYTES = 256 * 1024  # lifetime of a SAML response: it is stored until the browser returns with its cookie

login = views.Login.as_view()
reset = views.Reset.as_view()
set_password = views.SetPassword.as_view()
change_password = views.ChangePassword.as_view()
reset_sent, account, end_my_sessions = views.reset_sent, views.account, views.end_my_sessions
admin_login, sign_in_link = views.admin_login, views.sign_in_link


def admin_password(request: HttpRequest) -> HttpResponse:
    """Replaces the admin's own password page, which would bypass the throttle and the sign-in log."""
    return redirect("account_change_password")


def inactive(request: HttpRequest) -> HttpResponse:
    """The page for a person whose account is deactivated, to which allauth redirects."""
    return render(request, "signin/inactive.html", status=403)


def _too_many(request: HttpRequest) -> HttpResponse | None:
    if limits.passes(f"sso:{visitor_of(request)}", A_MINUTE):
        return None
    return HttpResponse(gettext("Too many attempts; try again in a minute."), status=429)


# ── OpenID Connect ────────────────────────────────────────────────────────────
def oidc_login(request: HttpRequest, provider_id: str) -> HttpResponse:
    """Redirect to the provider."""
    return _too_many(request) or _oidc(oidc.login, request, provider_id)


def oidc_callback(request: HttpRequest, provider_id: str) -> HttpResponse:
    """Callback from the provider."""
    return _oidc(oidc.callback, request, provider_id)


def _oidc(view: Any, request: HttpRequest, provider_id: str) -> HttpResponse:
    """Handle a provider that doesn't answer, which is no error of this site."""
    try:
        response: HttpResponse = view(request, provider_id=provider_id)
    except RequestException as trouble:
        log.warning("signin.provider_away", error=type(trouble).__name__)
        return refusal_page(request, gettext("The provider of your account does not answer. Try again in a minute."))
    return response


# ── SAML: its libraries (lxml, xmlsec) are loaded only where it is set up ──────
def saml_login(request: HttpRequest, organization_slug: str) -> HttpResponse:
    """Redirect to the provider."""
    view = _saml("login")
    return _too_many(request) or view(request, organization_slug=organization_slug)


def saml_acs(request: HttpRequest, organization_slug: str) -> HttpResponse:
    """The provider's POST, which arrives from its page without our cookie."""
    view = _saml("acs")
    if len(request.body) > RESPONSE_BYTES:
        return HttpResponse("too large", status=413, content_type="text/plain")
    return _too_many(request) or view(request, organization_slug=organization_slug)


def saml_finish(request: HttpRequest, organization_slug: str) -> HttpResponse:
    """The same request again from our own page, with our cookie: here the response is verified."""
    try:
        return _saml("finish_acs")(request, organization_slug=organization_slug)
    except (PermissionDenied, ValueError, SyntaxError) as trouble:  # unsolicited; or no XML, or XML with entities
        log.warning("signin.provider_error", error=type(trouble).__name__)
        refused(request, how="provider:saml", note="no answer to us")
        return refusal_page(request, gettext("The sign-in did not work. Begin again, and tell your administrator."))


def saml_metadata(request: HttpRequest, organization_slug: str) -> HttpResponse:
    """Metadata that the provider needs about this site."""
    return _saml("metadata")(request, organization_slug=organization_slug)


def saml_logout(request: HttpRequest, organization_slug: str) -> HttpResponse:
    """Log out at the provider's request, if it is signed: the library would accept unsigned ones too."""
    if "Signature" not in request.GET:
        return HttpResponseBadRequest("not signed", content_type="text/plain")
    return _saml("sls")(request, organization_slug=organization_slug)


def _saml(name: str) -> Callable[..., HttpResponse]:
    if "saml" not in settings.SOCIALACCOUNT_PROVIDERS:
        raise Http404
    from allauth.socialaccount.providers.saml import views as saml  # noqa: PLC0415 - 40 MB of XML libraries

    found: Callable[..., HttpResponse] = getattr(saml, name)
    return found
