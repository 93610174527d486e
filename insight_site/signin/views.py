"""The door for people: log in, by a provider too, set a password, see one's sessions. Loaded with a first request."""

from collections.abc import Callable
from typing import Any, cast

import structlog
from allauth.account.internal.flows.login import perform_login, perform_password_login, record_authentication
from allauth.account.models import Login as LoginSteps
from allauth.core.internal import ratelimit
from allauth.socialaccount.adapter import get_adapter as providers_adapter
from allauth.socialaccount.providers.openid_connect import views as oidc
from allauth.usersessions.models import UserSession
from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout, views
from django.contrib.auth.decorators import login_required
from django.contrib.auth.forms import AuthenticationForm, PasswordChangeForm
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBadRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse, reverse_lazy
from django.utils.decorators import method_decorator
from django.utils.http import urlencode
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe
from django.views.generic import FormView
from requests import RequestException

from insight_site.access import limits
from insight_site.access.callers import visitor_of
from insight_site.pages.preferences import OwnZoneForm, zone_of
from insight_site.signin import accounts, throttle
from insight_site.signin.adapters import locked_text
from insight_site.signin.session_life import NAMED
from insight_site.signin.sign_in_record import Event, device_of, record, refusal_page, refused

# Forms of the sign-in pages.


class LoginForm(AuthenticationForm):
    """Name and password, through the throttle. One error message for every cause."""

    def clean(self) -> dict[str, Any]:
        """Authenticate; `get_user` then returns the account.

        Raises:
            ValidationError: wrong, or throttled.
        """
        try:
            self.user_cache = throttle.check_password(
                cast(HttpRequest, self.request),
                self.cleaned_data.get("username", ""),
                self.cleaned_data.get("password", ""),
            )
        except throttle.Locked as locked:
            raise ValidationError(locked_text(locked), code="locked") from None
        if self.user_cache is None:
            raise self.get_invalid_login_error()
        return self.cleaned_data


class ChangeForm(PasswordChangeForm):
    """Change a known password; wrong guesses of the old one are throttled too."""

    def __init__(self, user: Any, *args: Any, request: Any, **kwargs: Any) -> None:
        self.request = request
        super().__init__(user, *args, **kwargs)

    def clean_old_password(self) -> str:
        """Check the old password.

        Raises:
            ValidationError: it is wrong, or was throttled.
        """
        typed: str = self.cleaned_data["old_password"]
        try:
            user = throttle.check_password(self.request, self.user.get_username(), typed)
        except throttle.Locked as locked:
            raise ValidationError(locked_text(locked), code="locked") from None
        if user is None:
            raise ValidationError(self.error_messages["password_incorrect"], code="password_incorrect")
        return typed


class ResetForm(forms.Form):
    """The address for a password link."""

    email = forms.EmailField(
        label=_("E-mail address"), max_length=254, widget=forms.EmailInput(attrs={"autocomplete": "email"})
    )


# Sign-in pages: log in, set a password, list sessions. The second factor's pages are allauth's.
#
# A web worker imports this at the first request for one of these pages.

ASKED = {"reset": "10/h/ip"}  # links requested from one address


class Login(views.LoginView):
    """The only login page, for the site and the admin."""

    template_name = "signin/login.html"
    authentication_form = LoginForm
    redirect_authenticated_user = True

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Try a password, unless password login is disabled."""
        if not settings.LOCAL_PASSWORDS:
            raise PermissionDenied
        return super().post(request, *args, **kwargs)

    def get_redirect_url(self, request: HttpRequest | None = None) -> str:
        """The page that they wanted; never this one, since Django raises an error for a redirect loop."""
        following: str = super().get_redirect_url()
        return "" if following == self.request.path else following

    def form_valid(self, form: Any) -> HttpResponse:
        """The password is right: go to the second factor, or log in."""
        user: User = form.get_user()
        steps = LoginSteps(user=user, redirect_url=self.get_redirect_url() or None)
        done: HttpResponse = perform_password_login(self.request, {"username": user.get_username()}, steps)
        return done

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """Adds the available login methods."""
        following = self.get_redirect_url()
        more = {"next": following} if following else {}
        ways = [
            {"name": provider.name, "address": provider.get_login_url(self.request, **more)}
            for provider in (
                providers_adapter().list_providers(self.request) if settings.SOCIALACCOUNT_PROVIDERS else ()
            )
        ]
        return {**super().get_context_data(**kwargs), "ways": ways, "passwords": settings.LOCAL_PASSWORDS}


@never_cache
def admin_login(request: HttpRequest) -> HttpResponse:
    """Redirect the admin's login to the site's, so that throttle and second factor can't be bypassed there."""
    if request.user.is_authenticated:
        if request.user.is_staff:
            return redirect("admin:index")
        raise PermissionDenied
    following = request.GET.get("next") or reverse("admin:index")
    return redirect(f"{reverse('login')}?{urlencode({'next': following})}")


@require_http_methods(["GET", "POST"])
def sign_in_link(request: HttpRequest, token: str) -> HttpResponse:
    """The operator's login link. A GET only shows a button: a mail scanner that follows links must not use it up."""
    user = accounts.user_of_operator(token)
    if user is None:
        refused(request, how="link", note="old, used or forged link")
        return refusal_page(request, gettext("This link is too old, or it was used. Make a new one with manage.py."))
    if request.method == "GET":
        return render(request, "signin/link.html", {"who": user})
    if request.user.is_authenticated:
        logout(request)
    record_authentication(request, user, "link")
    done: HttpResponse = perform_login(request, LoginSteps(user=user))
    return done


# ── Passwords ─────────────────────────────────────────────────────────────────
def _passwords_only(view: Any) -> Any:
    """404 where password login is disabled."""

    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not settings.LOCAL_PASSWORDS:
            raise Http404
        response: HttpResponse = view(request, *args, **kwargs)
        return response

    return guarded


@method_decorator(_passwords_only, name="dispatch")
class Reset(FormView):  # type: ignore[type-arg]
    """Request a link. The response is the same for all addresses."""

    template_name = "signin/reset.html"
    form_class = ResetForm
    success_url = reverse_lazy("password_reset_sent")

    def form_valid(self, form: ResetForm) -> HttpResponse:
        """Leave it to a worker, so that the response doesn't reveal whether the account exists."""
        if not ratelimit.consume(self.request, app="insight", action="reset", config=ASKED):
            form.add_error(None, gettext("Too many links were asked for from here. Try again in an hour."))
            return self.form_invalid(form)
        accounts.ask_for_link(self.request, form.cleaned_data["email"])
        return super().form_valid(form)


@require_safe
@_passwords_only
def reset_sent(request: HttpRequest) -> HttpResponse:
    """What happens next."""
    return render(request, "signin/reset_sent.html")


@method_decorator(_passwords_only, name="dispatch")
class SetPassword(views.PasswordResetConfirmView):
    """Set a password by a link; then log in with it, and with the second factor if there is one."""

    template_name = "signin/set_password.html"
    success_url = reverse_lazy("login")

    def form_valid(self, form: Any) -> HttpResponse:
        """Set it, and end the sessions of the old one."""
        response = super().form_valid(form)
        user = cast(User, self.user)
        record(self.request, Event.PASSWORD, user=user, how="link")
        accounts.end_sessions(user=user, request=self.request, but=self.request.session.session_key)
        messages.success(self.request, gettext("Your password is set. Log in with it."))
        return response


@method_decorator(_passwords_only, name="dispatch")
class ChangePassword(views.PasswordChangeView):
    """Change the password with the old one. Other sessions end."""

    template_name = "signin/change_password.html"
    form_class = ChangeForm
    success_url = reverse_lazy("account")

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Only for people who have a password."""
        if request.user.is_authenticated and not request.user.has_usable_password():
            raise Http404
        return super().dispatch(request, *args, **kwargs)

    def get_form_kwargs(self) -> dict[str, Any]:
        """Pass the request to the form, since the throttle needs its address."""
        return {**super().get_form_kwargs(), "request": self.request}

    def form_valid(self, form: Any) -> HttpResponse:
        """Set it, and end the other sessions."""
        before = self.request.session.session_key
        response = super().form_valid(form)
        UserSession.objects.filter(session_key=before).update(session_key=self.request.session.session_key)
        user = cast(User, self.request.user)
        record(self.request, Event.PASSWORD, user=user, how="password")
        accounts.end_sessions(user=user, request=self.request, but=self.request.session.session_key)
        messages.success(self.request, gettext("Your password was changed."))
        return response


# ── One's own account ─────────────────────────────────────────────────────────
@login_required
@require_safe
@never_cache
def account(request: HttpRequest) -> HttpResponse:
    """My login methods and sessions."""
    user = cast(User, request.user)
    sessions = UserSession.objects.filter(user=user).order_by("-last_seen_at")
    words = {
        "sessions": [{"row": row, "device": device_of(row.user_agent)} for row in sessions],
        "here": request.session.session_key,
        "has_password": settings.LOCAL_PASSWORDS and user.has_usable_password(),
        "by_header": NAMED in request.session,
        "zone_form": OwnZoneForm(initial={"zone": zone_of(request)}),
    }
    return render(request, "signin/account.html", words)


@login_required
@require_http_methods(["POST"])
def end_my_sessions(request: HttpRequest) -> HttpResponse:
    """Log out everywhere else, or of one session."""
    user = cast(User, request.user)
    if pk := request.POST.get("session"):
        row = UserSession.objects.filter(user=user, pk=int(pk) if pk.isdecimal() and len(pk) < 19 else 0).first()
        if row is not None and row.session_key != request.session.session_key:
            row.end()
            record(request, Event.ENDED, user=user, note="by themselves")
    else:
        accounts.end_sessions(user=user, request=request, but=request.session.session_key)
    messages.success(request, gettext("Logged out there."))
    return redirect("account")


# Lazily loaded views of `urls`: our own pages, and those of sign-in providers.

log = structlog.get_logger()
A_MINUTE = 120  # provider logins from one address, which may be an office's; each leaves a session behind
RESPONSE_BYTES = 256 * 1024  # lifetime of a SAML response: it is stored until the browser returns with its cookie

login = Login.as_view()
reset = Reset.as_view()
set_password = SetPassword.as_view()
change_password = ChangePassword.as_view()


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
        return refusal_page(request, gettext("The sign-in did not work. Begin again, and ask your administrator."))


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

    view: Callable[..., HttpResponse] = getattr(saml, name)
    return view
