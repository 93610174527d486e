"""The verdict as a plain sentence, and the caveats of an effect of the behaviour. Pure.

Whole sentences are translated, with named placeholders, because word order differs between languages.
"""

import re

from events.metrics import display_name
from experiments.analyse.codes import Code
from experiments.analyse.verdict import WHOLE_CLUSTERS, Verdict
from experiments.report.behaviour.breakdown import unless_added, unless_template
from experiments.report.figures import filled
from reporting.words import gettext, reason_words
from stats.results import NotComputable, Reason

type Templates = dict[tuple[Code, str], str]

# Without a comparison, or data for one, nothing is added.
NOTHING_COMPARED = {"too_small", "few_clusters", "not_computable"}
# Sentences on an effect that don't mention the population where whole clusters were assigned.
OF_AN_EFFECT = {"crossed", "equivalent", "immaterial", "multiplicity", "underpowered"}


def verdict_sentence(verdict: Verdict) -> str:
    """The verdict's reason as one plain sentence."""
    if verdict.reason == "not_computable":
        missing = NotComputable(Reason(str(verdict.details["missing"])))
        return gettext("There is no verdict on %(outcome)s. %(reason)s") % {
            "outcome": display_name(str(verdict.details.get("outcome", ""))),
            "reason": reason_words(missing),
        }
    causal = _against_placebo(verdict) or unless_template(verdict)
    template = (causal or _verdict_template(verdict)) + unless_added(verdict)
    if verdict.reason == "underpowered" and "needed" in verdict.details:
        template += " " + gettext(
            "About %(needed)s units would find an effect of %(margin)s in four of five experiments."
        )
    before, after = _added(verdict)
    return filled(" ".join((*before, template, *after)), verdict.details)


def reasons_in_words(code: Code) -> dict[str, str]:
    """Reasons for this verdict: by reason code, its sentence with the names of figures in braces."""
    return {
        reason: re.sub(r"%\((\w+)\)s", r"{\1}", template)
        for (given, reason), template in _sentences().items()
        if given is code
    }


def _verdict_template(verdict: Verdict) -> str:
    return _sentences()[verdict.code, verdict.reason]


def _sentences() -> Templates:
    return {**_nothing_compared(), **_on_the_nudge(), **_not_through_the_behaviour(), **_on_the_behaviour()}


def _nothing_compared() -> Templates:
    """Sentences where no comparison may be read: broken or too few data."""
    return {
        (Code.INVALID, "srm"): gettext(
            "The groups don't have their planned sizes, so units were lost or logged unevenly; no effect can be read "
            "from these data."
        ),
        (Code.INVALID, "multi_exposure"): gettext(
            "Units were seen in several variants, too many of them or one variant too often first, so the groups "
            "aren't separate; no effect can be read from these data."
        ),
        (Code.INVALID, "identity_conflicts"): gettext(
            "Too many persons had met different variants before their ids were joined, and leaving them out bends the "
            "groups; no effect can be read from these data."
        ),
        (Code.INCONCLUSIVE, "too_small"): gettext(
            "There are too few data for a verdict: each group needs at least %(units)s units and, for a share, "
            "%(events)s units with and %(events)s without the outcome."
        ),
        (Code.INCONCLUSIVE, "few_clusters"): gettext(
            "There are too few clusters for a verdict: each group needs as much as %(clusters)s of equal size tell."
        ),
        (Code.INVALID, "bucket_mismatch"): gettext(
            "Stored assignments differ from what the draw gives, so somebody or something chose who is in which "
            "group; no effect can be read from these data."
        ),
        (Code.INVALID, "window_overlap"): gettext(
            "The days on which the behaviour counts reach into the days of the outcome, so each would partly measure "
            "the other; no effect can be read from this plan."
        ),
        (Code.INVALID, "plan_changed"): gettext(
            "The plan was changed after the start without a logged amendment, so the result can't be held against it."
        ),
    }


def _on_the_nudge() -> Templates:
    """Sentences on the nudge's effect on the outcome."""
    return {
        (Code.CAUSES, "nudge"): gettext(
            "%(variant)s raises %(outcome)s by %(estimate)s (%(level)s interval %(low)s to %(high)s, adjusted p "
            "%(adjusted_p)s)."
        ),
        (Code.HARMS, "nudge"): gettext(
            "%(variant)s changes %(outcome)s by %(estimate)s (%(level)s interval %(low)s to %(high)s, adjusted p "
            "%(adjusted_p)s), so it does harm."
        ),
        (Code.NO_MATERIAL_EFFECT, "equivalent"): gettext(
            "Any effect on %(outcome)s is smaller than the smallest effect of interest, %(margin)s."
        ),
        (Code.NO_MATERIAL_EFFECT, "immaterial"): gettext(
            "The direction of the effect on %(outcome)s is known, but it is smaller than the smallest effect of "
            "interest, %(margin)s."
        ),
        (Code.INCONCLUSIVE, "no_difference"): gettext(
            "The data neither show nor rule out an effect of %(variant)s on %(outcome)s: it lies between %(low)s and "
            "%(high)s (adjusted p %(adjusted_p)s)."
        ),
        (Code.CAUSES, "crossed"): gettext(
            "%(variant)s raised %(outcome)s beyond its bound at the look of %(day)s (%(estimate)s, %(low)s to "
            "%(high)s); what was found at a planned look stands."
        ),
        (Code.HARMS, "crossed"): gettext(
            "%(variant)s lowered %(outcome)s beyond its bound at the look of %(day)s (%(estimate)s, %(low)s to "
            "%(high)s); what was found at a planned look stands."
        ),
        (Code.INCONCLUSIVE, "multiplicity"): gettext(
            "Taken alone the effect on %(outcome)s would count, but not among all comparisons that were made (adjusted "
            "p %(adjusted_p)s)."
        ),
    }


def _not_through_the_behaviour() -> Templates:
    """Sentences on why nothing is known about the behaviour."""
    return {
        (Code.NUDGE_FAILED, "wrong_direction"): gettext(
            "The nudge made fewer units reach %(behaviour)s (%(take_up_points)s), so this says nothing about "
            "the behaviour itself."
        ),
        (Code.NUDGE_NOT_BEHAVIOUR, "inequality"): gettext(
            "The shares of units with and without %(behaviour)s and %(outcome)s don't fit a nudge that works only "
            "through the behaviour and keeps nobody from it (instrument test p %(inequality_p)s): it has another path "
            "too, or it keeps some units from the behaviour. Nothing is known about the behaviour itself."
        ),
        (Code.NUDGE_NOT_BEHAVIOUR, "placebo"): gettext(
            "The placebo nudge changed %(outcome)s too (p %(inequality_p)s), so being nudged does something by itself. "
            "The nudge was compared with control, so nothing is known about the behaviour itself."
        ),
        (Code.NUDGE_NOT_BEHAVIOUR, "effect_without_first_stage"): gettext(
            "The nudge changed %(outcome)s by %(estimate)s (adjusted p %(adjusted_p)s), more than the few units that "
            "it moved to %(behaviour)s could carry (%(take_up_points)s): it has another path too, or it keeps some "
            "units from the behaviour. Nothing is known about the behaviour itself."
        ),
        (Code.NUDGE_FAILED, "weak_first_stage"): gettext(
            "The nudge can't be shown to have moved enough units to %(behaviour)s (%(take_up_points)s, at "
            "most %(take_up_high_points)s), so this says nothing about the behaviour itself."
        ),
        (Code.INCONCLUSIVE, "weak_first_stage"): gettext(
            "The nudge changed %(outcome)s by %(estimate)s, but moved %(behaviour)s too unsurely (%(take_up)s of the "
            "units) to say what the behaviour does."
        ),
    }


def _on_the_behaviour() -> Templates:
    """Sentences on the behaviour's effect on the outcome."""
    return {
        (Code.INCONCLUSIVE, "early"): gettext(
            "It is too early to say what %(behaviour)s does to %(outcome)s: at this look, whose bounds allow for all "
            "looks, the effect can't be limited yet."
        ),
        (Code.CAUSES, "behaviour"): gettext(
            "%(behaviour)s causes a gain: among the %(take_up)s of units that the nudge moved to it, it raises "
            "%(outcome)s by %(effect_low)s to %(effect_high)s (%(level)s set, adjusted p %(adjusted_p)s)."
        ),
        (Code.HARMS, "behaviour"): gettext(
            "%(behaviour)s does harm: among the %(take_up)s of units that the nudge moved to it, it changes "
            "%(outcome)s by %(effect_low)s to %(effect_high)s (%(level)s set, adjusted p %(adjusted_p)s)."
        ),
        (Code.CAUSES, WHOLE_CLUSTERS): gettext(
            "Moving whole clusters towards %(behaviour)s raises %(outcome)s: per user moved, with what the moved "
            "friends did for all in the %(cluster)s, by %(effect_low)s to %(effect_high)s (%(level)s set, adjusted p "
            "%(adjusted_p)s). This says nothing about a member's own behaviour."
        ),
        (Code.HARMS, WHOLE_CLUSTERS): gettext(
            "Moving whole clusters towards %(behaviour)s does harm: per user moved, with what the moved friends did "
            "for all in the %(cluster)s, it changes %(outcome)s by %(effect_low)s to %(effect_high)s (%(level)s set, "
            "adjusted p %(adjusted_p)s). This says nothing about a member's own behaviour."
        ),
        (Code.INCONCLUSIVE, "underpowered"): gettext(
            "The effect of %(behaviour)s on %(outcome)s lies between %(effect_low)s and %(effect_high)s, which "
            "includes none at all: more units or a stronger nudge are needed (adjusted p %(adjusted_p)s)."
        ),
    }


def _against_placebo(verdict: Verdict) -> str:
    """CAUSES or HARMS of a behaviour against a placebo, in which the direct effect of being nudged cancels.

    Source: docs/methods/encouragement.md: the sentence says so and drops the "unless".
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


def _added(verdict: Verdict) -> tuple[list[str], list[str]]:
    """Sentences before and after that of the verdict's row."""
    before, after = _by_act(verdict)
    details = verdict.details
    if "nudge_works" in details:
        after.append(gettext("The nudge itself changed %(outcome)s by %(estimate)s (adjusted p %(adjusted_p)s)."))
    if "comparator" in details and verdict.reason != "behaviour" and verdict.reason not in NOTHING_COMPARED:
        named = gettext("The nudge was compared with the placebo %(comparator)s.")
        # Most teams call their placebo "placebo": avoid repeating the word.
        plain = gettext("The nudge was compared with the placebo.")
        after.append(plain if str(details["comparator"]).casefold() == "placebo" else named)
    if "placebo_moves" in details and verdict.reason not in NOTHING_COMPARED:
        after.append(
            gettext(
                "The placebo can't be shown to leave %(behaviour)s alone: the moved are those whom the nudge moves and "
                "the placebo doesn't."
            )
        )
    if "cluster" in details and verdict.reason in OF_AN_EFFECT:
        after.append(
            gettext(
                "Whole clusters were assigned: an effect is per user moved, with what the moved friends did for all "
                "in the %(cluster)s, and says nothing about a member's own behaviour."
            )
        )
    if "placebo_p" in details:  # version 0.4 then compared the nudge with control
        after.append(
            gettext(
                "The placebo, which can't be shown to leave the behaviour alone, changed %(outcome)s by "
                "%(placebo_estimate)s against control (p %(placebo_p)s), so part of this may come from being nudged."
            )
        )
    return before, after


def _by_act(verdict: Verdict) -> tuple[list[str], list[str]]:
    """Where most added acts don't cross the threshold, the effect per act comes first.

    Source: docs/methods/verdict.md, "Per act"; Marshall 2016.
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


def warning_sentence(code: str) -> str:
    """A caveat of the encouragement analysis as one plain sentence."""
    sentences = {
        "as_treated": gettext(
            "As-treated compares those who did it with those who didn't, whatever their group. They differ in more "
            "than the behaviour, so this is no effect; it is shown as a warning only."
        ),
        "weak_nudge": gettext(
            "The nudge moves the behaviour too little for the plain interval of the effect (F below 104.7): read the "
            "Anderson-Rubin set instead."
        ),
        "unbounded_set": gettext("The data can't bound the behaviour's effect on every side."),
        "whole_clusters": gettext(
            "Whole clusters were assigned: the effect is per user moved, with what the moved friends did for all in "
            "the cluster. It says nothing about a member's own behaviour."
        ),
        "compliers_only": gettext(
            "The effect holds for units that the nudge moved to the behaviour, not for everybody."
        ),
    }
    return sentences[code]
