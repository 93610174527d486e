"""The shared goal: which share of each week's new users reaches an AHA moment."""

from datetime import timedelta

from aha.models import AhaMoment
from aha.moments.moment_marks import refuse_moment_marks
from aha.moments.reached import ReachWeek, WeeklyReach
from aha.study import queries
from aha.study.report_columns import wilson_interval
from events.asking import questions
from events.counting import queries as events_queries
from events.metrics import parse_behaviour
from stats.results import NotComputable, Reason


def weekly_reach(moment: AhaMoment) -> WeeklyReach:
    """Ask the warehouse once.

    Args:
        moment: behaviour, times, days and signup event define who reaches it. Days are counted as its study did.

    Raises:
        Refused: the log has no events, or not the moment's signup event.
    """
    mode = str(moment.study.inputs.get("day_mode", "rolling")) if moment.study else "rolling"
    with questions(day_mode=mode) as asked:
        asked.need_event(moment.signup_event, "--signup-event")
        refuse_moment_marks(moment, asked)
        users = events_queries.cohort(asked.log, moment.signup_event, asked.basis)
        behaviour = parse_behaviour(moment.behaviour)
        table = queries.reached_by_week(asked.log, users, asked.basis, behaviour, days=moment.days, times=moment.times)
        rows = asked.warehouse.arrow(table).to_pylist()
        today = asked.basis.clock.local_date(asked.basis.data_end)
        end = asked.basis.data_end.isoformat()
    weeks = []
    for row in rows:
        monday = row["week"].date() if hasattr(row["week"], "date") else row["week"]
        eligible, reached = int(row["eligible"]), int(row["reached"])
        share = wilson_interval(reached, eligible) if eligible else NotComputable(Reason.NO_DATA)
        complete = today >= monday + timedelta(days=7 + moment.days)
        weeks.append(ReachWeek(monday, int(row["signups"]), eligible, reached, share, complete))
    return WeeklyReach(tuple(weeks), end)
