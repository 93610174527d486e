"""Every code of a finding has a sentence in both languages, and its figures in it."""

import inspect
import re
from pathlib import Path
from typing import get_args

import pytest
from django.utils import translation

from experiments.analyse import health as checks
from experiments.analyse.codes import Detail, Finding, FindingCode, Severity
from experiments.report.health import SENTENCES, finding_sentence, severity_words
from reporting.words import gettext

CODES: tuple[FindingCode, ...] = get_args(FindingCode.__value__)
# What only earlier versions found: their stored payloads hold it.
OF_OLD_VERSIONS = {
    "identity_conflicts",
    "no_first_stage",
    "placebo_crossed",
    "placebo_moves_behaviour",
    "placebo_unfit",
    "placebo_unknown",
    "placebo_waits",
}
ANALYSE = Path(inspect.getfile(checks)).parent.parent
ROOT = ANALYSE.parent.parent
FIGURE = re.compile(r"%\((\w+)\)s")
EMITTED = re.compile(r'Finding\(\s*"(\w+)"')


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("code", CODES)
def test_finding_sentence__every_code__is_a_filled_sentence(code: FindingCode, language: str) -> None:
    with translation.override(language):
        names = FIGURE.findall(SENTENCES[code])
        details: dict[str, Detail] = {name: f"<{name}>" for name in names if name not in ("outcome", "p_value")}
        sentence = finding_sentence(Finding(code, Severity.INFO, {**details, "outcome": "on_day:7", "p_value": 0.0004}))

    assert len(sentence) > 10
    assert "%(" not in sentence
    assert all(str(value) in sentence for value in details.values())


def test_templates__codes__are_those_of_the_findings() -> None:
    assert set(SENTENCES) == set(CODES)
    assert len(set(CODES)) == len(CODES)


@pytest.mark.parametrize("code", CODES)
def test_templates__both_languages__name_the_same_figures(code: FindingCode) -> None:
    english = SENTENCES[code]
    with translation.override("ko"):
        korean = gettext(english)

    assert korean != english
    assert set(FIGURE.findall(korean)) == set(FIGURE.findall(english))


def test_codes__nothing_finds_them_any_more__are_named_as_old() -> None:
    source = "\n".join(path.read_text(encoding="utf-8") for path in ANALYSE.rglob("*.py") if path.stem != "findings")
    by_name = {code for code in CODES if f'"{code}"' in source}

    assert set(EMITTED.findall(source)) <= set(CODES)
    assert by_name | OF_OLD_VERSIONS == set(CODES)


@pytest.mark.parametrize("language", ["en", "ko"])
def test_severity_words__each__has_its_own(language: str) -> None:
    with translation.override(language):
        assert len({severity_words(one) for one in Severity}) == len(Severity)
