"""The form that creates a source and its key in one step."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from events.models import Source
from insight_site.models import ApiKey

SCOPES = ("events:write", "assign:read", "config:read")  # send events, request assignments: what a service needs


class ConnectForm(forms.Form):
    """Name of the service, and where its key will be used."""

    name = forms.CharField(
        label=_("What sends the events?"),
        max_length=100,
        help_text=_("The name of an app, site or backend, for example “Shop iOS” or “game server”."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    kind = forms.ChoiceField(
        label=_("Where does its key stand?"),
        choices=[
            (ApiKey.Kind.SERVER, _("on a server: the key stays secret")),
            (ApiKey.Kind.CLIENT, _("in a browser or an app: anybody can read the key")),
        ],
        initial=ApiKey.Kind.SERVER,
        widget=forms.RadioSelect,
    )

    def clean_name(self) -> str:
        """A new name, or that of an existing source, which then gets another key."""
        name = str(self.cleaned_data["name"]).strip()
        if "\x00" in name or not name:
            raise forms.ValidationError(_("Write a name, for example “Shop iOS”."))
        return name

    def source(self) -> Source:
        """The source with this name, created if missing."""
        return Source.objects.get_or_create(name=self.cleaned_data["name"])[0]

    @property
    def is_public(self) -> bool:
        """True for a client key, which anybody can read."""
        data: dict[str, Any] = self.cleaned_data
        return bool(data["kind"] == ApiKey.Kind.CLIENT)
