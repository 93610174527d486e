"""The price of reading a launch's curve is what it then reads, and a budget refuses it before anything is read."""

from typing import Any

import pytest

from events.simulation.launch_worlds import LAUNCH_WORLDS
from events.warehouse import engine
from events.warehouse.session import questions
from launches import readings
from launches.answers import Answers, Curve, Meets
from launches.gather import gather
from launches.models import LaunchReading
from launches.price import price_of_run
from runs.prices import metered
from runs.progress import silent
from runs.refusals import Refused
from tests.launches.make import answers

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("world_store")]
SIGNUPS = 250  # a day: files of a few hundred rows are little but their footers
BEGAN = LAUNCH_WORLDS["launch_step"].launch
CALENDAR: dict[str, Any] = {"outcome": "", "signup_event": "", "meets": Meets.EVERYBODY}
ASKED = {
    "share of new users": answers(began=BEGAN),
    "first event of any kind": answers(began=BEGAN, signup_event="*"),
    "a ratio, and what can't move": answers(
        began=BEGAN, outcome="count:play:0-3 / active_days:0-3", unmoved="window:0-0"
    ),
    "who took part": answers(began=BEGAN, took_part="play"),
    "active users": answers(began=BEGAN, **{**CALENDAR, "curve": Curve.ACTIVE_USERS}),
    "an act": answers(began=BEGAN, **{**CALENDAR, "curve": Curve.PER_ACTIVE_USER, "outcome": "play"}),
}


@pytest.mark.parametrize("given", ASKED.values(), ids=ASKED)
def test_price__told__is_within_20_percent_of_what_is_read(given: Answers) -> None:
    run = LaunchReading(launch=readings.register(answers=given))
    told = price_of_run(run)
    with metered() as meter, questions() as store:
        gather(store, given, silent)
    assert told.known
    assert told.bytes == pytest.approx(meter.bytes, rel=0.2)


def test_budget__below_the_price__refuses_before_anything_is_read(
    world_store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    launch = readings.register(answers=answers(began=BEGAN))
    price = price_of_run(LaunchReading(launch=launch))
    monkeypatch.setattr(engine, "connect", None)
    world_store.BUDGET_RUN_BYTES = price.bytes - 1
    with pytest.raises(Refused, match="BUDGET_RUN_BYTES"):
        readings.start_reading(launch=launch)
    assert not LaunchReading.objects.exists()
    world_store.BUDGET_RUN_BYTES = price.bytes
    assert readings.start_reading(launch=launch).pk
