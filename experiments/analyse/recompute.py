"""Recompute a final analysis from its signed inputs and the store at the version that it read."""

from datetime import date
from typing import Any

from events.asking import questions
from events.time_travel.data_digest import DataDigest
from events.time_travel.store_files import StoreFiles
from experiments.analyse.analyses import looks_before, readout_of
from experiments.analyse.gather.answers import Audit
from experiments.analyse.gather.sender_rule import rule_of
from experiments.analyse.proof import digest_read
from experiments.analyse.result import Readout
from experiments.models import Experiment
from experiments.plan.question import Question
from reporting.document import load
from runs.progress import Progress, silent


def recompute(
    experiment: Experiment, signed: dict[str, Any], result: Readout, files: StoreFiles, *, progress: Progress = silent
) -> tuple[Readout, DataDigest | None]:
    """The result as computed now, and the digest of the data read.

    Assignments and earlier looks are read from the database; plan, questions, seed and dates are the signed ones.

    Args:
        experiment: the row.
        signed: the document of `experiments.analyse.proof`.
        result: stored with it; its plan is used.
        files: the store's files at that version.
        progress: called with the share that is done.
    """
    asked = load(Question, signed["asked"])
    with questions(day_mode=result.plan.day_mode, at=files, time_zone=signed["data"]["time_zone"]) as store:
        found = readout_of(
            store,
            asked,
            result.plan,
            rule=rule_of(experiment),
            audit=load(Audit, signed["assignments"]),
            earlier=looks_before(experiment, pk=signed["analysis"]),
            peek=signed["peek"],
            today=date.fromisoformat(signed["today"]),
            seed=int(signed["seed"]),
            progress=progress,
        )
        return found, digest_read(store, asked)
