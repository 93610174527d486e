"""The balance of an event as sentences, tables and one JSON document. Pure."""

from typing import Any

from events.metrics import display_name
from launches.balance.rules import PointRule, Rules
from launches.balance.simulation import LEVEL, Balance, BalanceReport, Band, Change, Found, Happened, StepResult
from reporting.charts import SERIES, date_ticks, reading
from reporting.document import dump, outward
from reporting.numbers import between, count, day_text, level_text, limits, percent, signed_percent, significant
from reporting.plain_svg import Sheet
from reporting.table import Table
from reporting.words import gettext


def headline(balance: Balance) -> str:
    """Who reaches the last step, and what all rewards cost."""
    last = balance.steps[-1]
    text = gettext("{step} is won by {share} of {users} users; all rewards cost {cost}.")
    return text.format(
        step=balance.rules.steps[-1].name,
        share=_share(last.share),
        users=count(balance.users),
        cost=_number(balance.cost),
    )


def came_words(balance: Balance, happened: Happened) -> str:
    """What came of the event beside what was promised."""
    text = gettext("{step} was won by {came} of the users: {promised} were promised. All rewards cost {cost}.")
    return text.format(
        step=balance.rules.steps[-1].name,
        came=percent(happened.steps[-1].share),
        promised=_share(balance.steps[-1].share),
        cost=significant(happened.cost),
    )


def how(balance: Balance) -> str:
    """What was played, and what the ranges mean."""
    text = gettext(
        "Played over {blocks} past runs of {days} days with the event's weekdays, the newest from {day} on. Ranges: "
        "{level} of next runs, by how past runs and users differ."
    ).format(
        blocks=len(balance.blocks), days=balance.rules.days, day=day_text(balance.blocks[0]), level=level_text(LEVEL)
    )
    if balance.one_in > 1:
        text += " " + gettext("One in {n} users was played.").format(n=count(balance.one_in))
    return text


def response_words(rules: Rules) -> str:
    """The response that was supposed; "" where the event is supposed to change nothing."""
    u = rules.response
    if u.low == u.middle == u.high == 0:
        return gettext("Users are supposed to do as much as before. Give a response (low, middle, high) if they won't.")
    text = gettext("Users are supposed to do {middle} more than before ({low} at the low end, {high} at the high end).")
    return text.format(middle=signed_percent(u.middle), low=signed_percent(u.low), high=signed_percent(u.high))


def asked_words(rules: Rules) -> list[tuple[str, str]]:
    """The rules in words: question and answer."""
    last = rules.last
    rows = [(gettext("Days"), f"{day_text(rules.first)} – {day_text(last)}")]
    rows += [(gettext("Rule {n}").format(n=place), _rule_words(rule)) for place, rule in enumerate(rules.rules, 1)]
    if rules.segment:
        rows.append((gettext("Segment"), rules.segment))
    return [*rows, (gettext("Response"), response_words(rules)), (gettext("Seed"), str(rules.seed))]


def _rule_words(rule: PointRule) -> str:
    text = gettext("{behaviour}: {points} points each").format(
        behaviour=display_name(rule.behaviour), points=f"{rule.points:,.10g}"
    )
    if rule.cap_times is not None:
        text += gettext(", at most {n} times a day").format(n=count(rule.cap_times))
    if rule.cap_points is not None:
        text += gettext(", at most {n} points a day").format(n=f"{rule.cap_points:,.10g}")
    if rule.multiplier != 1:
        days = [*map(weekday_name, rule.weekdays), *map(day_text, rule.dates)]
        text += gettext(", times {n} on {days}").format(n=f"{rule.multiplier:g}", days=", ".join(days))
    return text


def weekday_name(day: str) -> str:
    """A day of the week, as short as in a form."""
    return {
        "mon": gettext("Mon"),
        "tue": gettext("Tue"),
        "wed": gettext("Wed"),
        "thu": gettext("Thu"),
        "fri": gettext("Fri"),
        "sat": gettext("Sat"),
        "sun": gettext("Sun"),
    }[day]


def steps_table(balance: Balance) -> Table:
    """The steps: who reaches them, what they cost, when the stock is gone."""
    u = balance.rules.response
    ranges = [gettext("at low and high response")] if u.low < u.high else []
    columns = (gettext("step"), gettext("points to win it"), gettext("users who win it"), *ranges)
    rows = []
    for step, found in zip(balance.rules.steps, balance.steps, strict=True):
        ends = [between(percent(found.share.at_low), percent(found.share.at_high))] if ranges else []
        cells = (step.name, f"{step.points:,.10g}", _share(found.share), *ends)
        rows.append((*cells, _number(found.cost), _stock(balance, found, step.stock)))
    return Table(gettext("Steps"), (*columns, gettext("cost"), gettext("stock")), tuple(rows))


def days_sheet(balance: Balance) -> Sheet:
    """Who has won each step by each day, with its range."""
    days, steps = balance.rules.days, list(zip(balance.rules.steps, balance.steps, strict=True))
    top = max([0.05, *(min(1.0, band.high) for _rule, found in steps for band in found.by_day)]) * 1.06
    sheet = Sheet("balance-days", gettext("Who has won each step by each day"), (-0.5, days - 0.5), (0.0, top))
    sheet.share_axis(gettext("users"))
    sheet.x_axis(gettext("day of the event"), date_ticks(balance.rules.dates))
    for place, (rule, found) in enumerate(steps):
        colour = SERIES[place % len(SERIES)]
        beside = (place - (len(steps) - 1) / 2) * 0.08  # so that ranges of one day don't hide each other
        with sheet.named(rule.name):
            sheet.line([(day, band.estimate) for day, band in enumerate(found.by_day)], colour, place)
            for day, band in enumerate(found.by_day):
                sheet.interval(day + beside, band.low, min(band.high, top), colour)
    sheet.legend([(rule.name, SERIES[place % len(SERIES)]) for place, (rule, _found) in enumerate(steps)])
    said = [
        (day, reading(day_text(on), [(rule.name, _share(found.by_day[day])) for rule, found in steps]))
        for day, on in enumerate(balance.rules.dates)
    ]
    sheet.readings(said, ["" for _ in said], [(on, on) for on in balance.rules.dates])
    return sheet


def groups_table(balance: Balance) -> Table | None:
    """The share of each group that reaches each step; None without groups."""
    if len(balance.groups) < 2:
        return None
    columns = (gettext("group"), gettext("users"), *(step.name for step in balance.rules.steps))
    rows = []
    for place, group in enumerate(balance.groups):
        shares = [step.by_group[place] for step in balance.steps]
        cells = ["–" if share is None else _share(share) for share in shares]
        rows.append((group.name or group.key, count(group.users), *cells))
    return Table(gettext("By segment"), columns, tuple(rows))


def sensitivity_table(balance: Balance) -> Table:
    """What the last step and the cost would be with one thing changed."""
    columns = (gettext("changed"), gettext("users who win the last step"), gettext("cost"))
    rows = tuple(
        (_changed(balance.rules, row.change, row.rule), percent(row.shares[-1]), significant(row.cost))
        for row in balance.sensitivity
    )
    return Table(gettext("How much hangs on what"), columns, rows)


def happened_table(balance: Balance, happened: Happened) -> Table:
    """The promise beside what happened."""
    columns = (gettext("step"), gettext("as promised"), gettext("as it came"), gettext("newcomers beside them"))
    rows = [
        (rule.name, _share(promised.share), percent(came.share), count(came.newcomers))
        for rule, promised, came in zip(balance.rules.steps, balance.steps, happened.steps, strict=True)
    ]
    rows.append((gettext("cost of all rewards"), _number(balance.cost), significant(happened.cost), ""))
    note = ""
    if happened.response is not None:
        u = happened.response
        note = gettext(
            "Activity: {middle} against what was expected ({low} to {high}). That is the response to suppose next time."
        )
        note = note.format(middle=signed_percent(u.middle), low=signed_percent(u.low), high=signed_percent(u.high))
    return Table(gettext("Promised and happened"), columns, tuple(rows), note)


def found_words(rules: Rules, place: int, wanted: float, found: Found) -> str:
    """The threshold that a search has found."""
    text = gettext("{step} is won by {share} of the users at {points} points; {wanted} were asked for.")
    return text.format(
        step=rules.steps[place].name, share=percent(found.share), points=f"{found.points:,.10g}", wanted=percent(wanted)
    )


def document(balance: Balance, happened: Happened | None = None, found: Found | None = None) -> dict[str, Any]:
    """The balance for other programs."""
    content: dict[str, Any] = {"balance": dump(balance), "sentence": headline(balance)}
    if happened is not None:
        content["happened"] = dump(happened)
    if found is not None:
        content["found"] = dump(found)
    return outward(content)  # type: ignore[no-any-return]


def stored_document(report: BalanceReport) -> dict[str, Any]:
    """A stored result for other programs, as `balance --json` prints it."""
    return document(report.balance, report.happened)


def _share(band: Band) -> str:
    return limits(band.estimate, band.low, band.high)


def _number(band: Band) -> str:
    return f"{significant(band.estimate)} ({between(significant(band.low), significant(band.high))})"


def _stock(balance: Balance, found: StepResult, stock: int | None) -> str:
    if stock is None or found.runs_out is None:
        return gettext("as needed")
    if found.runs_out.day is None:
        return gettext("{stock}: lasts").format(stock=count(stock))
    text = gettext("{stock}: gone on {day}; {without} users go without")
    return text.format(
        stock=count(stock),
        day=day_text(balance.rules.dates[found.runs_out.day]),
        without=count(round(found.runs_out.without.estimate)),
    )


def _changed(rules: Rules, change: Change, rule: int | None) -> str:
    name = "" if rule is None else display_name(rules.rules[rule].behaviour)
    return {
        Change.LESS: gettext("a tenth less activity"),
        Change.MORE: gettext("a tenth more activity"),
        Change.WITHOUT: gettext("without {rule}").format(rule=name),
        Change.DOUBLED: gettext("{rule} counts double").format(rule=name),
    }[change]
