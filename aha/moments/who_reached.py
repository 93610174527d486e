"""Which users reached a moment, may still reach it, or missed it: by name, for lists that other systems follow."""

from enum import StrEnum

from aha.models import AhaMoment
from aha.moments.moment_marks import refuse_moment_marks
from aha.study import queries
from events.asking import questions
from events.counting import queries as events_queries
from events.metrics import parse_behaviour
from runs.refusals import Refused

MOST = 2_000_000  # names: they are compared in memory


class Reach(StrEnum):
    """How a user stands to a moment."""

    REACHED = "reached"
    NOT_YET = "not_yet"
    MISSED = "missed"


def who_reached(moment: AhaMoment, standing: Reach) -> set[str]:
    """Ask the warehouse once.

    Args:
        moment: behaviour, times, days and signup event; days are counted as its study did.
        standing: who reached it counts at once, also within their days; `NOT_YET` have days left, `MISSED` none.

    Raises:
        Refused: the log has no events or not the signup event, or more than `MOST` users are meant.
    """
    mode = str(moment.study.inputs.get("day_mode", "rolling")) if moment.study else "rolling"
    with questions(day_mode=mode) as asked:
        asked.need_event(moment.signup_event, "--signup-event")
        refuse_moment_marks(moment, asked)
        users = events_queries.cohort(asked.log, moment.signup_event, asked.basis)
        behaviour = parse_behaviour(moment.behaviour)
        table = queries.standing_of_units(
            asked.log, users, asked.basis, behaviour, days=moment.days, times=moment.times
        )
        meant = table.filter(table.standing == standing.value).select("user_id")
        if (number := int(asked.warehouse.arrow(meant.aggregate(n=meant.count()))["n"][0].as_py())) > MOST:
            raise Refused("{number} users are meant; at most {most} can be listed.", number=number, most=MOST)
        return set(asked.warehouse.arrow(asked.warehouse.named(meant))["user_id"].to_pylist())
