"""D-n retention of every arm: what the title says, what is drawn, and that the renderer takes it."""

from dataclasses import replace

import pytest

from experiments.analyse.result import Opened
from experiments.report.over_time import daily_curve_part_of as part_of
from reporting.charts import Drawing, titled
from stats.survival.day_curve import DayShare, day_shares
from tests.experiments.make_readout import make_readout
from tests.experiments.report.over_time.make_charts import HANGUL, assert_rendered, days, rows_of


def readout_of(curves: dict[str, tuple[DayShare, ...]]) -> Opened:
    arm, readout = make_readout().arms_over_time[0], make_readout()
    return replace(
        readout, arms_over_time=tuple(replace(arm, variant=name, days=rows) for name, rows in curves.items())
    )


def drawn(curves: dict[str, tuple[DayShare, ...]]) -> Drawing:
    found = part_of(readout_of(curves))
    assert found is not None
    assert found.draw is not None
    return titled(found.slug, found.finding, found.draw())


@pytest.mark.slow
def test_chart__rendered__is_a_picture_with_its_title_and_hangul() -> None:
    assert_rendered(drawn({"control": day_shares(days(0.3)), HANGUL: day_shares(days(0.4))}))


def test_chart__day_0__is_not_drawn_and_nothing_else_is_no_part() -> None:
    found = drawn({"a": day_shares(days(0.3)), "b": day_shares(days(0.4, 4))})
    assert min(row["day"] for row in rows_of(found.spec, "share")) == 1
    # The last day that both have.
    assert found.label == "Active on day 3: a\u00a030.0%, b\u00a040.0%."
    assert part_of(readout_of({"a": day_shares({0: (5, 5)})})) is None
    assert part_of(readout_of({})) is None
