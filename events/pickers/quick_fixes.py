"""Field errors with a suggested fix as a button."""

from dataclasses import dataclass
from typing import Any

from django import forms
from django.http import QueryDict


@dataclass(frozen=True)
class QuickFix:
    """A suggested change of one field, applied with one click.

    Attributes:
        value: the field's new value, as people would write it.
        label: of the button, for example "Use days 1 2 3".
        field: the field's name in the form; "" for the field with the error.
        href: a page to open instead of a change; "" for none.
    """

    value: str
    label: Any
    field: str = ""
    href: str = ""


class Mendable(forms.ValidationError):
    """A field's error with suggested fixes."""

    def __init__(self, message: Any, *mends: QuickFix) -> None:
        super().__init__(message)
        self.mends = mends


def mended(data: QueryDict) -> QueryDict:
    """The submitted data with the change of the pressed button applied: what the button does without JavaScript."""
    field, equals, value = data.get("mend", "").partition("=")
    changed = data.copy()
    changed.pop("mend", None)
    if equals:
        changed[field] = value
    return changed


def wrong_fields(form: forms.Form) -> list[dict[str, Any]]:
    """Name, label and errors of each invalid field, for the list beside a form."""
    return [
        {"label": form[name].label if name in form.fields else "", "name": name, "errors": errors.data}
        for name, errors in form.errors.items()
    ]
