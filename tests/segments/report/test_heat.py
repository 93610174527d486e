"""The most unusual feature is named with its side."""

from segments.report import groups
from tests.segments.make_report import cluster, report


def test_heat_finding__most_unusual_cell__with_its_side() -> None:
    low = report(clusters=(cluster(0, heat=(0.2, 0.1)), cluster(1, heat=(-1.4, 0.4))))

    assert groups.heat_finding(report()) == (
        "What stands out most: g1 does more battle, 1.50 standard deviations above the average"
    )
    assert "g2 does less battle, 1.40 standard deviations below" in groups.heat_finding(low)
