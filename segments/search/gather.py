"""What units did, as arrays: the warehouse's answers put into the order of the units."""

from dataclasses import replace
from typing import Any

import numpy as np

from events.asking import Questions
from events.counting import queries
from events.counting.unit_values import EXPOSURE_EVENTS
from events.metrics import Active, Behaviour, Survival, outcome_window, parse_behaviour
from runs.progress import Early, unseen
from runs.refusals import Refused
from segments.search import queries as own
from segments.search.composition import Play
from segments.search.features import UnitTable, unit_table
from segments.search.question import Inputs
from segments.search.so_far.first_activity import first_counts, tiers_of
from segments.search.so_far.told import TIERS

MAX_BEHAVIOURS = 60  # by number of users; more would make a wide, noisy matrix (docs/segments.md)


def read_play(asked: Questions, inputs: Inputs, *, seed: int, early: Early = unseen) -> Play:
    """Counts, activity, halves and outcome of the eligible units.

    Args:
        asked: the open warehouse.
        inputs: the question.
        seed: of the split of each unit's active days into halves.
        early: told who counts and how active they are, as soon as it is known.

    Raises:
        Refused: an event that the log doesn't have, or no unit whose windows are complete.
    """
    asked.need_event(inputs.signup_event, "--signup-event")
    definition = inputs.definition
    fixed = definition is not None and not isinstance(definition, Survival)
    outcome = outcome_window(definition) if definition is not None and fixed else None
    first, last = inputs.dates
    everybody = queries.cohort(asked.log, inputs.signup_event, asked.basis, first=first, last=last)
    signed_up = int(asked.run(everybody.aggregate(n=everybody.count())).n.iloc[0])
    users = own.eligible(everybody, inputs.window, outcome)
    if definition is not None and isinstance(definition, Survival):
        users = users.filter(users.complete_days > definition.gap)
    if early is not unseen:
        first_counts(asked, inputs, users, signed_up=signed_up, seed=seed, early=early)
    behaviours = choose_behaviours(asked, inputs)
    activity = asked.units(own.activity(asked.log, users, asked.basis, inputs.window))
    if activity.empty:
        raise Refused(
            "none of {count:,} users has completed the window {window} and the outcome.",
            count=signed_up,
            window=inputs.window,
            at="window",
        )
    early(TIERS, tiers_of(activity.active_days.to_numpy(), inputs, eligible=len(activity), seed=seed))
    halves = asked.units(own.pattern(asked.log, users, asked.basis, inputs.window, behaviours, seed=seed))
    names = [str(behaviour) for behaviour in behaviours]
    whole = unit_table(activity, halves, names)
    first_half, second_half = (_half(unit_table(activity, halves, names, half=half), whole) for half in (0, 1))
    retained, follow_up = _outcome(asked, users, inputs, whole.unit_ids)
    return Play(whole, first_half, second_half, retained, follow_up, signed_up)


def read_units(asked: Questions, inputs: Inputs, behaviours: tuple[str, ...] | None) -> UnitTable:
    """Counts and activity of every unit whose window is complete, whether its outcome is or not: whom a model places.

    Args:
        asked: the open warehouse.
        inputs: of the published version.
        behaviours: what its model counts; None chooses as for a new segmentation.
    """
    chosen = choose_behaviours(asked, inputs) if behaviours is None else [parse_behaviour(name) for name in behaviours]
    users = own.eligible(queries.cohort(asked.log, inputs.signup_event, asked.basis), inputs.window)
    activity = asked.units(own.activity(asked.log, users, asked.basis, inputs.window))
    pattern = asked.units(own.whole_pattern(asked.log, users, asked.basis, inputs.window, chosen))
    return unit_table(activity, pattern, [str(behaviour) for behaviour in chosen])


def choose_behaviours(asked: Questions, inputs: Inputs) -> list[Behaviour]:
    """The listed behaviours, or the event names that most users show.

    Raises:
        Refused: a listed behaviour whose event the log doesn't have.
    """
    names = asked.run(queries.event_names(asked.log)).sort_values(["users", "event"], ascending=[False, True])
    known = [str(name) for name in names.event if name not in EXPOSURE_EVENTS]
    if inputs.behaviours:
        listed = [parse_behaviour(text) for text in inputs.behaviours]
        for behaviour in listed:
            if behaviour.event not in known:
                raise Refused("there is no event {event!r} in the log.", event=behaviour.event, at="behaviours")
        return listed
    # What happens once by definition says nothing about a day of play.
    return [Behaviour(name) for name in known if name != inputs.signup_event][:MAX_BEHAVIOURS]


def _half(half: UnitTable, whole: UnitTable) -> UnitTable:
    """Sessions in proportion to the half's days, or its sessions per day would come out twice as many."""
    return replace(half, sessions=whole.sessions * half.active_days / np.maximum(whole.active_days, 1))


def _outcome(asked: Questions, users: Any, inputs: Inputs, unit_ids: Any) -> tuple[Any, Any]:
    definition = inputs.definition
    if definition is None:
        return None, None
    frame = asked.units(queries.retention(asked.log, users, asked.basis, definition)).set_index("user_id")
    retained = frame.retained.reindex(unit_ids).to_numpy(dtype=np.float64)
    if isinstance(definition, Active | Survival):
        gap = definition.gap if isinstance(definition, Survival) else 7
        times = asked.units(queries.survival_times(asked.log, users, asked.basis, gap)).set_index("user_id")
        times = times.reindex(unit_ids)
        if not times.duration.isna().any():
            return retained, (times.duration.to_numpy(dtype=np.float64), times.churned.to_numpy(dtype=np.bool_))
    return retained, None
