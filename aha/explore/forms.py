from dataclasses import replace
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from aha.explore import groups
from aha.explore.question import (
    ACTIVITY,
    FIELDS,
    LEVELS,
    MOST_STEPS,
    MOST_WITHIN,
    NAMES,
    PRESETS,
    RETENTION,
    TIMES,
    Question,
)
from aha.study.question import MAX_TIMES
from events.catalogue.listing import Catalogue
from events.metrics import Survival, parse_behaviour, parse_retention
from events.metrics.facts import refuse_exposures
from events.pickers.definition_parts import RETENTION_KINDS
from events.pickers.fields import BehaviourField, BehavioursField, Combobox, EventField, RetentionField
from events.pickers.quick_fixes import Mendable, QuickFix, mended
from reporting.numbers import day_text
from runs.refusals import Refused
from segments.pickers import SegmentField, models_with_levels

DATE = {"type": "date"}
MOST_DAY = 730  # of a retention window
MOST_GAP = 31


def _fields() -> dict[str, forms.Field]:
    """Every field of every view, by the record's name."""
    return {
        "retention": RetentionField(label=_("Retention"), kinds=RETENTION_KINDS, rate=False),
        "behaviour": BehaviourField(label=_("Behaviour")),
        "steps": BehavioursField(
            label=_("Steps"),
            required=True,
            ordered=True,
            help_text=_("Two to five, in the order in which users take them."),
        ),
        "by": forms.ChoiceField(
            label=_("Period"), choices=[("day", _("by day")), ("week", _("by week")), ("month", _("by month"))]
        ),
        "levels": forms.CharField(
            label=_("Levels of the segmentation"),
            max_length=90,
            widget=Combobox("model"),
            help_text=_("Published by play pattern."),
            error_messages={
                "required": _("Choose a segmentation. Where there is none, publish one by play pattern first.")
            },
        ),
        "days": forms.IntegerField(label=_("Within … days of signup"), min_value=1, max_value=MOST_WITHIN),
        "times": forms.IntegerField(label=_("At least … times"), min_value=1, max_value=MAX_TIMES),
        "signup": EventField(label=_("Start event (day 0)"), any_event=True),
        "dates": forms.ChoiceField(choices=[(days, days) for days in PRESETS], required=False),
        "first": forms.DateField(label=_("Start date"), required=False, widget=forms.DateInput(DATE, "%Y-%m-%d")),
        "last": forms.DateField(label=_("End date"), required=False, widget=forms.DateInput(DATE, "%Y-%m-%d")),
        "segment": SegmentField(label=_("Segment")),
        "compare": SegmentField(label=_("Beside it, the segment")),
        "group": forms.ChoiceField(label=_("Group by"), choices=groups.choices, required=False),
        "day_mode": forms.ChoiceField(
            label=_("Days are"),
            choices=[("rolling", _("24 hours from signup")), ("calendar", _("calendar days of the site's time zone"))],
        ),
    }


class ExploreForm(forms.Form):
    """The fields of one view; `question` is available once the form is valid."""

    def __init__(self, view: str, data: Any) -> None:
        super().__init__(data, auto_id="id_%s", use_required_attribute=False)
        self.view = view
        every = _fields()
        self.fields = {NAMES.get(name, name): every[name] for name in FIELDS[view]}
        if view == TIMES:
            self.fields["retention"].required = False

    def main_fields(self) -> list[forms.BoundField]:
        """The fields of the view itself; the others are filters."""
        return [field for field in self.visible_fields() if field.name not in (*FILTERS, *DATES)]

    def filters(self) -> list[forms.BoundField]:
        """Fields for which users are counted, and how days are counted."""
        return [field for field in self.visible_fields() if field.name in FILTERS]

    @property
    def filters_open(self) -> bool:
        """Whether a filter was set or has an error."""
        chosen = any(self.data.get(name) for name in ("segment", "compare"))
        return chosen or any(field.errors for field in self.filters())

    def date_fields(self) -> list[forms.BoundField]:
        """The first and the last date, which are chosen above the page and not among the other fields."""
        return [self[name] for name in DATES if name != "dates"]

    @property
    def date_errors(self) -> bool:
        """Whether the dates are wrong."""
        return any(self[name].errors for name in DATES)

    @property
    def sent_dates(self) -> list[tuple[str, str]]:
        """Name and value of the dates as they were asked for, which the other fields leave as they are."""
        return [(name, self.data[name]) for name in DATES if self.data.get(name)]

    def clean_steps(self) -> tuple[str, ...]:
        steps: tuple[str, ...] = self.cleaned_data["steps"]
        if not 2 <= len(steps) <= MOST_STEPS:
            number = _("A funnel has two to five different steps; here are %(count)s.")
            raise forms.ValidationError(number, params={"count": len(steps)})
        different = [step for step in steps if parse_behaviour(step).distinct]
        if different:
            plain = "\n".join(str(replace(parse_behaviour(step), distinct=None)) for step in steps)
            text = _("A step happens once, so it counts no different values: %(step)s.") % {"step": different[0]}
            raise Mendable(text, QuickFix(plain, _("Use the events alone")))
        return steps

    def clean_retention(self) -> str:
        text: str = self.cleaned_data["retention"]
        if not text:
            return ""
        definition = parse_retention(text)
        if isinstance(definition, Survival):
            if definition.gap > MOST_GAP:
                message = _("A silence of at most %(most)s days can be seen here.") % {"most": MOST_GAP}
                raise Mendable(message, QuickFix(f"survival:{MOST_GAP}", _("Use %(most)s days") % {"most": MOST_GAP}))
        elif (definition.window.end_day or definition.window.start_day) > MOST_DAY:
            raise forms.ValidationError(_("Choose days up to %(most)s after signup."), params={"most": MOST_DAY})
        return text

    def clean_levels(self) -> str:
        text: str = self.cleaned_data["levels"]
        try:
            found = Question(LEVELS, "*", levels=text).chosen_levels
        except Refused as refusal:
            raise forms.ValidationError(refusal.sentence) from None
        return f"{found.model}@{found.number}"

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        for field in ("signup_event", "behaviour", "steps", "retention"):
            try:
                refuse_exposures(data.get(field))
            except Refused as refusal:
                self.add_error(field, refusal.sentence)
        if data.get("dates"):
            data["first_date"] = data["last_date"] = None
        if data.get("compare"):
            self._check_compared(data)
        first, last = data.get("first_date"), data.get("last_date")
        if first and last and last < first:
            swap = QuickFix(first.isoformat(), _("Use %(date)s") % {"date": day_text(first)})
            self.add_error("last_date", Mendable(_("The last date lies before the first."), swap))
        return data

    def _check_compared(self, data: dict[str, Any]) -> None:
        if not data.get("segment"):
            self.add_error("segment", _("Choose the first of the two segments here."))
        elif data["segment"] == data["compare"]:
            self.add_error("compare", _("Choose another segment than the first."))
        elif data.get("group"):
            self.add_error("group", _("Two segments stand side by side already: choose no groups, or leave one out."))

    @property
    def question(self) -> Question:
        """The question that the form describes; the form must be valid."""
        by_name = {record: self.cleaned_data[NAMES.get(record, record)] for record in FIELDS[self.view]}
        return Question(view=self.view, **{name: value for name, value in by_name.items() if value is not None})

    def refuse(self, refusal: Refused) -> None:
        """Show a refusal as an error of the field that it names."""
        name = NAMES.get(refusal.at, refusal.at)
        self.add_error(name if name in self.fields else None, refusal.sentence)


def filled(query: QueryDict, initial: dict[str, str]) -> QueryDict:
    """An address's parameters with defaults for missing ones; funnel steps may be given as separate parameters."""
    data = mended(query)
    for name, value in {"by": "day", **initial}.items():  # retention's addresses don't say "by day"
        if name not in data:
            data[name] = value
    data["steps"] = "\n".join(data.getlist("steps"))
    return data


FILTERS = ("signup_event", "segment", "compare", "day_mode")
DATES = ("dates", "first_date", "last_date")


def defaults(view: str, catalogue: Catalogue) -> dict[str, str]:
    """Initial values of a view's form, chosen to fit the events in the log."""
    signup = catalogue.guess_signup()
    others = [entry.name for entry in catalogue.search("", limit=6) if entry.name != signup]
    initial = {
        "signup_event": signup,
        "day_mode": "rolling",
        "by": "day",
        "days": "7",
        "times": "1",
        "retention": "on_day:7",
    }
    if view == TIMES:
        initial["retention"] = "window:14-20"
    if view == LEVELS:
        known = models_with_levels("", "")
        initial["levels"] = known[0].value if known else ""
    if view != RETENTION:
        first = [] if signup == "*" else [signup]
        initial["behaviour"] = others[0] if others else ""
        initial["steps"] = "\n".join([*first, *others][: 3 if view != ACTIVITY else 2])
    return initial
