"""What the tables of effects say of the comparison: with a placebo or with control. Pure."""

from experiments.analyse.effects import Report
from reporting.numbers import percent
from reporting.words import gettext
from stats.instrument.encouragement import TakeUp


def placebo_serves(report: Report) -> bool:
    """Some comparison is with the placebo."""
    return any(row.compared_with for outcome in report.outcomes for row in outcome.comparisons)


def comparison_note(report: Report) -> str:
    """What is subtracted from what."""
    note = gettext("Differences are variant minus control (%(control)s); p belongs to the absolute difference.")
    note = note % {"control": report.design.control}
    if placebo_serves(report):
        note = gettext(
            "Differences are variant minus what it is compared with: the placebo (%(placebo)s), which is as loud and "
            "leaves the behaviour alone, and control (%(control)s) where nothing else is named. Rows without a verdict "
            "decide nothing: that of the placebo shows what being nudged does by itself, and the nudge against control "
            "holds both. p belongs to the absolute difference."
        ) % {"control": report.design.control, "placebo": report.design.placebo}
    return note


def take_up_arms(found: TakeUp, placebo: str) -> str:
    """Both shares that reached the behaviour."""
    both = (
        gettext("%(control)s with the placebo, %(variant)s with the nudge")
        if placebo
        else gettext("%(control)s in control, %(variant)s with the nudge")
    )
    return both % {"control": percent(found.control), "variant": percent(found.variant)}


def placebo_arms(found: TakeUp) -> str:
    """Both shares that reached the behaviour, of control and of the placebo itself."""
    both = gettext("%(control)s in control, %(variant)s with the placebo")
    return both % {"control": percent(found.control), "variant": percent(found.variant)}
