"""Verdicts and warnings as plain sentences. Pure.

Whole sentences are translated, with named placeholders, because word order differs between languages.
"""

from collections.abc import Mapping

from events.metrics import display_name
from experiments.analyse.codes import Code
from experiments.analyse.verdict import Verdict
from experiments.report.breakdown import toward_zero, undone_template, unless_added, unless_template
from experiments.report.comparison_words import added, causal_template
from experiments.report.figures import figures_text
from reporting.numbers import effect_text
from reporting.words import gettext, reason_words
from stats.results import NotComputable, Reason


def breakdown_text(value: float, *, share: bool) -> str:
    """The size of a breakdown value with its unit, never rounded up."""
    return effect_text(toward_zero(value, share=share), share=share)


def undone(breakdown: float, outcome: str, *, share: bool) -> str:
    """From which direct effect of being nudged on nothing is shown about the behaviour."""
    text = breakdown_text(breakdown, share=share)
    return undone_template(breakdown, share=share) % {"breakdown": text, "outcome": outcome}


def _figures(details: Mapping[str, str | int | float]) -> dict[str, str]:
    """Every figure as text; a breakdown value is never rounded up."""
    text, breakdown = figures_text(details), details.get("breakdown")
    if isinstance(breakdown, float | int):
        text["breakdown"] = breakdown_text(breakdown, share=details.get("kind") == "proportion")
    return text


def verdict_sentence(verdict: Verdict) -> str:
    """The verdict's reason as one plain sentence."""
    if verdict.reason == "not_computable":
        missing = NotComputable(Reason(str(verdict.details["missing"])))
        return gettext("There is no verdict on %(outcome)s. %(reason)s") % {
            "outcome": display_name(str(verdict.details.get("outcome", ""))),
            "reason": reason_words(missing),
        }
    causal = causal_template(verdict) or unless_template(verdict)
    template = (causal or _verdict_template(verdict)) + unless_added(verdict)
    if verdict.reason == "underpowered" and "needed" in verdict.details:
        template += " " + gettext(
            "About %(needed)s units would find an effect of %(margin)s in four of five experiments."
        )
    before, after = added(verdict)
    return " ".join((*before, template, *after)) % _figures(verdict.details)


def _verdict_template(verdict: Verdict) -> str:
    sentences: dict[tuple[Code, str], str] = {
        (Code.INVALID, "srm"): gettext(
            "The groups don't have their planned sizes, so units were lost or logged unevenly; no effect can be read "
            "from these data."
        ),
        (Code.INVALID, "multi_exposure"): gettext(
            "Too many units were seen in several variants, so the groups aren't separate; no effect can be read from "
            "these data."
        ),
        (Code.INCONCLUSIVE, "too_small"): gettext(
            "There are too few data for a verdict: each group needs at least %(units)s units and, for a share, "
            "%(events)s units with and %(events)s without the outcome."
        ),
        (Code.INCONCLUSIVE, "few_clusters"): gettext(
            "There are too few clusters for a verdict: each group needs as much as %(clusters)s of equal size tell."
        ),
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
        (Code.NUDGE_FAILED, "wrong_direction"): gettext(
            "The nudge made fewer units reach %(behaviour)s (%(take_up)s of the units), so this says nothing about "
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
            "it moved to %(behaviour)s could carry (%(take_up)s): it has another path too, or it keeps some units from "
            "the behaviour. Nothing is known about the behaviour itself."
        ),
        (Code.NUDGE_FAILED, "weak_first_stage"): gettext(
            "The nudge can't be shown to have moved enough units to %(behaviour)s (%(take_up)s, at most "
            "%(take_up_high)s), so this says nothing about the behaviour itself."
        ),
        (Code.INCONCLUSIVE, "weak_first_stage"): gettext(
            "The nudge changed %(outcome)s by %(estimate)s, but moved %(behaviour)s too unsurely (%(take_up)s of the "
            "units) to say what the behaviour does."
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
        (Code.CAUSES, "crossed"): gettext(
            "%(variant)s raised %(outcome)s beyond its bound at the look of %(day)s (%(estimate)s, %(low)s to "
            "%(high)s); what was found at a planned look stands."
        ),
        (Code.HARMS, "crossed"): gettext(
            "%(variant)s lowered %(outcome)s beyond its bound at the look of %(day)s (%(estimate)s, %(low)s to "
            "%(high)s); what was found at a planned look stands."
        ),
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
        (Code.INCONCLUSIVE, "underpowered"): gettext(
            "The effect of %(behaviour)s on %(outcome)s lies between %(effect_low)s and %(effect_high)s, which "
            "includes none at all: more units or a stronger nudge are needed (adjusted p %(adjusted_p)s)."
        ),
        (Code.INCONCLUSIVE, "multiplicity"): gettext(
            "Taken alone the effect on %(outcome)s would count, but not among all comparisons that were made (adjusted "
            "p %(adjusted_p)s)."
        ),
    }
    return sentences[verdict.code, verdict.reason]


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
        "compliers_only": gettext(
            "The effect holds for units that the nudge moved to the behaviour, not for everybody."
        ),
    }
    return sentences[code]
