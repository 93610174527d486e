"""What the checks look at, made by hand: a file's units, and a stored experiment that is otherwise quiet."""

from typing import Any

import numpy as np

from experiments.analyse.codes import Finding
from experiments.analyse.gather.answers import Answers, Audit
from experiments.analyse.health.all_checks import examine
from experiments.analyse.health.context import FileContext, StoredContext, file_context, stored_context
from experiments.analyse.outcome_lock import mature_by_arm, units_by_arm
from experiments.analyse.result import Maturity, State
from experiments.plan.analysed import Analysed
from experiments.plan.design import Design, Kind, Outcome, Units
from experiments.report.health import finding_sentence
from tests.experiments.make_answers import draw_units, make_analysed, make_answers

QUIET = Audit(1_000, 0, {"control": 1_000, "nudge": 1_000})


def units(sizes: tuple[int, ...], **changes: object) -> Units:
    """Units of the given arm sizes with an alternating 0/1 outcome."""
    arm = np.repeat(np.arange(len(sizes)), sizes)
    values = (np.arange(len(arm)) % 2).astype(float)
    fields: dict[str, object] = {
        "labels": tuple("abcdef"[: len(sizes)]),
        "arm": arm,
        "outcomes": (Outcome("kept", Kind.PROPORTION, values),),
        "rows": len(arm),
        **changes,
    }
    return Units(**fields)  # type: ignore[arg-type]


def of_file(data: Units, **changes: object) -> FileContext:
    """The context of a file; `changes` are of its design."""
    fields: dict[str, object] = {"variant": "arm", "control": "a", "outcomes": ("kept",), **changes}
    return file_context(Design(**fields), data)  # type: ignore[arg-type]


def findings(data: Units, **changes: object) -> dict[str, Finding]:
    """What all checks find in a file, by code."""
    return {found.check: found for found in examine(of_file(data, **changes))}


def halves(control: int, nudge: int, **columns: Any) -> Answers:
    """Exactly so many exposed units in each arm."""
    n = control + nudge
    arm = np.repeat([0, 1], [control, nudge])
    drawn = draw_units(n, arm=arm, segment=np.arange(n) % 2, week=np.arange(n) % 2, level=np.arange(n) % 3)
    return make_answers({**drawn, **columns})


def stored(
    answers: Answers | None = None,
    analysed: Analysed | None = None,
    *,
    audit: Audit = QUIET,
    final: bool = True,
    peeked: bool = False,
    fraction: float = 1.0,
    **changes: Any,
) -> StoredContext:
    """The context of a stored experiment: at its final look, or (`final=False`) on one of many nights."""
    analysed = make_analysed() if analysed is None else analysed
    answers = halves(1_000, 1_000) if answers is None else answers
    cells = answers.cells
    exposed, mature = units_by_arm(cells, cells.exposed), mature_by_arm(analysed.plan, cells)
    state = State.OPEN if final or peeked else State.PENDING
    maturity = Maturity(state, "ended", None, final, peeked, fraction, exposed, mature)
    return stored_context(analysed, answers, maturity, audit, **changes)


def codes(check: Any, of: FileContext | StoredContext) -> list[str]:
    """Codes of what one check finds."""
    return [finding.check for finding in check(of)]


def only(check: Any, of: FileContext | StoredContext) -> Finding:
    """The one thing that a check finds; its sentence has all its figures."""
    (finding,) = check(of)
    assert isinstance(finding, Finding)
    assert "%(" not in finding_sentence(finding)
    return finding
