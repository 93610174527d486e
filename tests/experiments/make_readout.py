"""Readouts by hand: made by the engine from units that a test draws, and rows that store them."""

from datetime import UTC, date, datetime
from typing import Any

from aha.models import AhaMoment
from experiments.analyse.analyse_experiment import analyse_answers
from experiments.analyse.analyses import for_lists
from experiments.analyse.gather.answers import Audit
from experiments.analyse.payload_versions import READOUT
from experiments.analyse.result import AnalysisResult, LookTaken, Opened
from experiments.models import Analysis, Experiment
from tests.experiments.make import do, draft
from tests.experiments.make_answers import draw_units, make_analysed, make_answers, make_cells

TODAY = date(2026, 4, 1)
CLEAN = Audit(0, 0, {})
MADE: dict[str, AnalysisResult] = {}  # frozen, so that tests may share them
RUNNING: dict[str, Any] = {"enrolment_ended": None, "planned_units": 20_000}


def make_readout(**given: Any) -> Opened:
    """As `make_result`, of a plan whose outcome may be read."""
    return opened(make_result(**given))


def opened(result: AnalysisResult) -> Opened:
    """The result, whose outcome may be read."""
    if not isinstance(result, Opened):
        raise TypeError("the outcome is locked")
    return result


def make_result(
    *,
    peek: bool = False,
    units: dict[str, Any] | None = None,
    answers: dict[str, Any] | None = None,
    earlier: tuple[LookTaken, ...] = (),
    **plan: Any,
) -> AnalysisResult:
    """A final result with a moment, two arms and two segments; `plan` changes its plan. Made once per question."""
    key = None if units or answers else repr((peek, earlier, sorted(plan.items())))
    if key is not None and key in MADE:
        return MADE[key]
    units = draw_units(4_000) if units is None else units
    planned = make_analysed(**plan)
    cells = make_cells(units, behaviour=planned.plan.claim is not None)
    found = make_answers(units, cells=cells, **(answers or {}))
    made = analyse_answers(planned, found, CLEAN, peek=peek, earlier=earlier, today=TODAY)
    if key is not None:
        MADE[key] = made
    return made


def broken() -> Opened:
    """Three of four units are in control, where half were planned: the sample ratio alarms."""
    units = draw_units(4_000)
    kept = (units["arm"] == 0) | (units["segment"] == 0)
    return make_readout(units={name: values[kept] for name, values in units.items()})


def stored(key: str = "exp", readout: AnalysisResult | None = None, *, moment: bool = False, **more: Any) -> Analysis:
    """A done analysis of a started experiment of this key."""
    experiment = Experiment.objects.filter(key=key).first() or started(key, moment=moment)
    readout = readout or make_readout()
    given: dict[str, Any] = {
        "status": "done",
        "payload": READOUT.store(readout),
        **for_lists(readout),
        "as_of": datetime(2026, 3, 31, tzinfo=UTC),
        "finished_at": datetime(2026, 4, 1, 2, tzinfo=UTC),
        "verdict": "" if readout.verdict is None else str(readout.verdict.code),
        "final": readout.maturity.final,
        "peek": readout.maturity.peeked,
        **more,
    }
    return Analysis.objects.create(experiment=experiment, **given)


def started(key: str = "exp", *, moment: bool = False, **fields: Any) -> Experiment:
    """A running experiment, with an AHA moment when asked for."""
    if moment:
        fields["moment"] = AhaMoment.objects.create(
            key=f"m-{key}",
            name="3 friends",
            behaviour="friend_add",
            times=3,
            days=7,
            signup_event="signup",
            retention="window:21-27",
        )
    draft(key, **fields)
    return do(key, "start")
