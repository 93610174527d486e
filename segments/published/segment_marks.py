"""The conditions on users in a rule or a published segment, to check against the outcome lock."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from math import ceil, floor

from events.metrics import Behaviour
from events.models import UnitTraits
from events.warehouse.arm_marks import Among, Condition, Did, of_start
from events.windows import LastDays, first_days
from segments.models import Membership, Segment, SegmentVersion
from segments.rules import (
    BehaviourCount,
    Facts,
    Operator,
    Quantifier,
    RecentCount,
    Rule,
    Trait,
    conditions,
    matches,
    parse_rule,
    sentence,
)
from segments.rules import Condition as RuleCondition

FIRST_DAYS = (1, 3, 7, 14, 28)


def of_rule(rule: Rule, signup_event: str) -> tuple[Condition, ...]:
    """Conditions of the signup event and of each part of a rule; activity features can't reveal an arm."""
    return of_start(signup_event) + tuple(_of_conditions(rule, signup_event))


def of_segments(version: SegmentVersion, segments: Iterable[Segment]) -> tuple[Condition, ...]:
    """Membership of each segment, and each condition of a rule: one condition may reveal what the whole rule hides."""
    marks: tuple[Condition, ...] = tuple(Among(str(segment), _members(segment)) for segment in segments)
    if version.rule is None:
        return marks
    return marks + of_rule(parse_rule(version.rule), version.inputs["signup_event"])


def _of_conditions(rule: Rule, signup_event: str) -> Iterator[Condition]:
    for condition in conditions(rule):
        subject = condition.subject
        if isinstance(subject, BehaviourCount):
            yield Did(subject.behaviour, signup_event, first_days(subject.days), _times(condition))
        elif isinstance(subject, RecentCount) and subject.behaviour is not None:
            yield from _of_recent(subject.behaviour, subject.days, _times(condition), signup_event)
        elif isinstance(subject, Trait):
            yield Among(sentence(condition), _with_trait(condition, subject.name))


def _of_recent(behaviour: Behaviour, days: LastDays, times: int, signup_event: str) -> Iterator[Condition]:
    """These very days, any time, and the first days of a life: with a number of days since signup, they are these."""
    # Different values are counted on the day on which each is first seen, which may lie before the last days.
    yield Did(replace(behaviour, distinct=None), "", days, times)
    yield Did(behaviour, least=times)
    yield from (Did(behaviour, signup_event, first_days(number), times) for number in FIRST_DAYS)


def _times(condition: RuleCondition) -> int:
    """The number of times from which a user is on the other side of the condition's limit."""
    limit = condition.value
    if not isinstance(limit, int | float):
        raise TypeError(f"a number of times is compared with a number, not {limit!r}")
    return max(ceil(limit) if condition.operator is Operator.AT_LEAST else floor(limit) + 1, 1)


def _with_trait(condition: RuleCondition, name: str) -> Callable[[], Iterator[str]]:
    """Ids of users who have the trait and meet the condition; "is not known" is replaced by its complement."""
    known = RuleCondition(condition.subject, Operator.EXISTS, True)
    rule = Rule(Quantifier.ALL, (known if condition.operator is Operator.EXISTS else condition,))

    def ids() -> Iterator[str]:
        rows = UnitTraits.objects.filter(traits__has_key=name).values_list("user_id", "traits")
        return (unit for unit, traits in rows.iterator() if matches(rule, Facts(traits=traits)))

    return ids


def _members(segment: Segment) -> Callable[[], Iterator[str]]:
    return lambda: Membership.objects.filter(segment=segment).values_list("unit", flat=True).iterator()
