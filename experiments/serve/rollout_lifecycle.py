"""State machine of rollouts as one table, and validation of their rows. Pure but for the sentences."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from itertools import pairwise

from experiments.draw.bucketing import STEPS
from experiments.draw.evaluation import RolloutRecord, RolloutRow
from reporting.words import Message, say

MOST_ROWS, MOST_STEPS = 20, 20


class RolloutState(StrEnum):
    """State of a rollout; `none` before the first."""

    NONE = "none"
    ROLLING = "rolling"
    HELD = "held"
    KILLED = "killed"
    BACK = "back"


class Move(StrEnum):
    """Move that a person may request."""

    SHIP = "ship"
    CHANGE = "change"
    HOLD = "hold"
    GO_ON = "go_on"
    KILL = "kill"
    BACK = "back"


class Killed(StrEnum):
    """What the kill switch acts on."""

    EXPERIMENT = "experiment"
    ROLLOUT = "rollout"


MOVES: dict[tuple[RolloutState, Move], RolloutState] = {
    (RolloutState.NONE, Move.SHIP): RolloutState.ROLLING,
    (RolloutState.BACK, Move.SHIP): RolloutState.ROLLING,
    (RolloutState.ROLLING, Move.CHANGE): RolloutState.ROLLING,
    (RolloutState.HELD, Move.CHANGE): RolloutState.HELD,
    (RolloutState.ROLLING, Move.HOLD): RolloutState.HELD,
    (RolloutState.HELD, Move.GO_ON): RolloutState.ROLLING,
    (RolloutState.KILLED, Move.GO_ON): RolloutState.ROLLING,  # stays held when it was held before the kill switch
    (RolloutState.ROLLING, Move.KILL): RolloutState.KILLED,
    (RolloutState.HELD, Move.KILL): RolloutState.KILLED,
    (RolloutState.ROLLING, Move.BACK): RolloutState.BACK,
    (RolloutState.HELD, Move.BACK): RolloutState.BACK,
    (RolloutState.KILLED, Move.BACK): RolloutState.BACK,
}


def allowed(state: RolloutState) -> list[Move]:
    """The moves allowed in a state, in the table's order."""
    return [move for (at, move) in MOVES if at is state]


def refusal(state: RolloutState) -> Message:
    """Why a move is refused in this state."""
    return {
        RolloutState.NONE: say("Nothing is rolled out yet: ship a group first."),
        RolloutState.ROLLING: say(
            "The rollout goes on: it can be changed, paused, taken back or stopped by the kill switch."
        ),
        RolloutState.HELD: say(
            "The rollout is paused: it can be changed, resumed, taken back or stopped by the kill switch."
        ),
        RolloutState.KILLED: say("The kill switch is on: the rollout can be resumed or taken back to the default."),
        RolloutState.BACK: say("The rollout was taken back to the default: ship a group again."),
    }[state]


def troubles(rows: Sequence[RolloutRow]) -> Iterator[Message]:
    """Problems of the rows themselves, in the order in which a person would fix them."""
    if not rows:
        yield say("A rollout needs at least one step: a share, and who gets it.")
    if len(rows) > MOST_ROWS or any(len(row.steps) > MOST_STEPS for row in rows):
        yield say("A rollout may have at most {rows} rows with {steps} steps each.", rows=MOST_ROWS, steps=MOST_STEPS)
    segments = [row.segment for row in rows]
    if len(set(segments)) < len(segments):
        yield say("Each segment may have one row of steps only.")
    if None in segments[:-1]:
        yield say("Everyone must be the last row: no user would get to the rows after it.")
    for row in rows:
        shares = [step.share for step in row.steps]
        moments = [step.at for step in row.steps]
        if not shares or not all(0 < share <= STEPS for share in shares):
            yield say("Each step needs a share above 0 and up to 100%.")
        elif any(later <= earlier for earlier, later in pairwise(moments)):
            yield say("Each step must come later than the one before it.")
        elif any(later <= earlier for earlier, later in pairwise(shares)):
            yield say("A rollout only grows: each step needs a larger share than the one before it.")


def shrinks(before: RolloutRecord, rows: Sequence[RolloutRow], now: datetime) -> bool:
    """Whether changed rows could remove a unit that has the arm now.

    No unit is removed when all rows remain in their order with at least their present share; a new row may come last,
    or before others only with at least the largest present share.
    """
    present = [(row.segment, before.share(row, now)) for row in before.rows]
    after = {row.segment: row.share_at(now) for row in rows}
    most = max((share for _segment, share in present), default=0)
    remaining = [row.segment for row in rows if row.segment in dict(present)]
    if remaining != [segment for segment, _share in present]:
        return True
    if any(after[segment] < share for segment, share in present):
        return True
    last = rows.index(next(row for row in reversed(rows) if row.segment in dict(present)))
    new = [row for row in rows[:last] if row.segment not in dict(present)]
    return any(after[row.segment] < most for row in new)
