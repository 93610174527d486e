"""What a rule asks of users, read from the prepared log within a second or two; ended when nobody waits any more."""

from typing import Any

import numpy as np

from events.counting import queries
from events.models import UnitTraits
from events.outbox.ownership import StoreRefused
from events.prepared.opened import Prepared, Stop, prepared
from reporting.words import say
from runs.progress import silent
from runs.refusals import Refused
from segments.published.rule_members import RuleFacts, traits_of
from segments.rules import FEATURES, BehaviourCount, Feature, Needs
from segments.search import queries as own


def read_quickly(facts: RuleFacts, wanted: Needs, *, stop: Stop) -> RuleFacts:
    """As `rule_members.read_facts`, of the users of a sample where `facts.one_in` is above 1.

    Raises:
        Refused: no event yet, or an event that the log doesn't have.
        Cancelled: `stop` was asked.
    """
    missing = facts.missing(wanted)
    if facts.units is None or missing:
        try:
            with prepared(day_mode="rolling", stop=stop, progress=silent) as asked:
                _read(asked, facts, wanted)
        except StoreRefused:
            raise
        except Refused:
            if missing or not UnitTraits.objects.exists():
                raise  # without a log only what units said of themselves can be asked
    stop.check()
    if wanted.traits and facts.traits is None:
        facts.traits = traits_of(facts)
    return facts


def _read(asked: Prepared, facts: RuleFacts, wanted: Needs) -> None:
    if facts.version != asked.numbers.version:
        facts.start_anew()  # counts of two moments don't fit together
        facts.version = asked.numbers.version
    missing = facts.missing(wanted)
    counts = [subject for subject in missing if isinstance(subject, BehaviourCount)]
    _need_events(asked, facts.signup_event, counts)
    log = asked.log if facts.one_in == 1 else own.one_in(asked.log, facts.one_in)
    users = queries.cohort(log, facts.signup_event, asked.basis)
    with asked.warehouse.kept(users) as kept:
        rows = asked.warehouse.arrow(own.named(kept, asked.names))
        numbers = rows["number"].to_numpy()
        facts.units = rows["user_id"].to_pylist()
        for count in counts:
            asked.stop.check()
            distinct = count.behaviour.distinct is not None
            table = own.acts_within(asked.acts(count.behaviour), kept, asked.basis, count.days, distinct=distinct)
            facts.counted[count] = _aligned(numbers, asked.warehouse.arrow(table), "n")
        if any(isinstance(subject, Feature) for subject in missing):
            asked.stop.check()
            lives = asked.warehouse.arrow(own.life(log, kept, asked.basis))
            facts.counted |= {Feature(name): _aligned(numbers, lives, name) for name in FEATURES}


def _need_events(asked: Prepared, signup_event: str, counts: list[BehaviourCount]) -> None:
    names = set(asked.event_names())
    if signup_event != "*" and signup_event not in names:
        raise Refused("there is no event {event!r} in the log.", event=signup_event, at="signup-event")
    for count in counts:
        if count.behaviour.event not in names:
            what = say("there is no event {event!r} in the log.", event=count.behaviour.event)
            raise Refused("{where}: {what}", where=say("rule"), what=what)


def _aligned(numbers: Any, table: Any, name: str) -> Any:
    """A column in the order of the users' numbers; users without a row have 0."""
    found = np.zeros(len(numbers))
    place = np.searchsorted(numbers, table["user_id"].to_numpy())
    found[place] = table[name].to_numpy().astype(np.float64)
    return found
