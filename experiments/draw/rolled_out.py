"""Answer of a rollout for a unit. Pure; one rule for our server, its command and local SDKs (docs/assignment.md).

A unit has the shipped arm when it had it in the experiment, or when the share of its row reaches it. "Had it" means the
stored assignment, or else the experiment's own draw, since a local SDK has no stored assignments.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from experiments.draw import evaluation
from experiments.draw.bucketing import STEPS
from experiments.draw.evaluation import Evaluation, Flag, Row
from experiments.draw.rollout_record import KILLED, RolloutRecord, RolloutRow

DETAIL = "rollout"


def answer(
    flag: Flag,
    rollout: RolloutRecord,
    unit: str,
    now: datetime,
    *,
    had: bool,
    row: RolloutRow | None,
    audience: Row | None,
    cluster: str | None = None,
) -> Evaluation:
    """The answer for one unit. Its reason is never `SPLIT`, since clients log exposures for that reason.

    Args:
        flag: of the ended experiment.
        rollout: of it.
        unit: the id.
        now: the moment of the call.
        had: True when its stored assignment is the shipped arm.
        row: the first row of the rollout that the unit belongs to; None without one.
        audience: likewise of the experiment's audience.
        cluster: id of the unit's cluster, where clusters are drawn.
    """
    if rollout.state == KILLED:
        return killed(flag)
    if not evaluation.inside(flag.holdout, unit):
        return evaluation.excluded(flag, "holdout")
    if had or draws_arm(flag, rollout.arm, unit, audience, cluster):
        return shipped(flag, rollout)
    if row is None:
        return evaluation.excluded(flag, "segment")
    whole = rollout.share(row, now) >= STEPS
    drawn = unit if whole or flag.hash_attribute == "id" else cluster
    if drawn is None:
        return evaluation.excluded(flag, "cluster")
    return shipped(flag, rollout) if rollout.reaches(row, drawn, now) else evaluation.excluded(flag, DETAIL)


def draws_arm(flag: Flag, arm: int, unit: str, audience: Row | None, cluster: str | None) -> bool:
    """Whether the experiment's draw gives the unit this arm, as if the experiment still ran.

    False where it enrolled only new units: the id doesn't determine which units were new, and local SDKs never served
    it.
    """
    if flag.new_since is not None:
        return False
    running = flag if flag.enrolment_open else replace(flag, enrolment_open=True)
    return evaluation.draw(running, unit, is_new=True, row=audience, cluster=cluster).arm == arm


def by_hash_alone(flag: Flag, rollout: RolloutRecord, unit: str, now: datetime) -> Evaluation | None:
    """The answer where stored rows and traits can't change it; None: stored data about the unit must be read."""
    first, audience = rollout.rows[0], flag.rows[0]
    if rollout.state == KILLED or not evaluation.inside(flag.holdout, unit):
        return answer(flag, rollout, unit, now, had=False, row=None, audience=None)
    if first.segment is None and (rollout.share(first, now) >= STEPS or not flag.cluster):
        if rollout.reaches(first, unit, now):
            return shipped(flag, rollout)
        if audience.segment is None and flag.new_since is None:
            return answer(flag, rollout, unit, now, had=False, row=first, audience=audience)
    return None


def shipped(flag: Flag, rollout: RolloutRecord) -> Evaluation:
    """The answer for a unit that has the arm."""
    return evaluation.forced(flag, rollout.arm, DETAIL)


def killed(flag: Flag) -> Evaluation:
    """The answer for everybody while the kill switch is on."""
    state: Mapping[str, str] = {"state": KILLED}
    return Evaluation(flag, None, "DISABLED", state)
