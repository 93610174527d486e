"""N12: how often a limit of "whom to nudge" lies above 0 where a nudge does nothing."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from benchmarks.audit_04.figure import Figure, at_most, percent, shown
from stats.policy import Policy, whom_to_nudge
from stats.results import computable
from stats.trait_cells import TraitCells, TraitColumns, trait_cells

UNITS, RUNS, FOUND = 6_000, 1_000, 200
MOST = 0.065
SHARES = ((0.35, 0.30, 0.20, 0.15), (0.6, 0.4), (0.5, 0.3, 0.2), (0.7, 0.3))
COLUMNS = (("", "platform", "channel", "country"), tuple(tuple("abcd"[: len(share)]) for share in SHARES))

type Values = npt.NDArray[np.float64]
type Draw = Callable[[np.random.Generator, int], Values]


def kept(rng: np.random.Generator, n: int) -> Values:
    return (rng.random(n) < 0.4).astype(np.float64)


def money(rng: np.random.Generator, n: int) -> Values:
    """95 % pay nothing."""
    return np.where(rng.random(n) < 0.05, rng.lognormal(0.0, 1.0, n), 0.0)


def heavy(rng: np.random.Generator, n: int) -> Values:
    """A lognormal law, sd 2 of its logarithm."""
    return rng.lognormal(0.0, 2.0, n)


WORLDS: tuple[tuple[str, Draw, float, bool], ...] = (
    ("a share, half and half", kept, 0.5, True),
    ("a share, 10:90", kept, 0.9, True),
    ("money, 95 % zeros", money, 0.5, False),
    ("lognormal, sd 2", heavy, 0.5, False),
)


def figures(size: float) -> list[Figure]:
    runs, fewer = (max(round(number * size), 10) for number in (RUNS, FOUND))
    found = []
    for place, (name, draw, share, proportion) in enumerate(WORLDS):
        seen = [policy(100_000 * place + seed, draw, share, proportion) for seed in range(runs)]
        for label, over in (("nobody", "over_none"), ("everybody", "over_all")):
            rate = float(np.mean([getattr(one, over).low > 0 for one in seen]))
            found.append(at_most(f"{name}: the limit over {label} lies above 0", MOST, rate, f"{runs} runs"))
        rate = float(np.mean([one.beats for one in seen]))
        found.append(at_most(f"{name}: a rule is said to beat both", MOST, rate, f"{runs} runs"))
    harm = [
        policy(900_000 + seed, kept, 0.5, True, moves=lambda codes: np.where(codes == 1, 0.0, -0.06))
        for seed in range(runs)
    ]
    rate = float(np.mean([one.over_none.low > 0 for one in harm]))
    what = "a share, harm for seven in ten, nothing for the others: the limit over nobody lies above 0"
    found.append(at_most(what, MOST, rate, f"{runs} runs"))
    for units in (20_000, 40_000):
        seen = [
            policy(10**6 + seed, kept, 0.5, True, units=units, moves=lambda codes: np.where(codes == 1, 0.05, -0.02))
            for seed in range(fewer)
        ]
        rate = float(np.mean([one.beats for one in seen]))
        what = f"a gain of 5 points for three in ten, a loss of 2 for the others, {units:,} users: a rule beats both"
        found.append(shown(what, f"{percent(rate)} of {fewer} runs"))
    return found


def policy(
    seed: int,
    draw: Draw,
    share: float,
    proportion: bool,
    *,
    units: int = UNITS,
    moves: Callable[[npt.NDArray[np.int64]], Values] | None = None,
) -> Policy:
    """One experiment; `moves` is what the nudge adds to the chance of being kept, by the first trait's level."""
    rng = np.random.default_rng(seed)
    codes = np.column_stack([rng.choice(len(one), size=units, p=one) for one in SHARES]).astype(np.int64)
    arm, values = rng.random(units) < share, draw(rng, units)
    if moves is not None:
        values = (rng.random(units) < 0.4 + moves(codes[:, 0]) * arm).astype(np.float64)
    cells: TraitCells = trait_cells(
        TraitColumns(*COLUMNS, codes),
        arm,
        np.ones(units),
        values[:, None],
        np.zeros((units, 1, 1)),
        proportion=proportion,
    )
    found = whom_to_nudge(cells, seed=seed + 1)
    if not computable(found):
        raise TypeError(found.reason)
    return found
