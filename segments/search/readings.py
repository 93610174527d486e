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
