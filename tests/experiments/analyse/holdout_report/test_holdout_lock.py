"""When a holdout's outcome may be read: on both sides of every planned moment."""

from datetime import UTC, date, datetime, timedelta

import pytest

from events.windows import Clock
from experiments.analyse.across.holdout_question import due
from tests.experiments.analyse.holdout_report.test_side_moments import asked

FIRST, SECOND, END = date(2026, 4, 1), date(2026, 4, 15), date(2026, 5, 1)
SECOND_OF_TIME = timedelta(seconds=1)


def midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def fixed(data_end: datetime, *taken: date) -> tuple[str, str, datetime, date | None, bool]:
    at = due(asked(readings=(END,)), Clock(), data_end, taken)
    return at.state, at.why, at.until, at.next_on, at.final


def test_fixed__opens_when_the_data_reach_its_day_and_not_a_second_earlier() -> None:
    before = midnight(END) - SECOND_OF_TIME

    assert fixed(before) == ("waiting", "before", before, END, False)
    assert fixed(midnight(END)) == ("open", "due", midnight(END), None, True)


def test_fixed__computed_later__reads_the_data_of_its_day() -> None:
    assert fixed(midnight(END) + timedelta(days=40)) == ("open", "due", midnight(END), None, True)


def test_fixed__taken__is_done() -> None:
    assert fixed(midnight(END) + timedelta(days=1), END)[:2] == ("waiting", "done")


PLANNED = asked(method="group_sequential", readings=(FIRST, SECOND, END), planned_units=1_000)


@pytest.mark.parametrize(
    ("data_end", "taken", "expected"),
    [
        (midnight(FIRST) - SECOND_OF_TIME, (), ("waiting", "before", None, FIRST, False)),
        (midnight(FIRST), (), ("open", "due", FIRST, SECOND, False)),
        (midnight(FIRST) + timedelta(days=3), (FIRST,), ("waiting", "between", None, SECOND, False)),
        (midnight(FIRST) + timedelta(days=3), (), ("open", "due", FIRST, SECOND, False)),
        (midnight(SECOND), (FIRST,), ("open", "due", SECOND, END, False)),
        (midnight(SECOND), (), ("open", "due", SECOND, END, False)),  # a missed one spends nothing
        (midnight(END), (FIRST,), ("open", "due", END, None, True)),
        (midnight(END) + timedelta(days=9), (FIRST, SECOND, END), ("waiting", "done", None, None, True)),
    ],
)
def test_planned_readings__are_the_only_ones(
    data_end: datetime, taken: tuple[date, ...], expected: tuple[str, str, date | None, date | None, bool]
) -> None:
    at = due(PLANNED, Clock(), data_end, taken)

    assert (at.state, at.why, at.reading, at.next_on, at.final) == expected
    if at.reading is not None:
        assert at.until == midnight(at.reading)


def test_any_day__is_open_until_the_end() -> None:
    plan = asked(method="always_valid", readings=(END,), planned_units=1_000)
    some = midnight(FIRST) + timedelta(hours=5)

    at = due(plan, Clock(), some, ())
    assert (at.state, at.reading, at.until, at.final) == ("open", FIRST, some, False)
    last = due(plan, Clock(), midnight(END) + timedelta(days=5), (FIRST,))
    assert (last.state, last.reading, last.until, last.final) == ("open", END, midnight(END), True)
    assert due(plan, Clock(), midnight(END) + timedelta(days=5), (END,)).why == "done"
