"""What a study reads of the store, in the order of its questions (`aha.study.gather`), for its price."""

from collections.abc import Iterator

from aha.study.question import Inputs
from aha.study.window_guard import valid_windows
from events.warehouse.price import Store
from events.warehouse.readings import (
    EVENT,
    PROPERTIES,
    TIME,
    Reading,
    acts,
    asked,
    cohort,
    event_names,
    of_days,
    opening,
    user_names,
    whole,
)
from events.windows import Window

CURVE_DAYS = 60


def readings(inputs: Inputs, store: Store) -> Iterator[Reading]:
    """All readings of a study that a worker computes.

    Not among them: the counts of a sample that a study of more than 200,000 users tells first, and what experiments
    with a locked outcome have exposed.

    Args:
        inputs: of the study, checked.
        store: with the dates of the cohort.
    """
    basis, behaviours = store.basis, inputs.listed
    windows = valid_windows(inputs.days, inputs.definition, gap=inputs.gap)
    early, counted = Window(0, windows.landmark - 1), acts(behaviours)
    yield opening()
    if not behaviours:
        yield event_names()
    yield cohort(basis, inputs.signup_event)
    yield of_days(basis, inputs.window, *asked(inputs.definition))
    yield user_names()
    yield of_days(basis, early, *counted)  # the histogram
    yield event_names(TIME)  # when each behaviour first appeared
    if any(behaviour.where for behaviour in behaviours):
        yield whole(EVENT, TIME, PROPERTIES)
    yield of_days(basis, early, *counted)  # the matrix
    yield of_days(basis, early, EVENT)  # active days
    yield of_days(basis, Window(0, 0), PROPERTIES, *(() if inputs.signup_event == "*" else (EVENT,)))
    yield of_days(basis, early, *counted)  # by day, of some
    yield of_days(basis, early, EVENT)
    yield of_days(basis, early)  # first sessions
    yield of_days(basis, early, *counted)
    yield of_days(basis, Window(0, min(inputs.window.days_needed - 1, CURVE_DAYS)), EVENT)
