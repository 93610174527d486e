"""Decide whether a condition on users reveals their arm in an experiment. Pure."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

FEWEST = 30  # users; with fewer a share is too uncertain
ODDS = 9.0  # 90 % where half is planned
LEVEL = 1e-6


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


def parts_the_arms(
    holds: npt.NDArray[np.int64], everybody: npt.NDArray[np.int64], planned: npt.NDArray[np.float64]
) -> bool:
    """Whether the users for whom a condition holds, or those for whom it doesn't, reveal an arm.

    Args:
        holds: users by stratum and arm for whom it holds; `everybody`: all users of the experiment, likewise.
        planned: share of each arm by stratum: strata may have different planned shares.
    """
    return any(one_sided(side, planned) for side in (holds, everybody - holds))


def one_sided(users: npt.NDArray[np.int64], planned: npt.NDArray[np.float64]) -> bool:
    """`tells_the_arm` of users by stratum and arm: the expected shares are the strata's plans, weighted by users."""
    number = users.sum()
    if number < FEWEST:
        return False
    return tells_the_arm(users.sum(axis=0).tolist(), (users.sum(axis=1) @ planned / number).tolist())
