"""A difference of shares is told in points, in both languages: on the pages of what version 0.4 stored."""

import json
import re
import sqlite3
import tarfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from django.utils import translation

from experiments.analyse.payload_versions import READOUT
from experiments.analyse.result import AnalysisResult
from experiments.report import first_lines, page
from experiments.report.behaviour import take_up_sentences
from experiments.report.names import is_share
from experiments.report.promise_and_finding import promise
from experiments.report.verdict import figures_text
from reporting.table import Part
from stats.results import computable

SITE = Path(__file__).resolve().parents[2] / "fixtures/v0_4/site.tar.xz"
OF_A_SHARE = re.compile(r"[+\u2212]\d[\d.,]*%(?!p)")  # a signed per cent: what only a relative change may have
WORDS = {"en": "points", "ko": "%p"}
# Columns of relative changes, and of levels, which a nudge with a path of its own takes below 0.
OTHERS = {"en": ("relative", "variance removed", "level"), "ko": ("상대", "분산 감소율", "값")}


@cache
def readouts() -> tuple[AnalysisResult, ...]:
    """Those of the analyses that version 0.4 stored."""
    with TemporaryDirectory() as folder:
        with tarfile.open(SITE) as packed:
            packed.extract("site.sqlite3", folder, filter="data")
        found = sqlite3.connect(f"{folder}/site.sqlite3")
        rows = found.execute("select payload from experiments_analysis where payload is not null").fetchall()
        found.close()
    read = [READOUT.read(json.loads(row[0])) for row in rows]
    return tuple(one for one in read if isinstance(one, AnalysisResult))


def parts(readout: AnalysisResult) -> Iterator[Part]:
    first = promise(readout)
    yield from () if first is None else (first,)
    yield from (part for section in page.sections(readout) for part in section.parts)


def told(readout: AnalysisResult, language: str) -> Iterator[str]:
    """Each sentence, and each cell behind its column's heading, but those of what is no difference of shares."""
    opening = first_lines.opening(readout)
    yield from (opening.sentence, *opening.known, *(sentence for _, _, sentence in first_lines.health(readout)))
    for part in parts(readout):
        yield from (part.heading, part.finding, part.note)
        if part.table is not None:
            yield part.table.note
            for row in part.table.rows:
                for before, heading, cell in zip(("", *part.table.columns), part.table.columns, row, strict=False):
                    if not any(word in before + heading for word in OTHERS[language]):
                        yield f"{heading}: {cell}"


@pytest.mark.parametrize("language", ["en", "ko"])
def test_pages__of_stored_analyses__write_no_difference_in_per_cent(language: str) -> None:
    with translation.override(language):
        wrong = {text for one in readouts() for text in told(one, language) if OF_A_SHARE.search(text)}

    assert len(readouts()) == 4
    assert wrong == set()


@pytest.mark.parametrize("language", ["en", "ko"])
def test_pages__of_stored_analyses__name_the_unit_of_each_effect(language: str) -> None:
    """Cells that hold an effect on a share, and the sentence of what a nudge moved, have points behind each number."""
    effects, moved = 0, 0
    with translation.override(language):
        for readout in readouts():
            for part in parts(readout):
                if part.slug in ("promise", "first-stage") and part.table and all(map(is_share, readout.plan.outcomes)):
                    effects += len(part.table.rows)
                    assert [row for row in part.table.rows if not has_points(part.table.columns, row, language)] == []
            for stage, sentence in zip(readout.first_stage, take_up_sentences(readout), strict=True):
                if computable(stage.take_up):
                    moved += 1
                    assert sentence.count(WORDS[language]) == 2, sentence
    assert effects > 3
    assert moved > 0


def has_points(columns: tuple[str, ...], row: tuple[str, ...], language: str) -> bool:
    """A row with a number has its unit in the heading or behind it."""
    return WORDS[language] in " ".join(columns + row) or not re.search(r"\d", " ".join(row[1:3]))


@pytest.mark.parametrize("language", ["en", "ko"])
def test_figures__of_a_take_up__are_a_share_of_users_and_a_difference(language: str) -> None:
    with translation.override(language):
        found = figures_text({"take_up": -0.03, "kind": "proportion"})

    assert found["take_up"] == "\u22123.0%"
    assert WORDS[language] in found["take_up_points"]
