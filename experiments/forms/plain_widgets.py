"""Replace the admin's widgets by the site's own, since its style sheet only covers plain elements."""

from typing import Any

from django import forms


def plainly(fields: dict[str, forms.Field]) -> None:
    """Give every field the plain widget of its kind."""
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
