"""Names of metrics, outcomes and comparisons on pages. Pure."""

from dataclasses import replace

from aha.made_names import moment_name
from events.metrics import display_name, parse_metric
from events.metrics.sentences import metric_words as metric_words
from events.metrics.sentences import sentence
from experiments.analyse.effects import Report
from experiments.plan.design import Kind, kind_of
from experiments.plan.record import Claim, GuardrailRule, Plan
from reporting.numbers import planned_text
from reporting.words import gettext
from runs.refusals import Refused


def other_words(behaviour: str, times: int) -> str:
    """Another behaviour, with its number of times where one isn't enough."""
    name = display_name(behaviour)
    return name if times == 1 else gettext("{behaviour} ({times} times or more)").format(behaviour=name, times=times)


def versus(variant: str, comparator: str) -> str:
    """A comparison's name: only the variant where the comparator is control."""
    if not comparator:
        return variant
    return gettext("{variant} against {placebo}").format(variant=variant, placebo=comparator)


def metric_sentence(name: str) -> str:
    """A metric's definition in words; text that can't be parsed stays unchanged."""
    try:
        return sentence(parse_metric(name))
    except Refused:
        return display_name(name)


def clock_words(plan: Plan) -> str:
    """What starts a unit's day 0."""
    return gettext("the signup") if plan.clock == "signup" else gettext("the first exposure")


def rule_words(name: str, rule: GuardrailRule | None) -> str:
    """Requirement on a guardrail in words."""
    if rule is None:
        return gettext("(no margin: it can only warn)")
    text = (
        gettext("(higher is better; a loss of {margin} or more is harm)")
        if rule.direction == "higher"
        else gettext("(lower is better; a rise of {margin} or more is harm)")
    )
    return text.format(margin=planned_text(rule.margin, share=is_share(name)))


def is_share(name: str) -> bool:
    """True for an outcome whose effects are in percentage points."""
    try:
        return kind_of(name) is Kind.PROPORTION
    except Refused:
        return False


def table_words(otherwise: str) -> str:
    """The decision table of a plan in words."""
    text = gettext(
        "Ship it if a primary outcome improves and every guardrail is shown to lose less than its margin. Don't if a "
        "primary outcome or a guardrail gets worse, or the data are broken. Otherwise: {otherwise}."
    )
    return text.format(otherwise=otherwise_words(otherwise))


def otherwise_words(otherwise: str) -> str:
    """What a plan does where neither success nor harm is proved."""
    words = {"ship": gettext("ship it all the same"), "dont": gettext("don't ship it"), "ask": gettext("people decide")}
    return words[otherwise]


def worded(report: Report, claim: Claim | None) -> Report:
    """The report with its outcomes in words; where two would have the same name, both keep their text.

    Args:
        report: as stored.
        claim: of the plan; gives the behaviour its name.
    """
    names = [metric_words(outcome.name) for outcome in report.outcomes]
    behaviour = report.design.behaviour
    if behaviour is not None:
        behaviour = display_name(behaviour) if claim is None else moment_name(behaviour, claim)
    return replace(
        report,
        design=replace(report.design, behaviour=behaviour),
        outcomes=tuple(
            replace(outcome, name=name if names.count(name) == 1 else display_name(outcome.name))
            for outcome, name in zip(report.outcomes, names, strict=True)
        ),
    )
