import re
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from events.metrics import parse_retention
from events.pickers.fields import BehavioursField, EventField, RetentionField
from reporting.shown_names import shown
from reporting.words import gettext
from runs.key_from_name import key_from
from runs.models import Run
from runs.refusals import Refused, split_reason
from segments.questions.run_objections import run_objections
from segments.rules.builder.known_values import MOST_CHOICES, Known, nearest
from segments.search.question import FIELD_OF, MAX_CLUSTERS, Inputs, check_inputs

SLUG = re.compile(r"[-a-zA-Z0-9_]+")


FIRST = ("signup_event", "first_day", "last_day", "retention", "title")
DATE = forms.DateInput({"type": "date"})


class SegmentationForm(forms.Form):
    """A segmentation's question. A few fields begin one; the others stand under "Advanced"."""

    signup_event = EventField(
        label=_("Start event (day 0)"), any_event=True, help_text=_("Whoever does it is a new user from then on.")
    )
    first_day = forms.IntegerField(label=_("First day of play to look at"), initial=0, min_value=0)
    last_day = forms.IntegerField(label=_("Last day of play to look at"), initial=13, min_value=0)
    retention = RetentionField(
        label=_("Retention that the groups are compared by"),
        required=False,
        kinds=("active", "event", "churn"),
        help_text=_("It must begin after the last day of play."),
    )
    title = forms.CharField(label=_("Title"), max_length=100, required=False)
    behaviours = BehavioursField(label=_("Behaviours"), help_text=_("Leave empty to compare every event."))
    clusters = forms.IntegerField(
        label=_("Number of groups"),
        required=False,
        min_value=2,
        max_value=MAX_CLUSTERS,
        help_text=_("Leave empty to let the data choose; the answer may be that there are none."),
    )
    first_date = forms.DateField(label=_("Signed up from"), required=False, widget=DATE)
    last_date = forms.DateField(label=_("Signed up until"), required=False, widget=DATE)
    seed = forms.IntegerField(
        label=_("Seed"), initial=1, min_value=0, max_value=2**63 - 1, help_text=_("Same data, same seed, same groups.")
    )

    @property
    def first_fields(self) -> list[Any]:
        """Those that begin a segmentation."""
        return [self[name] for name in FIRST]

    @property
    def advanced_fields(self) -> list[Any]:
        """All others."""
        return [field for field in self.visible_fields() if field.name not in FIRST]

    @property
    def opens_advanced(self) -> bool:
        """One of them is wrong, or filled in."""
        fields = [field for field in self.advanced_fields if field.name != "seed"]
        return any(field.errors or field.value() for field in fields)

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if self.errors:
            return data
        retention = parse_retention(data["retention"]) if data["retention"] else None
        for name, error in run_objections(data, retention):
            self.add_error(name, error)
        if self.errors:
            return data
        first, last = (data[name].isoformat() if data[name] else None for name in ("first_date", "last_date"))
        same = ("signup_event", "first_day", "last_day", "clusters", "behaviours")
        self.inputs = Inputs(
            **{name: data[name] for name in same}, retention=data["retention"] or None, first_date=first, last_date=last
        )
        try:
            check_inputs(self.inputs)
        except Refused as refusal:
            self.refuse(refusal)
        return data

    def refuse(self, refusal: Refused) -> None:
        """Show a refusal at the field whose option it names."""
        field = FIELD_OF.get(refusal.at)
        self.add_error(field if field in self.fields else None, refusal.sentence)


def form_words(run: Run) -> str:
    """Why a run has no result, with the form's name of the field in place of the command's option."""
    refused = run.refused
    # Version 0.3 kept the sentence alone, in the language of the worker.
    option, sentence = split_reason(run.reason) if refused is None else (refused.at, str(refused.message))
    field = SegmentationForm.base_fields.get(FIELD_OF.get(option, ""))
    return run.reason_in_words if field is None else f"{field.label}: {gettext(sentence)}"


class PublishForm(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=100)
    key = forms.CharField(
        label=_("Key"),
        max_length=60,
        required=False,
        help_text=_("Services use it; it stays the same. Left empty, it is made from the name."),
    )
    refresh_days = forms.IntegerField(
        label=_("Refresh every … days"),
        required=False,
        min_value=1,
        max_value=365,
        initial=1,
        help_text=_("New users are placed by the same model. Empty: only when a person asks."),
    )

    def clean_key(self) -> str:
        key: str = self.cleaned_data["key"]
        if not key:
            return key_from(self.cleaned_data.get("name", ""), "segment")[:60].strip("-")
        if SLUG.fullmatch(key):
            return key
        text = _("Use Latin letters, digits, hyphens and underscores only, for example %(key)s.")
        raise forms.ValidationError(text, params={"key": key_from(key, "segment")[:60].strip("-")})

    def refuse(self, refusal: Refused) -> None:
        """Show a refusal at the field whose option it names."""
        field = FIELD_OF.get(refusal.at)
        self.add_error(field if field in self.fields else None, refusal.sentence)


class RuleForm(PublishForm):
    """Under which name a rule is published, and when a user's clock starts; the rule itself has a form of its own."""

    signup_event = forms.CharField(
        label=_("Start event (day 0)"),
        max_length=256,
        initial="signup",
        help_text=_("Days are counted from its first occurrence."),
    )

    def __init__(self, *args: Any, known: Known, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.known = known
        field = self.fields["signup_event"]
        field.initial = known.signup or field.initial
        names = {name: shown(name) for name in known.events} | {"*": gettext("each user's first event of any kind")}
        now = self["signup_event"].value()
        if known.events and len(names) <= MOST_CHOICES:
            field.widget = forms.Select(choices=[*(({now: now} if now and now not in names else {}) | names).items()])
        else:
            field.widget.attrs |= {"list": "known-behaviour", "autocomplete": "off"}

    def clean_signup_event(self) -> str:
        name: str = self.cleaned_data["signup_event"]
        if not self.known.events or name == "*" or name in self.known.events:
            return name
        other = nearest(name, self.known.events)
        text = (
            _("There is no event ‘%(name)s’.")
            if other is None
            else _("There is no event ‘%(name)s’. Did you mean ‘%(other)s’?")
        )
        raise forms.ValidationError(text, params={"name": name, "other": other})


class ChurnForm(forms.Form):
    retention = RetentionField(
        label=_("Retention: who of its users stayed"),
        initial="window:21-27",
        kinds=("active", "event"),
        rate=False,
        help_text=_("It must begin after the days whose play is looked at."),
    )


class RenameForm(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=100)
