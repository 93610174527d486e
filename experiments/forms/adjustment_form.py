"""Form fields for the adjustment of a plan; a form without these fields keeps the stored values."""

from typing import TYPE_CHECKING

from django import forms
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminSelectWidget

from experiments.models import Experiment
from experiments.plan.mistakes import MOST_DAYS_BEFORE

if TYPE_CHECKING:
    ExperimentForm = forms.ModelForm[Experiment]
else:
    ExperimentForm = forms.ModelForm


class AdjustmentForm(ExperimentForm):
    primary = forms.ChoiceField(
        label=_("comparison that decides"),
        choices=Experiment.Primary.choices,
        required=False,
        widget=UnfoldAdminSelectWidget,
    )
    active_days_before = forms.IntegerField(
        label=_("active days before the exposure as a covariate: within so many days"),
        required=False,
        min_value=0,
        max_value=MOST_DAYS_BEFORE,
        widget=UnfoldAdminIntegerFieldWidget,
    )

    def clean_primary(self) -> str:
        """An empty value keeps the stored one."""
        return self.cleaned_data["primary"] or self.instance.primary

    def clean_active_days_before(self) -> int:
        """An empty value keeps the stored one."""
        days = self.cleaned_data["active_days_before"]
        return self.instance.active_days_before if days is None else int(days)
