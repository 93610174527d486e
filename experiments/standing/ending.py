"""When the result of an experiment is available: the date that lists, home, admin and pages show.

A unit enrolled on the last day has its outcome some days later: the result opens then, not on the day that enrolment
ends. Both days are shown together, so that they aren't confused.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from experiments.plan.result_day import result_on


@dataclass(frozen=True)
class Ending:
    """The end of an experiment.

    Attributes:
        enrolment: the day on which enrolment ends as planned, or has ended; None without a planned end.
        result: the day from which every outcome is known; None while unknown.
        days_left: whole days until the result, 0 from that day on; None while unknown.
        overdue: True when the planned end of enrolment has passed and enrolment continues.
        ended: True when enrolment has ended.
    """

    enrolment: date | None
    result: date | None
    days_left: int | None
    overdue: bool
    ended: bool

    @property
    def left(self) -> str:
        """Days until the result in words; "" once it is available, or while the date is unknown."""
        if not self.days_left:
            return ""
        return ngettext("{n} day left", "{n} days left", self.days_left).format(n=self.days_left)

    @property
    def said(self) -> str:
        """Both days in a sentence."""
        if self.enrolment is None:
            return _("No end is planned yet.")
        days = {"enrolment": date_format(self.enrolment), "left": self.left}
        if self.result is None:
            return _("Enrolment until {enrolment}.").format(**days)
        days["result"] = date_format(self.result)
        if self.overdue:
            text = _("Enrolment was to end on {enrolment}. If it ends today, the result is complete on {result}.")
            return text.format(**days)
        if not self.ended:
            return _("Result on {result} ({left}); enrolment until {enrolment}.").format(**days)
        if self.left:
            return _("Result on {result} ({left}); enrolment ended on {enrolment}.").format(**days)
        return _("Result since {result}; enrolment ended on {enrolment}.").format(**days)


def end_note(*, before_05: date | None, planned: date | None, ended: date | None) -> str:
    """A reminder to check a planned end set before 0.5; "" for any other, and once enrolment has ended.

    The button of 0.4 filled in the day of the result. Which ends came from it isn't recorded, so none is changed.
    """
    if before_05 is None or before_05 != planned or ended is not None:
        return ""
    text = _("Before 0.5 the button filled in the day of the result. Check that enrolment should end on {end}.")
    return text.format(end=date_format(before_05))


def ending(*, planned: date | None, ended: date | None, outcomes: Sequence[str], today: date) -> Ending:
    """The end, computed like the outcome lock (`experiments.analyse.outcome_lock`).

    Args:
        planned: end of enrolment in the plan.
        ended: local day on which enrolment was closed or the experiment stopped; None while it runs.
        outcomes: primary outcomes, as their text.
        today: local date.
    """
    last = ended if ended is not None else planned
    if last is None:
        return Ending(None, None, None, overdue=False, ended=False)
    overdue = ended is None and last < today and bool(outcomes)
    result = result_on(today if overdue else last, outcomes)
    left = None if result is None else max((result - today).days, 0)
    return Ending(last, result, left, overdue=overdue, ended=ended is not None)
