"""Stored payloads of studies and moments back to their records; those of older versions are upgraded first. Pure."""

from typing import Any

from aha.study.result import Candidate, Report
from runs.payloads import Document, Schema, Unreadable


def drop_wrong_parts(candidate: Document) -> Document:
    """Schema 2. Version 0.3 took optimism and drift of a step's cell from the wrong parts, so they are dropped.

    It kept no `chosen_on` and chose every cell on the training part, as far as its report says.
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
    """Schema 3. A ladder may have a fifth rung; one that was computed before keeps its four.

    Nothing is to be done, but an older release must not take five rungs for a broken ladder.
    """
    return document


STUDY = Schema(Report, (drop_wrong_parts_of_all, keep_four_rungs))
EVIDENCE = Schema(Candidate, (drop_wrong_parts, keep_four_rungs))
FINDING: Schema[dict[str, Any]] = Schema(dict)  # written by experiments, read by `aha.report.moment_page.finding`


def read(payload: Document) -> Report | Unreadable:
    """The report of a finished study."""
    return STUDY.read(payload)


def read_candidate(evidence: Document) -> Candidate | Unreadable:
    """The candidate as it stood when it became an AHA moment."""
    return EVIDENCE.read(evidence)
