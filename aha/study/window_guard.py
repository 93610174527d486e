"""Which windows and behaviours a study may use: the window guard, flags, and behaviours not available yet."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

import numpy as np
import numpy.typing as npt
from scipy import stats

from aha.study.grid import CountTable, Floats
from events.metrics import Behaviour, MinEvents, Retention, Survival, is_display_only
from events.windows import guard
from runs.refusals import Refused
from stats.results import NotComputable, Reason

FORCED_REACH = 0.95
FORCED_IN_FIRST_SESSION = 0.95
ACTIVITY_CORRELATION = 0.9
DUPLICATE_CORRELATION = 0.95
# A rare behaviour first appears some hours or days into any log: only an absence this improbable means that it didn't
# exist yet.
CHANCE_OF_ABSENCE = 0.001


@dataclass(frozen=True)
class Windows:
    """Which Y values are valid.

    Attributes:
        valid: the days that end before retention is measured, ascending; the last one is the landmark.
        invalid: every other Y asked for, with its reason.
    """

    valid: tuple[int, ...]
    invalid: tuple[tuple[int, NotComputable], ...]

    @property
    def landmark(self) -> int:
        """L: all behaviour is measured on days 0 to L - 1, for every cell alike."""
        return self.valid[-1]


def valid_windows(days: Sequence[int], definition: Retention, *, gap: int = 0) -> Windows:
    """Sort the requested Y values into valid and invalid: Y + gap may not exceed the first day of retention.

    There is no override: with an overlap any frequent behaviour "predicts" retention, since being active is the
    outcome.

    Raises:
        Refused: no Y is valid, or the definition has no days to keep apart (`survival`, `unbounded`).
    """
    if isinstance(definition, Survival):
        raise Refused("survival counts from the first day on, so no behaviour can come before it: choose a window.")
    if is_display_only(definition):
        raise Refused(
            "{definition} grows as the data age, so no threshold may be chosen by it: choose a window.",
            definition=definition,
        )
    if not days or min(days) < 1:
        raise Refused("The days of a study are whole numbers of 1 or more, for example 1 3 7.")
    first = definition.window.start_day
    valid = tuple(sorted({y for y in days if guard(y, definition.window, gap=gap)}))
    if not valid:
        raise Refused(
            "Retention is measured from day {first} on, so a behaviour may be counted within at most {most} days; the "
            "days asked for are {days}.",
            first=first,
            most=max(first - gap, 0),
            days=", ".join(map(str, sorted(set(days)))),
        )
    invalid = tuple(
        (y, NotComputable(Reason.WINDOWS_OVERLAP, {"days": y, "gap": gap, "first": first}))
        for y in sorted(set(days) - set(valid))
    )
    return Windows(valid, invalid)


class Flag(StrEnum):
    """Why a behaviour is set aside or marked."""

    GOAL_LIKE = "goal_like"
    ACTIVITY_LIKE = "activity_like"
    FORCED = "forced"
    NOT_AVAILABLE = "not_available"
    INERT = "inert"
    DUPLICATE = "duplicate"


# The others are marked but stay: the second null and the ladder deal with activity.
NO_CANDIDATE = frozenset({Flag.GOAL_LIKE, Flag.FORCED, Flag.NOT_AVAILABLE, Flag.INERT})


@dataclass(frozen=True)
class Flagged:
    """One mark on one behaviour.

    Attributes:
        behaviour: its text form.
        flag: why.
        value: the share or correlation that exceeded the rule's limit, or None where the rule has no number.
        other: for a duplicate the behaviour that it repeats, which is listed before it.
        since: for a behaviour that appeared later its first local date, ISO; None where it never appeared, and in
            studies of version 0.4 and before.
    """

    behaviour: str
    flag: Flag
    value: float | None = None
    other: str | None = None
    since: str | None = None


def flag_behaviours(
    table: CountTable,
    behaviours: Sequence[Behaviour],
    definition: Retention,
    *,
    first_sessions: Mapping[str, tuple[int, int]],
    inert: Collection[str] = (),
    unavailable: Mapping[str, date | None] = {},
) -> tuple[Flagged, ...]:
    """Apply the rules of docs/methods/discovery.md, "Behaviour flags".

    Args:
        table: the feature table, of a sample when there are many units.
        behaviours: the definitions of the table's behaviours, in its order.
        definition: what retention means.
        first_sessions: per behaviour doers, and doers who did it first inside their first session.
        inert: behaviours that an analyst tagged as unable to cause retention.
        unavailable: behaviours that did not exist yet when the cohort began (`not_yet_available`), each with its
            first local date.
    """
    flags: list[Flagged] = []
    ranks = correlations(table)
    reach = (table.counts[:, :, -1] > 0).mean(axis=0) if table.n else np.zeros(len(behaviours))
    for place, behaviour in enumerate(behaviours):
        name = str(behaviour)
        doers, in_first = first_sessions.get(name, (0, 0))
        if isinstance(definition, MinEvents) and behaviour.event == definition.event:
            flags.append(Flagged(name, Flag.GOAL_LIKE))
        if ranks[place, -1] > ACTIVITY_CORRELATION:
            flags.append(Flagged(name, Flag.ACTIVITY_LIKE, float(ranks[place, -1])))
        if reach[place] >= FORCED_REACH:
            flags.append(Flagged(name, Flag.FORCED, float(reach[place])))
        elif doers > 0 and in_first / doers >= FORCED_IN_FIRST_SESSION:
            flags.append(Flagged(name, Flag.FORCED, in_first / doers))
        if name in unavailable:
            first = unavailable[name]
            flags.append(Flagged(name, Flag.NOT_AVAILABLE, since=first.isoformat() if first else None))
        if name in inert:
            flags.append(Flagged(name, Flag.INERT))
        same = np.flatnonzero(ranks[place, :place] >= DUPLICATE_CORRELATION)
        if same.size:
            flags.append(Flagged(name, Flag.DUPLICATE, float(ranks[place, same[0]]), table.behaviours[same[0]]))
    return tuple(flags)


def may_be_candidates(table: CountTable, flags: Sequence[Flagged]) -> tuple[str, ...]:
    """The behaviours that no flag excludes from the candidates, in the table's order."""
    out = {mark.behaviour for mark in flags if mark.flag in NO_CANDIDATE}
    return tuple(name for name in table.behaviours if name not in out)


def correlations(table: CountTable) -> Floats:
    """Spearman correlations of the counts up to the landmark; the last row and column are the active days.

    A behaviour that all units did equally often has correlation 0 with everything.
    """
    columns = np.column_stack([table.counts[:, :, -1], table.active_days]).astype(np.float64)
    if table.n < 2:
        return np.zeros((columns.shape[1],) * 2)
    ranks = stats.rankdata(columns, axis=0)
    centred = ranks - ranks.mean(axis=0)
    length = np.sqrt((centred**2).sum(axis=0))
    unit = np.divide(centred, length, out=np.zeros_like(centred), where=length > 0)
    return np.asarray(unit.T @ unit)


def not_yet_available(
    table: CountTable, anchors: npt.NDArray[np.datetime64], first_times: Mapping[str, datetime | None]
) -> dict[str, datetime | None]:
    """Behaviours that appeared after the cohort's start, with their first time (None: never); only later units count.

    A rare behaviour first appears late by chance. So it counts as missing only when, with its doers spread over the
    units at random, all of them would come after its first appearance with a probability below 0.1 % (hypergeometric).

    Args:
        table: the feature table.
        anchors: the moment each unit's clock begins, UTC.
        first_times: when each behaviour first appears in the whole log, UTC.
    """
    late: dict[str, datetime | None] = {}
    for place, name in enumerate(table.behaviours):
        first = first_times.get(name)
        if first is None:
            late[name] = None
            continue
        moment = np.datetime64(first.replace(tzinfo=None), "us")
        before = int((anchors + np.timedelta64(timedelta(days=table.days[-1])) <= moment).sum())
        doers = int((table.counts[:, place, -1] > 0).sum())
        if before and stats.hypergeom.pmf(0, table.n, doers, before) < CHANCE_OF_ABSENCE:
            late[name] = first
    return late
