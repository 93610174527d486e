"""Pooling of findings: where nudges agree one answer, where they don't none, and which experiments it is about."""

import pytest

from aha.evidence.findings import Why, answer_of, pool_findings, summary
from stats.instrument.pooled import Answer
from stats.iv_moments import IvMoments
from stats.results import NotComputable, Reason, computable
from tests.aha.evidence.past.make_findings import FRIENDS, drawn, finding


def test_agree__the_answer_is_the_pooled_effect_with_its_set() -> None:
    found = summary(pool_findings(drawn(20, seed=3), FRIENDS))

    assert (found.experiments, found.answer) == (20, Answer.POOLED)
    assert computable(found.estimate)
    assert found.estimate == pytest.approx(0.1, abs=0.03)
    [(low, high)] = found.pieces
    assert low is not None
    assert high is not None
    assert low < 0.1 < high


def test_disagree__no_pooled_set_is_the_answer() -> None:
    past = pool_findings(drawn(20, seed=3, direct=(0.06,) * 5), FRIENDS)
    said = past.pooled

    assert computable(said)
    assert said.answer is Answer.NUDGES_DISAGREE
    assert isinstance(said.answer_set, NotComputable)
    assert computable(said.egger)
    assert answer_of(said) == (said.egger.slope.estimate, ((said.egger.slope.low, said.egger.slope.high),))


def test_one_experiment__its_own_set() -> None:
    found = summary(pool_findings([finding()], FRIENDS))

    assert (found.experiments, found.answer) == (1, Answer.ONE_EXPERIMENT)
    assert found.estimate == pytest.approx(0.1)


def test_none__says_why() -> None:
    past = pool_findings([finding(verdict="INVALID")], FRIENDS)

    assert past.pooled == NotComputable(Reason.NO_EXPERIMENT_YET)
    assert (summary(past).experiments, summary(past).left_out, summary(past).answer) == (0, 1, None)


def test_no_variance__is_left_out_with_the_reason() -> None:
    exact = IvMoments(0.1, 0.1, 1e-4, 1e-4, 1e-4, 100, 100)  # who did it stayed, and nobody else

    past = pool_findings([finding(), finding("exact", moments=exact)], FRIENDS)

    assert [row.source for row in past.used] == ["banner"]
    assert [(one.finding.source, one.why) for one in past.left_out] == [("exact", Why.NO_VARIANCE)]
