"""Form for the arms: one row each, control first."""

from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from experiments.forms.plan_fields import PercentField, ValueField
from experiments.models import Variant
from experiments.steps.mends import Mend
from experiments.steps.step_forms import plain
from runs.key_from_name import key_from

ARM_FIELDS = ("key", "name", "value", "weight", "role", "dose")


class ArmStepForm(forms.Form):
    key = forms.CharField(label=_("key"), max_length=128, required=False)
    name = forms.CharField(label=_("name"), max_length=200, required=False)
    value = ValueField(label=_("value"), required=False)
    weight = PercentField(label=_("weight (%)"), required=False)
    role = forms.ChoiceField(label=_("role"), choices=Variant.Role.choices, required=False)
    dose = forms.IntegerField(label=_("nudges to so many times"), required=False, min_value=1)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        plain(self)

    def clean_role(self) -> str:
        """A row without a role is a plain nudge; control has none."""
        return self.cleaned_data["role"] or Variant.Role.NUDGE

    @property
    def is_empty(self) -> bool:
        """True for an unused row."""
        return not any(self.cleaned_data.get(name) for name in ("key", "name", "weight"))

    def mend(self, name: str) -> list[Mend]:
        """Buttons that correct a field with an invalid value."""
        field = f"{self.prefix}-{name}"
        at = int(str(self.prefix).rpartition("-")[2])
        values = {
            "key": key_from(str(self["key"].value() or self["name"].value() or ""), f"variant-{at}"),
            "weight": "50",
            "role": "nudge",
            "dose": "",
        }
        if name not in values:
            return []
        value = values[name]
        return [
            Mend(gettext("Use {value}").format(value=value) if value else gettext("Leave it empty"), {field: value})
        ]


class BaseArms(forms.BaseFormSet):  # type: ignore[type-arg]
    @property
    def control(self) -> forms.Form:
        """The first arm, which the others are compared with."""
        return self.forms[0]  # type: ignore[no-any-return]

    def clean(self) -> None:
        """Require a unique key and a weight in each row; unused rows are ignored."""
        seen: set[str] = set()
        for form in self.forms:
            if not hasattr(form, "cleaned_data") or form.is_empty:
                continue
            for name in ("key", "weight"):
                if form.cleaned_data.get(name) in (None, ""):
                    form.add_error(name, _("This is needed. Empty the whole row to take the variant away."))
            key = form.cleaned_data.get("key")
            if key and key in seen:
                form.add_error("key", _("Two variants have the same key."))
            seen.add(key or "")

    def values(self) -> list[dict[str, Any]]:
        """Arms in order, control first."""
        kept = [form.cleaned_data for form in self.forms if hasattr(form, "cleaned_data") and not form.is_empty]
        return [{name: row[name] for name in ARM_FIELDS} for row in kept]


Arms = forms.formset_factory(ArmStepForm, formset=BaseArms, extra=0)
