from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from aha.questions.objections import moment_objections, objections, usual_days
from aha.study.question import FIELD_OF, MAX_TIMES, RULES, Inputs, check_inputs
from events.catalogue.references import taken_line
from events.metrics import parse_retention
from events.metrics.facts import reference
from events.models import MetricVersion
from events.pickers.fields import BehaviourField, BehavioursField, Combobox, EventField, RetentionField
from events.pickers.quick_fixes import Mendable, QuickFix
from reporting.words import gettext
from runs.models import Run
from runs.refusals import Refused, split_reason
from segments.pickers import LevelField, SegmentField

FORM_FIELDS = {**FIELD_OF, "seed": "seed"}
FIRST = ("signup_event", "first_date", "last_date", "retention", "retention_metric", "title")
RULE_WORDS = {
    "j": _("overlap of those who did it and those who stayed, J (default)"),
    "phi": _("correlation of doing and staying, φ"),
    "youden": _("recall plus specificity, Youden"),
    "pareto": _("no rule: show the front of precision and recall"),
}
DATE = forms.DateInput({"type": "date"})


class StudyForm(forms.Form):
    """The form of a new study. Three fields are always shown; the others, with defaults, are under "Advanced"."""

    signup_event = EventField(
        label=_("Start event (day 0)"), any_event=True, help_text=_("Whoever does it is a new user from then on.")
    )
    first_date = forms.DateField(label=_("Signed up from"), required=False, widget=DATE)
    last_date = forms.DateField(label=_("Signed up until"), required=False, widget=DATE)
    retention = RetentionField(label=_("Retention: who counts as stayed"))
    retention_metric = forms.CharField(
        label=_("Or a metric of the catalogue"),
        required=False,
        max_length=90,
        widget=Combobox("retention_metric"),
        help_text=_("Chosen, it takes the place of the definition above, with its version."),
    )
    title = forms.CharField(
        label=_("Title"), max_length=100, required=False, help_text=_("Leave empty to name it by its question.")
    )
    behaviours = BehavioursField(label=_("Behaviours"), help_text=_("Leave empty to try every event."))
    segment = SegmentField(
        label=_("Segment"), help_text=_("Only its users; of a segment model its segments side by side.")
    )
    level = LevelField(
        label=_("Level of activity before"),
        help_text=_("Only users at this level on the last days before retention: what do they do who move up?"),
    )
    days = forms.CharField(
        label=_("Within … days"),
        required=False,
        help_text=_("Leave empty for every number up to 7 that ends before retention is measured."),
    )
    max_times = forms.IntegerField(
        label=_("Largest number of times"),
        required=False,
        min_value=1,
        max_value=MAX_TIMES,
        help_text=_("Leave empty to choose it for each behaviour."),
    )
    gap = forms.IntegerField(
        label=_("Days between behaviour and retention"),
        initial=0,
        min_value=0,
        max_value=365,
        help_text=_("A gap keeps the same session from being both."),
    )
    choose = forms.ChoiceField(label=_("Choose the threshold by"), choices=[(rule, RULE_WORDS[rule]) for rule in RULES])
    inert = BehavioursField(
        label=_("Negative controls"),
        help_text=_("Events that can't cause retention, 5 or more: they show how often the method is wrong."),
    )
    day_mode = forms.ChoiceField(
        label=_("Days are"),
        choices=[("rolling", _("24 hours from signup")), ("calendar", _("calendar days of the site's time zone"))],
    )
    seed = forms.IntegerField(
        label=_("Seed"), initial=1, min_value=0, max_value=2**63 - 1, help_text=_("Same data, same seed, same answer.")
    )
    changed_from = forms.IntegerField(required=False, widget=forms.HiddenInput())

    @property
    def first_fields(self) -> list[Any]:
        """The fields that are always shown."""
        return [self[name] for name in FIRST]

    @property
    def advanced_fields(self) -> list[Any]:
        """The fields under "Advanced"."""
        return [field for field in self.visible_fields() if field.name not in FIRST]

    @property
    def opens_advanced(self) -> bool:
        """True when an advanced field has an error, or one without a constant default has a value."""
        usual = {"gap": "0", "choose": "j", "day_mode": "rolling", "seed": "1"}
        others = [field for field in self.advanced_fields if field.name in self.errors]
        values = [field.value() for field in self.advanced_fields if field.name not in usual]
        return bool(others) or any(values)

    def clean_retention_metric(self) -> MetricVersion | None:
        """The chosen metric version; its definition replaces the one that was typed."""
        text = self.cleaned_data["retention_metric"]
        if not text:
            return None
        try:
            line, version = taken_line(text if reference(text) else f"metric:{text}")
            parse_retention(line)
        except Refused as refusal:
            raise Mendable(refusal.sentence, QuickFix("", _("Use the definition above"))) from None
        self.cleaned_data["retention"] = line
        return version

    def clean_days(self) -> tuple[int, ...]:
        try:
            return tuple(sorted({int(word) for word in self.cleaned_data["days"].replace(",", " ").split()}))
        except ValueError:
            raise Mendable(
                _("Write whole numbers with blanks between them, for example 1 3 7."),
                QuickFix("", _("Choose them for me")),
            ) from None

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if self.errors:
            return data
        days = data["days"] or usual_days(parse_retention(data["retention"]), data["gap"])
        same = ("signup_event", "retention", "max_times", "choose", "gap", "day_mode", "behaviours", "inert")
        first, last = (data[name].isoformat() if data[name] else None for name in ("first_date", "last_date"))
        self.inputs = Inputs(
            **{name: data[name] for name in same},
            days=days,
            segment=data["segment"] or None,
            level=data["level"] or None,
            first_date=first,
            last_date=last,
        )
        for name, error in objections(self.inputs):
            self.add_error(name, error)
        if not self.errors:
            self._check()
        return data

    def refuse(self, refusal: Refused) -> None:
        """Show a refusal as an error of the field whose option it names."""
        self.add_error(FORM_FIELDS.get(refusal.at), refusal.sentence)

    def _check(self) -> None:
        if not self.inputs.days:
            text = _("No behaviour can end before this retention begins: choose a later day.")
            self.add_error("retention", Mendable(text, QuickFix("on_day:1", "D1")))
            return
        try:
            check_inputs(self.inputs)
        except Refused as refusal:
            self.refuse(refusal)


def form_words(run: Run) -> str:
    """Why a run has no result, with the form's field label instead of the command's option."""
    refused = run.refused
    # Version 0.3 stored only the sentence, in the language of the worker.
    option, sentence = split_reason(run.reason) if refused is None else (refused.at, str(refused.message))
    field = StudyForm.base_fields.get(FORM_FIELDS.get(option, ""))
    return run.reason_in_words if field is None else f"{field.label}: {gettext(sentence)}"


class MomentForm(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=120, help_text=_("What the team calls it."))
    behaviour = BehaviourField(label=_("Behaviour"))
    times = forms.IntegerField(label=_("At least … times"), initial=1, min_value=1, max_value=MAX_TIMES)
    days = forms.IntegerField(label=_("Within … days"), initial=7, min_value=1, max_value=90)
    signup_event = EventField(label=_("Start event (day 0)"), any_event=True)
    retention = RetentionField(label=_("Retention"), help_text=_("What an experiment will judge it by."))

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if self.errors:
            return data
        for name, error in moment_objections(**{name: data[name] for name in data if name != "name"}):
            self.add_error(name, error)
        return data


class PromoteForm(forms.Form):
    name = forms.CharField(
        label=_("Name"), max_length=120, required=False, help_text=_("Empty: a sentence made of the claim.")
    )
