"""Marks of what happened on curves over dates: where they stand, what tooltips say, and which are told at all."""

from datetime import date, timedelta
from typing import Any

import pytest
import vl_convert

from experiments.report.flow import draw_inflow
from reporting.charts import drawing, week_axis
from reporting.charts import readings as chart_readings
from reporting.date_marks import MOST_TOLD, DateAxis, DateMark, Stop, axis_of, marked, place_of, told
from reporting.plain_svg import Sheet

MONDAY = date(2026, 3, 2)
DAY, WEEK = timedelta(days=1), timedelta(days=7)


def mark(first: date, last: date | None = None, title: str = "4.2") -> DateMark:
    return DateMark(first, last or first, title, "release")


def weeks(*xs: float) -> list[Stop]:
    return [Stop(MONDAY + n * WEEK, MONDAY + n * WEEK + 6 * DAY, x, 0.0, 200.0) for n, x in enumerate(xs)]


@pytest.mark.parametrize(
    ("first", "last", "touched"),
    [
        (MONDAY - DAY, MONDAY - DAY, False),
        (MONDAY - 9 * DAY, MONDAY, True),
        (MONDAY, MONDAY, True),
        (MONDAY + 6 * DAY, None, True),
        (MONDAY + 7 * DAY, MONDAY + 7 * DAY, False),
        (MONDAY - DAY, None, False),  # it goes on and on, and bends nothing here
    ],
)
def test_touches__on_both_sides_of_the_range__is_what_begins_or_goes_on(
    first: date, last: date | None, touched: bool
) -> None:
    assert DateMark(first, last, "", "").touches(MONDAY, MONDAY + 6 * DAY) is touched


@pytest.mark.parametrize(
    ("days", "straight", "bar"),
    [
        (0, 100.0, 100.0),
        (1, 110.0, 100.0),
        (6, 160.0, 100.0),
        (7, 170.0, 170.0),
        (13, 230.0, 170.0),
        (20, 254.0, 240.0),
    ],
)
def test_place__time_axis_and_bars__is_the_day_or_the_bar_that_holds_it(days: int, straight: float, bar: float) -> None:
    stops = weeks(100.0, 170.0, 240.0)

    assert place_of(MONDAY + days * DAY, stops, straight=True) == pytest.approx(straight)
    assert place_of(MONDAY + days * DAY, stops, straight=False) == bar


def test_place__one_place__is_there() -> None:
    assert place_of(MONDAY + 6 * DAY, weeks(100.0), straight=True) == 100.0


def test_place__days_that_nobody_can_read__lie_between_their_neighbours() -> None:
    stops = [Stop(MONDAY, MONDAY, 0.0, 0.0, 1.0), Stop(MONDAY + 4 * DAY, MONDAY + 4 * DAY, 40.0, 0.0, 1.0)]

    assert place_of(MONDAY + DAY, stops, straight=False) == 10.0
    assert told(stops[0], stops, [mark(MONDAY + DAY)], straight=False) == ["▼ 4.2\trelease, Mar 3, 2026"]


def test_told__several__first_what_begins_there_then_what_goes_on() -> None:
    stops = weeks(0.0, 70.0, 140.0)
    marks = [mark(MONDAY, MONDAY + 8 * DAY, "campaign"), mark(MONDAY + 8 * DAY, title="4.3"), mark(MONDAY - 3 * DAY)]

    said = [told(stop, stops, marks, straight=False) for stop in stops]

    assert said == [
        ["▼ campaign\trelease, Mar 2, 2026 to Mar 10, 2026"],
        ["▼ 4.3\trelease, Mar 10, 2026", "▼ campaign\trelease, Mar 2, 2026 to Mar 10, 2026"],
        [],
    ]


@pytest.mark.parametrize(
    ("days", "straight", "places"),
    [(3, True, [0]), (4, True, [0, 1]), (4, False, [0]), (7, True, [1]), (-1, True, []), (20, True, [2])],
)
def test_told__nearer_to_the_next_week__is_said_where_a_pointer_on_the_line_reads(
    days: int, straight: bool, places: list[int]
) -> None:
    stops = weeks(0.0, 70.0, 140.0)

    said = [bool(told(stop, stops, [mark(MONDAY + days * DAY)], straight=straight)) for stop in stops]

    assert [place for place, words in enumerate(said) if words] == places


@pytest.mark.parametrize(("n", "more"), [(MOST_TOLD, []), (MOST_TOLD + 2, ["▼\t2 more"])])
def test_told__many_on_one_day__the_rest_is_a_number(n: int, more: list[str]) -> None:
    (stop,) = stops = weeks(0.0)

    assert told(stop, stops, [mark(MONDAY)] * n, straight=True)[MOST_TOLD:] == more


def picture() -> tuple[str, DateAxis]:
    chart, marks = draw_inflow([(MONDAY, "a", 3), (MONDAY + DAY, 'b"<', 3), (MONDAY + 6 * DAY, "a", 3)], ["a", 'b"<'])
    spec = drawing("inflow", "", chart, marks=marks).spec
    return vl_convert.vegalite_to_svg(spec), axis_of(spec)


def test_stored_picture__gets_marks__between_its_own_lines_and_in_their_words() -> None:
    svg, axis = picture()

    assert axis.ends == (MONDAY, MONDAY + 6 * DAY)
    assert marked(svg, axis, []) == svg

    made = marked(svg, axis, [mark(MONDAY + 2 * DAY, title='<b> "4.2"')])
    added = made[made.index('<g class="happened"') : made.index("</g>", made.index('<g class="happened"'))]

    # 16 pixels before the first day, 528 for the six days after it
    assert '<line x1="192" x2="192" y1="0" y2="220"/>' in added
    assert "<rect" not in added
    assert made.count("▼ &lt;b&gt; &quot;4.2&quot;&#9;release, Mar 4, 2026") == 1
    assert made.index("happened") < made.index("reading_marks") < made.index("▼")


def test_sheet__of_weeks__marks_the_bar_and_draws_how_long_it_took() -> None:
    sheet = Sheet("weeks", "", (0.0, 2.0), (0.0, 1.0), width=272.0)
    periods = [(MONDAY + n * WEEK, MONDAY + n * WEEK + 6 * DAY) for n in range(3)]
    sheet.readings([(n, f"week {n}") for n in range(3)], periods=periods)

    made = marked(sheet.markup(), sheet.dates, [mark(MONDAY + 8 * DAY, MONDAY + 30 * DAY), mark(MONDAY + 9 * DAY)])

    assert made.count('<path d="M154,') == 1  # both begin in the second week: one line at its place, 58 + 100
    assert '<rect x="158" y="31" width="100" height="3"/>' in made  # to the end of the axis
    assert "week 0&#10;" not in made
    assert "week 1&#10;▼" in made


def test_axis__of_days_since_signup__has_no_dates() -> None:
    spec: dict[str, Any] = {
        "layer": [
            {
                "name": "reading",
                "data": {"values": [{"day": 3, "reading": "day 3"}]},
                "encoding": {"x": {"field": "day", "type": "quantitative"}},
            }
        ]
    }

    assert axis_of(spec) == DateAxis({}, straight=True)
    assert axis_of({}).ends is None


def test_axis__of_weeks__holds_seven_days() -> None:
    x = week_axis([f"{MONDAY}"], "", width=300)
    chart = chart_readings(x, "week", {f"{MONDAY}": "said"})

    assert axis_of(drawing("w", "", chart, marks=1).spec).places == {"said": (MONDAY, MONDAY + 6 * DAY)}
