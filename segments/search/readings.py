"""What a search for groups reads of the store, in the order of its questions (`segments.search.gather`)."""

from collections.abc import Iterator

from events.metrics import Active, Survival, outcome_window, parse_behaviour
from events.warehouse.price import Store
from events.warehouse.readings import (
    EVENT,
    USER,
    Reading,
    acts,
    asked,
    cohort,
    event_names,
    of_days,
    opening,
    user_names,
)
from events.windows import Window
from segments.search.question import Inputs


def units(inputs: Inputs, store: Store, behaviours: tuple[str, ...] | None) -> Iterator[Reading]:
    """What the units of a published version read (`read_units`): those of all dates.

    Args:
        inputs: of the version.
        store: without dates.
        behaviours: of its model; None for those that a search would choose.
    """
    basis, listed = store.basis, inputs.behaviours if behaviours is None else behaviours
    yield opening()
    if behaviours is None:
        yield event_names(*(() if listed else (USER,)))
    yield cohort(basis, inputs.signup_event)
    yield user_names()
    yield of_days(basis, inputs.window, EVENT)
    yield of_days(basis, inputs.window, *acts(map(parse_behaviour, listed)))


def readings(inputs: Inputs, store: Store) -> Iterator[Reading]:
    """All readings of a search.

    Not among them: the tiers of a sample that a search among more than 200,000 users tells first, and what experiments
    with a locked outcome have exposed.

    Args:
        inputs: of the search, checked.
        store: with the dates of the cohort.
    """
    basis, definition = store.basis, inputs.definition
    behaviours = [parse_behaviour(text) for text in inputs.behaviours]
    yield opening()
    if inputs.signup_event != "*":
        yield event_names()
    yield cohort(basis, inputs.signup_event)  # counted, then kept
    yield cohort(basis, inputs.signup_event)
    yield event_names(*(() if behaviours else (USER,)))
    yield user_names()
    yield of_days(basis, inputs.window, EVENT)  # active days
    yield of_days(basis, inputs.window, *acts(behaviours))
    if definition is None:
        return
    ever = Window(0, None)
    if isinstance(definition, Survival):
        yield of_days(basis, ever, EVENT)
    else:
        yield of_days(basis, outcome_window(definition), *asked(definition))
    if isinstance(definition, Active | Survival):
        yield of_days(basis, ever, EVENT)  # days to churn
