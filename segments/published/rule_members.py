"""Which units a rule holds for, from what they did and from the traits that they were given."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from events.asking import questions
from events.counting import queries
from events.models import UnitTraits
from events.outbox.ownership import StoreRefused
from reporting.words import say
from runs.refusals import Refused
from segments.models import Membership, SegmentVersion
from segments.rules import Feature, Rule, Subject, Trait, is_live, members, needs, parse_rule
from segments.search import queries as own

Place = Membership.Place


def rule_places(version: SegmentVersion) -> Iterator[tuple[str, int | None, str]]:
    """Every unit with its place: a member of segment 0, or outside."""
    units, flags = evaluate_rule(parse_rule(version.rule), version.inputs["signup_event"])
    return (
        (unit, 0, Place.MEMBER) if flag else (unit, None, Place.OUTSIDE)
        for unit, flag in zip(units, flags.tolist(), strict=True)
    )


def evaluate_rule(rule: Rule, signup_event: str) -> tuple[list[str], Any]:
    """All units, and whether the rule holds for each."""
    wanted = needs(rule)
    traits: dict[str, dict[str, Any]] = {}
    if wanted.traits:
        traits = dict(UnitTraits.objects.values_list("user_id", "traits").iterator(chunk_size=5_000))
    units: list[str] = []
    columns: dict[Subject, Any] = {}
    try:
        with questions() as asked:
            units, columns = _ask(asked, signup_event, wanted)
    except StoreRefused:
        raise
    except Refused:
        if not (is_live(rule) and traits):
            raise  # without a log only what units said of themselves can be asked
    units += sorted(traits.keys() - set(units))
    for subject, column in columns.items():
        grown = np.full(len(units), np.nan)
        grown[: len(column)] = column
        columns[subject] = grown
    for name in wanted.traits:
        columns[Trait(name)] = np.array([traits.get(unit, {}).get(name) for unit in units], dtype=object)
    return units, members(rule, columns, units=len(units))


def _ask(asked: Any, signup_event: str, wanted: Any) -> tuple[list[str], dict[Subject, Any]]:
    asked.need_event(signup_event, "--signup-event")
    users = queries.cohort(asked.log, signup_event, asked.basis)
    frame = asked.run(own.life(asked.log, users, asked.basis)).set_index("user_id").sort_index()
    columns: dict[Subject, Any] = {Feature(name): frame[name].to_numpy(dtype=np.float64) for name in wanted.features}
    if wanted.behaviours:
        for count in wanted.behaviours:
            asked.need_event(count.behaviour.event, where=say("rule"))
        pairs = [(count.behaviour, count.days) for count in wanted.behaviours]
        counted = asked.run(own.counts_within(asked.log, users, asked.basis, pairs)).set_index("user_id")
        counted = counted.reindex(frame.index).fillna(0)
        columns |= {
            count: counted[f"c_{place}"].to_numpy(dtype=np.float64) for place, count in enumerate(wanted.behaviours)
        }
    return [str(unit) for unit in frame.index], columns
