"""How far to trust an estimate after a plan that could have stopped early, in sentences. Pure."""

from experiments.analyse.corrected import of_variant
from experiments.analyse.result import Readout
from experiments.plan.design import Kind
from reporting.numbers import effect_limits, effect_text
from reporting.words import gettext
from stats.results import computable


def stopping_sentence(readout: Readout) -> str:
    """How far the estimate may be trusted after the looks; "" for a fixed plan and while the outcome is locked.

    The factors are those of docs/audit.md and of the audit of version 0.3.
    """
    report = readout.report
    if report is None:
        return ""
    if readout.plan.method == "always_valid":
        return gettext(
            "The interval holds at any look, but its centre is optimistic if the plan ends because it looks good: 1.4 "
            "to 2.2 times too large in simulations. Read the interval."
        )
    row = of_variant(readout, report.leading)
    if row is None or not computable(row.difference):
        return ""
    share, found = report.outcomes[0].kind is Kind.PROPORTION, row.difference
    text = gettext(
        "A plan that may stop early finds too large an effect. Corrected for its {n} looks the nudge's effect on "
        "everyone is {effect} ({limits}). In simulations of five looks the mean of such corrections over all "
        "experiments was within 8 percent of the truth; after an early stop they stayed 1.1 to 1.3 times too large."
    )
    return text.format(
        n=found.looks,
        effect=effect_text(found.estimate, share=share),
        limits=effect_limits(found.low, found.high, share),
    )


def hidden_sentence(readout: Readout) -> str:
    """Which parts wait for the final analysis; "" where all are shown."""
    if not readout.hidden:
        return ""
    names = {
        "bounds": gettext("bounds of the effect on everybody"),
        "dose": gettext("the comparison of the dose arms"),
        "novelty": gettext("whether the effect fades"),
        "beliefs": gettext("Bayesian numbers"),
    }
    text = gettext(
        "This is a look before the last: intervals and p of the outcome hold over all looks together. Shown with the "
        "final analysis only, since no level is known for them at a look: {parts}."
    )
    return text.format(parts=", ".join(names[code] for code in readout.hidden))
