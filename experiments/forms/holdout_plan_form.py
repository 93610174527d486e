"""Form for the plan of a holdout report, which can't be changed after saving."""

from datetime import date
from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from events.pickers.fields import EventField, MetricField
from experiments.models import Experiment, Holdout, HoldoutPlan
from runs.refusals import Refused

DATE = forms.DateInput({"type": "date"})


class HoldoutPlanForm(forms.Form):
    """Fields of the plan, frozen when saved."""

    holdout = forms.ModelChoiceField(Holdout.objects.all(), label=_("Holdout"), empty_label=None, to_field_name="key")
    since = forms.DateField(
        label=_("Shipped since"), widget=DATE, help_text=_("What was shipped from this day on is judged together.")
    )
    population = forms.ChoiceField(
        label=_("Who counts"),
        choices=HoldoutPlan.Population.choices,
        help_text=_("The same rule for both sides, and one that nothing shipped can change."),
    )
    signup_event = EventField(
        label=_("Signup event"), required=False, help_text=_("Only where those count who signed up since then.")
    )
    outcome = MetricField(label=_("Outcome"), max_length=400)  # part of a unique index, whose size PostgreSQL limits
    day_mode = forms.ChoiceField(label=_("Days are"), choices=Experiment.DayMode.choices)
    method = forms.ChoiceField(
        label=_("When it is read"),
        choices=HoldoutPlan.Method.choices,
        help_text=_("The outcome stays locked on all other days."),
    )
    end = forms.DateField(label=_("Last reading"), widget=DATE)
    earlier = forms.CharField(
        label=_("Earlier readings"),
        required=False,
        max_length=200,
        help_text=_("Only for planned readings: dates such as 2027-01-15, with commas between them."),
    )
    planned_units = forms.IntegerField(
        label=_("Users expected at the end"),
        required=False,
        min_value=1,
        max_value=2**31 - 1,
        help_text=_("Of both sides, with a known outcome. Only where it is read more than once."),
    )

    def clean_earlier(self) -> list[date]:
        """Dates, sorted and without duplicates."""
        texts = [one.strip() for one in self.cleaned_data["earlier"].replace(";", ",").split(",") if one.strip()]
        try:
            return sorted({date.fromisoformat(one) for one in texts})
        except ValueError:
            raise forms.ValidationError(gettext("Write dates such as 2027-01-15, with commas between them.")) from None

    def clean(self) -> dict[str, Any]:
        """Ignore the signup event where the population isn't defined by signup."""
        data: dict[str, Any] = super().clean() or {}
        if data.get("population") not in (None, HoldoutPlan.Population.SIGNUP):
            self.errors.pop("signup_event", None)
            data["signup_event"] = ""
        return data

    def values(self) -> dict[str, Any]:
        """Arguments of `holdout_readings.plan_holdout`."""
        given = dict(self.cleaned_data)
        end, earlier = given.pop("end"), given.pop("earlier")
        return {**given, "readings": [*earlier, end]}

    def refuse(self, refusal: Refused) -> None:
        """Show the refusal at its field."""
        field = {"readings": "earlier" if self.cleaned_data.get("earlier") else "end"}.get(refusal.at, refusal.at)
        self.add_error(field if field in self.fields else None, refusal.sentence)
