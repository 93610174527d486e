"""What an experiment's analysis reads of the store, in the order of its questions (`gather`), for its price."""

from collections.abc import Iterator
from datetime import datetime

from events.warehouse.activity_bits import MOST_GAP
from events.warehouse.increments import goes_on_from
from events.warehouse.price import Store, first_time
from events.warehouse.readings import EVENT, MESSAGE, PROPERTIES, RECEIVED, TIME, USER, Reading, asked, opening, whole
from events.warehouse.unit_values import is_apart
from experiments.analyse.gather.queries import (
    NEWEST,
    about_before,
    about_late,
    about_signups,
    adding_up,
    counted_acts,
    definitions,
    events_named,
    longest_before,
)
from experiments.plan.derived import Question

EXPOSURE = frozenset({USER, EVENT, TIME, PROPERTIES, MESSAGE, RECEIVED})


def readings(
    question: Question, store: Store, *, since: datetime | None = None, clients: bool = False
) -> Iterator[Reading]:
    """All readings of an analysis.

    Not among them: a second pass where units that only client keys name matter, and the digest of a final analysis.

    Args:
        question: the experiment's.
        store: its basis counts days as the plan does.
        since: the moment before which no unit was exposed.
        clients: whether exposures of client keys are admitted: when each of their units was first known is read then.
    """
    yield opening()
    for _ in events_named(question):
        yield Reading(frozenset({EVENT, TIME}), store.basis.data_end - NEWEST)
    kept = goes_on_from(store.at, ("exposures", question.experiment, question.variants, question.clustered))
    if kept is None:
        yield Reading(EXPOSURE)
    else:
        yield Reading(EXPOSURE, names=(kept[0],), only=kept[2])
    if clients:
        yield whole(USER, EVENT, TIME, MESSAGE, RECEIVED)
    yield from _known_before(question, store, since)
    yield from _counted(question, store, None if question.clock == "signup" else since)
    if question.churn_gap > MOST_GAP:
        yield whole(USER, EVENT, TIME, since=since)
    first = since if kept is None else first_time(kept[0]) or since
    # With the clock "signup" the first exposure may not count: then nothing is kept under its moment.
    late = None if first is None else goes_on_from(store.at, about_late(first, store.basis.clock))
    yield whole(TIME, RECEIVED, since=first if late is None else late[1], until=store.basis.data_end)
    if late is not None:
        yield Reading(frozenset({TIME, RECEIVED}), until=late[1], only=late[2])


def _known_before(question: Question, store: Store, since: datetime | None) -> Iterator[Reading]:
    """Signups and the active days before the exposure, or what came since the last analysis."""
    acts = frozenset({USER, EVENT, TIME})
    if question.covariates or question.clock == "signup":
        columns = acts | {PROPERTIES} if question.covariates else acts
        kept = goes_on_from(store.at, about_signups(question))
        yield Reading(columns) if kept is None else Reading(columns, names=(kept[0],), only=kept[2])
    if not question.active_days_before:
        return
    back = longest_before(question)
    kept = goes_on_from(store.at, about_before(question, store.basis, verified=False))
    if kept is None:
        yield Reading(acts, None if since is None else since - back)
        return
    name, end, added = kept
    yield Reading(acts, end, names=(name,))
    yield Reading(acts, until=end, only=added)
    yield Reading(acts, end - back)  # before units that are new


def _counted(question: Question, store: Store, since: datetime | None) -> Iterator[Reading]:
    """The one pass over the units' events, or what came since the last; and the questions of their own."""
    metrics = definitions(question) | counted_acts(question)
    together = {name for each in metrics.values() if not is_apart(each) for name in asked(each)}
    columns = frozenset({USER, TIME, EVENT, *together})
    basis = store.basis
    kept = None
    if adding_up(question, 1) is not None:
        kept = goes_on_from(store.at, ("units", question, basis.clock, basis.activity, False))
    if kept is None:
        yield Reading(columns, since)
    else:
        name, end, added = kept
        yield Reading(columns, end, basis.data_end, names=(name,))
        yield Reading(columns, until=end, only=added)
        yield Reading(columns, end, basis.data_end)  # units that are new
    for each in metrics.values():
        if is_apart(each):
            yield whole(USER, TIME, *asked(each), since=since)
