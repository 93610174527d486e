"""Documents that other programs read stay as they were: `documents.json` was written by the code of version 0.3."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aha.report import document as study_document
from experiments.analyse.effects import Report
from experiments.report import document
from stats.results import NotComputable, Reason
from tests.aha.make_report import report as make_study
from tests.experiments.make_readout import make_readout

STORED = json.loads((Path(__file__).parent / "documents.json").read_text(encoding="utf-8"))
MISSING = NotComputable(Reason.NO_DATA)
# Since 0.5 its error holds that of the mix of segments: it is about all users, not about those who came.
MIXED = ".outcomes[0].comparisons[0].stratified.population_difference."
# Sentences for people, which may be said in other words: they are there, and nothing else is asked of them.
SENTENCES = re.compile(r"\.verdict\.reason$|\.warnings\[\d+\]$|\.not_computable$|^\.cells\[\d+\]\.reason$")


def flat(node: Any, path: str = "") -> list[tuple[str, Any]]:
    """Every value with its path, in the document's order."""
    if isinstance(node, dict):
        return [row for name, value in node.items() for row in flat(value, f"{path}.{name}")]
    if isinstance(node, list):
        return [row for place, value in enumerate(node) for row in flat(value, f"{path}[{place}]")]
    return [(path, node)]


def without_numbers(report: Report) -> Report:
    """Every number of the first outcome's comparisons that may be missing is missing."""
    first, *rest = report.outcomes
    rows = [
        replace(
            row,
            difference=MISSING,
            adjusted_p=MISSING,
            lift=MISSING,
            covariate_adjusted=MISSING,
            randomisation=MISSING,
            encouragement=None
            if row.encouragement is None
            else replace(
                row.encouragement,
                take_up=MISSING,
                effect=MISSING,
                effect_set=MISSING,
                as_treated=MISSING,
                breakdown=MISSING,
                blind_spot=MISSING,
            ),
        )
        for row in first.comparisons
    ]
    return replace(report, sample_ratio=MISSING, outcomes=(replace(first, comparisons=tuple(rows)), *rest))


def written(name: str) -> dict[str, Any]:
    if name == "study_missing":
        study = make_study()
        candidates = tuple(replace(row, e_value=MISSING) for row in study.candidates)
        return study_document.document(replace(study, candidates=candidates))
    report = make_readout().report
    assert report is not None
    return document.document(report if name == "report" else without_numbers(report))


@pytest.mark.parametrize("name", STORED)
def test_document__of_0_3__has_its_keys_in_their_order_and_the_same_values_beside_what_came_later(name: str) -> None:
    made, expected = (flat(json.loads(json.dumps(one, allow_nan=False))) for one in (written(name), STORED[name]))
    known = {path for path, _ in expected}
    found = [(path, value) for path, value in made if path in known]

    assert [path for path, _ in found] == [path for path, _ in expected]
    for (path, value), (_, stored) in zip(found, expected, strict=True):
        if path.startswith(MIXED):
            continue
        if SENTENCES.search(path) and isinstance(stored, str):
            assert len(value) > 0, path
            continue
        exact = not isinstance(stored, float)
        if isinstance(stored, str):  # 0.3 set a blank before the sign
            then, now = (re.sub(r"[ \u00a0]%", "%", text) for text in (stored, value))
        else:
            then, now = stored, value
        assert now == (then if exact else pytest.approx(then, rel=1e-6, abs=1e-12)), path
