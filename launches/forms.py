"""The form of a launch: six questions in words."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from events.metrics import LONGEST_LINE
from events.pickers.fields import BehaviourField, Combobox, EventField, MetricField
from launches.answers import DAYS_AFTER, LONGEST, LONGEST_DELAY, USUAL_DAYS, Answers, Curve, Direction, Meets, checked
from launches.models import Launch
from runs.refusals import Refused

DATE = forms.DateInput({"type": "date"})
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
