"""A readout in which new users gain by the nudge and old ones lose."""

from typing import Any

import numpy as np

from experiments.analyse.result import Opened
from stats.results import NotComputable
from tests.experiments.make_answers import draw_units
from tests.experiments.make_readout import make_readout
from tests.stats.make import computed


def opposite_units(n: int = 12_000, seed: int = 1) -> dict[str, Any]:
    """Segment 0 ("new") gains 25 points by the behaviour, segment 1 ("old") loses 25."""
    units = draw_units(n, seed)
    rng = np.random.default_rng(50 + seed)
    effect = np.where(units["segment"] == 0, 0.25, -0.25)
    units["value"] = (rng.random(n) < 0.4 + effect * units["reached"]).astype(float)
    return units


def opposite(**plan: Any) -> Opened:
    """Its final readout."""
    return make_readout(units=opposite_units(), covariates=("platform",), **plan)


def told[T](value: T | NotComputable | None) -> T:
    """What an analysis tells, or a failure that says why it doesn't."""
    assert value is not None
    return computed(value)
