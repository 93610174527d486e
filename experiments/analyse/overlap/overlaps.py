"""Request, compute and store the overlap of experiments. Rows are append-only."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import combinations
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Count, OuterRef, Q, Subquery
from django.utils import timezone

from events.asking import questions
from experiments.analyse.gather.sender_rule import rule_of
from experiments.analyse.overlap import overlap_payloads
from experiments.analyse.overlap.overlap_gather import Met, Side, met_of
from experiments.analyse.overlap.overlap_payloads import OVERLAP
from experiments.analyse.overlap.pairs import Counts, Member, OutcomeTest, Overlap, SharingPair
from experiments.models import Analysis, Assignment, Experiment, OverlapReport
from experiments.plan import derived
from experiments.plan.design import Kind, kind_of
from experiments.plan.lifecycle import LIVE
from experiments.plan.stored import plan_of
from runs.payloads import Unreadable
from runs.perform import enqueue, perform
from runs.progress import Progress, silent
from runs.refusals import Refused
from stats.interaction import independence, interaction
from stats.multiplicity import holm
from stats.results import NotComputable, computable

RECENT_DAYS = 60  # units of experiments that stopped within these days may still carry their effects
MOST_EXPERIMENTS = 40  # 780 pairs; the newest experiments
Status = OverlapReport.Status


@dataclass(frozen=True)
class OpenOutcome:
    """Up to which moment an experiment's own analyses have shown its outcome.

    Attributes:
        until: None while it is locked.
        broken: True when its last verdict is INVALID.
    """

    until: datetime | None
    broken: bool


def request_overlap(*, by: User | None = None) -> OverlapReport:
    """Store a waiting run and queue it for a worker.

    Raises:
        Refused: fewer than two experiments run or ran lately, or another run waits.
    """
    if len(recent_experiments()) < 2:
        raise Refused("Two experiments are needed that run or stopped within {days} days.", days=RECENT_DAYS)
    with transaction.atomic():
        if OverlapReport.objects.filter(status__in=(Status.QUEUED, Status.RUNNING)).exists():
            raise Refused("The overlap is being counted already.")
        run = OverlapReport.objects.create(created_by=by)
    enqueue(run)
    return run


def request_due_overlap() -> int:
    """Nightly: request the overlap where it can be computed; returns how many runs."""
    try:
        request_overlap()
    except Refused:
        return 0
    return 1


def run_overlap(pk: int, *, listen: Progress = silent) -> bool:
    """Compute a waiting overlap; True when it is done."""
    run = OverlapReport.objects.filter(pk=pk).first()
    if run is None:
        return False
    made: list[Overlap] = []

    def compute(progress: Progress) -> dict[str, Any]:
        made.append(_compute(run, progress))
        return OVERLAP.store(made[0])

    def conclude(_payload: dict[str, Any]) -> None:
        alarms = sum(bool(made[0].troubles(pair)) for pair in made[0].pairs)
        OverlapReport.objects.filter(pk=run.pk).update(alarms=alarms)

    return perform(run, compute, listen=listen, then=conclude)


def latest_overlap() -> OverlapReport | None:
    """The latest successful run."""
    return OverlapReport.objects.filter(status=Status.DONE).order_by("-pk").first()


def read_overlap(run: OverlapReport | None) -> Overlap | Unreadable | None:
    """The record of a done run; None when there is none."""
    return None if run is None or run.payload is None else overlap_payloads.read(run.payload)


def recent_experiments() -> list[Experiment]:
    """Experiments that run or stopped recently, the newest first."""
    live = Q(status__in=[status.value for status in LIVE])
    lately = Q(
        status__in=(Experiment.Status.STOPPED, Experiment.Status.CONCLUDED),
        stopped_at__gte=timezone.now() - timedelta(days=RECENT_DAYS),
    )
    rows = Experiment.objects.filter(live | lately, started_at__isnull=False).select_related(
        "layer", "holdout", "moment"
    )
    return list(rows.prefetch_related("variants", "audience").order_by("-started_at", "-pk")[:MOST_EXPERIMENTS])


def open_outcome(experiment: Experiment) -> OpenOutcome:
    """Up to which moment the plan's own analyses have shown the outcome; a peek at a fixed plan doesn't count.

    An interaction read on data after the last planned look would be an unplanned look.
    """
    done = Analysis.objects.filter(experiment=experiment, status=Analysis.Status.DONE).order_by("-pk")
    shown = done.filter(figures__isnull=False, peek=False, as_of__isnull=False)
    until = shown.values_list("as_of", flat=True).first()
    broken = done.values_list("verdict", flat=True).first() == "INVALID"
    return OpenOutcome(until, broken)


def _compute(run: OverlapReport, progress: Progress) -> Overlap:
    rows = {row.key: row for row in recent_experiments()}
    with questions() as store:
        data_end = _aware(store.basis.data_end)
        OverlapReport.objects.filter(pk=run.pk).update(as_of=data_end)
        progress("exposures", 0.1)
        with met_of(store, [_side(row) for row in rows.values()]) as met:
            progress("outcomes", 0.4)
            pairs = _pairs(met, rows)
            members = tuple(_member(met, row) for row in rows.values())
    progress("statistics", 0.95)
    shown = sorted((pair for pair in pairs if pair.shared + pair.shared_by_assignment), key=lambda one: -one.shared)
    return Overlap(
        data_end=data_end.isoformat(timespec="seconds"),
        days=RECENT_DAYS,
        members=members,
        pairs=adjusted(shown),
        checked=len(pairs),
    )


def adjusted(pairs: list[SharingPair]) -> tuple[SharingPair, ...]:
    """The pairs with p-values adjusted over all tests of the report (Holm)."""
    found = [one.test.p_value for pair in pairs for one in pair.tests if one.test is not None and computable(one.test)]
    corrected = iter(holm(found))

    def with_p(one: OutcomeTest) -> OutcomeTest:
        known = one.test is not None and computable(one.test)
        return replace(one, adjusted_p=next(corrected)) if known else one

    return tuple(replace(pair, tests=tuple(with_p(one) for one in pair.tests)) for pair in pairs)


def _side(row: Experiment) -> Side:
    asked = derived.asked(plan_of(row))
    alone = replace(
        asked, outcomes=asked.outcomes[:1], behaviour=None, covariates=(), active_days_before=0, saturations=()
    )
    return Side(alone, rule_of(row))


def _member(met: Met, row: Experiment) -> Member:
    return Member(row.key, row.name, met.sides[row.key].asked.variants, met.exposed(row.key))


def _pairs(met: Met, rows: dict[str, Experiment]) -> list[SharingPair]:
    opened = {key: open_outcome(row) for key, row in rows.items()}
    return [_pair(met, rows[first], rows[second], opened) for first, second in combinations(rows, 2)]


def _pair(met: Met, first: Experiment, second: Experiment, opened: dict[str, OpenOutcome]) -> SharingPair:
    exposed = met.shared(first.key, second.key)
    both = tuple(opened[row.key].until for row in (first, second))
    shares = sum(map(sum, exposed)) > 0
    return SharingPair(
        first=first.key,
        second=second.key,
        assigned=_assigned(first, second),
        exposed=exposed,
        balance=independence(exposed),
        separated=first.layer_id is not None and first.layer_id == second.layer_id,
        selects=_selects(met, first.key, second.key, exposed) if None not in both else None,
        tests=tuple(_test(met, one, other, opened) for one, other in ((first, second), (second, first)) if shares),
    )


def _test(met: Met, one: Experiment, other: Experiment, opened: dict[str, OpenOutcome]) -> OutcomeTest:
    """The interaction on the first outcome of `one`, if both outcomes are open."""
    outcome = one.primary_metrics[0]
    kind = kind_of(outcome)
    mine, its = opened[one.key], opened[other.key]
    why = ""
    if mine.until is None or its.until is None:
        why = "locked"
    elif mine.broken or its.broken:
        why = "broken"
    elif one.cluster or other.cluster:
        why = "clustered"
    elif kind is Kind.QUANTILE:
        why = "quantile"
    if why or mine.until is None or its.until is None:
        return OutcomeTest(one.key, outcome, str(kind), why, "", None)
    until = min(mine.until, its.until)
    cells = met.cells(one.key, other.key, until)
    found = cells if isinstance(cells, NotComputable) else interaction(cells, planned_units=_repeated(one, other))
    return OutcomeTest(one.key, outcome, str(kind), "", until.isoformat(timespec="seconds"), found)


def _repeated(one: Experiment, other: Experiment) -> int | None:
    """Planned units where either plan may be read repeatedly, so that the test must hold at every look; else None."""
    if {one.method, other.method} == {Experiment.Method.FIXED}:
        return None
    planned = [row.planned_units for row in (one, other) if row.planned_units]
    return min(planned) if planned else 1_000


def _selects(met: Met, first: str, second: str, exposed: Counts) -> tuple[Any, Any]:
    """For both experiments: test whether exposure to the other one is independent of the arm."""
    by_first = [sum(row) for row in exposed]
    by_second = [sum(column) for column in zip(*exposed, strict=True)]
    return (
        independence([[n, all_ - n] for n, all_ in zip(by_first, met.exposed(first), strict=True)]),
        independence([[n, all_ - n] for n, all_ in zip(by_second, met.exposed(second), strict=True)]),
    )


def _assigned(first: Experiment, second: Experiment) -> Counts:
    """Units with a stored assignment in both, by arms; looks up the second's assignment per unit of the first."""
    other = Assignment.objects.filter(experiment=second, unit=OuterRef("unit")).values("variant_id")[:1]
    rows = Assignment.objects.filter(experiment=first).annotate(other=Subquery(other)).filter(other__isnull=False)
    counted = rows.order_by().values_list("variant_id", "other").annotate(units=Count("pk"))
    found = {(one, two): units for one, two, units in counted}
    arms = [[arm.pk for arm in row.variants.all()] for row in (first, second)]
    return tuple(tuple(found.get((one, two), 0) for two in arms[1]) for one in arms[0])


def _aware(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
