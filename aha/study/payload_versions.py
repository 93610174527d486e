"""Parse stored payloads of studies and moments, upgrading those of older versions first. Pure."""

from typing import Any

from aha.study.result import Candidate, Report
from runs.payloads import Document, Schema


def drop_wrong_parts(candidate: Document) -> Document:
    """Schema 2. Version 0.3 took optimism and drift of a step's cell from the wrong parts, so they are dropped.

    It stored no `chosen_on`; its reports say that every cell was chosen on the training part.
    """
    honesty = candidate["honesty"]
    if "chosen_on" in honesty:
        return candidate
    wrong: Document = {"optimism": {}, "drift": {}} if candidate["by_step"] else {}
    return {**candidate, "honesty": {**honesty, "chosen_on": "train", **wrong}}


def drop_wrong_parts_of_all(report: Document) -> Document:
    """Schema 2 of a whole study."""
    return {**report, "candidates": [drop_wrong_parts(row) for row in report["candidates"]]}


def keep_four_rungs(document: Document) -> Document:
    """Schema 3. A ladder may have a fifth rung; older ones keep four.

    Nothing is converted; the new schema number keeps an older release from reading five rungs as a broken ladder.
    """
    return document


STUDY = Schema(Report, (drop_wrong_parts_of_all, keep_four_rungs))
EVIDENCE = Schema(Candidate, (drop_wrong_parts, keep_four_rungs))
FINDING: Schema[dict[str, Any]] = Schema(dict)  # written by experiments, read by `aha.report.moment_page.finding`
