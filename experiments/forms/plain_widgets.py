"""The site's own inputs in the place of the admin's: its style sheet knows plain elements alone."""

from typing import Any

from django import forms


def plainly(fields: dict[str, forms.Field]) -> None:
    """Give every field the plain input of its kind."""
    for field in fields.values():
        field.widget = _plain(field)
        field.widget.is_required = field.required
        field.widget.attrs.update(field.widget_attrs(field.widget))


def _plain(field: forms.Field) -> forms.Widget:
    given: Any = field.widget
    match given:
        case forms.CheckboxInput():
            return forms.CheckboxInput()
        case forms.Textarea():
            return forms.Textarea(attrs={"rows": given.attrs.get("rows", 3)})
        case forms.Select():
            return forms.Select(choices=given.choices)
    if isinstance(field, forms.DateField):
        return forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    if isinstance(field, forms.IntegerField | forms.DecimalField):
        return forms.NumberInput(attrs={"step": "any"})
    return forms.TextInput()
