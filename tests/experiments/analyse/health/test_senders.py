"""Who reported the exposures: each check at its threshold and just beyond."""

from dataclasses import replace

import pytest

from experiments.analyse.codes import Severity
from experiments.analyse.gather.admission import SetAside, Unverified
from experiments.analyse.health.all_checks import check_not_admitted, check_unverified, is_doubtful
from experiments.report.health import finding_sentence
from tests.experiments.analyse.health.make_context import halves, stored


def test_not_admitted__each_sender_and_reason__is_a_finding_that_invalidates_nothing() -> None:
    aside = (
        SetAside("web", "arm", 60, 50),
        SetAside("blog", "source", 300, 300),
        SetAside("web", "cluster", 4, 3),
        SetAside("web", "unknown", 9, 8),
        SetAside("", "address", 7, 6),
    )
    found = list(check_not_admitted(stored(replace(halves(500, 500), not_admitted=aside))))

    assert [(one.check, one.details["sender"], one.invalid) for one in found] == [
        ("not_admitted_arm", "web", None),
        ("not_admitted_source", "blog", None),
        ("not_admitted_cluster", "web", None),
        ("not_admitted_unknown", "web", None),
        ("not_admitted_address", "", None),
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


@pytest.mark.parametrize(
    ("unverified", "apart", "expected"),
    [
        (Unverified(50, 950, 50, 5, 950, 95), True, ("unverified_apart", Severity.INFO)),  # 5 %
        (Unverified(51, 949, 51, 5, 949, 95), True, ("unverified_apart", Severity.WARNING)),
        (Unverified(40, 960, 40, 20, 960, 96), True, ("unverified_apart_silent", Severity.WARNING)),
        (Unverified(900, 20, 900, 500, 20, 0), False, None),  # hardly anybody to compare with
        (Unverified(0, 960, 0, 0, 960, 96), True, None),
    ],
)
def test_unverified__since_0_5__decides_nothing_beside_named_units(
    unverified: Unverified, apart: bool, expected: tuple[str, Severity] | None
) -> None:
    found = list(check_unverified(stored(replace(halves(500, 500), unverified=unverified, apart=apart))))

    assert [(one.check, one.severity) for one in found] == ([] if expected is None else [expected])
    assert not is_doubtful(found)
    assert all("%(" not in finding_sentence(one) for one in found)
