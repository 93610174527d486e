from dataclasses import replace
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from aha.study.question import FIELD_OF, MAX_TIMES, RULES, Inputs, check_inputs
from events.pickers.fields import BehaviourField, BehavioursField, EventField, RetentionField
from reporting.words import gettext
from runs.models import Run
from runs.refusals import Refused, split_reason

FORM_FIELDS = {**FIELD_OF, "seed": "seed"}
RULE_WORDS = {
    "j": _("J: did it and stayed, of all who did it or stayed"),
    "phi": _("φ: correlation of doing and staying"),
    "youden": _("Youden: recall plus specificity minus 1"),
    "pareto": _("front of precision and recall; a person picks"),
}


class StudyForm(forms.Form):
    title = forms.CharField(label=_("Title"), max_length=100, required=False)
    signup_event = EventField(label=_("Start event (day 0)"), initial="signup", any_event=True)
    first_date = forms.DateField(label=_("Signed up from"), required=False, widget=forms.DateInput({"type": "date"}))
    last_date = forms.DateField(label=_("Signed up until"), required=False, widget=forms.DateInput({"type": "date"}))
    behaviours = BehavioursField(label=_("Behaviours"), help_text=_("Leave empty to try every event."))
    days = forms.CharField(
        label=_("Within … days"),
        initial="1 2 3 4 5 6 7",
        help_text=_("Whole numbers. They must end before the days on which retention is measured."),
    )
    max_times = forms.IntegerField(
        label=_("Largest number of times"),
        required=False,
        min_value=1,
        max_value=MAX_TIMES,
        help_text=_("Empty: up to 10, or the deciles of frequent behaviours."),
    )
    retention = RetentionField(label=_("Retention"), initial="window:14-20")
    choose = forms.ChoiceField(label=_("Choose the number by"), choices=[(rule, RULE_WORDS[rule]) for rule in RULES])
    gap = forms.IntegerField(
        label=_("Days between behaviour and retention"),
        initial=0,
        min_value=0,
        max_value=365,
        help_text=_("A gap keeps the same session from being both."),
    )
    inert = BehavioursField(
        label=_("Behaviours that can't cause retention"),
        help_text=_("Five or more, or none: they show how much the method finds where nothing is."),
    )
    segment = forms.SlugField(
        label=_("Segment"),
        required=False,
        max_length=60,
        help_text=_("Key of a segment: only its users. Key of a segment model: its segments side by side."),
    )
    day_mode = forms.ChoiceField(
        label=_("Days are"),
        choices=[("rolling", _("24 hours from signup")), ("calendar", _("calendar days of the project's time zone"))],
    )
    seed = forms.IntegerField(
        label=_("Seed"), initial=1, min_value=0, help_text=_("Same data, same seed, same answer.")
    )

    def clean_days(self) -> tuple[int, ...]:
        try:
            return tuple(sorted({int(word) for word in self.cleaned_data["days"].replace(",", " ").split()}))
        except ValueError:
            raise forms.ValidationError(_("Write whole numbers with blanks between them, for example 1 3 7.")) from None

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if self.errors:
            return data
        same = ("signup_event", "days", "retention", "max_times", "choose", "gap", "day_mode")
        inputs = Inputs(**{name: data[name] for name in same})
        first, last = (data[name].isoformat() if data[name] else None for name in ("first_date", "last_date"))
        self.inputs = replace(
            inputs,
            behaviours=data["behaviours"],
            inert=data["inert"],
            segment=data["segment"] or None,
            first_date=first,
            last_date=last,
        )
        try:
            check_inputs(self.inputs)
        except Refused as refusal:
            self.refuse(refusal)
        return data

    def refuse(self, refusal: Refused) -> None:
        """Show a refusal at the field whose option it names."""
        self.add_error(FORM_FIELDS.get(refusal.at), refusal.sentence)


def form_words(run: Run) -> str:
    """Why a run has no result, with the form's name of the field in place of the command's option."""
    refused = run.refused
    # Version 0.3 kept the sentence alone, in the language of the worker.
    option, sentence = split_reason(run.reason) if refused is None else (refused.at, str(refused.message))
    field = StudyForm.base_fields.get(FORM_FIELDS.get(option, ""))
    return run.reason_in_words if field is None else f"{field.label}: {gettext(sentence)}"


class MomentForm(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=120, help_text=_("What the team calls it."))
    behaviour = BehaviourField(label=_("Behaviour"))
    times = forms.IntegerField(label=_("At least … times"), initial=1, min_value=1, max_value=MAX_TIMES)
    days = forms.IntegerField(label=_("Within … days"), initial=7, min_value=1, max_value=90)
    signup_event = EventField(label=_("Start event (day 0)"), initial="signup", any_event=True)
    retention = RetentionField(
        label=_("Retention"), initial="window:14-20", help_text=_("What an experiment will judge it by.")
    )


class PromoteForm(forms.Form):
    name = forms.CharField(
        label=_("Name"), max_length=120, required=False, help_text=_("Empty: a sentence made of the claim.")
    )
