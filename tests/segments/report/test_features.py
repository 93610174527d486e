"""Behaviours that were left out say why."""

from segments.report import features
from tests.segments.make_report import report


def test_dropped__reasons__in_words() -> None:
    table = features.dropped(report())

    assert table is not None
    assert "battle" in table.rows[1][1]
    assert features.dropped(report(dropped=())) is None
