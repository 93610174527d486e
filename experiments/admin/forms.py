"""Forms of the admin: plans in per cent and lines instead of steps and lists, and what is asked before a move."""

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from experiments.admin.adjustment_form import AdjustmentForm
from experiments.models import AudienceRow, Experiment, Holdout, Override, Variant
from experiments.plan.record import AMENDABLE, WHOLE
from experiments.steps.fields import LinesField, LooksField, MetricsField, PercentField, SourcesField, ValueField
from experiments.steps.guardrail_field import RulesField
from experiments.steps.saturations_field import cluster_field, saturations_field
from segments.models import Segment

if TYPE_CHECKING:
    VariantForm = forms.ModelForm[Variant]
    RowForm = forms.ModelForm[AudienceRow]
    OneOverrideForm = forms.ModelForm[Override]
    OneHoldoutForm = forms.ModelForm[Holdout]
else:
    VariantForm = RowForm = OneOverrideForm = OneHoldoutForm = forms.ModelForm


class PercentsField(forms.CharField):
    """Weights of a row: 50, 30, 20; empty for the variants' own."""

    widget = UnfoldAdminTextInputWidget

    def prepare_value(self, value: Any) -> Any:
        """Steps as per cents."""
        return ", ".join(f"{one / 100:g}" for one in value) if isinstance(value, list) else value

    def clean(self, value: Any) -> Any:
        """A list of steps, or None."""
        text = super().clean(value)
        try:
            return [int(Decimal(part) * 100) for part in text.split(",")] if text else None
        except ArithmeticError:
            raise forms.ValidationError(_("Write per cents with commas between, for example 50, 50.")) from None


class DraftForm(AdjustmentForm):
    """The plan."""

    default_value = ValueField(
        label=_("value outside the experiment"), required=False, widget=UnfoldAdminTextInputWidget
    )
    primary_metrics = MetricsField(
        label=_("primary outcomes"),
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        help_text=_("One or two, one a line, for example window:14-20."),
    )
    secondary_metrics = MetricsField(
        label=_("secondary outcomes"), required=False, widget=UnfoldAdminTextareaWidget(attrs={"rows": 2})
    )
    guardrail_metrics = MetricsField(
        label=_("guardrail outcomes"), required=False, widget=UnfoldAdminTextareaWidget(attrs={"rows": 2})
    )
    guardrail_rules = RulesField(label=_("rules of guardrails"), widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}))
    cluster, saturations = cluster_field(UnfoldAdminTextInputWidget), saturations_field(UnfoldAdminTextInputWidget)
    looks = LooksField(label=_("planned looks (%)"), required=False, widget=UnfoldAdminTextInputWidget)
    covariates = LinesField(
        label=_("covariates: properties of the signup event"),
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
    )
    sources = SourcesField(
        label=_("sources whose client keys report exposures"),
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        help_text=_(
            "One a line: the apps and sites that show the experiment. What other client keys send is not counted; "
            "server keys and Insight's own doors always count. Left empty, a start takes the only source there is."
        ),
    )
    layer_low = PercentField(label=_("slice from (%)"), required=False, widget=UnfoldAdminDecimalFieldWidget)
    layer_high = PercentField(label=_("slice to (%)"), required=False, widget=UnfoldAdminDecimalFieldWidget)

    class Meta:
        model = Experiment
        fields: Sequence[str] = ()  # those of the admin
        widgets = {name: UnfoldAdminTextareaWidget(attrs={"rows": 3}) for name in ("hypothesis", "nudge")}

    def clean_layer_low(self) -> int:
        """Empty is the beginning."""
        return self.cleaned_data["layer_low"] or 0

    def clean_layer_high(self) -> int:
        """Empty is the end."""
        high = self.cleaned_data["layer_high"]
        return WHOLE if high is None else int(high)


class AmendForm(DraftForm):
    """What of a started plan may change, and why."""

    why = forms.CharField(label=_("Why"), widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}), max_length=2_000)
    layer_low = layer_high = default_value = None  # type: ignore[assignment]
    clean_layer_low = clean_layer_high = None  # type: ignore[assignment]

    class Meta(DraftForm.Meta):
        fields = AMENDABLE

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():  # the admin does this for its own forms alone
            match field.widget:
                case UnfoldAdminTextareaWidget() | forms.CheckboxInput():
                    continue
                case forms.Textarea():
                    field.widget = UnfoldAdminTextareaWidget(attrs={"rows": 3})
                case forms.Select() as plain:
                    field.widget = UnfoldAdminSelectWidget(choices=plain.choices)
                case _:
                    field.widget = UnfoldAdminTextInputWidget()

    def changes(self) -> dict[str, Any]:
        """Only what is different now."""
        given = {name: self.cleaned_data[name] for name in self.changed_data if name in AMENDABLE}
        return {name: value for name, value in given.items() if value != self.initial.get(name)}

    def _post_clean(self) -> None:
        """Leave the row as it is: the service writes, and says what stands against it."""


class ArmForm(VariantForm):
    """One arm."""

    value = ValueField(label=_("value"), required=False, widget=UnfoldAdminTextInputWidget)
    weight = PercentField(label=_("weight (%)"), widget=UnfoldAdminDecimalFieldWidget)

    class Meta:
        model = Variant
        fields = ("key", "name", "value", "weight", "role", "dose")


class AudienceForm(RowForm):
    """One row of the audience."""

    segment_key = forms.ChoiceField(label=_("segment"), required=False, widget=UnfoldAdminSelectWidget)
    coverage = PercentField(label=_("coverage (%)"), initial=WHOLE, widget=UnfoldAdminDecimalFieldWidget)
    weights = PercentsField(label=_("weights of its own (%)"), required=False)

    class Meta:
        model = AudienceRow
        fields = ("segment_key", "coverage", "weights")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["segment_key"]
        field.choices = [("", _("everyone")), *segment_choices(self.instance.segment_key)]

    def clean_segment_key(self) -> str | None:
        """No segment is everyone."""
        return self.cleaned_data["segment_key"] or None


class OverrideForm(OneOverrideForm):
    """An arm for one unit, or by a rule."""

    class Meta:
        model = Override
        fields = ("unit", "rule", "variant")


class RuleField(forms.JSONField):
    """JSON that may be left out: an empty field and not the word null."""

    def prepare_value(self, value: Any) -> Any:
        """As JSON, or nothing."""
        return "" if value is None else super().prepare_value(value)


class OneTesterForm(forms.Form):
    """An arm for one tester, or by a rule on the context: one of the two."""

    unit = forms.CharField(
        label=_("unit"),
        required=False,
        max_length=256,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("The id with which the service asks, for example that of a tester's account."),
    )
    rule = RuleField(
        label=_("rule on the context"),
        required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text=_('Instead of a unit, as JSON: for example {"all": [{"trait": "qa", "is": true}]}.'),
    )
    variant = forms.ChoiceField(label=_("variant"), widget=UnfoldAdminSelectWidget)

    def __init__(self, *args: Any, arms: Sequence[Variant], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["variant"]
        field.choices = [(arm.key, arm.name or arm.key) for arm in arms]


class HoldoutForm(OneHoldoutForm):
    """The share in per cent."""

    share = PercentField(label=_("share (%)"), widget=UnfoldAdminDecimalFieldWidget)

    class Meta:
        model = Holdout
        fields = ("key", "share", "active")


class CoverageForm(forms.Form):
    """More units of one row."""

    position = forms.TypedChoiceField(label=_("Row of the audience"), coerce=int, widget=UnfoldAdminSelectWidget)
    coverage = PercentField(label=_("coverage (%)"), widget=UnfoldAdminDecimalFieldWidget)
    why = forms.CharField(label=_("Why"), widget=UnfoldAdminTextareaWidget(attrs={"rows": 2}), max_length=2_000)

    def __init__(self, *args: Any, rows: Sequence[AudienceRow], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["position"]
        field.choices = [
            (row.position, f"{row.segment_key or _('everyone')} · {row.coverage / 100:g} %") for row in rows
        ]


class CloneForm(forms.Form):
    """The key of the copy."""

    key = forms.CharField(label=_("Key"), max_length=128, widget=UnfoldAdminTextInputWidget)


def segment_choices(kept: str | None) -> list[tuple[str, str]]:
    """Published segments that may be targeted, by the name that services use, and the one that is chosen already."""
    rows = Segment.objects.published().filter(targetable=True).order_by("version", "number")
    found = {row.slug: f"{row.slug} · {row}" for row in rows}
    if kept and kept not in found:
        found[kept] = kept
    return list(found.items())
