"""From candidate to AHA moment, and back from the verdict."""

from typing import Any

import pytest

from aha.models import AhaMoment, Study
from aha.moments import promote as moments
from aha.moments.claims import ExperimentFinding
from aha.study.payload_versions import EVIDENCE
from runs.refusals import Refused
from tests.aha.make_report import candidate, result

pytestmark = pytest.mark.django_db


def study(**more: Any) -> Study:
    inputs = {"signup_event": "signup", "retention": "window:21-27"}
    values = {"status": "done", "inputs": inputs, **result()}
    return Study.objects.create(**{**values, **more})


def promote(row: Study, times: int = 2) -> AhaMoment:
    return moments.promote_candidate(study=row, behaviour="friend_add", times=times, days=3)


def test_promote__a_candidate__freezes_its_evidence() -> None:
    moment = promote(study())

    assert (moment.behaviour, moment.times, moment.days) == ("friend_add", 2, 3)
    assert (moment.signup_event, moment.retention, moment.status) == ("signup", "window:21-27", "candidate")
    assert EVIDENCE.read(moment.evidence) == candidate()
    assert moments.is_intact(moment)
    moment.evidence = {**moment.evidence, "pick_share": 0.99}
    assert not moments.is_intact(moment)


def test_promote__twice__is_refused() -> None:
    row = study()
    promote(row)

    with pytest.raises(Refused, match="already"):
        promote(row)


def test_promote__the_same_cell_of_two_studies__gets_two_keys() -> None:
    keys = [promote(study()).key for _ in range(3)]

    assert keys == ["friend_add-2-in-3", "friend_add-2-in-3-2", "friend_add-2-in-3-3"]


@pytest.mark.parametrize("status", ["queued", "running", "failed", "cancelled"])
def test_promote__from_an_unfinished_study__is_refused(status: str) -> None:
    with pytest.raises(Refused, match="isn't finished"):
        promote(study(status=status))


def test_promote__a_cell_that_is_no_candidate__is_refused_by_name() -> None:
    with pytest.raises(Refused, match="no candidate friend_add at least 4 times within 3 days"):
        promote(study(), times=4)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("CAUSES", "confirmed"),
        ("HARMS", "refuted"),
        ("NO_MATERIAL_EFFECT", "refuted"),
        ("NUDGE_FAILED", "inconclusive"),
        ("NUDGE_NOT_BEHAVIOUR", "inconclusive"),
        ("INCONCLUSIVE", "inconclusive"),
        ("INVALID", "inconclusive"),
    ],
)
def test_record_verdict__each_code__sets_its_status_and_keeps_history(code: str, status: str) -> None:
    moment = moments.begin_test(moment=promote(study()))
    assert moment.status == "testing"

    found = moments.record_verdict(moment=moment, code=code, finding=ExperimentFinding("", "invite"))

    assert (found.status, found.finding) == (
        status,
        {"code": code, "experiment": "invite", "outcome": "", "promised": None, "schema": 1},
    )
    assert [row.status for row in found.history.order_by("history_date")] == ["candidate", "testing", status]


@pytest.mark.parametrize(
    ("behaviour", "retention", "times"), [("[", "window:1-2", 1), ("a", "weekly", 1), ("a", "window:1-2", 0)]
)
def test_create__a_definition_that_can_not_be_read__is_refused(behaviour: str, retention: str, times: int) -> None:
    with pytest.raises(Refused):
        moments.create_moment(
            name="x", behaviour=behaviour, times=times, days=7, signup_event="signup", retention=retention
        )
    assert not AhaMoment.objects.exists()
