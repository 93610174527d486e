"""Who was looked at, in numbers that add up."""

from segments.report import page
from tests.segments.make_report import report


def test_flow__rows__add_up() -> None:
    counts = [int(count.replace(",", "")) for _, count in page.flow(report()).rows]

    assert counts[0] == counts[1] + counts[2]
    assert counts[2] == counts[3] + counts[4]
