"""A form field for a time zone: a text with the names of all zones to choose from, which a browser searches."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from runs.site_zone import every_zone, zone_names


class ZoneInput(forms.TextInput):
    """A text field with a `datalist`."""

    def __init__(self, attrs: dict[str, Any] | None = None, first: Sequence[str] = ()) -> None:
        super().__init__({"autocomplete": "off", "spellcheck": "false", **(attrs or {})})
        self.first = first

    def render(self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None) -> SafeString:
        """The input, and its list: the names in `first`, then all."""
        listed = f"{(attrs or {}).get('id') or name}_names"
        given = super().render(name, value, {**(attrs or {}), "list": listed}, renderer)
        names = dict.fromkeys((*self.first, *zone_names()))
        options = format_html_join("", '<option value="{}">', ((each,) for each in names))
        return format_html('{}<datalist id="{}">{}</datalist>', given, listed, options)


class ZoneField(forms.CharField):
    """The name of a zone; a city alone is enough where only one zone has it."""

    widget = ZoneInput

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"label": _("Time zone"), "max_length": 64, **options})

    def clean(self, value: Any) -> str:
        """The name as the list has it."""
        text = str(super().clean(value))
        if not text:
            return text
        typed = text.replace(" ", "_").casefold()
        names = [name for name in every_zone() if name.casefold() == typed]
        names = names or [name for name in zone_names() if name.casefold().endswith(f"/{typed}")]
        if len(names) != 1:
            message = _("“%(name)s” is no time zone. Write a place of the list, such as Asia/Seoul.")
            raise forms.ValidationError(message, params={"name": text})
        return names[0]
