"""Queries that a plan implies, for the outcome-lock gate: they must not reveal another experiment's arms."""

from collections.abc import Iterator

from aha.moments.reach import of_moment
from aha.study.population import segments_named
from events.arm_marks import Condition, Said, of_metric, of_start, refuse_arm_marks
from events.metrics import parse_metric
from experiments.models import Experiment
from experiments.plan.record import Plan
from experiments.plan.stored import plan_of
from runs.refusals import Refused
from segments.published.segment_marks import of_segments


def refuse_plan_marks(experiment: Experiment) -> None:
    """Refuse the start of a plan whose outcomes, behaviour, covariates or audience would reveal the arms of another
    experiment whose outcome is locked.

    Raises:
        Refused: as `events.arm_marks.refuse_arm_marks`.
    """
    asks = list(_asks(plan_of(experiment)))
    if experiment.moment is not None:
        asks += of_moment(experiment.moment)
    refuse_arm_marks({"": asks}, day_mode=experiment.day_mode)


def _asks(plan: Plan) -> Iterator[Condition]:
    start = plan.signup_event or "*"
    yield from of_start(start)
    yield from (Said(name, "" if start == "*" else start) for name in plan.covariates)
    for text in plan.outcomes:
        yield from of_metric(parse_metric(text), start)
    for row in plan.audience:
        if row.segment:
            try:
                version, segments = segments_named(row.segment)
            except Refused:  # reported by the plan's mistakes
                continue
            yield from of_segments(version, segments)
