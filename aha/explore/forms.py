from collections.abc import Callable, Iterator
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from aha.explore.question import ACTIVITY, FIELDS, MOST_STEPS, MOST_WITHIN, NAMES, RETENTION, TIMES, Question
from aha.study.question import MAX_TIMES
from events.catalogue.listing import Catalogue
from events.metrics import Survival, parse_behaviour, parse_retention
from runs.refusals import Refused
from segments.models import SegmentVersion

EVENT = {"list": "event-names", "autocomplete": "off"}
DATE = {"type": "date"}
MOST_DAY = 730  # of a retention window
MOST_GAP = 31


def _event(label: Any, **options: Any) -> forms.CharField:
    return forms.CharField(label=label, max_length=256, widget=forms.TextInput(attrs=EVENT), **options)


def _fields() -> dict[str, forms.Field]:
    """Every field of every view, by the record's name."""
    return {
        "retention": forms.CharField(
            label=_("Retention"),
            max_length=400,
            help_text=_("on_day:7, window:14-20, week:2, unbounded:14, min_days:14-20:2, min_events:EVENT:14-20:3 or survival:7"),
        ),
        "behaviour": _event(_("Behaviour"), help_text=_("EVENT, EVENT[property=value] or EVENT#property.")),
        "steps": forms.CharField(
            label=_("Steps"),
            max_length=2000,
            widget=forms.Textarea(attrs={"rows": 4}),
            help_text=_("Two to five behaviours in their order, one a line."),
        ),
        "by": forms.ChoiceField(label=_("A point is"), choices=[("day", _("a day")), ("week", _("a week"))]),
        "days": forms.IntegerField(label=_("Within … days of signup"), min_value=1, max_value=MOST_WITHIN),
        "times": forms.IntegerField(label=_("At least … times"), min_value=1, max_value=MAX_TIMES),
        "signup": _event(_("Start event (day 0)"), help_text=_("* takes each user's first event of any kind.")),
        "first": forms.DateField(label=_("Signed up from"), required=False, widget=forms.DateInput(DATE, "%Y-%m-%d")),
        "last": forms.DateField(label=_("Signed up until"), required=False, widget=forms.DateInput(DATE, "%Y-%m-%d")),
        "segment": forms.CharField(label=_("Segment"), required=False, max_length=80),
        "day_mode": forms.ChoiceField(
            label=_("Days are"),
            choices=[("rolling", _("24 hours from signup")), ("calendar", _("calendar days of the project's time zone"))],
        ),
    }


class ExploreForm(forms.Form):
    """The fields of one view; `question` is there once the form is valid."""

    def __init__(self, view: str, data: Any) -> None:
        super().__init__(data, auto_id="id_%s", use_required_attribute=False)
        self.view = view
        every = _fields()
        self.fields = {NAMES.get(name, name): every[name] for name in FIELDS[view]}
        if view == TIMES:
            self.fields["retention"].required = False
        segments = list(segment_choices())
        self.fields["segment"].widget = forms.Select(choices=[("", _("everybody")), *segments])

    def main_fields(self) -> list[forms.BoundField]:
        """What the view is about; the others are filters."""
        return [field for field in self.visible_fields() if field.name not in FILTERS]

    def filters(self) -> list[forms.BoundField]:
        """Who is counted, and how days are."""
        return [field for field in self.visible_fields() if field.name in FILTERS]

    @property
    def filters_open(self) -> bool:
        """Whether something there was chosen, or is wrong."""
        chosen = any(self.data.get(name) for name in ("first_date", "last_date", "segment"))
        return chosen or any(field.errors for field in self.filters())

    def clean_behaviour(self) -> str:
        text: str = self.cleaned_data["behaviour"]
        return str(_read(lambda: parse_behaviour(text)))

    def clean_steps(self) -> tuple[str, ...]:
        lines = [line.strip() for line in self.cleaned_data["steps"].splitlines() if line.strip()]
        if not 2 <= len(lines) <= MOST_STEPS:
            text = _("A funnel has two to five steps, one a line; here are %(count)s.")
            raise forms.ValidationError(text, params={"count": len(lines)})
        steps = [_read(lambda line=line: parse_behaviour(line)) for line in lines]
        if any(step.distinct for step in steps):
            raise forms.ValidationError(_("A step is something that happens once: write EVENT or EVENT[property=value]."))
        return tuple(map(str, steps))

    def clean_retention(self) -> str:
        text: str = self.cleaned_data["retention"].strip()
        if not text:
            return ""
        definition = _read(lambda: parse_retention(text))
        if isinstance(definition, Survival):
            if definition.gap > MOST_GAP:
                raise forms.ValidationError(_("A silence of at most %(most)s days can be seen here."), params={"most": MOST_GAP})
        elif (definition.window.end_day or definition.window.start_day) > MOST_DAY:
            raise forms.ValidationError(_("Choose days up to %(most)s after signup."), params={"most": MOST_DAY})
        return str(definition)

    def clean_segment(self) -> str:
        key: str = self.cleaned_data["segment"]
        known = {value for _group, pairs in segment_choices() for value, _name in pairs}
        if key and key not in known:
            raise forms.ValidationError(_("No published segment has the key “%(key)s”; choose one of the list."), params={"key": key})
        return key

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        first, last = data.get("first_date"), data.get("last_date")
        if first and last and last < first:
            self.add_error("last_date", _("The last date lies before the first."))
        return data

    @property
    def question(self) -> Question:
        """What is asked; the form must be valid."""
        by_name = {record: self.cleaned_data[NAMES.get(record, record)] for record in FIELDS[self.view]}
        return Question(view=self.view, **{name: value for name, value in by_name.items() if value is not None})

    def refuse(self, refusal: Refused) -> None:
        """Show a refusal at the field that it is about."""
        name = NAMES.get(refusal.at, refusal.at)
        self.add_error(name if name in self.fields else None, refusal.sentence)


FILTERS = ("signup_event", "first_date", "last_date", "segment", "day_mode")


def segment_choices() -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Each published model with its segments, grouped by the model's name."""
    for version in SegmentVersion.objects.light("model").current().prefetch_related("segments").order_by("model__name"):
        segments = list(version.segments.all())
        pairs = [(version.model.key, str(_("all segments side by side")))] if len(segments) > 1 else []
        pairs += [(row.key, str(row)) for row in segments if row.key != version.model.key or len(segments) == 1]
        yield version.model.name, pairs


def defaults(view: str, catalogue: Catalogue) -> dict[str, str]:
    """What a view asks before anybody has chosen anything, fitting what is in the log."""
    signup = catalogue.guess_signup()
    others = [entry.name for entry in catalogue.search("", limit=6) if entry.name != signup]
    found = {"signup_event": signup, "day_mode": "rolling", "by": "day", "days": "7", "times": "1", "retention": "on_day:7"}
    if view == TIMES:
        found["retention"] = "window:14-20"
    if view != RETENTION:
        first = [] if signup == "*" else [signup]
        found["behaviour"] = others[0] if others else ""
        found["steps"] = "\n".join([*first, *others][: 3 if view != ACTIVITY else 2])
    return found


def _read[T](read: Callable[[], T]) -> T:
    try:
        return read()
    except Refused as refusal:
        raise forms.ValidationError(refusal.sentence) from None


