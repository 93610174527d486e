"""What a finished lab hands on: an instrument for each nudge, and the verdict on its moment from the joint reading."""

from typing import Any

import pytest

from aha.evidence.joint_findings import sort_findings, together
from aha.evidence.store_findings import all_findings, keep_findings
from aha.moments.claims import Promised
from experiments.analyse.across.ask_again import ask_again
from experiments.analyse.analyses import finding_of
from experiments.analyse.export_findings import code_on_moment, findings_of
from experiments.analyse.result import Opened
from experiments.models import Analysis
from stats.instrument.joint import read_jointly
from tests.experiments.analyse.labs.lab_world import GUARDRAIL, METRIC, draw_users, lab_plan, read
from tests.experiments.make_readout import make_readout, opened
from tests.stats.make import computed

MOVES = [[0.2, 0.06], [0.06, 0.2]]


def result_of(*, most: int | None = None, **changes: Any) -> Opened:
    planned = lab_plan(guardrails=(GUARDRAIL,), most=most, **changes)
    return opened(read(planned, draw_users(planned, 20_000, 1, moves=MOVES, effects=[0.4, 0.0])))


def test_findings__of_a_lab__are_one_instrument_for_each_nudge() -> None:
    result = result_of()

    rows = findings_of(result, Promised())

    assert [(row.source, row.variant, row.definition.behaviour) for row in rows] == [
        ("lab.a", "a", "friend_add"),
        ("lab.b", "b", "chat"),
    ]
    assert [row.verdict for row in rows] == ["CAUSES", "INCONCLUSIVE"]
    assert rows[1].outcomes[0].behaviours == ("chat", "friend_add")
    assert [moments.outcome for moments in rows[0].outcomes] == [METRIC, GUARDRAIL]
    for row in rows:
        moments = row.outcomes[0]
        assert (row.moments.itt, row.moments.first_stage) == moments.effects[:2]
        assert row.moments.v_d == moments.covariance[1][1]
        assert row.units == 20_000


def test_findings__read_together__say_what_the_lab_said() -> None:
    """Nudges drawn by themselves share users and no errors: the site's map needs no covariance between them."""
    result = result_of()
    assert result.lab is not None

    one = together(sort_findings(findings_of(result, Promised()), METRIC))

    assert one is not None
    again = {row.behaviour: row for row in read_jointly(one.moments()).behaviours}
    for row in result.lab.behaviours:
        measured, found = row.place.measured, again[row.behaviour]
        assert measured is not None
        assert computed(found.effect) == pytest.approx(computed(measured.effect), abs=1e-6)
        for end in ("low", "high"):
            one_end, other_end = (getattr(computed(each.effect_set), end) for each in (found, measured))
            assert one_end == pytest.approx(other_end, abs=0.01)


@pytest.mark.parametrize("changes", [{"most": 1}, {"enrolment_ended": None, "planned_units": 90_000}])
def test_findings__of_nudges_whose_errors_covary_or_of_a_locked_lab__are_none(changes: dict[str, Any]) -> None:
    planned = lab_plan(**changes)
    result = read(planned, draw_users(planned, 5_000, 1, moves=MOVES, effects=[0.4, 0.0]))

    assert findings_of(result, Promised()) == []


def test_verdict_on_the_moment__is_that_of_the_joint_reading() -> None:
    """The second behaviour is inert, and its nudge raises retention by the first: no verdict on it may say CAUSES."""
    result = result_of()
    claim = result.analysed.plan.claim
    assert claim is not None
    inert = lab_plan(claim=type(claim)(**{**vars(claim), "behaviour": "chat"}))

    assert code_on_moment(result, str(result.verdict.code)) == "CAUSES"
    users = draw_users(inert, 20_000, 1, moves=MOVES[::-1], effects=[0.0, 0.4])
    assert code_on_moment(read(inert, users), "CAUSES") == "INCONCLUSIVE"
    test = make_readout()
    assert code_on_moment(test, "HARMS") == "HARMS"


def test_finding_on_the_moment__is_the_joint_effect_with_its_set() -> None:
    result = result_of()
    assert result.lab is not None
    measured = result.lab.behaviours[0].place.measured
    assert measured is not None

    found = finding_of(Analysis(pk=1), result)

    assert found.effect is not None
    assert found.effect_set is not None
    assert found.effect.estimate == computed(measured.effect)
    assert (found.effect_set.low, found.effect_set.high) == (
        computed(measured.effect_set).low,
        computed(measured.effect_set).high,
    )
    assert found.breakdown is None


@pytest.mark.django_db
def test_findings__stored__come_back_and_are_asked_nothing_again() -> None:
    rows = findings_of(result_of(), Promised())

    keep_findings(rows, analysis="1")

    assert {row.source for row in all_findings()} == {"lab.a", "lab.b"}
    assert [row.outcomes for row in sorted(all_findings(), key=lambda row: row.source)] == [
        row.outcomes for row in rows
    ]
    assert ask_again() == 0
