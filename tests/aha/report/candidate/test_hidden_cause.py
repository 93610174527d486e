"""Each reason is said once."""

from aha.evidence.ladder import RungName
from aha.evidence.sensitivity import EarlierOutcome, Robustness
from aha.report import adjusted
from stats.results import NotComputable, Reason
from tests.aha.make_report import candidate, difference


def test_hidden_cause__same_reason_twice__is_said_once() -> None:
    missing = NotComputable(Reason.NO_OVERLAP)

    assert len(adjusted.sentences(candidate(e_value=missing, calibrated=missing))) == 1
    assert len(adjusted.sentences(candidate())) == 2


def test_robustness__value_and_limit__stand_beside_what_activity_explains() -> None:
    weak = Robustness(0.139, 0.076, 0.1, 4.18, 783, 0.05, 0.02, 790, 0.95)
    strong = Robustness(0.139, 0.076, 0.1, 4.18, 783, 0.30, 0.30, 790, 0.95)

    sentence = adjusted.robustness(candidate(robustness=weak))

    for said in ("13.9", "7.6", "790 users", "5.0", "2.0", "would not be enough"):
        assert said in sentence
    assert "would be enough" in adjusted.robustness(candidate(robustness=strong))


def test_robustness__report_of_an_earlier_version__says_nothing() -> None:
    assert adjusted.robustness(candidate()) == ""
    assert adjusted.earlier(candidate()) == ""


def test_earlier__an_interval_beside_zero__is_called_confounding() -> None:
    rows = tuple(
        EarlierOutcome(name, RungName.DAILY, difference(estimate), 900)
        for name, estimate in (("platform=ios", 0.05), ("country=KR", 0.01))
    )

    told = adjusted.earlier(candidate(earlier_outcomes=rows))
    calm = adjusted.earlier(candidate(earlier_outcomes=rows[1:]))

    assert "platform=ios +5.0" in told
    assert "country" not in told
    assert "That is confounding" in told
    assert "shows no confounding" in calm


def test_earlier__no_overlap__is_said() -> None:
    row = EarlierOutcome("platform=ios", RungName.FULL, NotComputable(Reason.NO_OVERLAP), 0)

    assert "too few comparable users" in adjusted.earlier(candidate(earlier_outcomes=(row,)))
