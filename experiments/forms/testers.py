"""Form for an override: an arm for a tester, without a draw."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from experiments.models import Variant


class RuleField(forms.JSONField):
    """Optional JSON: empty instead of the word null."""

    def prepare_value(self, value: Any) -> Any:
        """The value as JSON, or empty."""
        return "" if value is None else super().prepare_value(value)


class OneTesterForm(forms.Form):
    """An arm for one tester, or by a rule on the context: exactly one of the two."""

    unit = forms.CharField(
        label=_("unit"),
        required=False,
        max_length=256,
        help_text=_("The id with which the service asks, for example that of a tester's account."),
    )
    rule = RuleField(
        label=_("rule on the context"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_('Instead of a unit, as JSON: for example {"all": [{"trait": "qa", "is": true}]}.'),
    )
    variant = forms.ChoiceField(label=_("variant"))

    def __init__(self, *args: Any, arms: Sequence[Variant], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["variant"]
        field.choices = [(arm.key, arm.name or arm.key) for arm in arms]
