"""User accounts in the admin: their roles, their open sessions, links and keys, and what ends with them."""

from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from allauth.usersessions.models import UserSession
from django.contrib import admin, messages
from django.contrib.admin.exceptions import NotRegistered
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from insight_site.signin import accounts
from insight_site.signin.sign_in_record import Event, device_of, record
from runs.refusals import Refused


def _take_out(*models: type[Model]) -> None:
    """Unregister allauth's own admin pages: they show secrets and write rows without our services."""
    for model in models:
        try:
            admin.site.unregister(model)
        except NotRegistered:
            continue


_take_out(User, Group, EmailAddress, Authenticator, SocialAccount, SocialApp, SocialToken, UserSession)


@admin.register(User)
class SiteUserAdmin(UserAdmin, ModelAdmin):  # type: ignore[type-arg]
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ["username", "first_name", "last_name", "roles", "is_staff", "is_active", "last_login"]
    list_filter = ["groups", "is_staff", "is_superuser", "is_active"]
    filter_horizontal = ()  # two boxes side by side don't fit beside the menu
    autocomplete_fields = ["groups"]
    actions = ["invite", "end_sessions", "deactivate", "remove_factors"]
    left_open = ["sessions_shown", "factors_shown", "links_shown", "keys_shown"]

    @admin.display(description=_("roles"))
    def roles(self, row: User) -> str:
        return ", ".join(sorted(group.name for group in row.groups.all())) or "–"

    @admin.display(description=_("sessions"))
    def sessions_shown(self, row: User) -> str:
        return _lines(
            f"{device_of(session.user_agent)}, {session.ip}, {_day(session.last_seen_at)}"
            for session in UserSession.objects.filter(user=row).order_by("-last_seen_at")
        )

    @admin.display(description=_("second factor"))
    def factors_shown(self, row: User) -> str:
        return _lines(
            str(factor.get_type_display()) for factor in Authenticator.objects.filter(user=row).order_by("type")
        )

    @admin.display(description=_("share links that this person made"))
    def links_shown(self, row: User) -> str:
        lines = [f"{link.run_label} {link.run_pk}, {_day(link.expires_at)}" for link in accounts.links_of(row)]
        return _lines(lines if row.is_active else [gettext("{line} (stopped)").format(line=line) for line in lines])

    @admin.display(description=_("API keys that this person made and that work"))
    def keys_shown(self, row: User) -> str:
        return _lines(f"{key}, {key.kind}: {', '.join(key.scopes)}" for key in accounts.keys_of(row))

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).prefetch_related("groups")

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> Any:
        """An existing account also shows its sessions, links and keys."""
        more = [] if obj is None else [(_("What this account left open"), {"fields": self.left_open})]
        return [*super().get_fieldsets(request, obj), *more]

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        """Only a superuser creates superusers and grants single permissions; others assign roles."""
        more = () if _is_superuser(request) else ("is_superuser", "user_permissions")
        if obj is not None and obj.pk == request.user.pk:
            more = ("is_superuser", *more)  # so at least one remains: the last superuser could give it up
        return [*super().get_readonly_fields(request, obj), *self.left_open, *more]

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        if obj is not None and obj.is_superuser and not _is_superuser(request):
            return False  # they could set a superuser's password
        return bool(super().has_change_permission(request, obj))

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        if obj is not None and obj.is_superuser and (obj.pk == request.user.pk or not _is_superuser(request)):
            return False  # nor their own account: it may be the last one
        return bool(super().has_delete_permission(request, obj))

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """Deactivating goes through the service: it ends sessions, and refuses to lock out the last superuser."""
        wanted = obj.is_active
        if change and "is_active" in form.changed_data:
            obj.is_active = not wanted
        super().save_model(request, obj, form, change)
        if change and "is_active" in form.changed_data:
            self._set_active(request, obj, active=wanted)

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        """Set another person's password: recorded in the sign-in log, and ends that person's sessions."""
        response: HttpResponse = super().user_change_password(request, id, form_url)
        if request.method == "POST" and response.status_code == 302:
            user = User.objects.get(pk=id)
            record(request, Event.PASSWORD, user=user, note=f"by {request.user.get_username()}")
            mine = request.session.session_key if user.pk == request.user.pk else None
            accounts.end_sessions(user=user, request=request, but=mine)
        return response

    @admin.action(description=_("Send a link to set a password"), permissions=["change"])
    def invite(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        sent = [row for row in self._mine(request, queryset) if row.email and row.is_active]
        for row in sent:
            accounts.send_link(request, row, kind="invite")
        text = ngettext("{n} link is on its way.", "{n} links are on their way.", len(sent)).format(n=len(sent))
        self.message_user(request, text, messages.SUCCESS if sent else messages.WARNING)
        if without := [row.get_username() for row in queryset if row not in sent]:
            text = gettext("Without an e-mail address, deactivated, or not yours to change: {names}")
            self.message_user(request, text.format(names=", ".join(without)), messages.WARNING)

    @admin.action(description=_("Log out everywhere"), permissions=["change"])
    def end_sessions(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        number = sum(accounts.end_sessions(user=row, request=request) for row in self._mine(request, queryset))
        text = ngettext("{n} session was ended.", "{n} sessions were ended.", number).format(n=number)
        self.message_user(request, text, messages.SUCCESS)

    @admin.action(description=_("Deactivate"), permissions=["change"])
    def deactivate(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        for row in self._mine(request, queryset):
            self._set_active(request, row, active=False)

    @admin.action(description=_("Remove the second factor"), permissions=["change"])
    def remove_factors(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        """Remove second factors, for a person who lost telephone, security key and recovery codes."""
        for row in self._mine(request, queryset):
            if Authenticator.objects.filter(user=row).delete()[0]:
                record(request, Event.FACTOR_REMOVED, user=row, note=f"by {request.user.get_username()}")
                accounts.end_sessions(user=row, request=request)
        self.message_user(request, gettext("They can log in with their password alone now."), messages.SUCCESS)

    def _mine(self, request: HttpRequest, queryset: QuerySet[User]) -> list[User]:
        """The rows that this person may also change one by one."""
        return [row for row in queryset if self.has_change_permission(request, row)]

    def _set_active(self, request: HttpRequest, row: User, *, active: bool) -> None:
        try:
            accounts.set_active(user=row, active=active, request=request)
        except Refused as refusal:
            self.message_user(request, f"{row}: {refusal.sentence}", messages.ERROR)
            return
        if not active:
            stopped, going = len(accounts.links_of(row)), ", ".join(str(key) for key in accounts.keys_of(row))
            text = gettext(
                "{name} is logged out everywhere. Share links that stopped: {n}. API keys that go on: {keys}."
            )
            self.message_user(request, text.format(name=row, n=stopped, keys=going or "–"), messages.SUCCESS)


@admin.register(Group)
class SiteGroupAdmin(GroupAdmin, ModelAdmin):
    pass


def _is_superuser(request: HttpRequest) -> bool:
    return bool(getattr(request.user, "is_superuser", False))


def _lines(texts: Any) -> str:
    lines = [(text,) for text in texts]
    return format_html("<ul>{}</ul>", format_html_join("", "<li>{}</li>", lines)) if lines else "–"


def _day(moment: Any) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"
