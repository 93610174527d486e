"""What a verdict's sentence says of the comparison: with a placebo or control, per act or per crossing. Pure."""

from experiments.analyse.codes import Code
from experiments.analyse.verdict import Verdict
from reporting.words import gettext

# Without a comparison, or without data for one, there is nothing to add.
NOTHING_COMPARED = {"too_small", "few_clusters", "not_computable"}


def versus(variant: str, comparator: str) -> str:
    """A comparison's name: the variant alone where it is compared with control."""
    if not comparator:
        return variant
    return gettext("{variant} against {placebo}").format(variant=variant, placebo=comparator)


def causal_template(verdict: Verdict) -> str:
    """CAUSES or HARMS of a behaviour, found against a placebo: what being nudged does by itself has cancelled.

    Source: METHODS 4.14 and 4.16: the sentence says so and drops the "unless".
    """
    if verdict.reason != "behaviour" or "comparator" not in verdict.details:
        return ""
    sentences = {
        Code.CAUSES: gettext(
            "%(behaviour)s causes a gain: compared with a placebo of equal salience (%(comparator)s), among the "
            "%(take_up)s of units that the nudge moved to it, it raises %(outcome)s by %(effect_low)s to "
            "%(effect_high)s (%(level)s set, adjusted p %(adjusted_p)s)."
        ),
        Code.HARMS: gettext(
            "%(behaviour)s does harm: compared with a placebo of equal salience (%(comparator)s), among the "
            "%(take_up)s of units that the nudge moved to it, it changes %(outcome)s by %(effect_low)s to "
            "%(effect_high)s (%(level)s set, adjusted p %(adjusted_p)s)."
        ),
    }
    return sentences.get(verdict.code, "")


def added(verdict: Verdict) -> tuple[list[str], list[str]]:
    """Sentences before and after that of the verdict's row."""
    before, after = _by_act(verdict)
    details = verdict.details
    if "nudge_works" in details:
        after.append(gettext("The nudge itself changed %(outcome)s by %(estimate)s (adjusted p %(adjusted_p)s)."))
    if "comparator" in details and verdict.reason != "behaviour" and verdict.reason not in NOTHING_COMPARED:
        named = gettext("The nudge was compared with the placebo %(comparator)s.")
        # Most teams call their placebo "placebo": the word once is enough.
        plain = gettext("The nudge was compared with the placebo.")
        after.append(plain if str(details["comparator"]).casefold() == "placebo" else named)
    if "placebo_p" in details:
        after.append(
            gettext(
                "The placebo, which can't be shown to leave the behaviour alone, changed %(outcome)s by "
                "%(placebo_estimate)s against control (p %(placebo_p)s), so part of this may come from being nudged."
            )
        )
    return before, after


def _by_act(verdict: Verdict) -> tuple[list[str], list[str]]:
    """Where most acts that the nudge added don't cross the number, the effect of one act more leads.

    Source: METHODS 5, row 6; Marshall 2016.
    """
    if "at_threshold" not in verdict.details:
        return [], []
    after = gettext("The effect of the behaviour is per user carried across, with all acts that came along.")
    if "act_low" not in verdict.details:
        before = gettext(
            "Only %(at_threshold)s of the acts that the nudge added cross the number of %(behaviour)s, and the effect "
            "of one act more can't be limited."
        )
    else:
        before = gettext(
            "Each act more changes %(outcome)s by %(act_low)s to %(act_high)s (%(level)s set); only %(at_threshold)s "
            "of the acts that the nudge added cross the number of %(behaviour)s."
        )
    return [before], [after]
