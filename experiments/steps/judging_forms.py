"""Forms for how an experiment is judged: outcomes, size, looks and end."""

from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from events.metrics.facts import reference
from events.metrics.read_line import metric_lines
from events.pickers.catalogue_metrics import title_and_note
from events.pickers.fields import MetricField
from events.pickers.widgets import Chips
from experiments.forms.catalogue_field import CatalogueField
from experiments.forms.guardrail_field import RulesField
from experiments.forms.plan_fields import LinesField, LooksField, MetricsField
from experiments.metric_choice.taking_over import with_references
from experiments.models import Experiment
from experiments.plan.mistakes import MOST_DAYS_BEFORE
from experiments.plan_page.known_numbers import known_events
from experiments.report.names import is_share
from experiments.steps.mends import Mend, usual_outcome
from experiments.steps.number_fields import CountField, EffectField, ShareField
from experiments.steps.outcome_guess import can_be_read, meant
from experiments.steps.step_forms import StepForm
from reporting.words import reason_words
from stats.results import NotComputable, Reason


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
        help_text=_("It alone gives the verdict. Choose it before the start, and don't change it."),
    )
    first_metric = CatalogueField(of="first")
    second = MetricField(
        label=_("Second primary outcome"),
        required=False,
        help_text=_("Only if both matter equally: the error rate is shared between them."),
    )
    second_metric = CatalogueField(of="second")
    secondary_metrics = MetricsField(
        label=_("Secondary outcomes"),
        required=False,
        widget=Chips("outcome"),
        help_text=_("They explain the result, and never give the verdict."),
    )
    guardrail_metrics = MetricsField(
        label=_("Guardrails"),
        required=False,
        widget=Chips("outcome"),
        help_text=_("What must not get worse while the primary outcome improves."),
    )
    guardrail_rules = RulesField()
    otherwise = forms.ChoiceField(
        label=_("If neither success nor harm is proved"),
        choices=Experiment.Otherwise.choices,
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
        help_text=_("A covariate for users who were there before, and often the best one: 14, for example. 0: none."),
    )
    signup_event = forms.CharField(label=_("Signup event"), max_length=256, required=False)
    clock = forms.ChoiceField(label=_("Day 0 begins with"), choices=Experiment.ClockZero.choices)
    day_mode = forms.ChoiceField(label=_("Days are"), choices=Experiment.DayMode.choices)
    churn_gap = forms.IntegerField(label=_("Silent days that count as churn"), min_value=1, max_value=365)

    usual = {
        "otherwise": "ask",
        "active_days_before": "14",
        "signup_event": "signup",
        "clock": "exposure",
        "day_mode": "rolling",
        "churn_gap": "7",
        "covariates": "",
        "first_metric": "",
        "second_metric": "",
    }

    def __init__(self, data: Any = None, *, experiment: Experiment | None = None, **options: Any) -> None:
        super().__init__(data, experiment=experiment, **options)
        for name in ("first_metric", "second_metric"):
            named = title_and_note(str(self[name].value() or ""))
            if named is not None:  # the field holds a key: show its name below
                self.fields[name].help_text = ": ".join(named)

    def mend(self, name: str) -> list[Mend]:
        """Suggestions for an unreadable outcome; lists without their unreadable lines."""
        if name in ("first", "second"):
            return self._outcome(name)
        if name in ("secondary_metrics", "guardrail_metrics"):
            return self._lines(name)
        if name == "guardrail_rules":
            kept = [line for line in self._typed(name) if _is_rule(line)]
            return [Mend(gettext("Remove what can't be read"), {name: "\n".join(kept)})]
        return super().mend(name)

    def _outcome(self, name: str) -> list[Mend]:
        near = meant(str(self[name].value() or ""), known_events())
        usual = usual_outcome(self.experiment) if self.experiment is not None else "window:14-20"
        found = [one for one in dict.fromkeys([near, usual]) if one] if name == "first" else [near] if near else []
        mends = [Mend(gettext("Use {value}").format(value=one), {name: one}) for one in found]
        return mends if name == "first" else [*mends, Mend(gettext("Leave it empty"), {name: ""})]

    def _lines(self, name: str) -> list[Mend]:
        names = known_events()
        lines = metric_lines(str(self[name].value() or ""))
        better = [line if can_be_read(line) else meant(line, names) for line in lines]
        kept = [line for line in lines if can_be_read(line)]
        mends = [Mend(gettext("Remove what can't be read"), {name: "\n".join(kept)})]
        changed = [new for old, new in zip(lines, better, strict=True) if new and new != old]
        if changed:
            text = gettext("Use {value}").format(value=", ".join(changed))
            mends.insert(0, Mend(text, {name: "\n".join(filter(None, better))}))
        return mends

    def _typed(self, name: str) -> list[str]:
        return [line.strip() for line in str(self[name].value() or "").splitlines() if line.strip()]

    def clean_active_days_before(self) -> int:
        """Empty means 0."""
        return self.cleaned_data["active_days_before"] or 0

    @property
    def fine(self) -> list[forms.BoundField]:
        """Fields that most plans leave unchanged."""
        return [self[name] for name in self.names[4:]]

    @property
    def main(self) -> list[forms.BoundField]:
        """Fields that every plan needs."""
        names = ("first", "first_metric", "second", "second_metric", "secondary_metrics", "guardrail_metrics")
        return [self[name] for name in (*names, "guardrail_rules", "otherwise")]

    def begin(self, experiment: Experiment | None) -> dict[str, Any]:
        """The stored outcomes, with the first two in their own fields; catalogue outcomes as their metric."""
        found = super().begin(experiment)
        stored = [*(experiment.primary_metrics if experiment else []), "", ""]
        found |= {"first": stored[0], "second": stored[1]}
        if experiment is None:
            return found
        named = [text if reference(text) else "" for text in with_references(stored[:2], experiment)]
        found |= {"first_metric": named[0], "second_metric": named[1]}
        lists = ("secondary_metrics", "guardrail_metrics")
        return found | {name: with_references(getattr(experiment, name), experiment) for name in lists}

    def values(self) -> dict[str, Any]:
        """Form values with the primary outcomes as a list."""
        primary = list(filter(None, (self._primary(name) for name in ("first", "second"))))
        return {**super().values(), "primary_metrics": primary}

    def _primary(self, name: str) -> str:
        """The chosen metric; or the definition, where that was edited and the metric wasn't."""
        metric, definition = self.cleaned_data[f"{name}_metric"], self.cleaned_data[name]
        written = name in self.changed_data and f"{name}_metric" not in self.changed_data
        return str(definition if written or not metric else metric)


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
        "expected_daily_units",
        "expected_base",
        "looks",
        "spending",
    )
    smallest_effect = EffectField(
        label=_("Smallest effect of interest"),
        required=False,
        help_text=_(
            "Below it you would not act, and the verdict says so. Write 2 for 2 points of a share; 0.02 is the same. "
            "With a take-up it is the effect on users who change their behaviour."
        ),
    )
    planned_effect = EffectField(
        label=_("Planned effect"),
        required=False,
        help_text=_("What you hope for: the size is computed for it. Empty: the smallest effect of interest."),
    )
    expected_take_up = ShareField(
        label=_("Expected take-up"),
        required=False,
        help_text=_("Share of users whom the nudge moves to the behaviour; for an ordinary nudge 10%."),
    )
    planned_units = CountField(
        label=_("Planned units"),
        required=False,
        help_text=_("Of all variants together. Leave it empty and take the suggestion."),
    )
    planned_end = forms.DateField(
        label=_("Planned end"),
        required=False,
        widget=forms.TextInput(attrs={"type": "date"}),
        help_text=_(
            "The last day on which users are enrolled. The result comes when the outcome of the last is known."
        ),
    )
    expected_daily_units = CountField(
        label=_("New users a day that you expect"),
        required=False,
        help_text=_("Empty: as many as came in the last four weeks."),
    )
    expected_base = ShareField(
        label=_("Base rate that you expect"),
        required=False,
        help_text=_("The outcome without the nudge. Empty: that of the last four weeks, else that of the study."),
    )
    method = forms.ChoiceField(
        label=_("When you look"),
        choices=Experiment.Method.choices,
        help_text=_("Looking early costs units. One look needs the fewest."),
    )
    primary = forms.ChoiceField(
        label=_("Comparison that decides"),
        choices=Experiment.Primary.choices,
        required=False,
        help_text=_("An adjusted one needs fewer units, as far as covariates known before explain the outcome."),
    )
    alpha = ShareField(label=_("Alpha"), help_text=_("Chance of a false alarm when nothing happens; usually 5%."))
    power = ShareField(label=_("Power"), help_text=_("Chance to find an effect of this size; usually 80%."))

    def clean_primary(self) -> str:
        """Empty means the comparison without covariates."""
        return self.cleaned_data["primary"] or Experiment.Primary.UNADJUSTED

    looks = LooksField(
        label=_("Planned looks (%)"),
        required=False,
        help_text=_("Only for planned looks: shares of the planned units, the last one 100. Empty: five equal ones."),
    )
    spending = forms.ChoiceField(label=_("How looks spend alpha"), choices=Experiment.Spending.choices)

    usual = {
        "alpha": "5%",
        "power": "80%",
        "expected_take_up": "10%",
        "planned_units": "",
        "planned_end": "",
        "expected_daily_units": "",
        "expected_base": "",
        "looks": "",
        "method": "fixed",
        "spending": "obrien_fleming",
        "primary": "unadjusted",
        "planned_effect": "",
    }

    def __init__(self, data: Any = None, *, experiment: Experiment | None = None, **options: Any) -> None:
        super().__init__(data, experiment=experiment, **options)
        for name in ("smallest_effect", "planned_effect"):
            field: Any = self.fields[name]
            field.share = self.is_share

    @property
    def is_share(self) -> bool:
        """True when the outcome is a share, so that effects are in percentage points."""
        primary = self.experiment.primary_metrics if self.experiment is not None else []
        return not primary or is_share(primary[0])

    def ask_first(self, missing: NotComputable) -> None:
        """Show why nothing can be suggested beside the field to fill in first, and focus it."""
        asks = {
            Reason.NO_DAILY_UNITS: "expected_daily_units",
            Reason.NO_RECENT_USERS: "expected_base",
            Reason.NO_VARIANCE: "expected_base",
        }
        name = asks.get(missing.reason, "planned_units")
        self.fields[name].widget.attrs["autofocus"] = True
        daily = missing.reason is Reason.NO_DAILY_UNITS
        self.add_error(name, gettext("Enter this first: the end depends on it.") if daily else reason_words(missing))

    @property
    def expected(self) -> list[forms.BoundField]:
        """Fields for expected values where the log has none; a mean has no base rate to enter."""
        return [self["expected_daily_units"], *([self["expected_base"]] if self.is_share else [])]

    @property
    def expects(self) -> bool:
        """True when one of these fields is filled in or wrong."""
        return any(one.value() or one.errors for one in self.expected)

    def begin(self, experiment: Experiment | None) -> dict[str, Any]:
        """Dates in ISO form, which a browser's date field needs."""
        found = super().begin(experiment)
        end = found.get("planned_end")
        return {**found, "planned_end": None if end is None else end.isoformat()}

    def mend(self, name: str) -> list[Mend]:
        """A button for a usual effect of two points."""
        if name == "smallest_effect" and self.is_share:
            value = gettext("%(value)s points") % {"value": "2"}
            return [Mend(gettext("Use {value}").format(value=value), {name: value})]
        return super().mend(name)


def _is_rule(line: str) -> bool:
    try:
        return bool(RulesField().clean(line))
    except forms.ValidationError:
        return False
