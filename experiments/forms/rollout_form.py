"""Forms to ship a variant: which one, to whom, and which share from when. One line is one step of one row."""

from collections.abc import Collection, Sequence
from decimal import Decimal
from typing import Any

from django import forms
from django.forms import formset_factory
from django.utils.translation import gettext_lazy as _

from experiments.models import Rollout, Variant
from experiments.serve.rollout.served_rollout import rows_of

LINES = 3  # additional empty lines
MOST_LINES = 40
PER_CENT = 100


class ShipForm(forms.Form):
    """The variant to ship, and a reason."""

    arm = forms.ChoiceField(label=_("variant"))
    why = forms.CharField(
        label=_("reason"),
        required=False,
        max_length=2_000,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("It stands in the history. Needed where the decision table does not say to ship the variant."),
    )

    def __init__(self, *args: Any, arms: Sequence[Variant], proved: Collection[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["arm"]
        field.choices = [(arm.key, arm.name or arm.key) for arm in arms]
        if not proved:
            self.fields["why"].help_text = _(
                "Needed: the decision table does not say to ship it. It stands in the history."
            )
        self.fields["why"].is_needed = any(arm.key not in proved for arm in arms)  # type: ignore[attr-defined]


class ReasonForm(forms.Form):
    """Reason for changing the steps."""

    why = forms.CharField(
        label=_("reason"),
        required=False,
        max_length=2_000,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("It stands in the history."),
    )


class RolloutStepForm(forms.Form):
    """One step: a share of a segment, or of everyone, from a moment on."""

    segment = forms.ChoiceField(label=_("for whom"), required=False)
    share = forms.DecimalField(
        label=_("share in percent"),
        required=False,
        min_value=Decimal("0.01"),
        max_value=Decimal(PER_CENT),
        decimal_places=2,
        widget=forms.NumberInput(attrs={"step": "any", "inputmode": "decimal"}),
    )
    at = forms.DateTimeField(
        label=_("from"),
        required=False,
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"],
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
    )

    def __init__(self, *args: Any, segments: Sequence[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["segment"]
        field.choices = [("", _("everyone")), *segments]

    def clean(self) -> dict[str, Any]:
        """Require a share in a line with a moment or a segment."""
        values = super().clean() or {}
        if values.get("share") is None and "share" not in self.errors and (values.get("at") or values.get("segment")):
            self.add_error("share", _("Give the share of this step."))
        return values


StepFormSet = formset_factory(RolloutStepForm, extra=LINES, max_num=MOST_LINES, validate_max=True)


def lines_of(stored: Rollout | None) -> list[dict[str, Any]]:
    """The steps of a rollout as form lines; without a rollout 10% of everyone from now on."""
    if stored is None:
        return [{"segment": "", "share": Decimal(10)}]
    return [
        {"segment": row.segment or "", "share": Decimal(step.share) / PER_CENT, "at": step.at}
        for row in rows_of(stored.rows)
        for step in row.steps
    ]


def rows_from(lines: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Form lines as rows: each segment once, in the order of its first line, everyone last. Ignores empty lines."""
    rows: dict[str | None, list[dict[str, Any]]] = {}
    for line in lines:
        if line.get("share") is not None:
            step = {"share": int(line["share"] * PER_CENT), "at": line.get("at")}
            rows.setdefault(line.get("segment") or None, []).append(step)
    found = [{"segment": segment, "steps": steps} for segment, steps in rows.items()]
    return sorted(found, key=lambda row: row["segment"] is None)
