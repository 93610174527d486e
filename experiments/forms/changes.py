"""Forms to change a started plan, with a reason: an amendment, and a larger coverage."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from experiments.forms.plain_widgets import plainly
from experiments.forms.plan_fields import PercentField
from experiments.forms.plan_form import DraftForm
from experiments.models import AudienceRow
from experiments.plan.record import AMENDABLE

WHY_CHARS = 2_000


class AmendForm(DraftForm):
    """Amendable fields of a started plan, and a reason."""

    why = forms.CharField(label=_("Why"), widget=forms.Textarea(attrs={"rows": 2}), max_length=WHY_CHARS)
    layer_low = layer_high = default_value = None  # type: ignore[assignment]
    cluster = saturations = None  # type: ignore[assignment]
    clean_layer_low = clean_layer_high = None  # type: ignore[assignment]

    class Meta(DraftForm.Meta):
        fields = AMENDABLE

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        plainly(self.fields)
        self.order_fields(["why", *AMENDABLE])

    def changes(self) -> dict[str, Any]:
        """Only the changed values."""
        given = {name: self.cleaned_data[name] for name in self.changed_data if name in AMENDABLE}
        return {name: value for name, value in given.items() if value != self.initial.get(name)}

    def _post_clean(self) -> None:
        """Don't change the instance: the service writes it and validates."""


class CoverageForm(forms.Form):
    """A larger coverage for one audience row."""

    position = forms.TypedChoiceField(label=_("Row of the audience"), coerce=int)
    coverage = PercentField(label=_("coverage (%)"))
    why = forms.CharField(label=_("Why"), widget=forms.Textarea(attrs={"rows": 2}), max_length=WHY_CHARS)

    def __init__(self, *args: Any, rows: Sequence[AudienceRow], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["position"]
        field.choices = [
            (row.position, f"{row.segment_key or _('everyone')} · {row.coverage / 100:g} %") for row in rows
        ]
        plainly(self.fields)
