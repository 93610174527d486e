"""Field that searches a metric of the catalogue as you type, instead of a definition."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from events.catalogue.references import named_version, reference_to
from events.metrics.facts import reference
from events.pickers.catalogue_metrics import title_and_note
from events.pickers.fields import MetricField, PickedMetric
from events.pickers.quick_fixes import Mendable, QuickFix
from events.pickers.rows import RowsField
from experiments.models import Experiment
from experiments.pages.number_fields import meant
from experiments.pages.plan_rows import GuardrailRow, guardrails, rules_of
from experiments.pages.quick_fixes import QuickFix as PlanFix
from experiments.pages.quick_fixes import usual_outcome
from experiments.pages.step_forms import StepForm, of_step
from experiments.plan.catalogue_metrics import with_references
from experiments.plan.fields import LAST, Kind, Part, PlanField
from experiments.plan.record import FIELDS
from experiments.plan_page.known_numbers import known_events
from experiments.report.names import is_share
from reporting.words import reason_words
from stats.results import NotComputable, Reason


class CatalogueField(forms.CharField):
    """``metric:KEY``, ``metric:KEY@2`` or only the key; empty for an own definition.

    Args:
        of: name of the field whose definition it replaces.
    """

    def __init__(self, *, of: str, **options: Any) -> None:
        self.of = of
        text = _("Chosen, it takes the place of the definition above, with its version.")
        usual = {"label": _("Or a metric of the catalogue"), "required": False, "help_text": text}
        super().__init__(**{**usual, "max_length": 90, "widget": PickedMetric("metric"), **options})

    def clean(self, value: Any) -> str:
        """A reference to an existing version; whether it may be picked is checked with the plan."""
        text: str = super().clean(value)
        if not text:
            return ""
        name = text if reference(text) else f"metric:{text}"
        version = named_version(name)
        if version is None:
            sentence = _("There is no metric “%(key)s” in the catalogue.") % {"key": text}
            raise Mendable(sentence, QuickFix("", _("Use the definition above")))
        return reference_to(version) if "@" in name else name


# Forms for how an experiment is judged: outcomes, size, looks and end.


@of_step("outcomes")
class OutcomesForm(StepForm):
    field_order = ("first", "first_metric", "second", "second_metric")
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
    guardrail_metrics = RowsField(
        GuardrailRow,
        add=_("Add a guardrail"),
        label=_("Guardrails"),
        help_text=_(
            "What must not get worse while the primary outcome improves. A loss of the margin or more is harm. "
            "Without a margin a guardrail is only watched."
        ),
    )
    usual = {"first_metric": "", "second_metric": ""}

    def __init__(self, data: Any = None, *, experiment: Experiment | None = None, **options: Any) -> None:
        super().__init__(data, experiment=experiment, **options)
        for name in ("first_metric", "second_metric"):
            named = title_and_note(str(self[name].value() or ""))
            if named is not None:  # the field holds a key: show its name below
                self.fields[name].help_text = ": ".join(named)

    def mend(self, name: str) -> list[PlanFix]:
        """Suggestions for an unreadable outcome; lists without their unreadable lines."""
        if name in ("first", "second"):
            return self._outcome(name)
        return super().mend(name)

    def _outcome(self, name: str) -> list[PlanFix]:
        near = meant(str(self[name].value() or ""), known_events())
        usual = usual_outcome(self.experiment) if self.experiment is not None else "window:14-20"
        outcomes = (
            [outcome for outcome in dict.fromkeys([near, usual]) if outcome]
            if name == "first"
            else [near]
            if near
            else []
        )
        mends = [PlanFix(gettext("Use {value}").format(value=outcome), {name: outcome}) for outcome in outcomes]
        return mends if name == "first" else [*mends, PlanFix(gettext("Leave it empty"), {name: ""})]

    @property
    def fine(self) -> list[forms.BoundField]:
        """Fields that most plans leave unchanged."""
        return [self[name] for name in self.names if FIELDS[name].part is Part.DATA]

    @property
    def main(self) -> list[forms.BoundField]:
        """Fields that every plan needs."""
        rest = [name for name in self.names if FIELDS[name].part is not Part.DATA and name in self.fields]
        return [self[name] for name in ("first", "first_metric", "second", "second_metric", *rest)]

    def begin(self, experiment: Experiment | None) -> dict[str, Any]:
        """The stored outcomes, with the first two in their own fields; catalogue outcomes as their metric."""
        initial = super().begin(experiment)
        stored = [*(experiment.primary_metrics if experiment else []), "", ""]
        initial |= {"first": stored[0], "second": stored[1]}
        if experiment is None:
            return initial
        named = [text if reference(text) else "" for text in with_references(stored[:2], experiment)]
        initial |= {"first_metric": named[0], "second_metric": named[1]}
        watched = experiment.guardrail_metrics
        shown = dict(zip(watched, with_references(watched, experiment), strict=True))
        rules = {shown.get(text, text): rule for text, rule in experiment.guardrail_rules.items()}
        return initial | {
            "secondary_metrics": with_references(experiment.secondary_metrics, experiment),
            "guardrail_metrics": guardrails(list(shown.values()), rules),
        }

    def values(self) -> dict[str, Any]:
        """Form values with the primary outcomes as a list, and the guardrails' rows as metrics and rules."""
        primary = list(filter(None, (self._primary(name) for name in ("first", "second"))))
        rows = self.cleaned_data["guardrail_metrics"]
        return {
            **super().values(),
            "primary_metrics": primary,
            "guardrail_metrics": [row["metric"] for row in rows],
            "guardrail_rules": rules_of(rows),
        }

    def _primary(self, name: str) -> str:
        """The chosen metric; or the definition, where that was edited and the metric wasn't."""
        metric, definition = self.cleaned_data[f"{name}_metric"], self.cleaned_data[name]
        written = name in self.changed_data and f"{name}_metric" not in self.changed_data
        return str(definition if written or not metric else metric)


@of_step("plan")
class PlanForm(StepForm):
    def __init__(self, data: Any = None, *, experiment: Experiment | None = None, **options: Any) -> None:
        super().__init__(data, experiment=experiment, **options)
        if experiment is not None and experiment.is_lab:  # each of its nudges has one
            del self.fields["expected_take_up"]
        for bound in self.effects:
            field: Any = bound.field
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
    def effects(self) -> list[forms.BoundField]:
        """Effects to plan for."""
        return self._of(lambda one: one.kind is Kind.EFFECT)

    @property
    def main(self) -> list[forms.BoundField]:
        """Fields that every plan needs, and that no other property has."""
        rest = {bound.name for bound in (*self.effects, *self.planned_looks, *self._of(_is_expected))}
        return self._of(lambda one: one.name not in rest)

    @property
    def planned_looks(self) -> list[forms.BoundField]:
        """Fields for planned looks."""
        return self._of(lambda one: one.part is Part.LOOKS and one.place == LAST)

    @property
    def expected(self) -> list[forms.BoundField]:
        """Fields for expected values where the log has none; a mean has no base rate to enter."""
        return self._of(lambda one: _is_expected(one) and (self.is_share or one.kind is not Kind.SHARE))

    def _of(self, condition: Callable[[PlanField], bool]) -> list[forms.BoundField]:
        return [self[name] for name in self.names if name in self.fields and condition(FIELDS[name])]

    @property
    def expects(self) -> bool:
        """True when one of these fields is filled in or wrong."""
        return any(bound.value() or bound.errors for bound in self.expected)

    def mend(self, name: str) -> list[PlanFix]:
        """A button for a usual effect of two points."""
        if name == "smallest_effect" and self.is_share:
            value = gettext("%(value)s points") % {"value": "2"}
            return [PlanFix(gettext("Use {value}").format(value=value), {name: value})]
        return super().mend(name)


def _is_expected(field: PlanField) -> bool:
    return field.part is Part.EXPECTED
