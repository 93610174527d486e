"""What a study's time grows with, and how fast: docs/scale.md has the figures."""

from aha.study.hold_out import MOST_UNITS
from runs.run_times import Pace

COUNTING, EVIDENCE = "counting", "evidence"
# By users as in its table; by the sample between 3,000 and 100,000 users, where it is all of them. By behaviours from
# two studies: 15 took 20.1 processor seconds, 4 took 9.8.
PACE = Pace(
    slopes={COUNTING: {"users": 0.64, "behaviours": 0.5}, EVIDENCE: {"sample": 0.26, "behaviours": 0.5}},
    usual={COUNTING: 5.0, EVIDENCE: 45.0},
    at={"users": 100_000, "sample": 100_000, "behaviours": 15},
)


def study_size(users: int, behaviours: int) -> dict[str, int]:
    """What the steps' seconds grow with; days and numbers of times hardly matter.

    Args:
        users: who count.
        behaviours: that are counted.
    """
    return {"users": users, "sample": min(users, MOST_UNITS), "behaviours": behaviours}
