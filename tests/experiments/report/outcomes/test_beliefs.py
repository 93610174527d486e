"""The Bayesian companion on the page."""

from experiments.report import page
from tests.experiments.make_readout import make_readout


def test_beliefs__say_that_they_never_enter_the_verdict() -> None:
    section = next(one for one in page.sections(make_readout()) if one.slug == "bayes")

    assert "never enter the verdict" in section.lead
    assert "don't make early reading harmless" in section.lead
