"""The conditions on users that an AHA moment is made of, for the gate of the outcome lock."""

from aha.models import AhaMoment
from events.arm_marks import Condition, Did, of_metric, of_start, refuse_arm_marks
from events.asking import Questions
from events.metrics import parse_behaviour, parse_retention
from events.windows import first_days


def of_moment(moment: AhaMoment) -> tuple[Condition, ...]:
    """Its start, who reaches it, and who stays."""
    start = moment.signup_event
    reached = Did(parse_behaviour(moment.behaviour), start, first_days(moment.days), moment.times)
    stays = of_metric(parse_retention(moment.retention), start) if moment.retention else ()
    return (*of_start(start), reached, *stays)


def refuse_moment_marks(moment: AhaMoment, store: Questions | None = None) -> None:
    """Refuse a moment that would tell the arms of a locked experiment apart.

    Raises:
        Refused: as `events.arm_marks.refuse_arm_marks`.
    """
    refuse_arm_marks({"": of_moment(moment)}, store=store)
