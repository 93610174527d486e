"""Results with made-up numbers for each verdict that a plan can get: to agree before the start on what it means. Pure.

The numbers are the means of simple worlds with the plan's own sizes, base rate and effect, without chance in them; the
verdict is that of the same engine which reads the real result. A verdict that no such world gives is missing, and that
says something about the plan.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from itertools import product

import numpy as np

from experiments.analyse.analyse_experiment import analyse_answers
from experiments.analyse.codes import Code
from experiments.analyse.gather.answers import REACHED, TIMES, VALUE, Answers, Audit, Block, Cells
from experiments.analyse.result import Opened
from experiments.plan.analysed import History, analysed
from experiments.plan.design import Kind, kind_of
from experiments.plan.record import UNADJUSTED, Plan, shares_of
from runs.refusals import Refused

STARTED = date(2026, 1, 5)  # a Monday; no number depends on it
UNITS = 4_000  # of a plan without a planned number
BASE, REACH, TAKE_UP, EFFECT = 0.25, 0.2, 0.2, 0.1  # where nothing is known
MOST = 0.98  # no share of a made-up world is certain


@dataclass(frozen=True)
class World:
    """Means of one simple world.

    Attributes:
        units: of all arms.
        base: mean of the outcome without the behaviour's effect; `sd` its standard deviation, None for a share.
        reach: share that do it without a nudge.
        take_up: share more that do it because of the nudge.
        effect: of the behaviour on these; of the nudge on everybody in a plan without a behaviour.
        direct: effect of being nudged on users who don't do it.
        lost: share of the nudged units that aren't in the data, which breaks the split.
    """

    units: int
    base: float
    sd: float | None
    reach: float
    take_up: float
    effect: float
    direct: float = 0.0
    lost: float = 0.0


@dataclass(frozen=True)
class Arm:
    """Means of one arm: units, share that did it, and the outcome without and with the behaviour."""

    n: int
    reached: float
    without: float
    with_it: float


def unfit(plan: Plan) -> str:
    """Why no result of this plan can be made up: "lab", "groups", "cluster", "outcome", or "" where it can."""
    if plan.is_lab:  # no simple world has several behaviours
        return "lab"
    if len(plan.variants) < 2 or not all(plan.weights):
        return "groups"
    if plan.cluster:
        return "cluster"
    return "" if plan.primary and _simple(plan.primary[0]) else "outcome"


def _simple(metric: str) -> bool:
    """True for a share of users or a mean per user; False for others, and for a text that is no metric yet."""
    try:
        return kind_of(metric) in (Kind.PROPORTION, Kind.MEAN)
    except Refused:
        return False


def made_up_results(
    plan: Plan, *, base: float | None = None, sd: float | None = None, reach: float | None = None
) -> dict[Code, Opened]:
    """One result for each verdict that a simple world gives this plan, in the order of the verdicts.

    Args:
        plan: drafted or started; `unfit` is "".
        base: mean of the first outcome today; None where it isn't known.
        sd: its standard deviation; None for a share.
        reach: share that do the behaviour without a nudge; None where it isn't known.
    """
    share = kind_of(plan.primary[0]) is Kind.PROPORTION
    world = World(
        units=plan.planned_units or UNITS,
        base=base if base is not None else BASE if share else 1.0,
        sd=None if share else sd or 1.0,
        reach=REACH if reach is None else reach,
        take_up=plan.expected_take_up or TAKE_UP,
        effect=plan.planned_effect or plan.smallest_effect or EFFECT,
    )
    # Without adjustment: nothing is made up about covariates. Without looks: the final reading.
    simple = replace(plan, covariates=(), active_days_before=0, adjustment=UNADJUSTED)
    found: dict[Code, Opened] = {}
    for code in Code:
        for tried in _worlds(code, world, behaviour=plan.claim is not None):
            result = _read(simple, tried)
            if result is not None and result.verdict.code is code:
                found[code] = result
                break
    return found


def _worlds(code: Code, world: World, *, behaviour: bool) -> Iterator[World]:
    """Worlds that may give this verdict, the most likely one first."""
    factors = (1.0, 1.5, 2.0, 3.0)
    if code is Code.CAUSES:
        yield from (replace(world, effect=world.effect * factor) for factor in factors)
    elif code is Code.HARMS:
        yield from (replace(world, effect=-world.effect * factor) for factor in factors)
    elif code is Code.NO_MATERIAL_EFFECT:
        yield replace(world, effect=0.0)
    elif code is Code.INCONCLUSIVE:
        yield from (replace(world, effect=world.effect * factor) for factor in (0.5, 0.3, 0.6))
    elif code is Code.INVALID:
        yield replace(world, lost=0.3)
    elif behaviour and code is Code.NUDGE_FAILED:
        yield from (replace(world, take_up=take_up, effect=0.0) for take_up in (0.0, 0.002))
    elif behaviour and code is Code.NUDGE_NOT_BEHAVIOUR:
        for take_up, direct in product((0.0, world.take_up / 4, world.take_up), (0.1, 0.2, 0.4)):
            yield replace(world, take_up=take_up, effect=0.0, direct=direct)


def _read(plan: Plan, world: World) -> Opened | None:
    """The engine's reading of a world; None where its shares aren't shares, or the outcome stays locked."""
    arms = [_arm(plan, world, place) for place in range(len(plan.arms))]
    means = [mean for arm in arms for mean in (arm.without, *([arm.with_it] if arm.reached else []))]
    if world.sd is None and not all(0 < mean < MOST for mean in means):
        return None
    enrolled = STARTED + timedelta(days=28)
    end = datetime(2026, 12, 31, tzinfo=UTC)
    blocks = {name: _block(plan, name, arms, world.sd) for name in _readable(plan)}
    count = len(arms)
    units = [arm.n for arm in arms]
    cells = Cells(
        variants=plan.arms,
        segments=("",),
        weeks=(STARTED,),
        covariates=(),
        levels=(),
        variant=np.arange(count),
        segment=np.zeros(count, dtype=np.int64),
        week=np.zeros(count, dtype=np.int64),
        covariate=np.zeros((count, 0), dtype=np.int64),
        exposed=np.array(units, dtype=np.int64),
        blocks=blocks,
    )
    answers = Answers(
        data_end=end,
        time_zone="UTC",
        day_mode=plan.day_mode,
        events=20 * sum(units),
        cells=cells,
        several_variants=0,
        unknown_variants={},
        no_signup=0,
        exposures_by_day=tuple((STARTED, arm, n) for arm, n in zip(plan.arms, units, strict=True)),
        durations=(),
        curve=(),
        times=(),
        silent=tuple((arm, n, 0) for arm, n in zip(plan.arms, units, strict=True)),
        late=(20 * sum(units), 0),
        bins={},
        latest_exposure=datetime(enrolled.year, enrolled.month, enrolled.day, tzinfo=UTC),
        last_mature_on=date(2026, 12, 1),
    )
    result = analyse_answers(
        analysed(plan, History(STARTED, enrolment_ended=enrolled)), answers, Audit(0, 0, {}), today=end.date()
    )
    return result if isinstance(result, Opened) else None


def _readable(plan: Plan) -> tuple[str, ...]:
    return tuple(name for name in plan.outcomes if _simple(name))


def _arm(plan: Plan, world: World, place: int) -> Arm:
    """Means of one arm; a placebo's are the control's."""
    nudged = place > 0 and plan.variants[place].role != "placebo"
    n = round(world.units * shares_of(plan.weights)[place] * (1 - world.lost if place > 0 else 1))
    if plan.claim is None:
        mean = world.base + (world.effect if nudged else 0.0)
        return Arm(n, 0.0, mean, mean)
    reached = min(world.reach + (world.take_up if nudged else 0.0), MOST)
    gained = world.effect * world.take_up / reached if nudged and reached else 0.0
    return Arm(n, reached, world.base + (world.direct if nudged else 0.0), world.base + gained)


def _block(plan: Plan, name: str, arms: Sequence[Arm], sd: float | None) -> Block:
    """Moments of an outcome in each arm; every outcome but the first has no effect."""
    names = (VALUE,) if plan.claim is None else (VALUE, REACHED, TIMES)
    share, times = kind_of(name) is Kind.PROPORTION, 1 if plan.claim is None else plan.claim.times
    if name != plan.primary[0]:
        level = BASE if share else 1.0
        arms = [replace(arm, without=level, with_it=level) for arm in arms]
    means, covariances = [], []
    for arm in arms:
        mean = arm.reached * arm.with_it + (1 - arm.reached) * arm.without
        together, doing = arm.reached * (arm.with_it - mean), arm.reached * (1 - arm.reached)
        spread = mean * (1 - mean) if share else (sd or 1.0) ** 2
        covariance = np.array(
            [
                [spread, together, times * together],
                [together, doing, times * doing],
                [times * together, times * doing, times**2 * doing],
            ]
        )
        means.append([mean, arm.reached, times * arm.reached][: len(names)])
        covariances.append(covariance[: len(names), : len(names)] * arm.n / max(arm.n - 1, 1))
    return Block(names, np.array([arm.n for arm in arms], dtype=np.int64), np.array(means), np.array(covariances))
