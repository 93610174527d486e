"""Form field for saturations: pairs of percentages, such as "0: 34, 40: 33, 80: 33"."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _


class SaturationsField(forms.CharField):
    """Share of a cluster that is nudged, and share of clusters with it, in per cent; stored in steps of 0.01 %."""

    widget = forms.TextInput

    def prepare_value(self, value: Any) -> Any:
        """Pairs as percentages."""
        if not isinstance(value, list):
            return value
        return ", ".join(f"{share / 100:g}: {weight / 100:g}" for share, weight in value)

    def clean(self, value: Any) -> Any:
        """A list of pairs in steps."""
        text = super().clean(value)
        try:
            pairs = [part.split(":") for part in text.split(",")] if text.strip() else []
            return [[_steps(share), _steps(weight)] for share, weight in pairs]
        except ValueError:
            raise forms.ValidationError(
                _("Write pairs of per cents with commas between, for example 0: 34, 40: 33, 80: 33.")
            ) from None

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Compare displayed values."""
        return bool((data or "").split() != (self.prepare_value(initial) or "").split())


def _steps(text: str) -> int:
    """A percentage as steps of 0.01 %."""
    per_cent = float(text)
    if not 0 <= per_cent <= 100:
        raise ValueError(text)
    return round(100 * per_cent)


def saturations_field(widget: type[forms.Widget] = forms.TextInput) -> SaturationsField:
    """The field with its label and help text."""
    return SaturationsField(
        label=_("Saturations (%)"),
        required=False,
        widget=widget,
        help_text=_(
            "Only with a cluster, to measure what a nudge does to those beside the nudged: share of a cluster that is "
            "nudged, and share of clusters with it, such as 0: 34, 40: 33, 80: 33. Empty: a cluster has one variant."
        ),
    )


def cluster_field(widget: type[forms.Widget] = forms.TextInput) -> forms.CharField:
    """The field for the cluster attribute with its label and help text."""
    return forms.CharField(
        label=_("Cluster"),
        required=False,
        max_length=64,
        widget=widget,
        help_text=_(
            "An attribute such as guild or class, sent in the context or stored as a trait: its value is drawn in the "
            "unit's place, so that all units of a cluster get one variant. Units without it are left out."
        ),
    )
