"""Each reason is said once."""

from aha.report.candidate import hidden_cause
from stats.results import NotComputable, Reason
from tests.aha.make_report import candidate


def test_hidden_cause__same_reason_twice__is_said_once() -> None:
    missing = NotComputable(Reason.NO_OVERLAP)

    assert len(hidden_cause.sentences(candidate(e_value=missing, calibrated=missing))) == 1
    assert len(hidden_cause.sentences(candidate())) == 2
