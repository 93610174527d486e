"""What a study's time grows with, and how fast: docs/scale.md has the figures."""

from runs.run_times import Pace

COUNTING, EVIDENCE = "counting", "evidence"
MOST_UNITS = 200_000  # as many are sampled for everything that takes long (aha.study.gather)
PACE = Pace(
    slopes={COUNTING: {"users": 0.5, "behaviours": 0.5}, EVIDENCE: {"sample": 0.4, "behaviours": 0.5}},
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
