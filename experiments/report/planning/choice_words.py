"""The choices of a plan in words: costs, durations, and warnings. Pure."""

from experiments.plan.choices.costs import ChoiceCost
from experiments.plan.choices.plan_calendar import weeks
from experiments.plan.cluster_mistakes import Problem
from reporting.numbers import count, decimal
from reporting.words import days_words, gettext, reason_words
from stats.results import NotComputable, computable


def choice_name(choice: ChoiceCost) -> str:
    """Name of the choice in the first column."""
    if choice.code == "effect":
        return gettext("Plan for an effect {factor} times as large").format(factor=f"{choice.factor:g}")
    names = {
        "placebo": gettext("Placebo variant"),
        "doses": gettext("Dose variants"),
        "arm": gettext("One more variant"),
        "segments": gettext("Only these segments"),
        "coverage": gettext("Coverage below 100%"),
        "half_coverage": gettext("Enrol half of them"),
        "layer": gettext("A slice of a layer"),
        "holdout": gettext("Holdout"),
        "clusters": gettext("Draw whole clusters"),
        "guardrails": gettext("Guardrails with a margin"),
        "second_primary": gettext("Second primary outcome"),
        "adjusted": gettext("Adjusted comparison"),
        "looks": gettext("Looks before the end"),
    }
    return names[choice.code]


def choice_state(choice: ChoiceCost) -> str:
    """Whether the plan has made the choice."""
    return gettext("in the plan") if choice.chosen else gettext("not in the plan")


def with_and_without(choice: ChoiceCost) -> tuple[str, str]:
    """Duration with the choice, and without it."""
    now, turned = duration(choice.now), duration(choice.days)
    return (now, turned) if choice.chosen else (turned, now)


def difference(choice: ChoiceCost) -> str:
    """Days that the choice costs; a plus means longer."""
    if not (computable(choice.now) and computable(choice.days)):
        return ""
    more = choice.now - choice.days if choice.chosen else choice.days - choice.now
    if not more:
        return gettext("no difference")
    text = gettext("{days} longer") if more > 0 else gettext("{days} shorter")
    return text.format(days=days_words(abs(more)))


def duration(days: int | NotComputable) -> str:
    """Days, with weeks or years where these are easier to read."""
    if not computable(days):
        return reason_words(days)
    if days > 730:
        return gettext("{years} years").format(years=decimal(days / 365.25, 1))
    text = gettext("1 week") if weeks(days) == 1 else gettext("{weeks} weeks")
    return text.format(weeks=count(weeks(days)))


def caution_words(problem: Problem) -> str:
    """A warning as one plain sentence in the reader's language."""
    sentences = {
        "no_nudge": gettext("The nudge is empty: nobody knows what to build."),
        "same_values": gettext("All variants have the same value: a service that reads it shows everybody the same."),
        "nobody_enrolled": gettext("With this coverage nobody is enrolled."),
        "shares_units": gettext(
            "About {units} users of the running experiment “{name}” are in this audience too. Both changes then meet "
            "the same users; a common layer would keep them apart."
        ),
        "may_share_units": gettext(
            "Users to come can be in the running experiment “{name}” too. A common layer would keep them apart."
        ),
        "unknown_event": gettext("No event “{event}” has arrived so far, which “{metric}” counts."),
        "no_margin": gettext("“{metric}” has no margin: it can raise an alarm, but never be shown to be unharmed."),
        "take_up_beyond": gettext(
            "Without a nudge the share who reach the moment is {reach}%, so the most that can be "
            "moved to it is {room}%."
        ),
        "never_so_many": gettext("{units} users would take more than ten years: about {per_day} are enrolled a day."),
        "too_few_units": gettext(
            "The planned users are too few: this effect would be found with a chance of {chance}%, not {wanted}%."
        ),
        "too_long": gettext("At {per_day} users a day this takes {years} years. A plan should end within a year."),
        "end_too_soon": gettext(
            "The planned end comes {days} days before the planned users are enrolled, which is on {ends}."
        ),
        "unknown_length": gettext(
            "How long this takes isn't known: no users signed up in the last four weeks. Enter users per day."
        ),
        "unknown_power": gettext("Whether the planned users can show this effect isn't known: there is no base rate."),
    }
    return sentences[problem.code].format(**problem.details)
