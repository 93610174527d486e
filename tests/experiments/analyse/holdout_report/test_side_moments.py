"""Who counts in a holdout report, and what they did: a log that can be counted on fingers."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from events.windows import Clock
from experiments.analyse.across.holdout_question import HELD, REST, HoldoutQuestion, Population
from experiments.analyse.across.holdout_readings import moments_of
from experiments.analyse.across.holdout_result import SideMoments
from experiments.draw.bucketing import unit_hash
from runs.refusals import Refused
from tests.experiments.ask import opened, rows_of
from tests.experiments.log import END, START, did, met

SEED = "holdout:h"
SHARE = 5_000


def held(unit: str) -> bool:
    return unit_hash(SEED, unit) < SHARE / 10_000


def asked(**changes: Any) -> HoldoutQuestion:
    given: dict[str, Any] = {
        "holdout": "h",
        "seed": SEED,
        "share": SHARE,
        "since": START.date(),
        "population": Population.SIGNUP,
        "signup_event": "signup",
        "outcome": "window:2-3",
        "day_mode": "rolling",
        "alpha": 0.05,
        "method": "fixed",
        "readings": (date(2026, 3, 20),),
        "planned_units": None,
        "spending": "obrien_fleming",
        **changes,
    }
    return HoldoutQuestion(**given)


def moments(rows: list[tuple[Any, ...]], until: datetime = END, **changes: Any) -> SideMoments:
    with opened(rows_of(rows), END, Clock()) as questions:
        return moments_of(questions, asked(**changes), until)


UNITS = [f"u{number}" for number in range(40)]
IN, OUT = ([unit for unit in UNITS if held(unit) is side] for side in (True, False))


def sizes(found: SideMoments) -> tuple[int, int]:
    return found.units[HELD], found.units[REST]


def means(found: SideMoments, place: int = 0) -> tuple[float, float]:
    return tuple(float(found.outcome[side].means[place]) for side in (HELD, REST))  # type: ignore[return-value]


def test_sides__are_those_of_the_draw_and_of_signups_since_then() -> None:
    rows = [did(unit, "signup", 1) for unit in (*IN[:3], *OUT[:5])]
    rows += [did(IN[3], "signup", -1), did(OUT[5], "play", 1)]  # signed up before, and never
    rows += [did(unit, "play", 24 * 2 + 2) for unit in (IN[0], OUT[0], OUT[1])]

    found = moments(rows)

    assert sizes(found) == (3, 5)
    assert means(found) == pytest.approx((1 / 3, 2 / 5))


def test_share__at_a_draw__holds_out_what_lies_below_it() -> None:
    unit = UNITS[0]
    draw = round(unit_hash(SEED, unit) * 10_000)
    rows = [did(unit, "signup", 1), did(unit, "play", 2)]

    assert sizes(moments(rows, share=draw)) == (0, 1)
    assert sizes(moments(rows, share=draw + 1)) == (1, 0)


def test_exposures__neither_begin_days_nor_make_active() -> None:
    # The rest alone has exposures: one before the first event would make its clock begin earlier than the holdout's.
    rows = [did(IN[0], "visit", 30), did(OUT[0], "visit", 30), met(OUT[0], "nudge", 1), met(OUT[0], "nudge", 30 + 50)]
    rows += [met(OUT[1], "nudge", 5)]  # who has nothing but an exposure is missing, as in the holdout

    found = moments(rows, population=Population.FIRST_SEEN, signup_event="")

    assert sizes(found) == (1, 1)
    assert means(found) == (0.0, 0.0)


def test_first_seen__before_the_date__is_not_new() -> None:
    rows = [did(IN[0], "visit", -1), did(IN[0], "visit", 5), did(IN[1], "visit", 0), did(OUT[0], "visit", 5)]

    assert sizes(moments(rows, population=Population.FIRST_SEEN, signup_event="")) == (1, 1)


def test_known_before__all_begin_with_the_date() -> None:
    # Days count from the date itself: nobody has to come back to be counted, so coming back may be the outcome.
    rows = [did(unit, "visit", -300) for unit in (IN[0], IN[1], OUT[0], OUT[1])]
    rows += [did(IN[0], "visit", 48), did(OUT[0], "visit", 47.9), did(OUT[1], "visit", 95.9), did(OUT[2], "visit", 1)]

    found = moments(rows, population=Population.KNOWN_BEFORE, signup_event="")

    assert sizes(found) == (2, 2)
    assert means(found) == (0.5, 0.5)


@pytest.mark.parametrize(("hours", "mature"), [(24 * 4 + 1, 1), (24 * 4 + 0.9, 0)])
def test_outcome__before_its_last_day_is_over__is_not_known(hours: float, mature: int) -> None:
    rows = [did(IN[0], "signup", 1), did(OUT[0], "signup", 1), did(OUT[0], "play", 400)]

    found = moments(rows, until=START + timedelta(hours=hours))

    assert sizes(found) == (1, 1)
    assert found.outcome[HELD].n == found.outcome[REST].n == mature


def test_until__later_events_are_not_looked_at() -> None:
    rows = [did(IN[0], "signup", 1), did(OUT[0], "signup", 1), did(OUT[1], "signup", 24 * 6)]

    assert sizes(moments(rows, until=START + timedelta(days=5))) == (1, 1)


def test_ratio__has_both_columns() -> None:
    rows = [did(IN[0], "signup", 1), did(OUT[0], "signup", 1)]
    rows += [did(OUT[0], "buy", 2, price=3), did(OUT[0], "buy", 30, price=5), did(IN[0], "visit", 3)]

    found = moments(rows, outcome="sum:buy:price:0-3 / active_days:0-3")

    assert means(found) == (0.0, 8.0)
    assert means(found, 1) == (1.0, 2.0)


def test_event__that_the_log_has_not__is_refused() -> None:
    with pytest.raises(Refused, match="there is no event 'sign_up'"):
        moments([did("a", "signup", 1)], signup_event="sign_up")
    with pytest.raises(Refused, match="there is no event 'buy'"):
        moments([did("a", "signup", 1)], outcome="count:buy:0-3")


def test_until__beyond_the_log__ends_with_the_log() -> None:
    found = moments([did(IN[0], "signup", 1), did(OUT[0], "signup", 1)], until=datetime(2030, 1, 1, tzinfo=UTC))

    assert found.outcome[HELD].n == 1
