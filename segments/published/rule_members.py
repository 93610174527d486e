"""Which units a rule holds for, from what they did and from the traits that they were given."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import batched
from typing import Any

import numpy as np

from events.arm_marks import refuse_arm_marks
from events.asking import Questions, questions
from events.counting import queries
from events.models import UnitTraits
from events.outbox.ownership import StoreRefused
from reporting.words import say
from runs.refusals import Refused
from segments.models import Membership, SegmentVersion
from segments.published.segment_marks import of_rule
from segments.rules import FEATURES, BehaviourCount, Feature, Needs, Rule, Subject, Trait, members, needs, parse_rule
from segments.search import queries as own

Place = Membership.Place
BATCH = 5_000


def rule_places(version: SegmentVersion) -> Iterator[tuple[str, int | None, str]]:
    """Every unit with its place: a member of segment 0, or outside."""
    units, flags = evaluate_rule(parse_rule(version.rule), version.inputs["signup_event"])
    return (
        (unit, 0, Place.MEMBER) if flag else (unit, None, Place.OUTSIDE)
        for unit, flag in zip(units, flags.tolist(), strict=True)
    )


def evaluate_rule(rule: Rule, signup_event: str) -> tuple[list[str], Any]:
    """All units, and whether the rule holds for each.

    Raises:
        Refused: as `read_facts`, and for a condition that would tell the arms of a locked experiment apart.
    """
    refuse_arm_marks({"": of_rule(rule, signup_event)})
    facts = read_facts(RuleFacts(signup_event), needs(rule))
    units, columns = facts.columns(needs(rule))
    return units, members(rule, columns, units=len(units))


@dataclass
class RuleFacts:
    """What was read of units so far, so that a rule that changes a little asks for little more.

    Attributes:
        signup_event: whose first occurrence starts a unit's clock.
        one_in: 1 for everybody, else one in so many users of the log.
        units: of the log; None before they were read, or where there is no log to read.
        counted: counts and features in their order.
        traits: of every unit that has any; None before they were read.
        version: of the prepared log that was read; "" for the store itself.
    """

    signup_event: str
    one_in: int = 1
    units: list[str] | None = None
    counted: dict[Subject, Any] = field(default_factory=dict)
    traits: dict[str, dict[str, Any]] | None = None
    version: str = ""

    def start_anew(self) -> None:
        """Forget what was read."""
        self.units, self.traits, self.counted = None, None, {}

    def missing(self, wanted: Needs) -> list[Subject]:
        """What a rule asks of the log and what isn't there yet."""
        return [each for each in _counted(wanted) if each not in self.counted]

    def columns(self, wanted: Needs) -> tuple[list[str], dict[Subject, Any]]:
        """The units that a rule is asked of, and what it asks of them, one value per unit."""
        units, traits = list(self.units or ()), self.traits or {}
        if wanted.traits:
            units += sorted(traits.keys() - set(units))
        found: dict[Subject, Any] = {}
        for subject in _counted(wanted):
            column = np.full(len(units), np.nan)
            known = self.counted.get(subject, ())
            column[: len(known)] = known
            found[subject] = column
        for name in wanted.traits:
            found[Trait(name)] = np.array([traits.get(unit, {}).get(name) for unit in units], dtype=object)
        return units, found


def _counted(wanted: Needs) -> list[Subject]:
    return [*wanted.behaviours, *map(Feature, wanted.features)]


def read_facts(facts: RuleFacts, wanted: Needs) -> RuleFacts:
    """Read what a rule asks about and what isn't there yet; the facts themselves grow.

    Args:
        facts: read so far.
        wanted: by the rule.

    Raises:
        Refused: no event yet, or an event that the log doesn't have.
    """
    missing = facts.missing(wanted)
    if facts.units is None or missing:
        try:
            with questions() as asked:
                _read_log(asked, facts, missing)
        except StoreRefused:
            raise
        except Refused:
            if missing or not UnitTraits.objects.exists():
                raise  # without a log only what units said of themselves can be asked
    if wanted.traits and facts.traits is None:
        facts.traits = traits_of(facts)
    return facts


def _read_log(asked: Questions, facts: RuleFacts, missing: list[Subject]) -> None:
    counts = [subject for subject in missing if isinstance(subject, BehaviourCount)]
    need_events(asked, [facts.signup_event], "--signup-event")
    need_events(asked, [count.behaviour.event for count in counts])
    users = queries.cohort(asked.log, facts.signup_event, asked.basis)
    if any(isinstance(subject, Feature) for subject in missing):
        frame = asked.units(own.life(asked.log, users, asked.basis)).set_index("user_id").sort_index()
        facts.counted |= {Feature(name): frame[name].to_numpy(dtype=np.float64) for name in FEATURES}
    else:
        frame = asked.units(users.select("user_id")).set_index("user_id").sort_index()
    units = [str(unit) for unit in frame.index]
    if facts.units is not None and facts.units != units:
        facts.start_anew()  # users came in between: counts of two moments don't fit together
        return _read_log(asked, facts, missing)
    facts.units = units
    if counts:
        pairs = [(count.behaviour, count.days) for count in counts]
        counted = asked.units(own.counts_within(asked.log, users, asked.basis, pairs)).set_index("user_id")
        counted = counted.reindex(frame.index).fillna(0)
        facts.counted |= {count: counted[f"c_{place}"].to_numpy(dtype=np.float64) for place, count in enumerate(counts)}
    return None


def need_events(asked: Questions, names: list[str], option: str = "") -> None:
    """Refuse names that the log doesn't have, in one short question when it has them all."""
    wanted = {name for name in names if name != "*"}
    found = set(asked.run(own.names_among(asked.log, sorted(wanted))).event) if wanted else set()
    for name in sorted(wanted - found):
        asked.need_event(name, option, where="" if option else say("rule"))


def traits_of(facts: RuleFacts) -> dict[str, dict[str, Any]]:
    """Traits of everybody, or of a sample's units."""
    rows = UnitTraits.objects.values_list("user_id", "traits")
    if facts.one_in == 1 or facts.units is None:
        return dict(rows.iterator(chunk_size=BATCH))
    found: dict[str, dict[str, Any]] = {}
    for units in batched(facts.units, BATCH):
        found |= dict(rows.filter(user_id__in=units))
    return found
