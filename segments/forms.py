import re
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from events.metrics import Survival, is_display_only
from reporting.shown_names import shown
from reporting.words import gettext
from runs.key_from_name import key_from
from runs.models import Run
from runs.refusals import Refused, split_reason
from segments.rules.builder.known import MOST_CHOICES, Known, nearest
from segments.search.question import FIELD_OF, MAX_WINDOW_DAYS, Inputs, check_inputs

SLUG = re.compile(r"[-a-zA-Z0-9_]+")


class SegmentationForm(forms.Form):
    title = forms.CharField(label=_("Title"), max_length=100, required=False)
    signup_event = forms.CharField(
        label=_("Event that starts a user's clock"),
        initial="signup",
        help_text=_("Write * to take each user's first event of any kind."),
        widget=forms.TextInput(attrs={"list": "event-names", "autocomplete": "off"}),
    )
    first_day = forms.IntegerField(label=_("First day of play to look at"), initial=0, min_value=0)
    last_day = forms.IntegerField(
        label=_("Last day of play to look at"),
        initial=13,
        min_value=0,
        help_text=_("Only users whose whole window has passed are taken."),
    )
    retention = forms.CharField(
        label=_("Retention that the groups are compared by"),
        initial="window:21-27",
        required=False,
        help_text=_("For example window:21-27. It must begin after the last day of play."),
    )
    behaviours = forms.CharField(
        label=_("Behaviours"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=_("One a line: EVENT, EVENT[property=value] or EVENT#property. Empty takes every event."),
    )
    clusters = forms.IntegerField(
        label=_("Number of groups"),
        required=False,
        min_value=2,
        max_value=10,
        help_text=_("Empty lets the data choose, and say so when there are none."),
    )
    first_date = forms.DateField(label=_("Signed up from"), required=False, widget=forms.DateInput({"type": "date"}))
    last_date = forms.DateField(label=_("Signed up until"), required=False, widget=forms.DateInput({"type": "date"}))
    seed = forms.IntegerField(
        label=_("Seed"), initial=1, min_value=0, help_text=_("Same data, same seed, same groups.")
    )

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if self.errors:
            return data
        first, last = (data[name].isoformat() if data[name] else None for name in ("first_date", "last_date"))
        self._check_days(data)
        if self.errors:
            return data
        try:
            self.inputs = Inputs(
                signup_event=data["signup_event"],
                first_day=data["first_day"],
                last_day=data["last_day"],
                retention=data["retention"] or None,
                clusters=data["clusters"],
                behaviours=tuple(line.strip() for line in data["behaviours"].splitlines() if line.strip()),
                first_date=first,
                last_date=last,
            )
            self._check_retention(self.inputs)
            if not self.errors:
                check_inputs(self.inputs)
        except Refused as refusal:
            self.refuse(refusal)
        return data

    def refuse(self, refusal: Refused) -> None:
        """Show a refusal at the field whose option it names."""
        field = FIELD_OF.get(refusal.at)
        self.add_error(field if field in self.fields else None, refusal.sentence)

    def _check_days(self, data: dict[str, Any]) -> None:
        days = data["last_day"] - data["first_day"] + 1
        if days < 1:
            self.add_error("last_day", _("The last day of play lies before the first."))
        if days > MAX_WINDOW_DAYS:
            text = _("At most %(most)s days of play, not %(days)s.")
            self.add_error("last_day", text % {"most": MAX_WINDOW_DAYS, "days": days})
        if data["first_date"] and data["last_date"] and data["last_date"] < data["first_date"]:
            self.add_error("last_date", _("The last date lies before the first."))

    def _check_retention(self, inputs: Inputs) -> None:
        definition = inputs.definition
        if definition is None:
            return
        if is_display_only(definition):
            text = _("This retention grows as the data age, so groups can't be judged by it.")
            self.add_error("retention", text)
        elif not isinstance(definition, Survival) and definition.window.start_day <= inputs.last_day:
            text = _(
                "This retention begins on day %(day)s, inside the days of play: what forms the groups would also be "
                "their outcome. Let it begin on day %(first)s or later."
            )
            self.add_error("retention", text % {"day": definition.window.start_day, "first": inputs.last_day + 1})


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
        label=_("Event that starts a user's clock"),
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
    retention = forms.CharField(
        label=_("Retention: who of its users stayed"),
        initial="window:21-27",
        max_length=100,
        help_text=_("For example window:21-27. It must begin after the days whose play is looked at."),
    )


class RenameForm(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=100)
