"""The verdict as a plain sentence, and the caveats of an effect of the behaviour. Pure.

Whole sentences are translated, with named placeholders, because word order differs between languages.
"""

import re
from collections.abc import Mapping
from math import floor

from events.metrics import display_name
from experiments.analyse.codes import Code
from experiments.analyse.verdict import WHOLE_CLUSTERS, Verdict
from experiments.report.names import other_words
from reporting.numbers import (
    count,
    day_text,
    decimal,
    effect_text,
    level_text,
    p_relation,
    percent,
    planned_text,
    significant,
)
from reporting.words import gettext, later, reason_words
from stats.results import NotComputable, Reason

# The "unless" of a verdict on a behaviour: which direct effect of being nudged would invalidate it. Pure.
#
# Source: docs/methods/encouragement.md and docs/methods/verdict.md, row 9.

# Of CAUSES or HARMS against control; True for a share.
UNLESS: dict[tuple[Code, bool], str] = {
    (Code.CAUSES, True): later(
        "%(behaviour)s raises %(outcome)s by %(effect_low)s to %(effect_high)s for the %(take_up)s of users who did "
        "it because of the nudge (%(level)s set, adjusted p %(adjusted_p)s). This holds unless the nudge itself, "
        "without the behaviour, keeps more than %(breakdown)s of users."
    ),
    (Code.HARMS, True): later(
        "%(behaviour)s does harm: it changes %(outcome)s by %(effect_low)s to %(effect_high)s for the %(take_up)s of "
        "users who did it because of the nudge (%(level)s set, adjusted p %(adjusted_p)s). This holds unless the "
        "nudge itself, without the behaviour, loses more than %(breakdown)s of users."
    ),
    (Code.CAUSES, False): later(
        "%(behaviour)s raises %(outcome)s by %(effect_low)s to %(effect_high)s for the %(take_up)s of users who did "
        "it because of the nudge (%(level)s set, adjusted p %(adjusted_p)s). This holds unless the nudge itself, "
        "without the behaviour, raises %(outcome)s by more than %(breakdown)s."
    ),
    (Code.HARMS, False): later(
        "%(behaviour)s does harm: it changes %(outcome)s by %(effect_low)s to %(effect_high)s for the %(take_up)s of "
        "users who did it because of the nudge (%(level)s set, adjusted p %(adjusted_p)s). This holds unless the "
        "nudge itself, without the behaviour, lowers %(outcome)s by more than %(breakdown)s."
    ),
}

# The direct effect at which nothing is shown about the behaviour: whether it is positive, True for a share.
UNDONE = {
    (True, True): later(
        "Nothing is shown about the behaviour if the nudge itself keeps more than %(breakdown)s of users."
    ),
    (False, True): later(
        "Nothing is shown about the behaviour if the nudge itself loses more than %(breakdown)s of users."
    ),
    (True, False): later(
        "Nothing is shown about the behaviour if the nudge itself raises %(outcome)s by more than %(breakdown)s."
    ),
    (False, False): later(
        "Nothing is shown about the behaviour if the nudge itself lowers %(outcome)s by more than %(breakdown)s."
    ),
}


# Another behaviour that may be the cause instead: its effect that explains the nudge's by itself, and may be as large.
# True for a share; whether that effect is a gain.
INSTEAD: dict[tuple[bool, bool], str] = {
    (True, True): later(
        "The nudge also moved %(other)s (%(take_up_other_points)s, %(take_up_other_low_points)s to "
        "%(take_up_other_high_points)s). If that keeps more than %(harmless)s of the users who do it, it explains the "
        "effect on %(outcome)s by itself, and it may keep up to %(largest)s."
    ),
    (True, False): later(
        "The nudge also moved %(other)s (%(take_up_other_points)s, %(take_up_other_low_points)s to "
        "%(take_up_other_high_points)s). If that loses more than %(harmless)s of the users who do it, it explains the "
        "effect on %(outcome)s by itself, and it may lose up to %(largest)s."
    ),
    (False, True): later(
        "The nudge also moved %(other)s (%(take_up_other_points)s, %(take_up_other_low_points)s to "
        "%(take_up_other_high_points)s). If that raises %(outcome)s by more than %(harmless)s for users who do it, it "
        "explains the effect by itself, and it may raise it by up to %(largest)s."
    ),
    (False, False): later(
        "The nudge also moved %(other)s (%(take_up_other_points)s, %(take_up_other_low_points)s to "
        "%(take_up_other_high_points)s). If that lowers %(outcome)s by more than %(harmless)s for users who do it, it "
        "explains the effect by itself, and it may lower it by up to %(largest)s."
    ),
}


# A moved other behaviour that leaves the answer: True for a share; whether its largest effect is a gain.
EVEN_IF: dict[tuple[bool, bool], str] = {
    (True, True): later(
        "The nudge also moved %(other)s (%(take_up_other_points)s). Even if that keeps %(largest)s of the users who do "
        "it, this holds."
    ),
    (True, False): later(
        "The nudge also moved %(other)s (%(take_up_other_points)s). Even if that loses %(largest)s of the users who do "
        "it, this holds."
    ),
    (False, True): later(
        "The nudge also moved %(other)s (%(take_up_other_points)s). Even if that raises %(outcome)s by %(largest)s for "
        "users who do it, this holds."
    ),
    (False, False): later(
        "The nudge also moved %(other)s (%(take_up_other_points)s). Even if that lowers %(outcome)s by %(largest)s for "
        "users who do it, this holds."
    ),
}


def toward_zero(value: float, *, share: bool) -> float:
    """The absolute breakdown value, rounded down to the printed digits: rounded up it would claim too much."""
    size = abs(value)
    digits = 3 if share else 4 if size < 1 else 3 if size < 10 else 2 if size < 1000 else 0
    cut = floor(round(size * 10**digits, 6)) / 10**digits
    # Too small for these digits: a printed 0 would mean that any direct effect invalidates the verdict.
    return cut if cut > 0 else size


def breakdown_text(value: float, *, share: bool) -> str:
    """The size of a breakdown value with its unit, never rounded up."""
    return effect_text(toward_zero(value, share=share), share=share)


def breakdown_users(value: float, *, share: bool) -> str:
    """The same inside a sentence about users: a share of them, "0.3%"; of another outcome its value."""
    return percent(toward_zero(value, share=True)) if share else breakdown_text(value, share=False)


def undone(breakdown: float, outcome: str, *, share: bool) -> str:
    """The direct effect of being nudged at which nothing is shown about the behaviour."""
    text = breakdown_users(breakdown, share=share)
    return gettext(UNDONE[breakdown > 0, share]) % {"breakdown": text, "outcome": outcome}


def unless_added(verdict: Verdict) -> str:
    """Condition added where an earlier look decided a plan with a behaviour, and for whole clusters; else ""."""
    value = verdict.details.get("breakdown")
    applies = verdict.reason in ("crossed", WHOLE_CLUSTERS) and "comparator" not in verdict.details
    if not applies or not isinstance(value, float):
        return ""
    return " " + gettext(UNDONE[value > 0, verdict.details.get("kind") == "proportion"])


# Figures of findings and verdicts as text for their sentences. Pure, without SciPy.

P_VALUES = {"p_value", "adjusted_p", "inequality_p", "placebo_p"}
EFFECTS = {"estimate", "low", "high", "effect_low", "effect_high", "act_low", "act_high", "placebo_estimate"}


def figures_text(details: Mapping[str, str | int | float]) -> dict[str, str]:
    """Every figure as text: p-values, shares as percentages, effects in the outcome's unit.

    A take-up has two texts, a share and a difference of shares in points; a sentence uses either.
    """
    text: dict[str, str] = {}
    share = details.get("kind") == "proportion"
    for name, value in details.items():
        if isinstance(value, str):
            text[name] = _text_of(name, value, details)
        elif name in P_VALUES:
            text[name] = p_relation(value)
        elif name in ("breakdown", "harmless", "largest"):
            text[name] = breakdown_users(value, share=share)
        elif name == "margin":
            text[name] = planned_text(value, share=share)
        elif name in EFFECTS:
            text[name] = effect_text(value, share=share)
        elif name == "level":
            text[name] = level_text(value)
        elif name == "effective":
            text[name] = decimal(value, 1)
        elif name == "per_day":
            text[name] = decimal(value, 0)
        elif name in ("share", "at_threshold") or name.startswith("take_up"):
            text[name] = percent(value)
            text[f"{name}_points"] = effect_text(value, share=True)
        elif isinstance(value, int):
            text[name] = count(value)
        else:
            text[name] = significant(value)
    return text


def _text_of(name: str, value: str, details: Mapping[str, str | int | float]) -> str:
    if name == "other":
        return other_words(value, int(details.get("other_times", 1)))
    if name in ("unclear", "assumed"):
        return ", ".join(map(display_name, value.split(", ")))
    shown = display_name if name in ("outcome", "behaviour") else day_text if name in ("day", "week") else str
    return shown(value)


def filled(template: str, details: Mapping[str, str | int | float]) -> str:
    """A sentence filled with the formatted figures of a finding or verdict."""
    return template % figures_text(details)


# Without a comparison, or data for one, nothing is added.
NOTHING_COMPARED = {"too_small", "few_clusters", "not_computable"}
# Sentences on an effect that don't mention the population where whole clusters were assigned.
OF_AN_EFFECT = {"crossed", "equivalent", "immaterial", "multiplicity", "underpowered"}

SENTENCES: dict[tuple[Code, str], str] = {
    # Where no comparison may be read: broken or too few data.
    (Code.INVALID, "srm"): later(
        "The groups don't have their planned sizes: users were lost or logged unevenly. No effect can be read from "
        "these data."
    ),
    (Code.INVALID, "multi_exposure"): later(
        "Too many users were in several groups, or one group came first too often. The groups aren't separate, so no "
        "effect can be read from these data."
    ),
    (Code.INVALID, "identity_conflicts"): later(
        "Too many people had been in different groups before their ids were joined, and leaving them out distorts "
        "the groups. No effect can be read from these data."
    ),
    (Code.INCONCLUSIVE, "too_small"): later(
        "There are too few data for a verdict: each group needs at least %(units)s users and, for a share, "
        "%(events)s users with and %(events)s without the outcome."
    ),
    (Code.INCONCLUSIVE, "few_clusters"): later(
        "There are too few clusters for a verdict: each group needs as much information as %(clusters)s clusters of "
        "equal size."
    ),
    (Code.INVALID, "bucket_mismatch"): later(
        "Stored assignments differ from the draw, so somebody or something chose who is in which group. No effect "
        "can be read from these data."
    ),
    (Code.INVALID, "window_overlap"): later(
        "The days on which the behaviour counts overlap the days of the outcome, so each would partly measure the "
        "other. No effect can be read from this plan."
    ),
    (Code.INVALID, "plan_changed"): later(
        "The plan was changed after the start without a logged amendment, so the result can't be judged by it."
    ),
    # On the nudge's effect on the outcome.
    (Code.CAUSES, "nudge"): later(
        "%(variant)s raises %(outcome)s by %(estimate)s (%(level)s interval %(low)s to %(high)s, adjusted p "
        "%(adjusted_p)s)."
    ),
    (Code.HARMS, "nudge"): later(
        "%(variant)s changes %(outcome)s by %(estimate)s (%(level)s interval %(low)s to %(high)s, adjusted p "
        "%(adjusted_p)s), so it does harm."
    ),
    (Code.NO_MATERIAL_EFFECT, "equivalent"): later(
        "Any effect on %(outcome)s is smaller than the smallest effect of interest, %(margin)s."
    ),
    (Code.NO_MATERIAL_EFFECT, "immaterial"): later(
        "The direction of the effect on %(outcome)s is known, but it is smaller than the smallest effect of interest, "
        "%(margin)s."
    ),
    (Code.INCONCLUSIVE, "no_difference"): later(
        "The data neither show nor rule out an effect of %(variant)s on %(outcome)s: it lies between %(low)s and "
        "%(high)s (adjusted p %(adjusted_p)s)."
    ),
    (Code.CAUSES, "crossed"): later(
        "%(variant)s raised %(outcome)s beyond its bound at the analysis of %(day)s (%(estimate)s, %(low)s to "
        "%(high)s). What a planned analysis found stands."
    ),
    (Code.HARMS, "crossed"): later(
        "%(variant)s lowered %(outcome)s beyond its bound at the analysis of %(day)s (%(estimate)s, %(low)s to "
        "%(high)s). What a planned analysis found stands."
    ),
    (Code.INCONCLUSIVE, "multiplicity"): later(
        "Alone, the effect on %(outcome)s would count, but not among all comparisons made (adjusted p %(adjusted_p)s)."
    ),
    # Why nothing is known about the behaviour.
    (Code.NUDGE_FAILED, "wrong_direction"): later(
        "Fewer users did %(behaviour)s with the nudge (%(take_up_points)s), so this says nothing about the behaviour "
        "itself."
    ),
    (Code.NUDGE_NOT_BEHAVIOUR, "inequality"): later(
        "The shares of users with and without %(behaviour)s and %(outcome)s don't fit the assumptions (instrument "
        "test p %(inequality_p)s). The nudge has another path than the behaviour, or it prevents some users from the "
        "behaviour. Nothing is known about the behaviour itself."
    ),
    (Code.NUDGE_NOT_BEHAVIOUR, "placebo"): later(
        "The placebo changed %(outcome)s too (p %(inequality_p)s), so the nudge does something by itself. The nudge "
        "was compared with control, so nothing is known about the behaviour itself."
    ),
    (Code.NUDGE_NOT_BEHAVIOUR, "effect_without_first_stage"): later(
        "The nudge changed %(outcome)s by %(estimate)s (adjusted p %(adjusted_p)s). The few users who did "
        "%(behaviour)s because of it (%(take_up_points)s) can't explain that: the nudge has another path too, or it "
        "prevents some users from the behaviour. Nothing is known about the behaviour itself."
    ),
    (Code.NUDGE_FAILED, "weak_first_stage"): later(
        "It isn't shown that enough users did %(behaviour)s because of the nudge (%(take_up_points)s, at most "
        "%(take_up_high_points)s), so this says nothing about the behaviour itself."
    ),
    (Code.INCONCLUSIVE, "weak_first_stage"): later(
        "The nudge changed %(outcome)s by %(estimate)s, but how many users did %(behaviour)s because of it is too "
        "uncertain (%(take_up)s) to say what the behaviour does."
    ),
    (Code.NUDGE_NOT_BEHAVIOUR, "other_behaviour"): later(
        "The nudge moved %(moved)s other behaviours, most of all %(other)s (%(take_up_other_points)s). Together they "
        "may explain its whole effect on %(outcome)s."
    ),
    # On the behaviour's effect on the outcome.
    (Code.INCONCLUSIVE, "early"): later(
        "It is too early to say what %(behaviour)s does to %(outcome)s: at this analysis, whose bounds allow for all "
        "analyses, the effect can't be limited yet."
    ),
    (Code.CAUSES, "behaviour"): later(
        "%(behaviour)s raises %(outcome)s by %(effect_low)s to %(effect_high)s for the %(take_up)s of users who did "
        "it because of the nudge (%(level)s set, adjusted p %(adjusted_p)s)."
    ),
    (Code.HARMS, "behaviour"): later(
        "%(behaviour)s does harm: it changes %(outcome)s by %(effect_low)s to %(effect_high)s for the %(take_up)s of "
        "users who did it because of the nudge (%(level)s set, adjusted p %(adjusted_p)s)."
    ),
    (Code.CAUSES, WHOLE_CLUSTERS): later(
        "Nudging whole clusters to %(behaviour)s raises %(outcome)s by %(effect_low)s to %(effect_high)s per user "
        "who did it because of the nudge (%(level)s set, adjusted p %(adjusted_p)s). This includes what these users' "
        "friends in the %(cluster)s did. It says nothing about a member's own behaviour."
    ),
    (Code.HARMS, WHOLE_CLUSTERS): later(
        "Nudging whole clusters to %(behaviour)s does harm: it changes %(outcome)s by %(effect_low)s to "
        "%(effect_high)s per user who did it because of the nudge (%(level)s set, adjusted p %(adjusted_p)s). This "
        "includes what these users' friends in the %(cluster)s did. It says nothing about a member's own behaviour."
    ),
    (Code.INCONCLUSIVE, "underpowered"): later(
        "The effect of %(behaviour)s on %(outcome)s lies between %(effect_low)s and %(effect_high)s, which includes "
        "none at all. More users or a stronger nudge are needed (adjusted p %(adjusted_p)s)."
    ),
}

# Of CAUSES or HARMS against a placebo.
AGAINST_PLACEBO = {
    Code.CAUSES: later(
        "%(behaviour)s raises %(outcome)s by %(effect_low)s to %(effect_high)s for the %(take_up)s of users who did "
        "it because of the nudge (%(level)s set, adjusted p %(adjusted_p)s). They were compared with an equally "
        "visible placebo, %(comparator)s."
    ),
    Code.HARMS: later(
        "%(behaviour)s does harm: it changes %(outcome)s by %(effect_low)s to %(effect_high)s for the %(take_up)s of "
        "users who did it because of the nudge (%(level)s set, adjusted p %(adjusted_p)s). They were compared with "
        "an equally visible placebo, %(comparator)s."
    ),
}


def verdict_sentence(verdict: Verdict) -> str:
    """The verdict's reason as one plain sentence."""
    if verdict.reason == "not_computable":
        missing = NotComputable(Reason(str(verdict.details["missing"])))
        return gettext("There is no verdict on %(outcome)s. %(reason)s") % {
            "outcome": display_name(str(verdict.details.get("outcome", ""))),
            "reason": reason_words(missing),
        }
    template = _template(verdict) + unless_added(verdict)
    if verdict.reason == "underpowered" and "needed" in verdict.details:
        template += " " + gettext(
            "With about %(needed)s users four of five experiments would find an effect of %(margin)s."
        )
    before, after = _added(verdict)
    return filled(" ".join((*before, template, *after)), verdict.details)


def reasons_in_words(code: Code) -> dict[str, str]:
    """Reasons for this verdict: by reason code, its sentence with the names of figures in braces."""
    return {
        reason: re.sub(r"%\((\w+)\)s", r"{\1}", gettext(template))
        for (given, reason), template in SENTENCES.items()
        if given is code
    }


def _template(verdict: Verdict) -> str:
    """The sentence of the verdict's row; of a behaviour, that against a placebo or the one with its condition.

    Source: docs/methods/encouragement.md: against a placebo the direct effect of being nudged cancels.
    """
    if verdict.reason == "other_behaviour" and "harmless" in verdict.details:
        gain = float(verdict.details["harmless"]) > 0
        return gettext(INSTEAD[_of_share(verdict), gain])
    if verdict.reason == "behaviour" and "comparator" in verdict.details:
        return gettext(AGAINST_PLACEBO[verdict.code])
    if verdict.reason == "behaviour" and "breakdown" in verdict.details:
        return gettext(UNLESS[verdict.code, verdict.details.get("kind") == "proportion"])
    return gettext(SENTENCES[verdict.code, verdict.reason])


def _of_share(verdict: Verdict) -> bool:
    return verdict.details.get("kind") == "proportion"


def _added(verdict: Verdict) -> tuple[list[str], list[str]]:
    """Sentences before and after that of the verdict's row."""
    before, after = _by_act(verdict)
    details = verdict.details
    if verdict.reason == "other_behaviour":
        after.append(
            gettext(
                "Nothing is known about %(behaviour)s itself. A nudge that moves %(other)s and not %(behaviour)s would "
                "part them, or both in one lab."
            )
        )
    elif details.get("moved") == 1:
        gain = float(details["largest"]) >= 0
        after.append(gettext(EVEN_IF[_of_share(verdict), gain]))
    elif "moved" in details:
        after.append(
            gettext(
                "The nudge also moved %(moved)s other behaviours, most of all %(other)s (%(take_up_other_points)s). "
                "Even if each has its largest effect, this holds."
            )
        )
    if "assumed" in details:
        after.append(gettext("As a consequence of the behaviour counts, as assumed: %(assumed)s."))
    if "unclear" in details:
        after.append(gettext("Not clear if it moved %(unclear)s."))
    if "others_unasked" in details:
        after.append(gettext("Other behaviours were not looked at."))
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
                "The placebo can't be shown to leave %(behaviour)s alone: the effect is that on users who did it "
                "because of the nudge and wouldn't have because of the placebo."
            )
        )
    if "cluster" in details and verdict.reason in OF_AN_EFFECT:
        after.append(
            gettext(
                "Whole clusters were assigned. The effect is per user who did it because of the nudge, and includes "
                "what these users' friends in the %(cluster)s did. It says nothing about a member's own behaviour."
            )
        )
    if "placebo_p" in details:  # version 0.4 then compared the nudge with control
        after.append(
            gettext(
                "The placebo can't be shown to leave the behaviour alone. It changed %(outcome)s by "
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
    after = gettext("Measured per user who did it because of the nudge; includes any further times.")
    if "act_low" not in verdict.details:
        before = gettext(
            "Only %(at_threshold)s of the extra times made a user complete %(behaviour)s. The effect of one more "
            "time can't be limited."
        )
    else:
        before = gettext(
            "Each extra time is worth %(act_low)s to %(act_high)s of %(outcome)s (%(level)s set). Only "
            "%(at_threshold)s of the extra times made a user complete %(behaviour)s, so the number itself explains "
            "little."
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
            "Too few users did it because of the nudge for the plain interval of the effect (F below 104.7). Read "
            "the Anderson-Rubin set instead."
        ),
        "unbounded_set": gettext("The data can't bound the behaviour's effect on every side."),
        "whole_clusters": gettext(
            "Whole clusters were assigned. The effect is per user who did it because of the nudge and includes what "
            "these users' friends in the cluster did. It says nothing about a member's own behaviour."
        ),
        "compliers_only": gettext("The effect is that on users who did it because of the nudge, not on everybody."),
    }
    return sentences[code]
