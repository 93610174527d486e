"""Rule segments: which units a rule holds for, previewed or published through the same membership as clusters."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from django.contrib.auth.models import User
from django.db import transaction

from events.asking import questions
from events.models import UnitTraits
from events.outbox.ownership import StoreRefused
from reporting.words import say
from runs.refusals import Refused
from segments.models import Membership, Segment, SegmentModel, SegmentVersion
from segments.rules import Feature, Rule, Trait, is_live, members, needs, parse_rule, sentence

if TYPE_CHECKING:
    from segments.rules import Subject

Place = Membership.Place


@dataclass(frozen=True)
class Preview:
    """What a rule would take: `members` of `units`; `live` when it can be answered during an assignment."""

    units: int
    members: int
    live: bool
    sentence: str


def preview_rule(*, signup_event: str, rule: dict[str, Any]) -> Preview:
    """How many units a rule would take now. Nothing is stored.

    Raises:
        Refused: a rule that can't be read, or an event that the log doesn't have.
    """
    parsed = parse_rule(rule)
    units, flags = _evaluate(parsed, signup_event)
    return Preview(len(units), int(flags.sum()), is_live(parsed), sentence(parsed))


def publish_rule(
    *,
    key: str,
    name: str,
    signup_event: str,
    rule: dict[str, Any],
    refresh_days: int | None = None,
    by: User | None = None,
) -> SegmentVersion:
    """Publish a rule as a segment model of one segment, or as its next version, with the membership of every unit.

    Raises:
        Refused: a rule that can't be read, an event that isn't there, or a key that belongs to clusters.
    """
    from segments.published.publish import first_membership, open_model

    parsed = parse_rule(rule)
    _evaluate(parsed, signup_event)  # refuses unknown events before anything is written
    with transaction.atomic():
        model = open_model(key, name, SegmentModel.Kind.RULE, refresh_days, by)
        version = SegmentVersion.objects.create(
            model=model, number=model.next_number, rule=rule, published_by=by,
            inputs={"signup_event": signup_event, "first_day": 0, "last_day": 13},
        )  # fmt: skip
        Segment.objects.create(version=version, key="members", number=0, name=name)
    return first_membership(version)


def rule_places(version: SegmentVersion) -> Iterator[tuple[str, int | None, str]]:
    """Every unit with its place: a member of segment 0, or outside."""
    units, flags = _evaluate(parse_rule(version.rule), version.inputs["signup_event"])
    return (
        (unit, 0, Place.MEMBER) if flag else (unit, None, Place.OUTSIDE)
        for unit, flag in zip(units, flags.tolist(), strict=True)
    )


def _evaluate(rule: Rule, signup_event: str) -> tuple[list[str], Any]:
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


def _ask(asked: Any, signup_event: str, wanted: Any) -> tuple[list[str], dict["Subject", Any]]:
    from events.counting import queries
    from segments.search import queries as own

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
