"""Dots that lie together are stacked."""

from dataclasses import replace

from aha.report.ranking import swarm_dots
from tests.aha.make_report import model


def test_swarm_dots__stacked_within_the_row() -> None:
    (swarm,) = model().swarm
    dots = swarm_dots(replace(swarm, shap=(0.0,) * 21))

    assert max(abs(dot.height) for dot in dots) == 1
    assert len({dot.height for dot in dots}) == 21
