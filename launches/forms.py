"""The forms of a launch, six questions in words, and of an event's rules, by rows."""

from math import floor, log10
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from events.metrics import LONGEST_LINE
from events.pickers.fields import BehaviourField, Combobox, EventField, MetricField
from launches.answers import DAYS_AFTER, LONGEST, LONGEST_DELAY, USUAL_DAYS, Answers, Curve, Direction, Meets, checked
from launches.balance.rules import (
    LONGEST_NAME,
    LONGEST_TITLE,
    MOST_COST,
    MOST_DAYS,
    MOST_POINTS,
    MOST_RESPONSE,
    MOST_ROWS,
    MOST_SEED,
    MOST_STEPS,
    MOST_STOCK,
    MOST_TIMES,
    WEEKDAYS,
    PointRule,
    Rules,
    read,
    with_points,
)
from launches.models import Launch
from runs.refusals import Refused
from segments.pickers import SegmentField

DATE = forms.DateInput({"type": "date"})
RESPONSES = ("low", "middle", "high")
WEEKDAY_NAMES = (_("Mon"), _("Tue"), _("Wed"), _("Thu"), _("Fri"), _("Sat"), _("Sun"))
SIX = (
    (_("What was launched?"), ("title", "took_part")),
    (_("When, and for which users?"), ("began", "meets", "trait", "reached")),
    (_("Who couldn't meet it?"), ("spared",)),
    (_("By which outcome?"), ("curve", "signup_event", "outcome", "behaviour", "better", "unmoved")),
    (_("From when on should it work?"), ("works_after", "days_after")),
    (_("What hangs on it?"), ("decision",)),
)


class LaunchForm(forms.Form):
    """Six questions; the answers are registered and never change."""

    title = forms.CharField(
        label=_("Title"), max_length=LONGEST["title"], help_text=_("In a few words: Summer event 2026.")
    )
    took_part = BehaviourField(
        label=_("What shows that somebody took part?"),
        required=False,
        help_text=_("Only to show, struck through, the gap that proves nothing."),
    )
    began = forms.DateField(
        label=_("First day"),
        widget=DATE,
        help_text=_("One date for all. Dates that differ by group aren't judged yet."),
    )
    meets = forms.ChoiceField(label=_("Who met it"), choices=Launch.MetBy.choices)
    trait = forms.CharField(
        label=_("Only users with this trait"),
        max_length=LONGEST["trait"],
        required=False,
        widget=Combobox("trait"),
        help_text=_("Such as platform, where the launch was for one platform. Empty: all users."),
    )
    reached = forms.CharField(
        label=_("Its values for those who could meet it"),
        required=False,
        help_text=_("With commas between: android, ios."),
    )
    spared = forms.CharField(
        label=_("Its values for those who couldn't"),
        required=False,
        help_text=_("Their curves then say what was expected. Empty where everybody could."),
    )
    curve = forms.ChoiceField(label=_("What is measured each day"), choices=Launch.CurveKind.choices)
    signup_event = EventField(
        label=_("Start event (day 0)"), any_event=True, required=False, help_text=_("For an outcome of new users.")
    )
    outcome = MetricField(label=_("Outcome of new users"), required=False)
    behaviour = BehaviourField(
        label=_("What active users do"),
        required=False,
        help_text=_("For how often an active user does something each day."),
    )
    better = forms.ChoiceField(label=_("Which way is better"), choices=Launch.Better.choices)
    unmoved = forms.CharField(
        label=_("An outcome that it can't move"),
        required=False,
        max_length=LONGEST_LINE,
        widget=Combobox("outcome"),
        help_text=_("If it moves all the same, something else happened, and no answer is given."),
    )
    works_after = forms.IntegerField(
        label=_("Days until it should work"),
        initial=0,
        min_value=0,
        max_value=LONGEST_DELAY,
        help_text=_("The days until then aren't counted: novelty wears off, habits take time."),
    )
    days_after = forms.IntegerField(
        label=_("Days that are then judged"),
        initial=USUAL_DAYS,
        min_value=DAYS_AFTER[0],
        max_value=DAYS_AFTER[1],
        help_text=_("Whole weeks. Eight times as many days before are needed, and ten such spans before those."),
    )
    decision = forms.CharField(
        label=_("What you will do if it worked, and what if it didn't"),
        max_length=LONGEST["decision"],
        widget=forms.Textarea({"rows": 2}),
    )

    @property
    def questions(self) -> list[tuple[Any, list[Any]]]:
        """The six questions, each with its fields."""
        return [(words, [self[name] for name in names]) for words, names in SIX]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if self.errors:
            return data
        curve = Curve(data["curve"])
        outcome = {Curve.NEW_USERS: data["outcome"], Curve.PER_ACTIVE_USER: data["behaviour"]}.get(curve, "")
        of_users = curve is Curve.NEW_USERS
        answers = Answers(
            title=data["title"],
            began=data["began"],
            curve=curve,
            decision=data["decision"],
            outcome=outcome,
            signup_event=data["signup_event"] if of_users else "",
            meets=Meets(data["meets"]),
            trait=data["trait"],
            reached=_values(data["reached"]),
            spared=_values(data["spared"]),
            better=Direction(data["better"]),
            works_after=data["works_after"],
            days_after=data["days_after"],
            took_part=data["took_part"] if of_users else "",
            unmoved=data["unmoved"] if of_users else "",
        )
        try:
            self.answers = checked(answers)
        except Refused as refusal:
            at = "behaviour" if refusal.at == "outcome" and curve is Curve.PER_ACTIVE_USER else refusal.at
            self.add_error(at if at in self.fields else None, refusal.sentence)
        return data


def _values(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))


class _Row(forms.Form):
    """A row of a table: each of its fields may be left empty, and none is called optional."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        for field in self.fields.values():
            field.is_needed = True  # type: ignore[attr-defined]


class PointRuleForm(_Row):
    """One row: points for a behaviour. A row without a behaviour doesn't count."""

    behaviour = BehaviourField(label=_("Behaviour"), required=False)
    points = forms.FloatField(label=_("Points each"), required=False, min_value=0.01, max_value=MOST_POINTS)
    cap_times = forms.IntegerField(label=_("Most times a day"), required=False, min_value=1, max_value=MOST_TIMES)
    cap_points = forms.FloatField(label=_("Most points a day"), required=False, min_value=0.01, max_value=MOST_POINTS)
    multiplier = forms.FloatField(label=_("Multiplier"), required=False, min_value=0, max_value=1000)
    weekdays = forms.MultipleChoiceField(
        label=_("on"),
        required=False,
        choices=list(zip(WEEKDAYS, WEEKDAY_NAMES, strict=True)),
        widget=forms.CheckboxSelectMultiple,
    )
    dates = forms.CharField(label=_("and on the dates"), required=False, max_length=200)


class StepForm(_Row):
    """One row: a reward. A row without a name doesn't count."""

    name = forms.CharField(label=_("Reward"), required=False, max_length=LONGEST_NAME)
    points = forms.FloatField(label=_("Points"), required=False, min_value=0.01, max_value=MOST_POINTS)
    cost = forms.FloatField(label=_("Cost of one"), required=False, min_value=0, max_value=MOST_COST)
    stock = forms.IntegerField(label=_("Stock"), required=False, min_value=0, max_value=MOST_STOCK)


class BalanceForm(forms.Form):
    """An event: its days, its users, and how they respond; the rows of rules and steps stand beside it."""

    title = forms.CharField(label=_("Title"), max_length=LONGEST_TITLE)
    first = forms.DateField(label=_("First day"), widget=DATE)
    days = forms.IntegerField(label=_("Days"), min_value=1, max_value=MOST_DAYS, initial=14)
    segment = SegmentField(
        label=_("Segment"), help_text=_("Only its users take part; of a segment model its segments side by side.")
    )
    low = forms.FloatField(label=_("at the low end"), initial=0, min_value=-100, max_value=100 * MOST_RESPONSE)
    middle = forms.FloatField(label=_("most likely"), initial=0, min_value=-100, max_value=100 * MOST_RESPONSE)
    high = forms.FloatField(label=_("at the high end"), initial=0, min_value=-100, max_value=100 * MOST_RESPONSE)
    seed = forms.IntegerField(label=_("Seed"), initial=1, min_value=0, max_value=MOST_SEED)

    def __init__(self, data: Any = None, *, rules: Rules | None = None) -> None:
        super().__init__(data, initial={} if rules is None else _initial(rules))
        rows = () if rules is None else rules.rules
        steps = () if rules is None else rules.steps
        more = {name: 0 if data is None else int(f"more_{name}" in data) for name in ("rules", "steps")}
        sent = {name: 0 if data is None else _sent(data, name) for name in ("rules", "steps")}
        numbers = {
            "rules": min(max(sent["rules"] + more["rules"], len(rows), 3), MOST_ROWS),
            "steps": min(max(sent["steps"] + more["steps"], len(steps), 3), MOST_STEPS),
        }
        self.rule_rows = [
            PointRuleForm(data, prefix=f"rules-{at}", initial=_rule_row(rows[at]) if at < len(rows) else {})
            for at in range(numbers["rules"])
        ]
        self.step_rows = [
            StepForm(data, prefix=f"steps-{at}", initial=_short(vars(steps[at])) if at < len(steps) else {})
            for at in range(numbers["steps"])
        ]

    @property
    def can_add(self) -> dict[str, bool]:
        """Whether there may be another row of rules and of steps."""
        return {"rules": len(self.rule_rows) < MOST_ROWS, "steps": len(self.step_rows) < MOST_STEPS}

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        rows_ok = [row.is_valid() for row in (*self.rule_rows, *self.step_rows)]  # each says what is wrong with it
        if not all(rows_ok):
            raise forms.ValidationError(_("A row below isn't right yet."))
        if self.errors:
            return data
        rows = [row.cleaned_data for row in self.rule_rows if row.cleaned_data.get("behaviour")]
        steps = [row.cleaned_data for row in self.step_rows if row.cleaned_data.get("name")]
        document = {
            **{name: data[name] for name in ("title", "first", "days", "segment", "seed")},
            "rules": [{**row, "dates": row["dates"].replace(",", " ").split()} for row in rows],
            "steps": steps,
            "response": {name: data[name] / 100 for name in RESPONSES},
        }
        try:
            self.rules = read(document)
        except Refused as refusal:
            self.add_error(refusal.at if refusal.at in self.fields else None, refusal.sentence)
        return data


def _sent(data: Any, name: str) -> int:
    """How many rows a form sent."""
    places = [key.split("-")[1] for key in data if key.startswith(f"{name}-") and key.count("-") == 2]
    return 1 + max((int(place) for place in places if place.isdecimal() and len(place) < 4), default=-1)


def _initial(rules: Rules) -> dict[str, Any]:
    response = {name: round(100 * getattr(rules.response, name), 1) for name in RESPONSES}
    return {name: getattr(rules, name) for name in ("title", "first", "days", "segment", "seed")} | _short(response)


def _rule_row(rule: PointRule) -> dict[str, Any]:
    dates = " ".join(day.isoformat() for day in rule.dates)
    times = None if rule.multiplier == 1 else rule.multiplier
    return _short({**vars(rule), "dates": dates, "multiplier": times})


def _short(row: dict[str, Any]) -> dict[str, Any]:
    """The values with whole numbers as such: 100, not 100.0."""
    return {name: f"{value:.10g}" if isinstance(value, float) else value for name, value in row.items()}


class PlayForm(forms.Form):
    """Thresholds and response of a finished balance, to move; and a share of users to find a threshold for.

    Args:
        data: what was sent; missing values are those of the rules.
        rules: of the balance.
    """

    step = forms.TypedChoiceField(label=_("Step"), coerce=int, required=False)
    share = forms.FloatField(label=_("Per cent of users"), required=False, min_value=0.1, max_value=99.9)

    def __init__(self, data: Any = None, *, rules: Rules) -> None:
        super().__init__(data)
        self.given, self.highest = rules, 2 * rules.steps[-1].points
        self.slider_step = 10.0 ** floor(log10(self.highest / 300))  # about a thousandth of its range, round
        for place, step in enumerate(rules.steps):
            self.fields[f"points_{place}"] = forms.FloatField(
                label=step.name,
                required=False,
                initial=f"{step.points:.10g}",
                min_value=0.01,
                max_value=MOST_POINTS,
                widget=forms.NumberInput({"step": "any"}),
            )
        for name, label in (("low", _("at the low end")), ("middle", _("most likely")), ("high", _("at the high end"))):
            self.fields[name] = forms.FloatField(
                label=label,
                required=False,
                initial=f"{round(100 * getattr(rules.response, name), 1):g}",
                min_value=-100,
                max_value=100 * MOST_RESPONSE,
            )
        choices = [(place, step.name) for place, step in enumerate(rules.steps)]
        self.fields["step"].choices = choices  # type: ignore[attr-defined]
        self.initial["step"] = len(choices) - 1

    @property
    def thresholds(self) -> list[forms.BoundField]:
        """One field for each step."""
        return [self[f"points_{place}"] for place in range(len(self.given.steps))]

    @property
    def responses(self) -> list[forms.BoundField]:
        """Low, middle and high response, per cent."""
        return [self[name] for name in RESPONSES]

    @property
    def wanted(self) -> tuple[int, float]:
        """The place of a step, and the share of users that is to reach it; 0 where none was asked for."""
        return self.cleaned_data.get("step") or 0, (self.cleaned_data.get("share") or 0.0) / 100

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if self.errors:
            return data
        old = self.given
        points = [
            step.points if data[f"points_{at}"] is None else data[f"points_{at}"] for at, step in enumerate(old.steps)
        ]
        response = {name: getattr(old.response, name) if data[name] is None else data[name] / 100 for name in RESPONSES}
        try:
            self.rules = with_points(old, points, response)
        except Refused as refusal:
            self.add_error(None, refusal.sentence)
        return data
