"""API keys in the admin."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminTextareaWidget

from insight_site.access import keys
from insight_site.models import ApiKey
from runs.web import person

# The form of an API key.

ALL_SCOPES = [(scope, scope) for scope in keys.SCOPES["admin"]]


if TYPE_CHECKING:
    Base = forms.ModelForm[ApiKey]
else:
    Base = forms.ModelForm  # not generic at run time


class ApiKeyForm(Base):
    """Scopes as checkboxes, origins one per line; each kind of key allows only its own scopes."""

    person: Any = None  # the person who fills it in

    scopes = forms.MultipleChoiceField(
        label=_("scopes"), choices=ALL_SCOPES, widget=UnfoldAdminCheckboxSelectMultipleWidget, initial=["events:write"]
    )
    origins = forms.CharField(
        label=_("allowed browser origins"),
        help_text=_("One a line, for example https://shop.example. Empty: any."),
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
    )

    class Meta:
        model = ApiKey
        fields = ["name", "source", "kind", "scopes", "origins", "rate", "log_exposures", "preview", "expires_at"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.fields["origins"].initial = "\n".join(self.instance.allowed_origins)

    def clean_origins(self) -> list[str]:
        origins = str(self.cleaned_data["origins"]).split()
        for origin in origins:
            scheme, separator, host = origin.partition("://")
            if scheme not in ("http", "https") or not separator or not host or "/" in host:
                raise forms.ValidationError(_("%(origin)s is not an origin."), params={"origin": origin})
        return origins

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        allowed = keys.SCOPES.get(data.get("kind") or self.instance.kind, ())
        if refused := [scope for scope in data.get("scopes", []) if scope not in allowed]:
            text = _("A key of this kind may not have the scope %(scope)s.")
            self.add_error("scopes", forms.ValidationError(text, params={"scope": refused[0]}))
        if other := keys.beside_assignments(data.get("scopes", [])):
            text = _("A key with the scope %(scope)s may not read assignments too: it could compute a locked outcome.")
            self.add_error("scopes", forms.ValidationError(text, params={"scope": other}))
        if refused := keys.beyond(self.person, data.get("scopes", [])):
            text = _("Only who may do it themselves can give a key the scope %(scope)s.")
            self.add_error("scopes", forms.ValidationError(text, params={"scope": refused[0]}))
        self.instance.allowed_origins = data.get("origins", [])
        return data


@admin.register(ApiKey)
class ApiKeyAdmin(ModelAdmin):
    """Issue, rotate and revoke. The secret is shown once, in the response itself: a message would be a cookie."""

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
        return False  # revoking keeps the record of what the key could do

    def get_readonly_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> list[str]:
        return [*self.readonly_fields, *(["kind", "source"] if obj else [])]

    def get_form(self, request: HttpRequest, obj: ApiKey | None = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change, **kwargs)
        form.person = request.user
        return form

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
        if any(keys.beyond(request.user, row.scopes) for row in queryset):
            raise PermissionDenied  # they would learn the successor's secret
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
