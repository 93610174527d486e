"""The plan of a holdout report, and why its outcome is open or locked, in words. Pure."""

from experiments.analyse.holdout_report.holdout_question import HELD, HoldoutQuestion, Population
from experiments.analyse.holdout_report.holdout_result import HoldoutReport
from experiments.report.names import metric_sentence
from reporting.numbers import count, level_text, percent
from reporting.words import gettext


def plan_sentences(asked: HoldoutQuestion) -> list[str]:
    """Compared groups, outcome and days of the plan, which can't be changed any more."""
    compared = gettext("The {share} of users whom the holdout “{holdout}” keeps out, against all others. {who}")
    return [
        compared.format(share=percent(asked.share / 10_000), holdout=asked.holdout, who=population_sentence(asked)),
        gettext("Outcome: {outcome}").format(outcome=metric_sentence(asked.outcome)),
        readings_sentence(asked),
    ]


def population_sentence(asked: HoldoutQuestion) -> str:
    """Which units count, by the same rule on both sides."""
    since = asked.since.isoformat()
    texts = {
        Population.SIGNUP: gettext("Everybody counts who did “{event}” for the first time since {since}."),
        Population.FIRST_SEEN: gettext("Everybody counts whose first event came since {since}."),
        Population.KNOWN_BEFORE: gettext(
            "Everybody counts who was seen before {since}; days are counted from that date."
        ),
    }
    return texts[asked.population].format(event=asked.signup_event, since=since)


def readings_sentence(asked: HoldoutQuestion) -> str:
    """On which days the outcome may be read, and at which level."""
    alpha, end = level_text(asked.alpha), asked.end.isoformat()
    if asked.method == "fixed":
        text = gettext("Planned: one reading, on {end}, with the data up to that day. Alpha is {alpha}.")
        return text.format(end=end, alpha=alpha)
    units = count(asked.planned_units or 0)
    if asked.method == "group_sequential":
        text = gettext("Planned: readings on {dates}. They share an alpha of {alpha}; {units} users are expected.")
        return text.format(dates=", ".join(day.isoformat() for day in asked.readings), alpha=alpha, units=units)
    text = gettext(
        "Planned: it may be read on any day until {end}. The intervals hold on all these days together, at an alpha of "
        "{alpha}; {units} users are expected."
    )
    return text.format(end=end, alpha=alpha, units=units)


def state_sentence(report: HoldoutReport) -> str:
    """Why there is no answer now, and when one is expected."""
    if report.why == "too_few":
        return gettext("Fewer than 100 users on one side have a known outcome so far.")
    if report.why == "done" or report.next_on is None:
        return gettext("The last planned reading is over.")
    if report.why == "between":
        text = gettext("The next planned reading is on {day}. In between the outcome stays locked.")
    else:
        text = gettext(
            "The outcome stays locked until {day}, as planned: looking earlier would raise the false-positive rate."
        )
    return text.format(day=report.next_on.isoformat())


def side_words(side: str) -> str:
    """Name of a side."""
    return gettext("holdout") if side == HELD else gettext("rest")
