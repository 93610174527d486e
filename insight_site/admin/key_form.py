"""The form of an API key."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminTextareaWidget

from insight_site.access import keys
from insight_site.models import ApiKey

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
