"""Start forecasts of growth, and compute them as runs; collect the finished experiments that are their levers."""

from collections.abc import Iterator

from django.contrib.auth.models import User

from events.metrics import Active, parse_metric
from events.warehouse.session import questions
from experiments.analyse.codes import Code
from experiments.models import Analysis
from experiments.plan.fields import ClockZero, Enrolment
from experiments.plan.stored import plan_of
from launches.growth.gather import gather
from launches.growth.model import GROWTH, LONGEST_AHEAD, Finished, GrowthReport, Unmoved, make_report
from launches.models import GrowthForecast
from runs.perform import Computation, enqueue
from runs.progress import Early, Progress
from runs.refusals import Refused
from stats.growth_chain import YEAR, Rate
from stats.results import Interval

LEVEL = 0.95  # of experiments' intervals


def create_forecast(*, weeks: int = YEAR, by: User | None = None) -> GrowthForecast:
    """Store a waiting forecast.

    Args:
        weeks: ahead.
        by: who asks.

    Raises:
        Refused: fewer weeks than 1 or more than 104.
    """
    row = _forecast(weeks, by)
    row.save()
    return row


def start_forecast(*, weeks: int = YEAR, by: User | None = None) -> GrowthForecast:
    """Store a forecast and queue it.

    Raises:
        Refused: as `create_forecast`, or it would read more than the budget; nothing is stored then.
    """
    return enqueue(_forecast(weeks, by))


def _forecast(weeks: int, by: User | None) -> GrowthForecast:
    if not 1 <= weeks <= LONGEST_AHEAD:
        raise Refused("From 1 to {most} weeks ahead.", most=LONGEST_AHEAD, at="weeks")
    return GrowthForecast(inputs={"weeks": weeks}, created_by=by)


def _compute(run: GrowthForecast, progress: Progress, _early: Early) -> GrowthReport:
    with questions() as store:
        GrowthForecast.objects.filter(pk=run.pk).update(as_of=store.basis.data_end)
        progress("weeks", 0.1)
        gathered = gather(store)
    progress("forecast", 0.4)
    return make_report(
        gathered.weeks,
        first=gathered.first,
        ahead=int(run.inputs["weeks"]),
        seed=run.seed,
        experiments=finished_experiments(),
    )


run_forecast = Computation(GrowthForecast, _compute, GROWTH.store)


def finished_experiments() -> Iterator[Finished]:
    """Experiments whose final result is valid; nothing of an outcome that is locked, or was only peeked at."""
    done = Analysis.objects.filter(status=Analysis.Status.DONE, final=True, peek=False)
    done = done.exclude(verdict__in=("", Code.INVALID)).select_related("experiment")
    seen = set()
    for analysis in done.defer("payload", "inputs", "proof").order_by("-pk"):
        if analysis.experiment_id not in seen and analysis.figures:
            seen.add(analysis.experiment_id)
            yield _finished(analysis)


def _finished(analysis: Analysis) -> Finished:
    figures, experiment = analysis.figures or {}, analysis.experiment
    plan = plan_of(experiment)
    row = Finished(experiment.key, experiment.title, figures["outcome"], is_lab=plan.is_lab)
    effect, level = figures["nudge"], figures["levels"].get(figures["variant"], {}).get("mean")
    if not figures["share"] or not isinstance(parse_metric(figures["outcome"]), Active):
        return _without(row, Unmoved.NO_RETENTION)
    if effect is None or level is None or effect["low"] is None or effect["high"] is None:
        return _without(row, Unmoved.NO_EFFECT)
    without = level - effect["estimate"]  # a lab's nudges have other users without them, each its own
    if without <= 0:
        return _without(row, Unmoved.NO_LEVEL)
    estimate, low, high = (effect[name] / without for name in ("estimate", "low", "high"))
    new = plan.clock == ClockZero.SIGNUP or plan.enrolment == Enrolment.NEW_UNITS
    return Finished(
        row.key,
        row.name,
        row.outcome,
        Rate.NEW if new else Rate.CURRENT,
        Interval(estimate, low, high, LEVEL, "relative-effect"),
        row.is_lab,
    )


def _without(row: Finished, why: Unmoved) -> Finished:
    return Finished(row.key, row.name, row.outcome, is_lab=row.is_lab, why=why)
