"""Forms of the steps that say what judges an experiment: its outcomes, size, looks and end."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminTextInputWidget

from events.metrics import parse_metric
from experiments.forms.guardrail_field import RulesField
from experiments.forms.plan_fields import LinesField, LooksField, MetricsField
from experiments.models import Experiment
from experiments.plan.mistakes import MOST_DAYS_BEFORE
from experiments.steps.step_forms import AREA, NUMBER, SELECT, TEXT, StepForm
from runs.refusals import Refused


class MetricField(forms.CharField):
    """One outcome that can be read, or empty."""

    widget = UnfoldAdminTextInputWidget

    def clean(self, value: Any) -> str:
        """The text."""
        text: str = super().clean(value).strip()
        if text:
            try:
                parse_metric(text)
            except Refused as refusal:
                raise forms.ValidationError(refusal.sentence) from None
        return text


class OutcomesForm(StepForm):
    names = (
        "secondary_metrics",
        "guardrail_metrics",
        "guardrail_rules",
        "otherwise",
        "covariates",
        "active_days_before",
        "signup_event",
        "clock",
        "day_mode",
        "churn_gap",
    )
    first = MetricField(
        label=_("Primary outcome"),
        required=False,
        widget=TEXT(attrs={"list": "outcomes", "autocomplete": "off"}),
        help_text=_("It alone gives the verdict. Choose it before the start, and don't change it."),
    )
    second = MetricField(
        label=_("Second primary outcome"),
        required=False,
        widget=TEXT(attrs={"list": "outcomes", "autocomplete": "off"}),
        help_text=_("Only if both matter equally: the error rate is shared between them."),
    )
    secondary_metrics = MetricsField(
        label=_("Secondary outcomes"),
        required=False,
        widget=AREA(attrs={"rows": 3}),
        help_text=_("One a line. They explain the result, and never give the verdict."),
    )
    guardrail_metrics = MetricsField(
        label=_("Guardrails"),
        required=False,
        widget=AREA(attrs={"rows": 3}),
        help_text=_("One a line. What must not get worse while the primary outcome improves."),
    )
    guardrail_rules = RulesField()
    otherwise = forms.ChoiceField(
        label=_("If neither success nor harm is proved"),
        choices=Experiment.Otherwise.choices,
        widget=SELECT,
        help_text=_(
            "Success: a primary outcome gains, and every guardrail is proved to lose less than its margin. Then it is "
            "shipped; with proved harm it isn't."
        ),
    )

    covariates = LinesField(
        label=_("Covariates"),
        required=False,
        help_text=_("Properties of the signup event, one a line. Known before the start, they sharpen the result."),
    )
    active_days_before = forms.IntegerField(
        label=_("Active days before the exposure: within so many days"),
        required=False,
        min_value=0,
        max_value=MOST_DAYS_BEFORE,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text=_("A covariate for users who were there before, and often the best one: 14, for example. 0: none."),
    )
    signup_event = forms.CharField(label=_("Signup event"), max_length=256, required=False, widget=TEXT)
    clock = forms.ChoiceField(label=_("Day 0 begins with"), choices=Experiment.ClockZero.choices, widget=SELECT)
    day_mode = forms.ChoiceField(label=_("Days are"), choices=Experiment.DayMode.choices, widget=SELECT)
    churn_gap = forms.IntegerField(
        label=_("Silent days that count as churn"), min_value=1, max_value=365, widget=UnfoldAdminIntegerFieldWidget
    )

    def clean_active_days_before(self) -> int:
        """Empty is none."""
        return self.cleaned_data["active_days_before"] or 0

    @property
    def fine(self) -> list[forms.BoundField]:
        """What most plans leave as it is."""
        return [self[name] for name in self.names[2:]]

    @property
    def main(self) -> list[forms.BoundField]:
        """What every plan decides."""
        names = ("first", "second", "secondary_metrics", "guardrail_metrics", "guardrail_rules", "otherwise")
        return [self[name] for name in names]

    def begin(self, experiment: Experiment | None) -> dict[str, Any]:
        """The stored outcomes, the first two apart."""
        stored = [*(experiment.primary_metrics if experiment else []), "", ""]
        return {**super().begin(experiment), "first": stored[0], "second": stored[1]}

    def values(self) -> dict[str, Any]:
        """With the primary outcomes as a list."""
        primary = [self.cleaned_data[name] for name in ("first", "second") if self.cleaned_data[name]]
        return {**super().values(), "primary_metrics": primary}


class PlanForm(StepForm):
    names = (
        "method",
        "primary",
        "smallest_effect",
        "planned_effect",
        "expected_take_up",
        "alpha",
        "power",
        "planned_units",
        "planned_end",
        "looks",
        "spending",
    )
    smallest_effect = forms.FloatField(
        label=_("Smallest effect of interest"),
        required=False,
        min_value=0,
        widget=NUMBER(attrs={"step": "any"}),
        help_text=_(
            "Below it you would not act, and the verdict says so. Absolute: 0.02 is two points of a share. With a "
            "take-up it is that of the behaviour."
        ),
    )
    planned_effect = forms.FloatField(
        label=_("Planned effect"),
        required=False,
        min_value=0,
        widget=NUMBER(attrs={"step": "any"}),
        help_text=_("What you hope for: the size is computed for it. Empty: the smallest effect of interest."),
    )
    expected_take_up = forms.FloatField(
        label=_("Expected take-up"),
        required=False,
        min_value=0,
        max_value=1,
        widget=NUMBER(attrs={"step": "any"}),
        help_text=_("Share of users whom the nudge moves to the behaviour, 0 to 1. 0.1 is an ordinary nudge."),
    )
    planned_units = forms.IntegerField(
        label=_("Planned units"),
        required=False,
        min_value=1,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text=_("Of all variants together. Leave it empty and take the suggestion."),
    )
    planned_end = forms.DateField(
        label=_("Planned end"),
        required=False,
        widget=TEXT(attrs={"type": "date"}),
        help_text=_("The day on which the verdict is read."),
    )
    method = forms.ChoiceField(
        label=_("When you look"),
        choices=Experiment.Method.choices,
        widget=SELECT,
        help_text=_("Looking early costs units. One look needs the fewest."),
    )
    primary = forms.ChoiceField(
        label=_("Comparison that decides"),
        choices=Experiment.Primary.choices,
        required=False,
        widget=SELECT,
        help_text=_("An adjusted one needs fewer units, as far as covariates known before explain the outcome."),
    )
    alpha = forms.FloatField(
        label=_("Alpha"),
        min_value=0,
        max_value=0.5,
        widget=NUMBER(attrs={"step": "any"}),
        help_text=_("Chance of a false alarm when nothing happens. 0.05 is usual."),
    )
    power = forms.FloatField(
        label=_("Power"),
        min_value=0,
        max_value=1,
        widget=NUMBER(attrs={"step": "any"}),
        help_text=_("Chance to find an effect of this size. 0.8 is usual."),
    )

    def clean_primary(self) -> str:
        """Empty is the comparison without covariates."""
        return self.cleaned_data["primary"] or Experiment.Primary.UNADJUSTED

    looks = LooksField(
        label=_("Planned looks (%)"),
        required=False,
        help_text=_("Only for planned looks: shares of the planned units, the last one 100. Empty: five equal ones."),
    )
    spending = forms.ChoiceField(label=_("How looks spend alpha"), choices=Experiment.Spending.choices, widget=SELECT)

    def begin(self, experiment: Experiment | None) -> dict[str, Any]:
        """A date field of the browser wants the plain form of a date; an effect needs no sixteen digits."""
        found = super().begin(experiment)
        end = found.get("planned_end")
        effects = {name: found.get(name) for name in ("smallest_effect", "planned_effect")}
        return {
            **found,
            "planned_end": None if end is None else end.isoformat(),
            **{name: None if effect is None else f"{effect:.6g}" for name, effect in effects.items()},
        }
