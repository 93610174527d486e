"""A rule in plain words."""

from events import metric_sentences
from reporting.words import days_words, gettext
from segments.rules.records import Condition, Feature, Operator, Quantifier, Rule, Trait


def sentence(rule: Rule | Condition) -> str:
    """The rule in words, for example ``all of (platform is ios; number of friend_add in the first 7 days at
    least 3)``."""
    if isinstance(rule, Rule):
        words = {
            Quantifier.ALL: gettext("all of ({parts})"),
            Quantifier.ANY: gettext("any of ({parts})"),
            Quantifier.NONE: gettext("none of ({parts})"),
        }
        return words[rule.quantifier].format(parts="; ".join(sentence(part) for part in rule.parts))
    subject = rule.subject
    if isinstance(subject, Trait):
        return _trait_words(rule).format(name=subject.name, value=_values(rule))
    least = rule.operator is Operator.AT_LEAST
    if isinstance(subject, Feature):
        words_feature = gettext("{name} at least {value}") if least else gettext("{name} at most {value}")
        return words_feature.format(name=feature_name(subject.name), value=rule.value)
    words_count = (
        gettext("{behaviour} in the first {days} at least {times}")
        if least
        else gettext("{behaviour} in the first {days} at most {times}")
    )
    what = metric_sentences.sentence(subject.behaviour)
    return words_count.format(behaviour=what, times=rule.value, days=days_words(subject.days))


def feature_name(name: str) -> str:
    """The name of one of `FEATURES` in words."""
    return {
        "active_days": gettext("active days"),
        "sessions": gettext("sessions"),
        "recency": gettext("days since the last activity"),
        "tenure": gettext("days since the first activity"),
    }[name]


def _trait_words(condition: Condition) -> str:
    if condition.operator is Operator.EXISTS:
        return gettext("{name} is known") if condition.value else gettext("{name} is not known")
    return {
        Operator.IS: gettext("{name} is {value}"),
        Operator.IS_NOT: gettext("{name} is known and not {value}"),
        Operator.IN: gettext("{name} is one of {value}"),
        Operator.AT_LEAST: gettext("{name} at least {value}"),
        Operator.AT_MOST: gettext("{name} at most {value}"),
    }[condition.operator]


def _values(condition: Condition) -> str:
    each = condition.value if isinstance(condition.value, tuple) else (condition.value,)
    return ", ".join({True: "true", False: "false"}[value] if isinstance(value, bool) else str(value) for value in each)
