"""How often users do a behaviour without a nudge, and what the arms of a stored plan could tell from that."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from math import sqrt
from typing import Any

from events.metrics import Count, Ratio, Survival, Value, outcome_window, parse_behaviour, parse_metric
from events.warehouse.arm_marks import Among, Did, of_metric, of_start, refuse_arm_marks
from events.warehouse.session import WarehouseSession, questions
from events.windows import first_days
from experiments.models import Experiment
from experiments.plan.arms_power import ArmsPower, arms_power
from experiments.plan.caps import ANY_EVENT
from experiments.plan.fields import Enrolment
from experiments.plan.planned_power import WEEKS
from experiments.plan.record import WHOLE
from experiments.plan.size import Suggestion, outcomes_of_four_weeks
from experiments.plan.stored import plan_of
from runs.refusals import Refused
from stats.instrument.dose_power import ActsBefore
from stats.results import NotComputable, computable

# How often users do a behaviour without a nudge, and the outcome by number of acts. One warehouse query.

MOST_TIMES = 20  # larger numbers are counted as "so many or more", as in analyses


@dataclass(frozen=True)
class Subject:
    """The behaviour (at least so many times within so many days) and the outcome to query.

    Attributes:
        behaviour: behaviour text; `times` Z and `days` Y, so that it counts on days 0 to Y - 1.
        outcome: metric text, a share or a mean per unit.
        signup_event: what starts a unit's clock; ``*`` for its first event of any kind.
        new_only: True: units count from their signup; False: all active units count, from their first event on.
    """

    behaviour: str
    times: int
    days: int
    outcome: str
    signup_event: str = ANY_EVENT
    new_only: bool = True


@dataclass(frozen=True)
class Before:
    """Units of the last four weeks with a known outcome, of everyone or of one segment.

    Attributes:
        first, last: first and last local date of arrival.
        units: units that arrived in them.
        per_day: units a day.
        acts: how often they did it, with the outcome of each number.
        sd: standard deviation of an outcome that isn't a share; None for a share.
        last_day: last day of the outcome's window.
    """

    first: date
    last: date
    units: int
    per_day: float
    acts: ActsBefore
    sd: float | None
    last_day: int

    @property
    def base(self) -> float:
        """Mean of the outcome."""
        return sum(share * mean for share, mean in zip(self.acts.shares, self.acts.means, strict=True))

    def reach(self, times: int) -> float:
        """Share of units that do it so many times without a nudge."""
        return 1 - self.acts.below(times)


def _among(members: Mapping[str, str] | None) -> list[Among]:
    """The compared segments, with their users, for the outcome-lock gate."""
    units: dict[str, list[str]] = {}
    for unit, segment in (members or {}).items():
        units.setdefault(segment, []).append(unit)
    return [Among(segment, some.copy) for segment, some in units.items()]


def baseline_acts(subject: Subject, members: Mapping[str, str] | None = None) -> dict[str, Before]:
    """The units of the last four weeks with a known outcome: everyone under "", each segment under its name.

    Args:
        subject: behaviour and outcome to query.
        members: segment by unit; None queries only everyone.

    Raises:
        Refused: an outcome that can't be planned with, an unknown event, no events, or no units in these weeks.
    """
    definition = parse_metric(subject.outcome)
    window = None if isinstance(definition, Ratio | Survival) else outcome_window(definition)
    if window is None or window.end_day is None:
        raise Refused("No size is suggested for '{metric}': it has no share or mean per user.", metric=subject.outcome)
    with questions() as store:
        if subject.signup_event != ANY_EVENT:
            store.need_event(subject.signup_event, where="signup_event")
        behaviour = parse_behaviour(subject.behaviour)
        store.need_event(behaviour.event, where="behaviour")
        start = subject.signup_event
        reached = Did(behaviour, start, first_days(subject.days), subject.times)
        refuse_arm_marks(
            {"": (*of_start(start), reached, *of_metric(definition, start), *_among(members))}, store=store
        )
        complete = store.basis.data_end - timedelta(days=window.days_needed)
        definitions: dict[str, Any] = {"outcome": definition, "times": Count(behaviour, first_days(subject.days))}
        signup = subject.signup_event if subject.new_only else None
        table = outcomes_of_four_weeks(store, complete, signup, definitions)
        frame = store.run(_by_times(store, table, members, max(MOST_TIMES, subject.times + 2)))
        last = store.basis.clock.local_date(complete)
    if not len(frame):
        raise Refused("Nobody arrived in the four weeks of which the outcome is known.")
    known = {"first": last - WEEKS, "last": last - timedelta(days=1), "last_day": window.end_day}
    rows = [
        (str(row["segment"]), int(row["times"]), int(row["units"]), float(row["mean"]), float(row["square"]))
        for row in frame.to_dict("records")
    ]
    names = dict.fromkeys(row[0] for row in rows if row[0])
    mean_per_unit = isinstance(definition, Value)
    by_segment = {"": _before(rows, known, mean_per_unit)}
    return by_segment | {name: _before([row for row in rows if row[0] == name], known, mean_per_unit) for name in names}


def _by_times(store: WarehouseSession, table: Any, members: Mapping[str, str] | None, most: int) -> Any:
    """Units, mean and mean square of the outcome, by segment and number of acts."""
    import ibis

    table = table.filter(table.outcome.notnull())
    if members:
        named = ibis.memtable({"user_id": list(members), "inside": list(members.values())})
        inside = store.warehouse.keyed(named)
        table = table.left_join(inside, "user_id").drop("user_id_right")
        table = table.mutate(segment=table.inside.fill_null(""))
    else:
        table = table.mutate(segment=ibis.literal(""))
    table = table.mutate(times=ibis.least(table.times, most).cast("int64"))
    return table.group_by("segment", "times").aggregate(
        units=table.outcome.count(), mean=table.outcome.mean(), square=(table.outcome * table.outcome).mean()
    )


type Row = tuple[str, int, int, float, float]


def _before(rows: list[Row], known: dict[str, Any], mean_per_unit: bool) -> Before:
    sums: dict[int, list[float]] = {}
    for _segment, acts, units, mean, square in rows:
        totals = sums.setdefault(acts, [0.0, 0.0, 0.0])
        for place, value in enumerate((units, units * mean, units * square)):
            totals[place] += value
    whole = sum(group[0] for group in sums.values())
    times = tuple(sorted(sums))
    means = tuple(sums[n][1] / sums[n][0] for n in times)
    within = tuple(max(sums[n][2] / sums[n][0] - m * m, 0.0) for n, m in zip(times, means, strict=True))
    before = ActsBefore(times, tuple(sums[n][0] / whole for n in times), means, within)
    base, squared = (sum(group[place] for group in sums.values()) / whole for place in (1, 2))
    sd = sqrt(max(squared - base * base, 0.0)) if mean_per_unit else None
    return Before(units=int(whole), per_day=whole / WEEKS.days, acts=before, sd=sd, **known)


# Power of a stored experiment's placebo and dose arms, from the users of the last four weeks.


def arms_of(
    experiment: Experiment, suggestion: Suggestion, *, signup_event: str | None = None, before: Before | None = None
) -> ArmsPower | None:
    """Power of its placebo and dose arms with its planned or suggested units; None without a moment, and of a lab.

    Args:
        experiment: with a primary outcome.
        suggestion: its suggested size.
        signup_event: what starts a unit's clock; None for that of its moment.
        before: acts of users without a nudge; None queries the warehouse.

    Raises:
        Refused: as `baseline_acts`.
    """
    if experiment.moment is None or experiment.is_lab:
        return None
    plan = plan_of(experiment)
    units: int | NotComputable = plan.planned_units or suggestion.planned_units
    if not computable(units):
        return arms_power(plan, units, units, units)
    baseline = before or baseline_acts(subject_of(experiment, signup_event))[""]
    per_variant = tuple(max(round(units * weight / WHOLE), 2) for weight in plan.weights)
    return arms_power(plan, baseline.acts, per_variant, suggestion.planned_effect)


def subject_of(experiment: Experiment, signup_event: str | None = None) -> Subject:
    """Behaviour and outcome to query for an experiment that tests a moment."""
    moment = experiment.moment
    if moment is None:
        raise ValueError("an experiment without a moment has no behaviour")
    return Subject(
        behaviour=moment.behaviour,
        times=moment.times,
        days=moment.days,
        outcome=experiment.primary_metrics[0] if experiment.primary_metrics else moment.retention,
        signup_event=signup_event or moment.signup_event or ANY_EVENT,
        new_only=experiment.enrolment == Enrolment.NEW_UNITS,
    )
