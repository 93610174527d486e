"""Who reported the exposures: each check at its threshold and just beyond."""

from dataclasses import replace

import pytest

from experiments.analyse.gather.admission import SetAside, Unverified
from experiments.analyse.health.sender_checks import check_not_admitted, check_unverified, is_doubtful
from experiments.report.health import finding_sentence
from tests.experiments.analyse.health.make_context import halves, stored


def test_not_admitted__each_sender_and_reason__is_a_finding_that_invalidates_nothing() -> None:
    aside = (SetAside("web", "arm", 60, 50), SetAside("blog", "source", 300, 300))
    found = list(check_not_admitted(stored(replace(halves(500, 500), not_admitted=aside))))

    assert [(one.check, one.details["sender"], one.invalid) for one in found] == [
        ("not_admitted_arm", "web", None),
        ("not_admitted_source", "blog", None),
    ]
    assert all("%(" not in finding_sentence(one) for one in found)


@pytest.mark.parametrize(
    ("unverified", "check"),
    [
        (Unverified(50, 950, 50, 5, 950, 95), None),  # 5 %
        (Unverified(51, 949, 51, 5, 949, 95), "unverified"),
        (Unverified(1_000, 0, 1_000, 900, 0, 0), None),  # local SDKs alone: there is nothing to compare with
        (Unverified(40, 960, 40, 20, 960, 96), "unverified_silent"),
        (Unverified(40, 960, 40, 4, 960, 960), None),  # fewer silent ones
    ],
)
def test_unverified__both_sides_of_its_thresholds(unverified: Unverified, check: str | None) -> None:
    found = list(check_unverified(stored(replace(halves(500, 500), unverified=unverified))))

    assert [finding.check for finding in found] == ([] if check is None else [check])
    assert is_doubtful(found) == (check is not None)
    assert all("%(" not in finding_sentence(one) for one in found)
