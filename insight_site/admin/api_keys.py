"""API keys, and the accounts of people, in the admin."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from insight_site.access import keys
from insight_site.admin.key_form import ApiKeyForm
from insight_site.models import ApiKey
from runs.web import person

admin.site.unregister(User)
admin.site.unregister(Group)


@admin.register(User)
class SiteUserAdmin(UserAdmin, ModelAdmin):  # type: ignore[type-arg]
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ["username", "first_name", "last_name", "roles", "is_staff", "is_active", "last_login"]
    list_filter = ["groups", "is_staff", "is_superuser", "is_active"]
    filter_horizontal = ()  # two boxes side by side don't fit beside the menu
    autocomplete_fields = ["groups"]

    @admin.display(description=_("roles"))
    def roles(self, row: User) -> str:
        return ", ".join(sorted(group.name for group in row.groups.all())) or "–"

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        return super().get_queryset(request).prefetch_related("groups")

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        """Only a superuser makes superusers and gives single permissions; others give roles."""
        more = () if _is_superuser(request) else ("is_superuser", "user_permissions")
        return [*super().get_readonly_fields(request, obj), *more]

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        if obj is not None and obj.is_superuser and not _is_superuser(request):
            return False  # a new password would be a superuser's
        return bool(super().has_change_permission(request, obj))

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        if obj is not None and obj.is_superuser and not _is_superuser(request):
            return False
        return bool(super().has_delete_permission(request, obj))


@admin.register(Group)
class SiteGroupAdmin(GroupAdmin, ModelAdmin):
    pass


@admin.register(ApiKey)
class ApiKeyAdmin(ModelAdmin):
    """Issue, rotate and revoke. The secret is shown once, in the answer itself: a message would lie in a cookie."""

    form = ApiKeyForm
    list_display = ["name", "prefix", "kind", "source", "live", "expires_at", "last_used_at"]
    list_filter = ["kind", "source"]
    list_select_related = ["source"]
    search_fields = ["name", "prefix", "source__name"]
    empty_text = _("No key yet. Browsers and apps take a client key, backends a server key.")
    readonly_fields = ["prefix", "created_by", "created_at", "revoked_at", "last_used_at"]
    actions = ["create_successor", "revoke"]

    @admin.display(description=_("live"), boolean=True)
    def live(self, row: ApiKey) -> bool:
        return row.is_live

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False  # revoking keeps the record of who could do what

    def get_readonly_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> list[str]:
        return [*self.readonly_fields, *(["kind", "source"] if obj else [])]

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        if change:
            obj.save()
            keys.forget_cached_keys()
            return
        row, key = keys.issue_key(
            name=obj.name,
            source=obj.source,
            kind=obj.kind,
            scopes=obj.scopes,
            allowed_origins=obj.allowed_origins,
            rate=obj.rate,
            expires_at=obj.expires_at,
            created_by=person(request),
            log_exposures=obj.log_exposures,
            preview=obj.preview,
        )
        obj.pk, obj.digest, obj.prefix, obj.created_at = row.pk, row.digest, row.prefix, row.created_at
        request.issued_key = key  # type: ignore[attr-defined]

    def response_add(self, request: HttpRequest, obj: ApiKey, post_url_continue: str | None = None) -> HttpResponse:
        return self._show(request, [(obj, request.issued_key)])  # type: ignore[attr-defined]

    @admin.action(description=_("Create successor"), permissions=["add"])
    def create_successor(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> HttpResponse:
        return self._show(request, [keys.rotate_key(row=row, created_by=person(request)) for row in queryset])

    @admin.action(description=_("Revoke"), permissions=["change"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        rows = list(queryset)
        for row in rows:
            keys.revoke_key(row=row)
        text = ngettext("%(count)d key was revoked.", "%(count)d keys were revoked.", len(rows)) % {"count": len(rows)}
        messages.success(request, text)

    def _show(self, request: HttpRequest, issued: list[tuple[ApiKey, str]]) -> HttpResponse:
        context = {**self.admin_site.each_context(request), "title": _("New API key"), "issued": issued}
        response = TemplateResponse(request, "insight_site/keys_issued.html", context)
        response["Cache-Control"] = "no-store"
        return response


def _is_superuser(request: HttpRequest) -> bool:
    return bool(getattr(request.user, "is_superuser", False))
