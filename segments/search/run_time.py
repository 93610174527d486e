"""What the time of a search for groups grows with, and how fast: docs/scale.md has the figures."""

from runs.run_times import Pace
from segments.search.segmentation import Options

COUNTING, GROUPS = "counting", "groups"
# By users as in its table; by the sample between its 1,370 and 46,079 users there. By behaviours nobody has measured.
PACE = Pace(
    slopes={COUNTING: {"users": 0.62, "behaviours": 0.5}, GROUPS: {"sample": 0.44, "behaviours": 0.2}},
    usual={COUNTING: 4.0, GROUPS: 80.0},
    at={"users": 100_000, "sample": 46_000, "behaviours": 15},
)


def search_size(users: int, placed: int, behaviours: int) -> dict[str, int]:
    """What the steps' seconds grow with.

    Args:
        users: whose days of play and of retention are over.
        placed: those of them with enough active days.
        behaviours: that are counted.
    """
    return {"users": users, "sample": min(placed, Options().model_rows), "behaviours": behaviours}
