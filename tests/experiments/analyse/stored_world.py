"""One stored experiment from arrays of units, as the warehouse would answer: one cell an arm, everything mature."""

from datetime import UTC, date, datetime
from typing import Any

import numpy as np

from experiments.analyse.analyse_experiment import analyse_answers
from experiments.analyse.gather.answers import Answers, Audit, Block, Cells
from experiments.analyse.result import Opened
from experiments.plan.analysed import Analysed
from tests.experiments.make_answers import make_analysed
from tests.experiments.make_readout import opened

METRIC = "window:21-27"
MONDAY, ENDED, TODAY = date(2026, 1, 5), date(2026, 2, 1), date(2026, 4, 1)
MOST = 20


def plan_of(variants: tuple[str, ...], units: int, **changes: Any) -> Analysed:
    """A fixed plan of an AHA moment, 3 friends within 7 days, whose enrolment has ended."""
    given: dict[str, Any] = {
        "key": "audit",
        "name": "Audit",
        "hypothesis": "",
        "nudge": "",
        "variants": variants,
        "shares": {"": (1 / len(variants),) * len(variants)},
        "smallest_effect": None,
        "take_up": None,
        "planned_units": units,
        "planned_end": ENDED,
        "enrolment_ended": ENDED,
    }
    return make_analysed(**{**given, **changes})


def read(analysed: Analysed, arm: np.ndarray, value: np.ndarray, reached: np.ndarray, times: np.ndarray) -> Opened:
    """The readout of units: arm code, outcome, whether they reached the moment, how many times they did it."""
    matrix = np.column_stack([value, reached, times]).astype(np.float64)
    codes = np.arange(len(analysed.plan.arms))
    groups = [matrix[arm == code] for code in codes]
    n = np.array([len(group) for group in groups])
    zero = np.zeros(len(codes), dtype=np.int64)
    block = Block(
        ("value", "reached", "times"),
        n,
        np.array([group.mean(axis=0) for group in groups]),
        np.array([np.cov(group.T, ddof=1) for group in groups]),
    )
    cells = Cells(
        variants=analysed.plan.arms,
        segments=("",),
        weeks=(MONDAY,),
        covariates=(),
        levels=(),
        variant=codes,
        segment=zero,
        week=zero,
        covariate=np.empty((len(codes), 0), dtype=np.int64),
        exposed=n,
        blocks={METRIC: block},
    )
    capped = [np.bincount(np.minimum(group[:, 2], MOST).astype(np.int64), minlength=MOST + 1) for group in groups]
    histogram = tuple(
        (label, count, int(units))
        for label, row in zip(analysed.plan.arms, capped, strict=True)
        for count, units in enumerate(row)
    )
    return opened(analyse_answers(analysed, answers_of(cells, histogram), Audit(0, 0, {}), today=TODAY))


def answers_of(cells: Cells, times: tuple[tuple[str, int, int], ...] = ()) -> Answers:
    """What the warehouse would answer beside the cells: nothing that a check could mind."""
    n = np.bincount(cells.variant, weights=cells.exposed, minlength=len(cells.variants))
    return Answers(
        data_end=datetime(2026, 4, 1, tzinfo=UTC),
        time_zone="UTC",
        day_mode="rolling",
        events=int(n.sum()),
        cells=cells,
        several_variants=0,
        unknown_variants={},
        no_signup=0,
        exposures_by_day=tuple((MONDAY, label, int(units)) for label, units in zip(cells.variants, n, strict=True)),
        durations=(),
        curve=(),
        times=times,
        silent=(),
        late=(int(n.sum()), 0),
        bins={},
        latest_exposure=datetime(2026, 1, 5, tzinfo=UTC),
        last_mature_on=ENDED,
    )
