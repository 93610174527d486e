"""Every code has a sentence, in both languages, with its figures filled in."""

import inspect
import re

import pytest
from django.utils import translation

from experiments.analyse.codes import Code, code_words
from experiments.analyse.health import file_checks
from experiments.analyse.verdict import Evidence, decide
from experiments.report import verdict, words
from reporting.words import reason_words
from stats.results import NotComputable, Reason
from tests.experiments.analyse.test_verdict import CASES


def filled(sentence: str) -> bool:
    """No placeholder is left, and it is a sentence."""
    return "%(" not in sentence and len(sentence) > 10


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("evidence", [case[0] for case in CASES.values()], ids=list(CASES))
def test_verdict_sentence__every_row_of_the_table__is_filled(evidence: Evidence, language: str) -> None:
    with translation.override(language):
        assert filled(verdict.verdict_sentence(decide(evidence)))


@pytest.mark.parametrize("language", ["en", "ko"])
def test_finding_sentence__every_check_in_the_source__is_filled(language: str) -> None:
    # Every code that the module can put into a Finding, read from its source, with every detail it could mention.
    source = inspect.getsource(file_checks)
    codes = set(re.findall(r'Finding\(\s*"(\w+)"', source)) | set(re.findall(r'"(missing_\w+)"', source))
    details: dict[str, file_checks.Detail] = dict.fromkeys(re.findall(r'"(\w+)":', source), 0.5)
    details |= dict.fromkeys(("p_value", "counts", "expected", "segment", "column", "variant", "error", "check"), "x")
    details["p_value"] = 0.0004

    assert len(codes) > 15
    with translation.override(language):
        for code in codes:
            finding = file_checks.Finding(code, file_checks.Severity.INFO, details)
            assert filled(words.finding_sentence(finding)), code


@pytest.mark.parametrize("language", ["en", "ko"])
def test_reasons_codes_and_warnings__all__have_words(language: str) -> None:
    with translation.override(language):
        assert all(filled(reason_words(NotComputable(reason))) for reason in Reason)
        assert all(code_words(code) for code in Code)
        for code in ("as_treated", "weak_nudge", "unbounded_set", "compliers_only"):
            assert filled(verdict.warning_sentence(code))
