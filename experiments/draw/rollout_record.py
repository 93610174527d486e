"""A rollout as served: which arm, to whom, and what share from when. Pure (docs/assignment.md, "Rollout").

Shares grow by date, so the answer depends only on the record and the current time: no process needs a message about a
step.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from experiments.draw.bucketing import STEPS, unit_hash

ROLLING, HELD, KILLED = "rolling", "held", "killed"
Json = Any


@dataclass(frozen=True)
class Step:
    """The share, in steps of 0.01 %, from the moment `at` on."""

    at: datetime
    share: int


@dataclass(frozen=True)
class RolloutRow:
    """One row of a rollout: a segment, or everyone.

    Attributes:
        segment: key of the segment; None for everyone.
        rule: the segment's rule document when it is evaluated live; None for published membership.
        steps: by time; shares never decrease.
    """

    segment: str | None
    rule: Json
    steps: tuple[Step, ...]

    def share_at(self, moment: datetime) -> int:
        """The share at a moment, 0 to 10,000 in steps of 0.01 %; 0 before the first step."""
        return max((step.share for step in self.steps if step.at <= moment), default=0)


@dataclass(frozen=True)
class RolloutRecord:
    """A rollout.

    Attributes:
        arm: index of the arm.
        state: `rolling`, `held` (shares stay as they were) or `killed` (everybody gets the default).
        seed: of its own draw, independent of the experiment's draw.
        rows: in order; the first that matches a unit decides.
        held_at: from when it is held; None otherwise.
    """

    arm: int
    state: str
    seed: str
    rows: tuple[RolloutRow, ...]
    held_at: datetime | None = None

    def share(self, row: RolloutRow, now: datetime) -> int:
        """The current share of a row; while held, that of the moment at which it was held."""
        return row.share_at(now if self.held_at is None else min(now, self.held_at))

    def reaches(self, row: RolloutRow, drawn: str, now: datetime) -> bool:
        """Whether the share of a row contains a draw (half-open, so that all SDKs agree at the edge)."""
        share = self.share(row, now)
        return share >= STEPS or unit_hash(self.seed, drawn) < share / STEPS

    def last_step(self, now: datetime) -> datetime | None:
        """The moment of the last step that has taken effect; None before the first."""
        if self.state == KILLED:
            return None
        until = now if self.held_at is None else min(now, self.held_at)
        return max((step.at for step in self.steps if step.at <= until), default=None)

    @property
    def steps(self) -> Iterable[Step]:
        """Steps of all rows."""
        return (step for row in self.rows for step in row.steps)


def rollout_seed(seed: str) -> str:
    """Seed of a rollout's draw: independent of the experiment's draw, and the same each time it is shipped."""
    return f"{seed}:rollout"
