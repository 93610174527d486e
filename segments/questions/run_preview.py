"""Whom a segmentation would look at, before it starts."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.utils.translation import gettext as _

from events.catalogue.refresh import ready_catalogue
from events.metrics import Survival
from events.pickers.base_rate import BaseRate, RateQuestion, base_rate
from events.pickers.mends import Mend, Mendable
from reporting.numbers import count
from segments.questions.run_objections import Objection
from segments.search.gather import MAX_BEHAVIOURS
from segments.search.question import Inputs

SECONDS, SECONDS_PER_USER = 40.0, 0.008  # 5,000 users took about 80 seconds, with their maps


@dataclass(frozen=True)
class RunPreview:
    """What would happen.

    Attributes:
        users: who is old enough for the days of play and the outcome; counts are of a sample where `one_in` is above 1.
        rated: the base rate of the outcome is known and `users.rate` is it.
        behaviours: how many are compared.
        minutes: at least and at most.
    """

    users: BaseRate
    rated: bool
    behaviours: int
    minutes: tuple[int, int]


def run_preview(inputs: Inputs) -> RunPreview:
    """What a checked question would do; some minutes old at most.

    Raises:
        Refused: the log can't answer it at all.
    """
    users = base_rate(_question(inputs))
    names = len(ready_catalogue().search("", 10_000)) - 1  # the start event tells nothing of a day of play
    behaviours = len(inputs.behaviours) or max(0, min(names, MAX_BEHAVIOURS))
    seconds = SECONDS + SECONDS_PER_USER * users.eligible * users.one_in
    minutes = (max(1, round(seconds / 60)), max(1, round(2 * seconds / 60)))
    return RunPreview(users, _is_rated(inputs), behaviours, minutes)


def run_data_objections(inputs: Inputs) -> Iterator[Objection]:
    """Field and error for what the data can't answer."""
    found = base_rate(_question(inputs))
    if not found.signups:
        mends = [
            Mend("", _("Take all from the first day"), field="first_date"),
            Mend("", _("Take all until the last day"), field="last_date"),
        ]
        dates = (inputs.first_date, inputs.last_date)
        offered = [mend for mend, given in zip(mends, dates, strict=True) if given]
        yield "last_date" if any(dates) else "signup_event", Mendable(_("Nobody signed up in these dates."), *offered)
    elif not found.eligible:
        text = _("None of the %(n)s users who signed up has completed these days yet.") % {"n": count(found.signups)}
        yield "retention", Mendable(text, Mend("on_day:7", "D7"), Mend("6", _("Use 7 days of play"), field="last_day"))


def _is_rated(inputs: Inputs) -> bool:
    return inputs.definition is not None and not isinstance(inputs.definition, Survival)


def _question(inputs: Inputs) -> RateQuestion:
    """Who is old enough: by the outcome where it has days, since it lies behind the days of play; else by these."""
    definition, (first, last) = inputs.definition, inputs.dates
    day = inputs.last_day
    if isinstance(definition, Survival):
        day = max(day, definition.gap)
    elif definition is not None:
        return RateQuestion(str(definition), inputs.signup_event, first, last, inputs.day_mode)
    return RateQuestion(f"on_day:{day}", inputs.signup_event, first, last, inputs.day_mode)
