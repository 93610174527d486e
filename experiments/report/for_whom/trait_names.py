"""Traits, their levels and rules on them in words. Pure."""

from collections.abc import Iterable

from reporting.words import gettext
from stats.policy import NudgeRule, TraitCondition
from stats.trait_cells import SEGMENT


def rule_words(rule: NudgeRule) -> str:
    """A rule in words, for example ``platform is ios and country is not KR``."""
    named = [_condition(condition) for condition in rule.conditions]
    if len(named) == 1:
        return named[0]
    text = gettext("{first} or {second}") if rule.any_of else gettext("{first} and {second}")
    return text.format(first=named[0], second=named[1])


def combination_words(combination: Iterable[tuple[str, str]]) -> str:
    """A combination in words, for example ``social · platform ios``: a segment needs no trait name."""
    return " · ".join(
        level_words(trait, level) if trait == SEGMENT else f"{trait} {level_words(trait, level)}"
        for trait, level in combination
    )


def level_words(trait: str, level: str) -> str:
    """A level in words; an empty one means unknown, or no segment."""
    if level:
        return level
    return gettext("Everyone else") if trait == SEGMENT else gettext("unknown")


def _condition(condition: TraitCondition) -> str:
    text = gettext("{name} is {value}") if condition.holds else gettext("{name} is not {value}")
    name = gettext("segment") if condition.trait == SEGMENT else condition.trait
    return text.format(name=name, value=level_words(condition.trait, condition.level))
