"""Query units exposed to two experiments, and their outcomes where both are open. A heavy import."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import combinations
from typing import TYPE_CHECKING, Any

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Count, OuterRef, Q, Subquery
from django.utils import timezone

from events.warehouse.session import WarehouseSession, questions
from events.windows import Clock, DayMode
from experiments.analyse.across.overlap_pairs import OVERLAP, Counts, Member, OutcomeTest, Overlap, SharingPair
from experiments.analyse.gather import queries
from experiments.analyse.gather.admission import AdmissionRule
from experiments.analyse.gather.admitting import admitted, exposures_of, rule_of
from experiments.analyse.gather.answers import Cells as CellMoments
from experiments.analyse.gather.gather import cells_of, rows_of
from experiments.models import Analysis, Assignment, Experiment, OverlapReport
from experiments.plan import derived
from experiments.plan.derived import Question
from experiments.plan.design import Kind, kind_of
from experiments.plan.fields import Method
from experiments.plan.lifecycle import LIVE
from experiments.plan.stored import plan_of
from runs.perform import Computation, enqueue
from runs.progress import Early, Progress
from runs.refusals import Refused
from stats.interaction import independence, interaction
from stats.multiplicity import holm
from stats.ratios import mean_of_ratio
from stats.results import NotComputable, Reason, computable
from stats.summaries import Joint, Mean

if TYPE_CHECKING:
    import ibis.expr.types as ir

type Cells = list[list[Mean]]


@dataclass(frozen=True)
class Side:
    """One experiment's question and exposure rule.

    Attributes:
        asked: its own question, with its first primary outcome only.
        rule: which exposures count; None accepts every sender.
        time_zone: of its days.
    """

    asked: Question
    rule: AdmissionRule | None
    time_zone: str = "UTC"


@dataclass(frozen=True)
class Met:
    """Units exposed to several experiments, each in the arm met first there.

    Attributes:
        units: exposed units by experiment and arm.
        both: units exposed to two experiments, by first, its arm, second, its arm; every pair in both orders.
        exposures: of each experiment, materialised in the warehouse while they are compared.
    """

    questions: WarehouseSession
    sides: Mapping[str, Side]
    units: Mapping[tuple[str, str], int]
    both: Mapping[tuple[str, str, str, str], int]
    exposures: Mapping[str, ir.Table]

    def exposed(self, key: str) -> tuple[int, ...]:
        """Exposed units by arm."""
        return tuple(self.units.get((key, arm), 0) for arm in self.sides[key].asked.variants)

    def shared(self, first: str, second: str) -> Counts:
        """Units exposed to both, by arms."""
        one, other = (self.sides[key].asked.variants for key in (first, second))
        return tuple(tuple(self.both.get((first, a, second, b), 0) for b in other) for a in one)

    def cells(self, first: str, second: str, until: datetime) -> Cells | NotComputable:
        """The first's outcome over mature units exposed to both before `until`, by arms of both."""
        import ibis

        questions, asked, others = self.questions, self.sides[first].asked, self.sides[second].asked.variants
        one, other = (
            _met(queries.before(self.exposures[key], until), self.sides[key].asked) for key in (first, second)
        )
        clock = Clock(DayMode(asked.day_mode), self.sides[first].time_zone)
        basis = replace(questions.basis, clock=clock, data_end=until)
        # Later queries pass the segment on, and need no real segments here: it holds the arm in the second.
        joined = one.join(other.select("user_id", other=other.variant), "user_id")
        with questions.warehouse.kept(joined.mutate(segment=joined.other).select(one.columns)) as shared:
            units = queries.units(questions.log, shared, asked, basis)
            (span,) = rows_of(questions, queries.span(units))
            if not span["units"]:
                return NotComputable(Reason.NO_DATA)
            first_anchor, most_days = span["first_anchor"], int(span["most_days"])
            values = queries.unit_values(
                questions.log, units, asked, basis, first_anchor=first_anchor, most_days=most_days
            )
            # One cell for each pair of arms: weeks aren't needed here.
            return _table(cells_of(questions, asked, values.mutate(week=ibis.literal(0))), asked, others)


@contextmanager
def met_of(questions: WarehouseSession, sides: Sequence[Side]) -> Iterator[Met]:
    """Exposed units of each experiment, and of each two; their exposures stay in the warehouse until the block ends."""
    with ExitStack() as stack:
        deciding = {}
        for side in sides:
            exposures = stack.enter_context(exposures_of(questions, side.asked))
            variants, clustered = tuple(side.asked.variants), side.asked.clustered
            counted = admitted(questions, exposures, side.rule, variants=variants, clustered=clustered).deciding
            deciding[side.asked.experiment] = counted
        by_key = {side.asked.experiment: side for side in sides}
        yield Met(questions, by_key, *_counts(questions, by_key, deciding), deciding)


def _counts(
    questions: WarehouseSession, sides: Mapping[str, Side], exposures: Mapping[str, ir.Table]
) -> tuple[dict[tuple[str, str], int], dict[tuple[str, str, str, str], int]]:
    """`Met.units` and `Met.both`, by one query each for all experiments."""
    import ibis

    tables = [
        _met(exposures[key], side.asked).select("user_id", "variant", experiment=ibis.literal(key))
        for key, side in sides.items()
    ]
    if not tables:
        return {}, {}
    with questions.warehouse.kept(ibis.union(*tables)) as met:
        sizes = met.group_by("experiment", "variant").aggregate(units=met.count())
        units = {(row["experiment"], row["variant"]): int(row["units"]) for row in rows_of(questions, sizes)}
        other = met.select("user_id", second=met.experiment, arm=met.variant)
        pairs = met.join(other, "user_id")
        pairs = pairs.filter(pairs.experiment < pairs.second)
        pairs = pairs.group_by("experiment", "variant", "second", "arm").aggregate(units=pairs.count())
        both = {}
        for row in rows_of(questions, pairs):
            one, another = (row["experiment"], row["variant"]), (row["second"], row["arm"])
            both[*one, *another] = both[*another, *one] = int(row["units"])
    return units, both


def _met(exposures: ir.Table, asked: Question) -> ir.Table:
    """Units whose first arm is planned."""
    met = queries.met(exposures, asked.variants)
    return met.filter(met.variant.isin(list(asked.variants)))


def _table(found: CellMoments, question: Question, others: Sequence[str]) -> Cells:
    """The outcome's means as a complete table, with empty cells where there are no units; a ratio is linearised."""
    block, empty = found.blocks[question.outcomes[0]], Mean(0, 0.0, 0.0)
    means = {}
    for place, n in enumerate(block.n.tolist()):
        joint = Joint(n, block.means[place], block.covariance[place])
        cell = int(found.variant[place]), found.segments[found.segment[place]]
        means[cell] = joint.column(0) if len(joint.means) == 1 else mean_of_ratio(joint)
    return [[means.get((place, other), empty) for other in others] for place, _ in enumerate(question.variants)]


# Request, compute and store the overlap of experiments. Rows are append-only.

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
        if OverlapReport.objects.filter(status__in=OverlapReport.OPEN).exists():
            raise Refused("The overlap is being counted already.")
        return enqueue(OverlapReport(created_by=by))


def request_due_overlap() -> int:
    """Nightly: request the overlap where it can be computed; returns how many runs."""
    try:
        request_overlap()
    except Refused:
        return 0
    return 1


def latest_overlap() -> OverlapReport | None:
    """The latest successful run."""
    return OverlapReport.objects.filter(status=Status.DONE).order_by("-pk").first()


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


def _compute(run: OverlapReport, progress: Progress, _early: Early) -> Overlap:
    rows = {row.key: row for row in recent_experiments()}
    with questions() as store:
        data_end = store.basis.data_end
        OverlapReport.objects.filter(pk=run.pk).update(as_of=data_end)
        progress("exposures", 0.1)
        with met_of(store, [_side(row) for row in rows.values()]) as met:
            progress("outcomes", 0.4)
            pairs = _pairs(met, rows)
            members = tuple(_member(met, row) for row in rows.values())
    progress("statistics", 0.95)
    shown = sorted((pair for pair in pairs if pair.shared + pair.shared_by_assignment), key=lambda pair: -pair.shared)
    return Overlap(
        data_end=data_end.isoformat(timespec="seconds"),
        days=RECENT_DAYS,
        members=members,
        pairs=adjusted(shown),
        checked=len(pairs),
    )


def _conclude(run: OverlapReport, report: Overlap) -> None:
    alarms = sum(bool(report.troubles(pair)) for pair in report.pairs)
    OverlapReport.objects.filter(pk=run.pk).update(alarms=alarms)


run_overlap = Computation(OverlapReport, _compute, OVERLAP.store, _conclude)


def adjusted(pairs: list[SharingPair]) -> tuple[SharingPair, ...]:
    """The pairs with p-values adjusted over all tests of the report (Holm)."""
    p_values = [
        outcome.test.p_value
        for pair in pairs
        for outcome in pair.tests
        if outcome.test is not None and computable(outcome.test)
    ]
    corrected = iter(holm(p_values))

    def with_p(outcome: OutcomeTest) -> OutcomeTest:
        known = outcome.test is not None and computable(outcome.test)
        return replace(outcome, adjusted_p=next(corrected)) if known else outcome

    return tuple(replace(pair, tests=tuple(with_p(outcome) for outcome in pair.tests)) for pair in pairs)


def _side(row: Experiment) -> Side:
    question = derived.asked(plan_of(row))
    alone = replace(
        question, outcomes=question.outcomes[:1], behaviour=None, covariates=(), active_days_before=0, saturations=()
    )
    return Side(alone, rule_of(row), row.zone)


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
    result = cells if isinstance(cells, NotComputable) else interaction(cells, planned_units=_repeated(one, other))
    return OutcomeTest(one.key, outcome, str(kind), "", until.isoformat(timespec="seconds"), result)


def _repeated(one: Experiment, other: Experiment) -> int | None:
    """Planned units where either plan may be read repeatedly, so that the test must hold at every look; else None."""
    if {one.method, other.method} == {Method.FIXED}:
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
    counts = {(one, two): units for one, two, units in counted}
    arms = [[arm.pk for arm in row.variants.all()] for row in (first, second)]
    return tuple(tuple(counts.get((one, two), 0) for two in arms[1]) for one in arms[0])
