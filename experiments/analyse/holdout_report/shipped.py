"""Changes shipped since a date, with the findings of their experiments."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from django.utils import timezone

from experiments.analyse.analyses import read_analysis
from experiments.analyse.codes import Code
from experiments.analyse.corrected import best_difference
from experiments.analyse.decision_record import Ruling
from experiments.analyse.effects import leading
from experiments.analyse.holdout_report.holdout_question import HoldoutQuestion
from experiments.analyse.holdout_report.holdout_result import Shipment
from experiments.analyse.result import Readout
from experiments.models import Analysis, Experiment, Rollout
from stats.results import Estimate, NotComputable, Reason, computable
from stats.winners_curse import SummedEffects, sum_selected

READ_AT_ONCE = 20  # payloads per query; one has about 100 kB
ENDED = (Experiment.Status.STOPPED, Experiment.Status.CONCLUDED, Experiment.Status.ARCHIVED)


@dataclass(frozen=True)
class ShippedArm:
    """A shipped arm.

    Attributes:
        experiment: of the arm; `readout` is its final one.
        variant: key of the arm; `on` is the local date from which users get it.
    """

    experiment: Experiment
    readout: Readout
    variant: str
    on: date


def shipped_since(since: date, until: date) -> list[ShippedArm]:
    """Arms shipped from one local date on and before another, oldest first; the only source of this list.

    A rollout counts from the day of its first step, unless it was rolled back. An experiment without a rollout counts
    from its stop when its decision table says "ship": its team is assumed to have shipped by other means.
    """
    found = []
    rollouts = {row.experiment_id: row for row in Rollout.objects.select_related("variant")}
    for experiment, readout in _final_readouts(until):
        rollout = rollouts.get(experiment.pk)
        on = _ended_on(experiment) if rollout is None else timezone.localdate(rollout.first_at)
        arm = _decided(readout) if rollout is None else rollout.variant.key if rollout.is_on else ""
        if arm and on is not None and since <= on < until:
            found.append(ShippedArm(experiment, readout, arm, on))
    return sorted(found, key=lambda one: (one.on, one.experiment.key))


def single_findings(asked: HoldoutQuestion, until: date) -> tuple[tuple[Shipment, ...], SummedEffects | NotComputable]:
    """Shipped changes with their own findings, and the sum of these.

    Args:
        asked: the plan; findings on another outcome, or with days counted otherwise, aren't summed.
        until: local date before which it was shipped.
    """
    arms = {one.experiment.pk: one for one in shipped_since(asked.since, until)}
    rows = [_shipment(one, asked) for one in arms.values()]
    # All final findings on this outcome, shipped or not, are needed to estimate the spread of true effects.
    effects: list[Estimate] = []
    counted: list[int] = []
    wanted = {row.experiment for row in rows if not row.why}
    for experiment, readout in _final_readouts(until):
        effect = _effect(readout, asked, arms[experiment.pk].variant if experiment.pk in arms else "")
        if effect is None or not computable(effect) or effect.standard_error <= 0:
            continue
        if experiment.key in wanted:
            counted.append(len(effects))
        effects.append(effect)
    if not counted:
        return tuple(rows), NotComputable(Reason.NO_DATA)
    found = sum_selected([one.estimate for one in effects], [one.standard_error for one in effects], counted)
    return tuple(rows), found


def _final_readouts(until: date) -> Iterator[tuple[Experiment, Readout]]:
    """Ended experiments with a readable and valid final analysis, by their end."""
    rows = Analysis.objects.filter(status=Analysis.Status.DONE, final=True, experiment__status__in=ENDED)
    rows = rows.select_related("experiment__holdout").defer("early").order_by("experiment__stopped_at", "pk")
    for analysis in rows.iterator(chunk_size=READ_AT_ONCE):
        on = _ended_on(analysis.experiment)
        readout = read_analysis(analysis)
        if on is None or on >= until or not isinstance(readout, Readout) or readout.report is None:
            continue
        if readout.standing.peeked or readout.report.verdict.code is Code.INVALID:
            continue
        yield analysis.experiment, readout


def _ended_on(experiment: Experiment) -> date | None:
    moment = experiment.stopped_at or experiment.concluded_at
    return None if moment is None else timezone.localdate(moment)


def _decided(readout: Readout) -> str:
    """The arm that the final analysis recommends to ship, else ""; without a decision, the leading arm if CAUSES."""
    if readout.decision is not None:
        return readout.decision.variant if readout.decision.ruling is Ruling.SHIP else ""
    report = readout.report
    return report.leading if report is not None and report.verdict.code is Code.CAUSES else ""


def _shipment(one: ShippedArm, asked: HoldoutQuestion) -> Shipment:
    holdout = one.experiment.holdout
    keeps = holdout is not None and holdout.key == asked.holdout
    effect = _effect(one.readout, asked, one.variant)
    why = "" if keeps else "reaches_both"
    if effect is None:
        why = "other_outcome"
    elif not computable(effect):
        why = "not_computable"
    return Shipment(
        experiment=one.experiment.key,
        name=one.experiment.name,
        variant=one.variant,
        on=one.on,
        keeps_out=keeps,
        effect=effect if effect is not None and computable(effect) else None,
        why=why,
    )


def _effect(readout: Readout, asked: HoldoutQuestion, variant: str) -> Estimate | NotComputable | None:
    """Effect of the nudge on all exposed units, corrected for looks; None if measured on another outcome.

    Args:
        readout: of a final analysis.
        asked: the plan.
        variant: the arm that was shipped; "" for the leading one.
    """
    plan, report = readout.plan, readout.report
    if report is None or plan.primary[0] != asked.outcome or plan.day_mode != asked.day_mode:
        return None
    rows = [row for row in report.outcomes[0].comparisons if row.variant == variant]
    return best_difference(readout, rows[0] if rows else leading(report))
