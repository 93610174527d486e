"""What an insight team does beside experiments: a calendar, a launch nobody drew, an event to come, growth.

Nothing changed in the made-up world on the launch's day, and its log is short: the right answer is "can't tell".
"""

from datetime import date, timedelta

from django.utils.translation import gettext, gettext_noop

from events.calendar import entries
from events.calendar.entries import Written
from insight_site.demo import texts
from insight_site.demo.made_up_users import TimeLine
from launches import readings
from launches.answers import Answers, Curve, Meets
from launches.balance import runs
from launches.balance.rules import PointRule, Response, Rules, Step
from launches.growth import forecasts
from launches.models import BalanceRun

DECISION = gettext_noop("Keep it if D7 rises by a point; else ask the players.")
CALENDAR = (  # kind, title, days after the experiment's start, days that it lasts
    ("release", texts.RELEASE, -20, 1),
    ("campaign", texts.CAMPAIGN, 12, 5),
    ("outage", texts.OUTAGE, 30, 1),
)
STEPS = (
    (gettext_noop("Badge"), 60, 0.0, None),
    (gettext_noop("Rare sword"), 150, 0.5, None),
    (gettext_noop("Dragon"), 300, 4.0, 50),
)


def write_the_calendar(line: TimeLine) -> None:
    """Three entries, which stand as marks on the curves."""
    start = line.experiment.date()
    for kind, title, after, days in CALENDAR:
        first = start + timedelta(days=after)
        last = first + timedelta(days=days - 1) if days > 1 else None
        entries.add(entry=Written(kind, gettext(title), first, last, owner=gettext("Operations")), by=None)


def judge_a_launch(line: TimeLine) -> str:
    """Register a launch and read its curve; the code of what it suggests."""
    launch = readings.register(
        answers=Answers(
            title=gettext(texts.LAUNCH),
            began=line.experiment.date() + timedelta(days=28),
            curve=Curve.NEW_USERS,
            decision=gettext(DECISION),
            outcome="on_day:7",
            signup_event="signup",
            meets=Meets.NEW,
        )
    )
    reading = readings.create_reading(launch=launch)
    readings.run_reading(reading.pk)
    reading.refresh_from_db()
    return reading.suggestion or reading.reason_in_words


def balance_an_event(today: date, seed: int) -> BalanceRun:
    """An event of the week after next, played over the past."""
    rules = Rules(
        title=gettext(texts.EVENT),
        first=today + timedelta(days=14 - today.weekday()),
        days=7,
        rules=(
            PointRule("battle", 10.0, cap_times=5, multiplier=2.0, weekdays=("sat", "sun")),
            PointRule("craft", 15.0, cap_points=30.0),
        ),
        steps=tuple(Step(gettext(name), float(points), cost, stock) for name, points, cost, stock in STEPS),
        response=Response(0.0, 0.1, 0.3),
        seed=seed,
    )
    run = runs.create_balance(rules=rules)
    runs.run_balance(run.pk)
    run.refresh_from_db()
    if run.status == BalanceRun.Status.DONE:
        runs.promise(run=run)
    return run


def forecast_growth() -> None:
    """Active users of the next year, as its page begins with them."""
    forecasts.run_forecast(forecasts.create_forecast().pk)
