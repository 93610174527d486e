"""What is wrong with a field, said beside it, with the change that mends it as a button."""

from dataclasses import dataclass
from typing import Any

from django import forms
from django.http import QueryDict


@dataclass(frozen=True)
class Mend:
    """A change of one field that a person may take over with one click.

    Attributes:
        value: what the field holds afterwards, as people would write it.
        label: of the button, for example "Use days 1 2 3".
        field: the form's name of the field; "" for the one beside which it stands.
        href: a page to open instead of a change; "" for none.
    """

    value: str
    label: Any
    field: str = ""
    href: str = ""


class Mendable(forms.ValidationError):
    """A field's error that knows what would mend it."""

    def __init__(self, message: Any, *mends: Mend) -> None:
        super().__init__(message)
        self.mends = mends


def mended(data: QueryDict) -> QueryDict:
    """What was sent, with the change of the pressed button made: what the button does without script."""
    field, equals, value = data.get("mend", "").partition("=")
    changed = data.copy()
    changed.pop("mend", None)
    if equals:
        changed[field] = value
    return changed


def wrong_fields(form: forms.Form) -> list[dict[str, Any]]:
    """Name, label and errors of each field that is wrong, for the list beside a form."""
    return [
        {"label": form[name].label if name in form.fields else "", "name": name, "errors": errors.data}
        for name, errors in form.errors.items()
    ]
