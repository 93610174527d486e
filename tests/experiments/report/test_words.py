"""Every code has a sentence, in both languages, with its figures filled in."""

from string import Formatter

import pytest
from django.utils import translation

from experiments.analyse.codes import Code, code_words
from experiments.analyse.verdict import Evidence, decide
from experiments.report import verdict
from reporting.words import REASONS, reason_words
from stats.results import NotComputable, Reason
from tests.experiments.analyse.test_verdict import CASES


def filled(sentence: str) -> bool:
    """No placeholder is left, and it is a sentence."""
    return "%(" not in sentence and "{" not in sentence and len(sentence) > 10


def missing(reason: Reason) -> NotComputable:
    """The reason with the figures that its sentence asks for."""
    return NotComputable(reason, {name: 7 for _, name, _, _ in Formatter().parse(str(REASONS[reason])) if name})


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("evidence", [case[0] for case in CASES.values()], ids=list(CASES))
def test_verdict_sentence__every_row_of_the_table__is_filled(evidence: Evidence, language: str) -> None:
    with translation.override(language):
        assert filled(verdict.verdict_sentence(decide(evidence)))


@pytest.mark.parametrize("language", ["en", "ko"])
def test_reasons_codes_and_warnings__all__have_words(language: str) -> None:
    with translation.override(language):
        assert all(filled(reason_words(missing(reason))) for reason in Reason)
        assert all(code_words(code) for code in Code)
        for code in ("as_treated", "weak_nudge", "unbounded_set", "compliers_only", "whole_clusters"):
            assert filled(verdict.warning_sentence(code))


def test_reasons__asked_in_one_language_and_then_in_another__are_said_in_each() -> None:
    with translation.override("en"):
        english = {reason: reason_words(missing(reason)) for reason in Reason}
    with translation.override("ko"):
        korean = {reason: reason_words(missing(reason)) for reason in Reason}
    with translation.override("en"):
        again = {reason: reason_words(missing(reason)) for reason in Reason}

    assert english == again
    assert [reason for reason in Reason if english[reason] == korean[reason]] == []
