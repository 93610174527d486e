"""Difference of two experiments on one outcome, or why it can't be computed. Pure."""

from collections.abc import Sequence

from experiments.analyse.codes import Code
from experiments.analyse.corrected import best_difference
from experiments.analyse.effects import leading
from experiments.analyse.result import Readout
from experiments.plan.design import Kind
from experiments.report.names import metric_words
from reporting.numbers import effect_limits, effect_text, p_relation
from reporting.words import gettext
from stats.results import Estimate, NotComputable, computable
from stats.synthesis import difference_of

ALPHA = 0.05


def difference_sentence(first: Readout | None, second: Readout | None, names: Sequence[str]) -> str:
    """The nudge's effect on everyone in the first minus that in the second.

    Only for the same outcome with the same day 0, since points of different outcomes aren't comparable. Never while
    either outcome is locked or its data are broken.
    """
    for readout, name in zip((first, second), names, strict=True):
        if readout is None or readout.report is None:
            return gettext("No difference is shown: the outcome of {name} isn't open yet.").format(name=name)
        if readout.report.verdict.code is Code.INVALID:
            return gettext("No difference is shown: the data of {name} are broken.").format(name=name)
    if first is None or second is None or first.report is None or second.report is None:
        return ""
    if _measured(first) != _measured(second):
        return gettext("No difference is shown: both read different outcomes ({first}; {second}).").format(
            first=metric_words(first.plan.primary[0]), second=metric_words(second.plan.primary[0])
        )
    found = difference_of(_effect(first), _effect(second), alpha=ALPHA)
    if not computable(found):
        return gettext("No difference is shown: an effect can't be computed.")
    share = first.report.outcomes[0].kind is Kind.PROPORTION
    text = gettext(
        "Effect of the nudge on everyone, {first} minus {second}: {effect} ({limits} at 95%; p {p}). The users, "
        "weeks and nudges differ too: the difference alone doesn't say which of them made it."
    )
    return text.format(
        first=names[0],
        second=names[1],
        effect=effect_text(found.estimate, share=share, plus=True),
        limits=effect_limits(found.low, found.high, share),
        p=p_relation(found.p_value),
    )


def _measured(readout: Readout) -> tuple[str, str, str]:
    plan = readout.plan
    return plan.primary[0], plan.clock, plan.day_mode


def _effect(readout: Readout) -> Estimate | NotComputable:
    if readout.report is None:
        raise ValueError("the outcome is locked")
    return best_difference(readout, leading(readout.report))
