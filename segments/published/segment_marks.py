"""The conditions on users in a rule or a published segment, to check against the outcome lock."""

from collections.abc import Callable, Iterable, Iterator
from math import ceil, floor

from events.models import UnitTraits
from events.warehouse.arm_marks import Among, Condition, Did, of_start
from events.windows import first_days
from segments.models import Membership, Segment, SegmentVersion
from segments.rules import (
    BehaviourCount,
    Facts,
    Operator,
    Quantifier,
    Rule,
    Trait,
    conditions,
    matches,
    parse_rule,
    sentence,
)
from segments.rules import Condition as RuleCondition


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
        if isinstance(subject, BehaviourCount) and isinstance(condition.value, int | float):
            least = condition.operator is Operator.AT_LEAST
            times = ceil(condition.value) if least else floor(condition.value) + 1
            yield Did(subject.behaviour, signup_event, first_days(subject.days), max(times, 1))
        elif isinstance(subject, Trait):
            yield Among(sentence(condition), _with_trait(condition, subject.name))


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
