"""Decide whether a condition on users reveals their arm in an experiment. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

FEWEST = 30  # users; with fewer a share is too uncertain
ODDS = 9.0  # 90 % where half is planned
LEVEL = 1e-6


@dataclass(frozen=True, eq=False)
class PlannedArms:
    """The arms that a condition must not reveal.

    Attributes:
        shares: S x A, planned share of each arm by stratum, each row adding up to 1.
        groups: G x A, True where the arm belongs to a group: of a lab, whose arms are sets of nudges, those with a
            nudge. Whether a user has a nudge is as secret as the whole set.
    """

    shares: npt.NDArray[np.float64]
    groups: npt.NDArray[np.bool_] = field(default_factory=lambda: np.zeros((0, 0), dtype=np.bool_))


def tells_the_arm(users: Sequence[int], planned: Sequence[float]) -> bool:
    """Whether some arm's odds among these users are `ODDS` times the planned ones, or 1/`ODDS` of them.

    Args:
        users: for whom the condition holds (or doesn't), by arm.
        planned: share of each arm that the plan expects among them, above 0; together 1.

    The one-sided tail of the binomial law beyond the observed count must lie below `LEVEL`, exactly (Clopper, Pearson
    1934, Biometrika 26, 404-413, whose limits are made of the same tails).
    """
    from scipy.special import bdtr, bdtrc

    number = int(sum(users))
    if number < FEWEST:
        return False
    for count, share in zip(map(int, users), planned, strict=True):
        if not 0 < share < 1:
            continue
        odds, others = share / (1 - share), number - count
        many = count >= ODDS * odds * others and bdtrc(count - 1, number, share) < LEVEL if count else False
        few = ODDS * count <= odds * others and bdtr(count, number, share) < LEVEL
        if many or few:
            return True
    return False


def parts_the_arms(holds: npt.NDArray[np.int64], everybody: npt.NDArray[np.int64], planned: PlannedArms) -> bool:
    """Whether the users for whom a condition holds, or those for whom it doesn't, reveal an arm or a group of arms.

    Args:
        holds: users by stratum and arm for whom it holds; `everybody`: all users of the experiment, likewise.
        planned: strata may have different planned shares.
    """
    return any(one_sided(side, planned) for side in (holds, everybody - holds))


def one_sided(users: npt.NDArray[np.int64], planned: PlannedArms) -> bool:
    """`tells_the_arm` of users by stratum and arm, and of each group of arms against the others.

    The expected shares are the strata's plans, weighted by users.
    """
    number = users.sum()
    if number < FEWEST:
        return False
    seen, expected = users.sum(axis=0), users.sum(axis=1) @ planned.shares / number
    if tells_the_arm(seen.tolist(), expected.tolist()):
        return True
    return any(
        tells_the_arm([seen[group].sum(), seen[~group].sum()], [expected[group].sum(), expected[~group].sum()])
        for group in planned.groups
    )
