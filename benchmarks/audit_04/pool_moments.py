"""N5: pools of experiments that could stop early, from the moments as measured."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from math import sqrt

import numpy as np

from aha.evidence.findings import PastFinding, pool_findings
from benchmarks.audit_04.figure import Figure, at_least, percent, shown, two_errors
from benchmarks.audit_04.price import DAY, DEFINITION, past_finding
from stats.instrument.pooled import Answer, Pooled
from stats.iv_moments import IvMoments
from stats.results import computable
from stats.sequential.boundaries import Spending, bounds
from stats.sequential.looks import Look

RUNS, MEAN_RUNS = 1_000, 2_000
LOOKS, READINGS, ALPHA = (0.2, 0.4, 0.6, 0.8, 1.0), tuple(np.linspace(0.05, 1.0, 20).tolist()), 0.05
EFFECT, STAGE, STRENGTH, CORRELATION = 0.2, 0.3, 10.0, 0.3
PLANNED = 10_000  # units at the end

type Floats = np.ndarray


@dataclass(frozen=True)
class Plan:
    """Shares of the plan at which it is looked at, the critical values there, z to expect at the end, experiments."""

    name: str
    times: tuple[float, ...]
    critical: tuple[float, ...]
    drift: float
    experiments: int


def plans() -> list[Plan]:
    fleming, pocock = (
        tuple(bounds(LOOKS, alpha=ALPHA, spending=one)) for one in (Spending.OBRIEN_FLEMING, Spending.POCOCK)
    )
    valid = tuple(
        Look(
            alpha=ALPHA, method="always_valid", units=round(time * PLANNED), planned_units=PLANNED, fractions=READINGS
        ).multiplier
        for time in READINGS
    )
    return [
        Plan("O'Brien-Fleming, z 2.8, 20 experiments", LOOKS, fleming, 2.8, 20),
        Plan("Pocock, z 2.8, 20 experiments", LOOKS, pocock, 2.8, 20),
        Plan("O'Brien-Fleming, z 4, 40 experiments", LOOKS, fleming, 4.0, 40),
        Plan("always valid, z 2.8, 20 experiments", READINGS, valid, 2.8, 20),
    ]


def figures(size: float) -> list[Figure]:
    found: list[Figure] = []
    for place, plan in enumerate(plans()):
        rng = np.random.default_rng(40 + place)
        found += _means(plan, draw(rng, plan, max(round(MEAN_RUNS * size), 50)))
        found += _pools(plan, draw(rng, plan, max(round(RUNS * size), 20)))
    return found


@dataclass(frozen=True)
class Drawn:
    """Runs x experiments: both effects as measured, and the share of the plan at which each ended."""

    itt: Floats
    stage: Floats
    time: Floats


def draw(rng: np.random.Generator, plan: Plan, runs: int) -> Drawn:
    """Both effects in standard errors at the whole plan, walked from look to look until a bound is crossed."""
    times, shape = np.array(plan.times), (runs, plan.experiments, len(plan.times))
    steps = np.sqrt(np.diff(times, prepend=0.0))
    outcome = rng.standard_normal(shape)
    behaviour = CORRELATION * outcome + sqrt(1 - CORRELATION**2) * rng.standard_normal(shape)
    walks = [(one * steps).cumsum(axis=2) / times for one in (outcome, behaviour)]
    itt, stage = walks[0] + plan.drift, walks[1] + STRENGTH
    crossed = np.abs(itt * np.sqrt(times)) >= np.array(plan.critical)
    at = np.where(crossed.any(axis=2), crossed.argmax(axis=2), len(times) - 1)[..., None]
    ended: Callable[[Floats], Floats] = lambda values: np.take_along_axis(values, at, axis=2)[..., 0]  # noqa: E731
    return Drawn(ended(itt), ended(stage), times[at[..., 0]])


def _means(plan: Plan, drawn: Drawn) -> list[Figure]:
    """The mean of the nudges' own effects, each weighted by what is known of it."""
    information = drawn.time.sum(axis=1)
    mean = (drawn.time * drawn.itt).sum(axis=1) / information / plan.drift
    held = float((np.abs(mean - 1) * plan.drift * np.sqrt(information) <= 1.959963984540054).mean())
    single = float(drawn.itt.mean()) / plan.drift
    return [
        shown(f"one experiment's effect over the truth, {plan.name}", f"{single:.3f}"),
        _bias(f"inverse-variance mean over the truth, {plan.name}", mean),
        _covers(f"its 95 % interval covers, {plan.name}", held, len(mean)),
    ]


def _pools(plan: Plan, drawn: Drawn) -> list[Figure]:
    runs = len(drawn.itt)
    estimates, held, apart = np.zeros(runs), 0, 0
    for run in range(runs):
        said = pool(plan, drawn, run)
        if not computable(said.liml):
            raise ValueError(f"no pool: {said.liml}")
        estimates[run] = said.liml.estimate / EFFECT
        held += any(
            (low is None or low <= EFFECT) and (high is None or high >= EFFECT)
            for low, high in said.likelihood_ratio.pieces
        )
        apart += said.answer is Answer.NUDGES_DISAGREE
    return [
        _bias(f"LIML of the pool over the truth, {plan.name}", estimates),
        _covers(f"95 % set of the pool covers, {plan.name}", held / runs, runs),
        shown(f"nudges called disagreeing, {plan.name}", f"{percent(apart / runs)} of {runs:,} runs"),
    ]


def pool(plan: Plan, drawn: Drawn, run: int) -> Pooled:
    rows = [
        _finding(plan, place, *(float(values[run, place]) for values in (drawn.itt, drawn.stage, drawn.time)))
        for place in range(plan.experiments)
    ]
    said = pool_findings(rows, DEFINITION).pooled
    if not computable(said):
        raise ValueError(f"no pool: {said}")
    return said


def _finding(plan: Plan, place: int, itt: float, stage: float, time: float) -> PastFinding:
    outcome, behaviour = EFFECT * STAGE / plan.drift, STAGE / STRENGTH  # standard errors at the whole plan
    each = round(PLANNED * time / 2)
    moments = IvMoments(
        itt * outcome,
        stage * behaviour,
        outcome**2 / time,
        behaviour**2 / time,
        CORRELATION * outcome * behaviour / time,
        each,
        each,
    )
    started = DAY + timedelta(days=place)
    return past_finding(place, moments, origin="experiment", started=started, ended=started + timedelta(days=30))


def _bias(what: str, ratios: Floats) -> Figure:
    mean, error = float(ratios.mean()), float(ratios.std()) / sqrt(len(ratios))
    seen = f"{mean:.3f} ± {2 * error:.3f}, {len(ratios):,} runs"
    return Figure(what, ".98 to 1.02", seen, abs(mean - 1) <= 0.02)


def _covers(what: str, share: float, runs: int) -> Figure:
    return at_least(what, 0.93 - two_errors(0.95, runs), share, f"{runs:,} runs")
