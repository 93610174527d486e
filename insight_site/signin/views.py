"""Sign-in pages: log in, set a password, list sessions. The second factor's pages are allauth's.

A web worker imports this at the first request for one of these pages.
"""

from typing import Any, cast

from allauth.account.internal.flows.login import perform_login, perform_password_login, record_authentication
from allauth.account.models import Login as LoginSteps
from allauth.core.internal import ratelimit
from allauth.socialaccount.adapter import get_adapter as providers_adapter
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout, views
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse, reverse_lazy
from django.utils.decorators import method_decorator
from django.utils.http import urlencode
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe
from django.views.generic import FormView

from insight_site.signin import accounts, links
from insight_site.signin.devices import device_of
from insight_site.signin.forms import ChangeForm, LoginForm, ResetForm
from insight_site.signin.refusal import refusal_page
from insight_site.signin.session_life import NAMED
from insight_site.signin.sign_in_record import Event, record, refused

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
    user = links.user_of_operator(token)
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
        links.ask_for_link(self.request, form.cleaned_data["email"])
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
    }
    return render(request, "signin/account.html", words)


@login_required
@require_http_methods(["POST"])
def end_my_sessions(request: HttpRequest) -> HttpResponse:
    """Log out everywhere else, or of one session."""
    user = cast(User, request.user)
    if one := request.POST.get("session"):
        row = UserSession.objects.filter(user=user, pk=int(one) if one.isdecimal() and len(one) < 19 else 0).first()
        if row is not None and row.session_key != request.session.session_key:
            row.end()
            record(request, Event.ENDED, user=user, note="by themselves")
    else:
        accounts.end_sessions(user=user, request=request, but=request.session.session_key)
    messages.success(request, gettext("Logged out there."))
    return redirect("account")
