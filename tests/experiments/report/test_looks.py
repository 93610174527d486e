"""The looks on the page."""

from experiments.report import looks
from tests.experiments.make_readout import RUNNING, make_readout


def test_path__of_a_peek__says_that_nobody_paid_for_it() -> None:
    assert looks.path_finding(make_readout()) == "One planned analysis at the end; all of alpha was used on it."
    peeked = looks.path_finding(make_readout(peek=True, **RUNNING))
    assert peeked == "Analyses: 1. Unplanned early readings among them: 1."
