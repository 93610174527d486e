"""Forms of the admin's own pages: arms, audience and overrides of a draft, layers, copies."""

from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from experiments.forms.plan_fields import PercentField, PercentsField, ValueField
from experiments.models import AudienceRow, Holdout, Override, Variant
from experiments.plan.record import WHOLE
from segments.models import Segment

if TYPE_CHECKING:
    VariantForm = forms.ModelForm[Variant]
    RowForm = forms.ModelForm[AudienceRow]
    OneOverrideForm = forms.ModelForm[Override]
    OneHoldoutForm = forms.ModelForm[Holdout]
else:
    VariantForm = RowForm = OneOverrideForm = OneHoldoutForm = forms.ModelForm


class ArmForm(VariantForm):
    """One arm."""

    value = ValueField(label=_("value"), required=False)
    weight = PercentField(label=_("weight (%)"))

    class Meta:
        model = Variant
        fields = ("key", "name", "value", "weight", "role", "dose")


class AudienceForm(RowForm):
    """One row of the audience."""

    segment_key = forms.ChoiceField(label=_("segment"), required=False, widget=UnfoldAdminSelectWidget)
    coverage = PercentField(label=_("coverage (%)"), initial=WHOLE)
    weights = PercentsField(label=_("weights of its own (%)"), required=False)

    class Meta:
        model = AudienceRow
        fields = ("segment_key", "coverage", "weights")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["segment_key"]
        field.choices = [("", _("everyone")), *segment_choices(self.instance.segment_key)]

    def clean_segment_key(self) -> str | None:
        """No segment means everyone."""
        return self.cleaned_data["segment_key"] or None


class OverrideForm(OneOverrideForm):
    """An arm for one unit, or by a rule."""

    class Meta:
        model = Override
        fields = ("unit", "rule", "variant")


class HoldoutForm(OneHoldoutForm):
    """Form with the share in per cent."""

    share = PercentField(label=_("share (%)"))

    class Meta:
        model = Holdout
        fields = ("key", "share", "active")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:  # read-only then, and not sent by the browser
            del self.fields["share"]


class CloneForm(forms.Form):
    """The key of the copy."""

    key = forms.CharField(label=_("Key"), max_length=128, widget=UnfoldAdminTextInputWidget)


def segment_choices(kept: str | None) -> list[tuple[str, str]]:
    """Published, targetable segments by the key that services use, and the chosen one if it is no longer among them."""
    rows = Segment.objects.published().filter(targetable=True, version__model__archived_at=None)
    rows = rows.order_by("version", "number")
    found = {row.slug: f"{row.slug} · {row}" for row in rows}
    if kept and kept not in found:
        found[kept] = kept
    return list(found.items())
