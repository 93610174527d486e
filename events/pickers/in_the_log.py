"""Check whether a behaviour ever occurred, by querying the warehouse: for names missing from the list of events."""

from events.asking import Questions, questions
from events.counting import queries
from events.metrics import Behaviour
from runs.refusals import Refused


def is_in_log(behaviour: Behaviour) -> bool:
    """Whether some event of the log matches the behaviour; False also if there are no events at all."""
    try:
        with questions() as asked:
            return not never_done(asked, [behaviour])
    except Refused:
        return False


def never_done(asked: Questions, behaviours: list[Behaviour]) -> list[Behaviour]:
    """The behaviours that no event of the log matches."""
    if not behaviours:
        return []
    log = queries.matching(asked.log, behaviours, asked.basis)
    log = log.mutate(counts=log.value.notnull() | ~log.behaviour.isin([str(one) for one in behaviours if one.distinct]))
    found = asked.run(log.filter(log.counts).select("behaviour").distinct())
    done = set(found.behaviour)
    return [one for one in behaviours if str(one) not in done]
