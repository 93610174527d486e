"""A moment: what an experiment found, in words and beside the promise."""

import pytest

from aha.moments.claims import read_finding
from aha.report import moment_page
from reporting import numbers
from tests.aha.make_report import candidate

# As an analysis writes it back: the estimate by Wald, the limits by Anderson and Rubin.
MEASURED = {
    "effect": {"estimate": 0.06, "standard_error": 0.02},
    "effect_set": {"shape": "interval", "low": 0.0, "high": 0.1},
}


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("CAUSES", "causes retention"),
        ("HARMS", "harms retention"),
        ("NO_MATERIAL_EFFECT", "no effect that matters"),
        ("INCONCLUSIVE", "could not decide"),
        ("NUDGE_FAILED", "could not decide"),
    ],
)
def test_finding__each_verdict__in_words(code: str, said: str) -> None:
    found = moment_page.finding({"code": code, **MEASURED}).replace("\u00a0", " ")

    assert said in found
    assert "+6.0 points (+0.0 to +10.0)" in found
    corrected = "corrected for the plan's interim analyses"
    for caution, told in (("corrected", corrected), ("optimistic", "optimistic"), (None, "points")):
        effect = {"estimate": 0.06, "standard_error": 0.02, "caution": caution}
        assert told in moment_page.finding({"code": code, **MEASURED, "effect": effect})
    assert "points" not in moment_page.finding({"code": code})
    assert "points" not in moment_page.finding({"code": code, **MEASURED, "effect_set": {"shape": "line"}})
    assert "points" not in moment_page.finding({"code": code, "effect": {"not_computable": "x"}})


def test_tables__an_experiment_has_measured_it__its_line_replaces_the_lack() -> None:
    evidence = candidate()
    moved = evidence.promise.moved

    before, after = (moment_page.tables(evidence, found)[3] for found in (None, read_finding(MEASURED)))

    assert before.rows[:-1] == after.rows[:-1]
    low, high = numbers.points(0.0), numbers.points(moved * 0.1)
    assert after.rows[-1][1] == f"{numbers.points(moved * 0.06)} ({numbers.between(low, high)})"
    assert after.rows[-1] != before.rows[-1]
