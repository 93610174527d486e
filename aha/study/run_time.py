"""What a study's time grows with, and how fast: docs/scale.md has the figures."""

from aha.study.question import Inputs
from runs.run_times import Pace

COUNTING, EVIDENCE = "counting", "evidence"
USUAL_TIMES = 10
MOST_UNITS = 200_000  # as many are sampled for everything that takes long (aha.study.gather)
PACE = Pace(
    slopes={COUNTING: {"users": 0.7, "cells": 0.2}, EVIDENCE: {"sample": 0.25, "cells": 0.2}},
    usual={COUNTING: 1.5, EVIDENCE: 12.0},
    at={"users": 3_000, "sample": 3_000, "cells": 450},
)


def study_size(users: int, behaviours: int, inputs: Inputs) -> dict[str, int]:
    """What the steps' seconds grow with.

    Args:
        users: who count.
        behaviours: that are counted.
        inputs: the question.
    """
    return {"users": users, "sample": min(users, MOST_UNITS), "cells": cells(behaviours, inputs)}


def cells(behaviours: int, inputs: Inputs) -> int:
    """Combinations of behaviour, days and number of times."""
    return behaviours * len(inputs.days) * (inputs.max_times or USUAL_TIMES)
