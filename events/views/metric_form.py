"""The form of a metric: its descriptive fields, and its definition in words or as one line."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from events.metric_catalogue.about import LONGEST, About
from events.metrics.facts import Facts, is_key
from events.models import Metric, MetricVersion
from events.pickers.fields import MetricField
from runs.key_from_name import key_from
from runs.refusals import Refused

FACTS = ("definition", "cap", "direction", "margin")


class MetricForm(forms.Form):
    """Create or change a metric: a change of the definition makes a version, others don't."""

    name_en = forms.CharField(label=_("Name, English"), max_length=LONGEST["name_en"])
    name_ko = forms.CharField(label=_("Name, Korean"), max_length=LONGEST["name_ko"], required=False)
    key = forms.CharField(
        label=_("Key"),
        max_length=64,
        required=False,
        help_text=_("How plans, files and programs call it; it never changes. Empty: made from the English name."),
    )
    definition = MetricField(label=_("Definition"))
    cap = forms.CharField(
        label=_("Cap"),
        max_length=40,
        required=False,
        help_text=_(
            "Larger numbers of a user count as this one: 100, or 99.9%, a share of users. For numbers, not for shares."
        ),
    )
    direction = forms.ChoiceField(label=_("Which way is better"), choices=MetricVersion.Direction.choices)
    margin = forms.FloatField(
        label=_("Margin as a guardrail"),
        required=False,
        help_text=_("A loss of this size or more is harm, in the metric's own unit; 0.01 is one point of a share."),
    )
    unit = forms.CharField(
        label=_("Unit"), max_length=LONGEST["unit"], required=False, help_text=_("Such as KRW; empty for a share.")
    )
    owner = forms.CharField(
        label=_("Owner"), max_length=LONGEST["owner"], required=False, help_text=_("A team, or a person's account.")
    )
    tags = forms.CharField(
        label=_("Tags"), max_length=800, required=False, help_text=_("With commas between: money, core.")
    )
    description = forms.CharField(
        label=_("Description"),
        max_length=LONGEST["description"],
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("What it is for, and what it isn't."),
    )
    why = forms.CharField(
        label=_("Reason for a new version"),
        max_length=300,
        required=False,
        help_text=_("Who reads the versions later wants to know."),
    )

    def __init__(self, data: Any = None, *, metric: Metric | None = None, **options: Any) -> None:
        super().__init__(data, initial={**_begin(metric), **options.pop("initial", {})}, **options)
        for name in ["key"] if metric is not None else ["why"]:
            del self.fields[name]

    def clean_key(self) -> str:
        """The key as typed, or made from the name."""
        key: str = self.cleaned_data["key"] or key_from(self.cleaned_data.get("name_en", ""), "metric").lower()[:64]
        if not is_key(key):
            raise forms.ValidationError(_("A key has small letters, digits, dots, dashes and underscores, at most 64."))
        return key

    @property
    def about(self) -> About:
        """The descriptive fields."""
        data = self.cleaned_data
        return About(**{name: data[name] for name in LONGEST}, tags=tuple(data["tags"].split(",")))

    @property
    def facts(self) -> Facts:
        """The definition."""
        return Facts(**{name: self.cleaned_data[name] for name in FACTS})

    def refuse(self, refusal: Refused) -> None:
        """Show a refusal at its field."""
        self.add_error(refusal.at if refusal.at in self.fields else None, refusal.sentence)


def _begin(metric: Metric | None) -> dict[str, Any]:
    if metric is None:
        return {}
    version = metric.current
    values = {name: getattr(metric, name) for name in LONGEST}
    return {**values, "tags": ", ".join(metric.tag_list), **{name: getattr(version, name) for name in FACTS}}
