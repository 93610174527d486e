"""Definitions of behaviours, retention and metrics as sentences and short names in the reader's language. Pure."""

from events.metrics import (
    Active,
    Behaviour,
    Capped,
    Count,
    Expression,
    Funnel,
    Metric,
    MinDays,
    MinEvents,
    Plain,
    Quantile,
    Ratio,
    Retention,
    Survival,
    Tier,
    Total,
    Value,
    display_name,
    parse_metric,
)
from reporting.words import days_words, gettext, shown, times_words
from runs.refusals import Refused

SQL_SHOWN = 60  # characters of a SELECT shown in a heading


def sentence(definition: Metric | Behaviour) -> str:
    """The definition as one sentence in the reader's language, shown beside every result."""
    if isinstance(definition, Behaviour):
        return _behaviour_sentence(definition)
    if isinstance(definition, Plain | Capped | Quantile | Ratio):
        return _value_sentence(definition)
    if isinstance(definition, Funnel):
        return _funnel_sentence(definition)
    return _retention_sentence(definition)


def _retention_sentence(definition: Retention) -> str:
    match definition:
        case Survival(gap):
            if gap == 1:
                return gettext("Time to churn: days until the first silence of at least one full day.")
            return gettext("Time to churn: days until the first silence of at least {gap} full days.").format(gap=gap)
        case Tier(window, days, model, number):
            text = gettext(
                "At level {level} of {model} (version {number}) or above from day {first} to day {last}: active on at "
                "least {days}."
            )
            return text.format(
                level=level_name(definition.level),
                model=model,
                number=number,
                days=days_words(days),
                first=window.start_day,
                last=window.end_day,
            )
        case MinDays(window, days) if days > 1:
            text = gettext("Retained: active on at least {days} different days from day {first} to day {last}.")
            return text.format(days=days, first=window.start_day, last=window.end_day)
        case MinEvents(event, window, times):
            text = gettext("Retained: did {event} at least {times} from day {first} to day {last}.")
            return text.format(
                event=shown(event), times=times_words(times), first=window.start_day, last=window.end_day
            )
    first, last = definition.window.start_day, definition.window.end_day
    if last is None:
        text = gettext("Retained: active on day {first} or any later day. It grows as the data age: for display only.")
    elif first == last:
        text = gettext("Retained: active on day {first}.")
    else:
        text = gettext("Retained: active on at least one day from day {first} to day {last}.")
    return text.format(first=first, last=last)


def level_name(level: str) -> str:
    """A level of activity."""
    return {"low": gettext("low"), "mid": gettext("middle"), "high": gettext("high")}[level]


def _funnel_sentence(definition: Funnel) -> str:
    text = gettext("Came through: each step later than the one before, from day {first} to day {last}: {steps}.")
    days = {"first": definition.window.start_day, "last": definition.window.end_day}
    return text.format(steps=_steps(definition), **days)


def _steps(definition: Funnel) -> str:
    names = [
        shown(step.event)
        if step.where is None
        else f"{shown(step.event)} [{shown(step.event, step.where[0])} = {step.where[1]}]"
        for step in definition.steps
    ]
    return " → ".join(names)


def _value_sentence(definition: Value | Quantile | Ratio) -> str:
    if isinstance(definition, Ratio):
        text = gettext("Ratio over all users. Above the line: {numerator} Below the line: {denominator}")
        numerator, denominator = (_value_sentence(v) for v in (definition.numerator, definition.denominator))
        return text.format(numerator=numerator, denominator=denominator)
    if isinstance(definition, Quantile):
        text = gettext("The number that {share} of users don't exceed. {value}")
        return text.format(share=_share(definition.share), value=_value_sentence(definition.of))
    if isinstance(definition, Capped):
        return f"{_value_sentence(definition.of)} {_cap_sentence(definition)}"
    days = {"first": definition.window.start_day, "last": definition.window.end_day}
    match definition:
        case Count(behaviour):
            what = sentence(behaviour)
            return gettext("Per user, from day {first} to day {last}: {what}.").format(what=what, **days)
        case Total(event, prop):
            text = gettext("Per user, from day {first} to day {last}: the sum of {property} over {event}.")
            return text.format(property=shown(event, prop), event=shown(event), **days)
        case Expression(_, sql):
            text = gettext("Per user, from day {first} to day {last}, 0 where it gives no row: {sql}.")
            return text.format(sql=sql, **days)
    return gettext("Per user, from day {first} to day {last}: the number of active days.").format(**days)


def _share(share: float) -> str:
    return f"{100 * share:.10g}%"


def _cap_sentence(definition: Capped) -> str:
    share = "" if definition.share is None else _share(definition.share)
    if definition.cap is None:
        return gettext("Cut at the value that {share} of the users before the start don't exceed.").format(share=share)
    if not share:
        return gettext("Cut at {cap}.").format(cap=f"{definition.cap:,.12g}")
    text = gettext("Cut at {cap}, which {share} of the users before the start didn't exceed.")
    return text.format(cap=f"{definition.cap:,.12g}", share=share)


def _behaviour_sentence(behaviour: Behaviour) -> str:
    names = {"event": shown(behaviour.event), "distinct": shown(behaviour.event, behaviour.distinct or "")}
    if behaviour.where is None:
        text = (
            gettext("number of {event}") if behaviour.distinct is None else gettext("different {distinct} of {event}")
        )
        return text.format(**names)
    if behaviour.distinct is None:
        text = gettext("number of {event} where {property} is {value}")
    else:
        text = gettext("different {distinct} of {event} where {property} is {value}")
    return text.format(property=shown(behaviour.event, behaviour.where[0]), value=behaviour.where[1], **names)


def metric_words(text: str) -> str:
    """A metric's short name for headings and sentences; its text if it has none."""
    try:
        definition = parse_metric(text)
    except Refused:
        return display_name(text)
    if isinstance(definition, Tier):
        name = gettext("level {level} of {model} on days {first}–{last}")
        days = {"first": definition.window.start_day, "last": definition.window.end_day}
        return name.format(level=level_name(definition.level), model=definition.model, **days)
    if isinstance(definition, MinDays):
        name = gettext("retention ({days} of {first}–{last})")
        return name.format(
            days=days_words(definition.days), first=definition.window.start_day, last=definition.window.end_day
        )
    if isinstance(definition, MinEvents):
        window = definition.window
        name = gettext("{event} at least {times} on days {first}–{last}")
        return name.format(
            event=shown(definition.event),
            times=times_words(definition.times),
            first=window.start_day,
            last=window.end_day,
        )
    if isinstance(definition, Survival):
        text = gettext("time until one silent day") if definition.gap == 1 else gettext("time until {gap} silent days")
        return text.format(gap=definition.gap)
    if isinstance(definition, Funnel):
        name = gettext("{steps} on days {first}–{last}")
        days = {"first": definition.window.start_day, "last": definition.window.end_day}
        return name.format(steps=_steps(definition), **days)
    if isinstance(definition, Expression):  # names inside a SELECT are those of the log
        name = gettext("{steps} on days {first}–{last}")
        sql = definition.sql if len(definition.sql) <= SQL_SHOWN else f"{definition.sql[:SQL_SHOWN]}…"
        return name.format(steps=sql, first=definition.window.start_day, last=definition.window.end_day)
    if not isinstance(definition, Active):
        return display_name(text)
    first, last = definition.window.start_day, definition.window.end_day
    if last is None:
        return gettext("retention from day {first} on").format(first=first)
    if first == last:
        return gettext("retention on day {first}").format(first=first)
    return gettext("retention on days {first}–{last}").format(first=first, last=last)
