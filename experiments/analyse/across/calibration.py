"""Compare what correlations promised with what experiments found, over all experiments."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.core.cache import cache
from django.db.models import Count, Max, OuterRef, Subquery

from experiments.analyse.across.deflation import Deflation, Trial, pool
from experiments.analyse.codes import NOT_THE_BEHAVIOUR
from experiments.analyse.corrected import best_effect
from experiments.analyse.effects import leading
from experiments.analyse.payload_versions import READOUT
from experiments.analyse.result import AnalysisResult, Opened
from experiments.models import Analysis
from experiments.plan.design import Kind
from runs.payloads import Unreadable
from stats.results import NotComputable, computable

READ_AT_ONCE = 20  # payloads per query; one has about 100 kB
SECONDS = 24 * 3600  # cache lifetime; the key holds the rule and the newest analysis, so a stale entry is never used
Z = 1.959963984540054


@dataclass(frozen=True)
class LeftOut:
    """An experiment of an AHA moment that can't be compared with its promise yet, and why (a code)."""

    key: str
    name: str
    verdict: str
    why: str


@dataclass(frozen=True)
class Calibration:
    """Promises beside findings.

    Attributes:
        trials: experiments that tested a measured promise, by name.
        left_out: the other experiments of AHA moments.
        pooled: the deflation ratio over `trials`.
    """

    trials: tuple[Trial, ...]
    left_out: tuple[LeftOut, ...]
    pooled: Deflation | NotComputable


def calibrate() -> Calibration:
    """Calibration over every experiment of an AHA moment, from its final analysis; cached until the next analysis."""
    # Key on both: an analysis with a lower id may finish after the newest one.
    newest, done = (
        Analysis.objects.filter(status=Analysis.Status.DONE).aggregate(newest=Max("pk"), done=Count("pk")).values()
    )
    calibration: Calibration = cache.get_or_set(f"experiments.calibration.own.2:{newest}:{done}", _calibrate, SECONDS)  # type: ignore[assignment]
    return calibration


def _calibrate() -> Calibration:
    trials, left_out = [], []
    for analysis in _decisive():
        experiment, readout = analysis.experiment, READOUT.of(analysis)
        if readout is None:
            continue
        trial = "unreadable" if isinstance(readout, Unreadable) else _trial(readout)
        if isinstance(trial, Trial):
            trials.append(trial)
        else:
            left_out.append(LeftOut(experiment.key, experiment.name, analysis.verdict, trial))
    return Calibration(tuple(trials), tuple(left_out), pool(trials))


def _decisive() -> Iterator[Analysis]:
    """The final analysis of each experiment of an AHA moment, else the last successful one; by experiment name."""
    done = Analysis.objects.filter(status=Analysis.Status.DONE)
    best = done.filter(experiment=OuterRef("experiment")).order_by("-final", "-pk").values("pk")[:1]
    rows = done.filter(experiment__moment__isnull=False, pk=Subquery(best)).select_related("experiment").defer("early")
    return rows.order_by("experiment__name", "experiment__pk").iterator(chunk_size=READ_AT_ONCE)


def _trial(readout: AnalysisResult) -> Trial | str:
    """The trial, or a code for why there is none."""
    claim = readout.plan.claim
    if not isinstance(readout, Opened) or claim is None:
        return "locked"
    if readout.maturity.peeked:
        return "peeked"
    if not readout.maturity.final:
        return "not_final"
    if claim.promised is None:
        return "no_promise"
    report = readout.report
    behaviour, verdict, effect = leading(report).encouragement, report.verdict, best_effect(readout, leading(report))
    if readout.whole_clusters:
        return "whole_clusters"
    if verdict.code in NOT_THE_BEHAVIOUR or behaviour is None or not computable(effect):
        return "not_the_behaviour"
    if report.outcomes[0].kind is not Kind.PROPORTION or claim.promised <= 0:
        return "other_outcome"
    bounded = computable(behaviour.effect_set) and behaviour.effect_set.bounded
    low, high = (
        (behaviour.effect_set.low, behaviour.effect_set.high)
        if bounded and computable(behaviour.effect_set)
        else (None, None)
    )
    known = claim.promised_low is not None and claim.promised_high is not None
    width = (claim.promised_high or 0.0) - (claim.promised_low or 0.0)
    return Trial(
        key=readout.plan.key,
        name=readout.plan.name,
        promised=claim.promised,
        promised_error=width / (2 * Z) if known else 0.0,
        found=effect[0],
        found_error=effect[1],
        low=low,
        high=high,
        verdict=str(verdict.code),
        on=readout.data_end[:10],
    )
