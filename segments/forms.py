"""Validation of a segmentation's form without the data: errors at their fields, with suggested corrections."""

import re
from collections.abc import Iterator
from datetime import date
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from events.metrics import MinDays, MinEvents, Retention, Survival, is_display_only, parse_retention
from events.pickers.fields import BehavioursField, EventField, RetentionField
from events.pickers.quick_fixes import Mendable, QuickFix
from events.windows import Window
from reporting.words import gettext, shown
from runs.models import Run, key_from
from runs.refusals import Refused, split_reason
from segments.rules.editor_view import MOST_CHOICES, Known, nearest
from segments.search.question import FIELD_OF, MAX_CLUSTERS, MAX_WINDOW_DAYS, Inputs, check_inputs

type Objection = tuple[str, Mendable]


def run_objections(data: dict[str, Any], retention: Retention | None) -> Iterator[Objection]:
    """Field and error for every problem that can be found without the data.

    Args:
        data: the form's cleaned values.
        retention: the parsed outcome; None without one.
    """
    first, last = data["first_day"], data["last_day"]
    if last < first:
        text = _("The last day of play lies before the first.")
        yield "last_day", Mendable(text, QuickFix(str(first + 13), _("Use day %(day)s") % {"day": first + 13}))
    elif last - first + 1 > MAX_WINDOW_DAYS:
        text = _("At most %(most)s days of play, not %(days)s.") % {"most": MAX_WINDOW_DAYS, "days": last - first + 1}
        day = first + MAX_WINDOW_DAYS - 1
        yield "last_day", Mendable(text, QuickFix(str(day), _("Use day %(day)s") % {"day": day}))
    elif retention is not None:
        yield from _outcome(retention, last)
    yield from _dates(data["first_date"], data["last_date"])


def _outcome(retention: Retention, last: int) -> Iterator[Objection]:
    if isinstance(retention, Survival):
        return
    if is_display_only(retention):
        text = _("This retention grows as the data age, so groups can't be judged by it.")
        yield "retention", Mendable(text, _after(last, Window(0, 6), retention))
        return
    window = retention.window
    if window.start_day > last:
        return
    text = _(
        "This retention begins on day %(day)s, inside the days of play: what forms the groups would also be their "
        "outcome. Let it begin on day %(first)s or later."
    ) % {"day": window.start_day, "first": last + 1}
    mends = [_after(last, window, retention)]
    if window.start_day:
        label = _("Use play until day %(day)s") % {"day": window.start_day - 1}
        mends.append(QuickFix(str(window.start_day - 1), label, field="last_day"))
    yield "retention", Mendable(text, *mends)


def _after(last: int, window: Window, retention: Retention) -> QuickFix:
    """Suggest the same retention, moved after the days of play."""
    moved = Window(last + 1, last + len(window))
    match retention:
        case MinDays(days=days):
            line = str(MinDays(moved, days))
        case MinEvents(event=event, times=times):
            line = str(MinEvents(event, moved, times))
        case _:
            line = f"window:{moved}"
    fields = {"first": moved.start_day, "last": moved.end_day}
    return QuickFix(line, _("Measure retention on days %(first)s–%(last)s") % fields)


def _dates(first: date | None, last: date | None) -> Iterator[Objection]:
    if first is not None and last is not None and last < first:
        text = _("The last date lies before the first.")
        yield "last_date", Mendable(text, QuickFix("", _("Take all until the last day")))


SLUG = re.compile(r"[-a-zA-Z0-9_]+")


FIRST = ("signup_event", "first_day", "last_day", "retention", "title")
DATE = forms.DateInput({"type": "date"})


class SegmentationForm(forms.Form):
    """The form of a new segmentation. A few fields are always shown; the others are under "Advanced"."""

    signup_event = EventField(
        label=gettext_lazy("Start event (day 0)"),
        any_event=True,
        help_text=gettext_lazy("Whoever does it is a new user from then on."),
    )
    first_day = forms.IntegerField(label=gettext_lazy("First day of play to use"), initial=0, min_value=0)
    last_day = forms.IntegerField(label=gettext_lazy("Last day of play to use"), initial=13, min_value=0)
    retention = RetentionField(
        label=gettext_lazy("Retention that the groups are compared by"),
        required=False,
        kinds=("active", "event", "churn"),
        help_text=gettext_lazy("It must begin after the last day of play."),
    )
    title = forms.CharField(label=gettext_lazy("Title"), max_length=100, required=False)
    behaviours = BehavioursField(
        label=gettext_lazy("Behaviours"), help_text=gettext_lazy("Leave empty to compare every event.")
    )
    clusters = forms.IntegerField(
        label=gettext_lazy("Number of groups"),
        required=False,
        min_value=2,
        max_value=MAX_CLUSTERS,
        help_text=gettext_lazy("Leave empty to let the data choose; the answer may be that there are none."),
    )
    first_date = forms.DateField(label=gettext_lazy("Signed up from"), required=False, widget=DATE)
    last_date = forms.DateField(label=gettext_lazy("Signed up until"), required=False, widget=DATE)
    seed = forms.IntegerField(
        label=gettext_lazy("Seed"),
        initial=1,
        min_value=0,
        max_value=2**63 - 1,
        help_text=gettext_lazy("Same data, same seed, same groups."),
    )

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
        """True when an advanced field has an error, or one other than the seed, which always has a value, has one."""
        return any(field.errors or (field.name != "seed" and field.value()) for field in self.advanced_fields)

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
        """Show a refusal as an error of the field whose option it names."""
        field = FIELD_OF.get(refusal.at)
        self.add_error(field if field in self.fields else None, refusal.sentence)


def form_words(run: Run) -> str:
    """Why a run has no result, with the form's field label instead of the command's option."""
    refused = run.refused
    # Version 0.3 stored only the sentence, in the language of the worker.
    option, sentence = split_reason(run.reason) if refused is None else (refused.at, str(refused.message))
    field = SegmentationForm.base_fields.get(FIELD_OF.get(option, ""))
    return run.reason_in_words if field is None else f"{field.label}: {gettext(sentence)}"


class PublishForm(forms.Form):
    name = forms.CharField(label=gettext_lazy("Name"), max_length=100)
    key = forms.CharField(
        label=gettext_lazy("Key"),
        max_length=60,
        required=False,
        help_text=gettext_lazy("Services use it; it stays the same. Left empty, it is made from the name."),
    )
    refresh_days = forms.IntegerField(
        label=gettext_lazy("Refresh every … days"),
        required=False,
        min_value=1,
        max_value=365,
        initial=1,
        help_text=gettext_lazy("New users are placed by the same model. Empty: only when a person asks."),
    )

    def clean_key(self) -> str:
        key: str = self.cleaned_data["key"]
        if not key:
            return key_from(self.cleaned_data.get("name", ""), "segment")[:60].strip("-")
        if SLUG.fullmatch(key):
            return key
        text = gettext_lazy("Use Latin letters, digits, hyphens and underscores only, for example %(key)s.")
        raise forms.ValidationError(text, params={"key": key_from(key, "segment")[:60].strip("-")})

    def refuse(self, refusal: Refused) -> None:
        """Show a refusal as an error of the field whose option it names."""
        field = FIELD_OF.get(refusal.at)
        self.add_error(field if field in self.fields else None, refusal.sentence)


class ListForm(PublishForm):
    """Name and key of a list of users, which is never refreshed."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        del self.fields["refresh_days"]


class RuleForm(PublishForm):
    """Name, key and signup event of a rule segment; the rule itself has its own form."""

    signup_event = forms.CharField(
        label=gettext_lazy("Start event (day 0)"),
        max_length=256,
        initial="signup",
        help_text=gettext_lazy("Days are counted from its first occurrence."),
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
            gettext_lazy("There is no event ‘%(name)s’.")
            if other is None
            else gettext_lazy("There is no event ‘%(name)s’. Did you mean ‘%(other)s’?")
        )
        raise forms.ValidationError(text, params={"name": name, "other": other})


class ChurnForm(forms.Form):
    retention = RetentionField(
        label=gettext_lazy("Retention: who of its users stayed"),
        initial="window:21-27",
        kinds=("active", "event"),
        rate=False,
        help_text=gettext_lazy("It must begin after the days whose play is used."),
    )


class RenameForm(forms.Form):
    name = forms.CharField(label=gettext_lazy("Name"), max_length=100)
