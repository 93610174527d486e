"""Experiments on users with four traits, as cells."""

import numpy as np
import numpy.typing as npt

from stats.trait_cells import TraitCells, TraitColumns, trait_cells

SHARES = ((0.35, 0.30, 0.20, 0.15), (0.6, 0.4), (0.5, 0.3, 0.2), (0.7, 0.3))
COLUMNS = TraitColumns(
    ("", "platform", "channel", "country"),
    (("a", "b", "c", "d"), ("ios", "web"), ("ads", "friend", "organic"), ("KR", "US")),
    np.empty((0, 4), np.int64),
)


def levels(seed: int, n: int) -> npt.NDArray[np.int64]:
    """Segment, platform, channel and country of some users."""
    rng = np.random.default_rng(seed)
    return np.column_stack([rng.choice(len(share), size=n, p=share) for share in SHARES]).astype(np.int64)


def cells_of(
    seed: int,
    codes: npt.NDArray[np.int64],
    effect: npt.NDArray[np.float64],
    *,
    proportion: bool = True,
    share: float = 0.5,
    varied: bool = True,
) -> TraitCells:
    """An experiment on them: `effect` is what the nudge does to each; `share` of them get it."""
    rng = np.random.default_rng(1_000_000 + seed)
    n = len(codes)
    arm = rng.random(n) < share
    base = 0.4 + (0.05 * (codes[:, 0] == 1) if varied else 0.0) + effect * arm
    value = (rng.random(n) < base).astype(float) if proportion else base + rng.normal(size=n) * 0.5
    columns = TraitColumns(COLUMNS.traits[: codes.shape[1]], COLUMNS.levels[: codes.shape[1]], codes)
    return trait_cells(columns, arm, np.ones(n), value[:, None], np.zeros((n, 1, 1)), proportion=proportion)
