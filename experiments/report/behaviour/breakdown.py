"""The "unless" of a verdict on a behaviour: which direct effect of being nudged would invalidate it. Pure.

Source: docs/methods/encouragement.md and docs/methods/verdict.md, row 9.
"""

from math import floor

from experiments.analyse.codes import Code
from experiments.analyse.verdict import WHOLE_CLUSTERS, Verdict
from reporting.numbers import effect_text
from reporting.words import gettext


def toward_zero(value: float, *, share: bool) -> float:
    """The absolute breakdown value, rounded down to the printed digits: rounded up it would claim too much."""
    size = abs(value)
    digits = (4 if size < 0.1 else 3) if share else 4 if size < 1 else 3 if size < 10 else 2 if size < 1000 else 0
    cut = floor(round(size * 10**digits, 6)) / 10**digits
    # Too small for these digits: a printed 0 would mean that any direct effect invalidates the verdict.
    return cut if cut > 0 else size


def breakdown_text(value: float, *, share: bool) -> str:
    """The size of a breakdown value with its unit, never rounded up."""
    return effect_text(toward_zero(value, share=share), share=share)


def undone(breakdown: float, outcome: str, *, share: bool) -> str:
    """The direct effect of being nudged at which nothing is shown about the behaviour."""
    text = breakdown_text(breakdown, share=share)
    return _undone_template(breakdown, share=share) % {"breakdown": text, "outcome": outcome}


def unless_template(verdict: Verdict) -> str:
    """Sentence for CAUSES or HARMS of a behaviour against control, with its condition; "" for anything else."""
    if verdict.reason != "behaviour" or "breakdown" not in verdict.details or "comparator" in verdict.details:
        return ""
    share = verdict.details.get("kind") == "proportion"
    sentences = {
        (Code.CAUSES, True): gettext(
            "%(behaviour)s causes a gain: among the %(take_up)s of units that the nudge moved to it, it raises "
            "%(outcome)s by %(effect_low)s to %(effect_high)s (%(level)s set, adjusted p %(adjusted_p)s), unless being "
            "nudged by itself keeps more than %(breakdown)s of users."
        ),
        (Code.HARMS, True): gettext(
            "%(behaviour)s does harm: among the %(take_up)s of units that the nudge moved to it, it changes "
            "%(outcome)s by %(effect_low)s to %(effect_high)s (%(level)s set, adjusted p %(adjusted_p)s), unless being "
            "nudged by itself loses more than %(breakdown)s of users."
        ),
        (Code.CAUSES, False): gettext(
            "%(behaviour)s causes a gain: among the %(take_up)s of units that the nudge moved to it, it raises "
            "%(outcome)s by %(effect_low)s to %(effect_high)s (%(level)s set, adjusted p %(adjusted_p)s), unless being "
            "nudged by itself raises %(outcome)s by more than %(breakdown)s."
        ),
        (Code.HARMS, False): gettext(
            "%(behaviour)s does harm: among the %(take_up)s of units that the nudge moved to it, it changes "
            "%(outcome)s by %(effect_low)s to %(effect_high)s (%(level)s set, adjusted p %(adjusted_p)s), unless being "
            "nudged by itself lowers %(outcome)s by more than %(breakdown)s."
        ),
    }
    return sentences[verdict.code, share]


def unless_added(verdict: Verdict) -> str:
    """Condition added where an earlier look decided a plan with a behaviour, and for whole clusters; else ""."""
    value = verdict.details.get("breakdown")
    said = verdict.reason in ("crossed", WHOLE_CLUSTERS) and "comparator" not in verdict.details
    if not said or not isinstance(value, float):
        return ""
    return " " + _undone_template(value, share=verdict.details.get("kind") == "proportion")


def _undone_template(breakdown: float, *, share: bool) -> str:
    """Sentence on the direct effect at which nothing is shown about the behaviour."""
    sentences = {
        (True, True): gettext(
            "Nothing is shown about the behaviour if being nudged by itself keeps more than %(breakdown)s of users."
        ),
        (False, True): gettext(
            "Nothing is shown about the behaviour if being nudged by itself loses more than %(breakdown)s of users."
        ),
        (True, False): gettext(
            "Nothing is shown about the behaviour if being nudged by itself raises %(outcome)s by more than "
            "%(breakdown)s."
        ),
        (False, False): gettext(
            "Nothing is shown about the behaviour if being nudged by itself lowers %(outcome)s by more than "
            "%(breakdown)s."
        ),
    }
    return sentences[breakdown > 0, share]
