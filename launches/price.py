"""What readings of launches, plays of events and forecasts read of the log, in the order of their questions: prices."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import Any

from events.metrics import Count, Ratio, parse_behaviour, parse_metric
from events.warehouse.price import Store
from events.warehouse.price import price_of as store_price
from events.warehouse.readings import EVENT, TIME, USER, Reading, acts, cohort, event_names, opening, outcomes, whole
from events.windows import Window
from launches.answers import DAY, Answers, Curve
from launches.balance import runs as balances
from launches.balance.gather import LOOK, past_of
from launches.balance.rules import Rules
from launches.gather import MOST_BLOCKS
from launches.models import BalanceRun, GrowthForecast, LaunchReading
from runs import site_zone
from runs.prices import Price


def price_of_run(run: LaunchReading) -> Price:
    """What a stored reading would read."""
    answers = run.launch.answers
    return store_price(lambda store: readings(answers, store))


def readings(answers: Answers, store: Store) -> Iterator[Reading]:
    """All readings; not those by which a locked outcome is kept apart."""
    days = answers.days
    yield opening()
    if answers.curve is not Curve.ACTIVE_USERS:
        yield event_names()
    spans = [(days.earlier(MOST_BLOCKS).first, days.last)]
    spans += [(days.first_after, days.last)] if answers.took_part else []
    for place, (first, last) in enumerate(spans):
        if answers.curve is not Curve.NEW_USERS:
            done = acts([parse_behaviour(answers.outcome)]) if answers.curve is Curve.PER_ACTIVE_USER else ()
            since, until = site_zone.midnight(first), site_zone.midnight(last + DAY)
            yield whole(USER, TIME, EVENT, *done, since=since, until=until)
            continue
        basis = replace(store.basis, first=first - DAY, last=last + DAY)
        yield cohort(basis, answers.signup_event)
        asked = [parse_metric(line) for line in (answers.outcome, answers.unmoved) if line]
        parts: list[Any] = []
        for one in asked:
            parts += (one.numerator, one.denominator) if isinstance(one, Ratio) else (one,)
        took_part = [Count(parse_behaviour(answers.took_part), Window(0, answers.length - 2))] if place else []
        yield from outcomes(basis, [*parts, *took_part])


def price_of_balance(run: BalanceRun) -> Price:
    """What a stored play or comparison would read."""
    rules = balances.rules_of(run)
    if run.of_id is None:
        return store_price(lambda store: _days(rules, *past_of(rules, store.basis.data_end)))
    return store_price(lambda _store: _days(rules, rules.first, rules.last + DAY))


def _days(rules: Rules, first: date, end: date) -> Iterator[Reading]:
    yield opening()
    yield event_names()
    until, done = site_zone.midnight(end), acts([parse_behaviour(one) for one in rules.behaviours])
    yield whole(USER, TIME, EVENT, since=site_zone.midnight(end - LOOK * DAY), until=until)
    yield whole(USER, TIME, EVENT, *done, since=site_zone.midnight(first - LOOK * DAY), until=until)


def price_of_growth(_run: GrowthForecast) -> Price:
    """What a forecast of growth would read; less where the log's days are kept."""
    return store_price(lambda store: [opening(), whole(USER, TIME, EVENT, until=store.basis.data_end)])
