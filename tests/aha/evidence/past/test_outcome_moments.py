"""Moments of several behaviours: from two records one, and back out of the database as they were."""

from dataclasses import replace

import numpy as np
import pytest

from aha.evidence.findings import outcome_moments
from aha.evidence.store_findings import all_findings, keep_findings
from aha.models import Finding
from stats.instrument.other_behaviours import OtherMoments
from stats.iv_moments import IvMoments
from tests.aha.evidence.past.make_findings import finding

OWN = IvMoments(0.03, 0.3, 1e-4, 8e-5, 3e-5, 3_000, 3_001)
OTHERS = OtherMoments(
    ("chat", "shop"),
    np.array([0.06, 0.01]),
    np.array([[7e-5, 1e-5], [1e-5, 6e-5]]),
    np.array([2e-5, 1.5e-5]),
    np.array([1.1e-5, 1.2e-5]),
)


def test_outcome_moments__of_one_behaviour_and_of_three__have_every_covariance_in_its_place() -> None:
    alone = outcome_moments("window:21-27", "proportion", ("friend_add", 3), OWN)
    beside = outcome_moments("window:21-27", "proportion", ("friend_add", 3), OWN, OTHERS, (1, 2), ("shop",))

    assert alone.effects == (0.03, 0.3)
    assert alone.covariance == ((1e-4, 3e-5), (3e-5, 8e-5))
    assert (beside.behaviours, beside.times) == (("friend_add", "chat", "shop"), (3, 1, 2))
    assert beside.effects == (0.03, 0.3, 0.06, 0.01)
    assert np.array(beside.covariance) == pytest.approx(
        np.array(
            [
                [1e-4, 3e-5, 2e-5, 1.5e-5],
                [3e-5, 8e-5, 1.1e-5, 1.2e-5],
                [2e-5, 1.1e-5, 7e-5, 1e-5],
                [1.5e-5, 1.2e-5, 1e-5, 6e-5],
            ]
        )
    )
    assert (beside.n_control, beside.n_variant, beside.consequences) == (3_000, 3_001, ("shop",))


@pytest.mark.django_db
def test_finding__with_moments_of_several_behaviours__comes_back_as_it_was_and_an_old_one_without() -> None:
    beside = outcome_moments("window:21-27", "proportion", ("friend_add", 3), OWN, OTHERS, (1, 2), ("shop",))
    alone = outcome_moments("metric:revenue", "mean", ("friend_add", 3), OWN)
    kept = replace(finding(), outcomes=(beside, alone))

    keep_findings([kept])
    keep_findings([finding("old")])

    assert [row.outcomes for row in all_findings()] == [(beside, alone), ()]
    assert Finding.objects.get(source="old").outcomes == []
