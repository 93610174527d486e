"Predicted by the correlation beside what the experiment found."

from dataclasses import replace

import pytest

from experiments.analyse.codes import Code
from experiments.analyse.result import Opened
from experiments.analyse.verdict import Verdict
from experiments.report import page
from experiments.report.promise_and_finding import contrasts, promise, promise_finding
from tests.experiments.make_readout import make_readout


def test_contrasts__of_a_gain__strike_out_who_chose_and_keep_what_chance_chose() -> None:
    rows = contrasts(make_readout())

    assert [(row.label, row.struck) for row in rows] == [
        ("Predicted by the correlation", True),
        ("As treated", True),
        ("Per protocol", True),
        ("Effect of the nudge on everyone", False),
        ("Effect of the behaviour on users who did it because of the nudge", False),
    ]
    assert rows[0].text == "40.0 points"
    assert rows[0].limits == "38.0\u00a0to\u00a042.0 points"
    assert all(row.low is not None and row.high is not None and row.low < row.high for row in (rows[0], *rows[3:]))


def test_promise__of_another_outcome__is_compared_with_care() -> None:
    part = promise(make_readout(primary=("window:21-27",)))
    readout = make_readout()
    claim = readout.plan.claim
    assert claim is not None
    plan = replace(readout.plan, claim=replace(claim, retention="on_day:1"))
    other = replace(readout, analysed=replace(readout.analysed, plan=plan))
    careful = promise(other)

    assert part is not None
    assert careful is not None
    assert "compare with care" not in part.note
    assert "compare with care" in careful.note


def test_promise_finding__when_the_nudge_works_on_another_path__gives_no_effect_of_the_behaviour() -> None:
    readout = make_readout()
    assert isinstance(readout, Opened)
    verdict = Verdict(Code.NUDGE_NOT_BEHAVIOUR, "inequality", dict(readout.report.verdict.details))
    other = replace(readout, verdict=verdict, report=replace(readout.report, verdict=verdict))

    assert "The experiment found" in promise_finding(readout)
    assert "may not be read as what the behaviour does" in promise_finding(other)
    assert [row.struck for row in contrasts(other)] == [True, True, True, False, True]


@pytest.mark.slow
def test_picture_of_promise__says_the_finding_and_marks_what_is_no_effect() -> None:
    readout = make_readout()
    drawing = next(one for one in page.draw(readout) if one.slug == "promise")
    text = str(drawing.spec)

    assert drawing.label == promise_finding(readout)
    assert text.count("'not an effect'") >= 3
