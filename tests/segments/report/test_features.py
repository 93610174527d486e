"""Behaviours that were left out say why."""

from segments.report import groups
from tests.segments.make_report import report


def test_dropped__reasons__in_words() -> None:
    table = groups.dropped(report())

    assert table is not None
    assert "battle" in table.rows[1][1]
    assert groups.dropped(report(dropped=())) is None
