"""Decide the verdict: exactly one of seven codes, by the first row of the decision table that holds.

Source: docs/methods/verdict.md, "Verdict".
"""

from dataclasses import dataclass, field

from experiments.analyse.codes import Code, code_words
from experiments.analyse.others import OtherRow, suspect
from experiments.plan.design import Kind
from stats.instrument.anderson_rubin import AndersonRubin, Shape
from stats.instrument.encouragement import TakeUp
from stats.instrument.other_behaviours import Moved, UnderOthers
from stats.instrument.validity import Inequalities
from stats.results import Estimate, NotComputable, Reason, computable

MIN_UNITS = 50
MIN_EVENTS = 5
# Ours, in effective clusters (N^2 / sum n_g^2): with fewer, one cluster decides the outcome.
MIN_CLUSTERS = 5
# Reason of CAUSES and HARMS when whole clusters were moved towards a behaviour, instead of "behaviour"
# (docs/methods/clusters.md).
WHOLE_CLUSTERS = "whole_clusters"


type Detail = str | int | float


@dataclass(frozen=True)
class Verdict:
    """A verdict with the code of its reason and the figures that the sentence mentions."""

    code: Code
    reason: str
    details: dict[str, Detail] = field(default_factory=dict)

    @property
    def heading(self) -> str:
        """Short heading; for whole clusters it doesn't mention a member's own behaviour."""
        return code_words(self.code, whole_clusters="cluster" in self.details)


@dataclass(frozen=True)
class Evidence:
    """Input of the decision table, for one variant against its comparator on one outcome.

    Attributes:
        kind: of the outcome; decides how the sentence writes its figures.
        names: of outcome, variant and behaviour, for the sentence.
        invalid: reason codes that make the data useless; empty when the checks passed.
        enough: both arms have at least 50 units and, for a share, 5 units with and 5 without the outcome.
        alpha: registered two-sided level.
        difference: effect of the nudge on the outcome (intention to treat).
        narrow: the same at level 1 - 2 alpha, for the two one-sided tests.
        adjusted_p: Holm-adjusted p-value of ``difference``.
        margin: smallest effect of interest, absolute: on the nudge for a plain test, on the behaviour otherwise.
        few_clusters: an arm has fewer than five effective clusters.
        behaviour_missing: why the behaviour's effect isn't computable, when a behaviour was named.
        take_up: the nudge's effect on the behaviour; None in a plain A/B test.
        effect_set: Anderson-Rubin set of the behaviour's effect at level 1 - alpha; at 1 - alpha/m where any of m arms
            could lead.
        narrow_set: the same at level 1 - 2 alpha, whatever the number of arms.
        inequalities: test of the instrument inequalities, adjusted over all nudge arms.
        comparator: label of the placebo arm that the variant is compared with; "" when that is control.
        placebo_moves: True when that placebo isn't shown to leave the behaviour alone, so it may have moved some units
            too.
        needed: units of both arms that would find an effect of the margin in 80 % of cases; None without a margin.
        interim: True before the last look, when inconclusive bounds aren't a failure yet.
        breakdown: direct effect of being nudged at which nothing is shown about the behaviour any more.
        cluster: attribute whose clusters have one arm each, so that the set includes spillovers from friends: no
            verdict is about a member's own behaviour, and checks that assume that are skipped; "" otherwise.
        unasked: True for a file in which nobody named other behaviours: the sentence of an effect then says so.
        others: other behaviours that were registered.
        under_others: what is left of the effect under the moved ones of these; None where none was registered.
    """

    kind: Kind
    names: dict[str, Detail]
    invalid: tuple[str, ...]
    enough: bool
    alpha: float
    difference: Estimate | NotComputable
    narrow: Estimate | NotComputable
    adjusted_p: float | NotComputable
    margin: float | None = None
    few_clusters: bool = False
    behaviour_missing: Reason | None = None
    take_up: TakeUp | None = None
    effect_set: AndersonRubin | None = None
    narrow_set: AndersonRubin | None = None
    inequalities: Inequalities | NotComputable | None = None
    comparator: str = ""
    placebo_moves: bool = False
    needed: int | None = None
    interim: bool = False
    breakdown: float | NotComputable | None = None
    cluster: str = ""
    unasked: bool = False
    others: tuple[OtherRow, ...] = ()
    under_others: UnderOthers | NotComputable | None = None


def decide(evidence: Evidence) -> Verdict:
    """Return the verdict of the first row that holds; the order of rows is part of the method."""
    if evidence.invalid:
        return Verdict(Code.INVALID, evidence.invalid[0], evidence.names)
    if not computable(evidence.difference) and evidence.difference.reason is not Reason.TOO_FEW_UNITS:
        return Verdict(
            Code.INCONCLUSIVE, "not_computable", {**evidence.names, "missing": str(evidence.difference.reason)}
        )
    if evidence.few_clusters:
        return Verdict(Code.INCONCLUSIVE, "few_clusters", {**evidence.names, "clusters": MIN_CLUSTERS})
    if not evidence.enough or not computable(evidence.difference) or not computable(evidence.adjusted_p):
        return Verdict(Code.INCONCLUSIVE, "too_small", {**evidence.names, "units": MIN_UNITS, "events": MIN_EVENTS})
    if evidence.behaviour_missing is not None:
        # A verdict on the nudge alone would be read as one on the behaviour.
        return Verdict(
            Code.INCONCLUSIVE, "not_computable", {**evidence.names, "missing": str(evidence.behaviour_missing)}
        )
    significant = evidence.adjusted_p < evidence.alpha
    facts = _facts(evidence, evidence.difference, evidence.adjusted_p)
    if evidence.take_up is None or evidence.effect_set is None or evidence.narrow_set is None:
        return _plain(evidence, evidence.difference, facts, significant)
    return _encouraged(
        evidence, evidence.take_up, evidence.effect_set, evidence.narrow_set, facts, significant=significant
    )


def _plain(evidence: Evidence, difference: Estimate, facts: dict[str, Detail], significant: bool) -> Verdict:
    """A plain A/B test: the verdict is about the nudge only."""
    narrow, margin = evidence.narrow, evidence.margin
    if margin is not None and computable(narrow) and -margin < narrow.low and narrow.high < margin:
        reason = "immaterial" if significant else "equivalent"
        return Verdict(Code.NO_MATERIAL_EFFECT, reason, {**facts, "margin": margin})
    if significant:
        return Verdict(Code.CAUSES if difference.estimate > 0 else Code.HARMS, "nudge", facts)
    if difference.p_value < evidence.alpha:
        return Verdict(Code.INCONCLUSIVE, "multiplicity", facts)
    return Verdict(Code.INCONCLUSIVE, "no_difference", facts)


def _encouraged(
    evidence: Evidence,
    take_up: TakeUp,
    effect_set: AndersonRubin,
    narrow_set: AndersonRubin,
    facts: dict[str, Detail],
    *,
    significant: bool,
) -> Verdict:
    facts = {**facts, "take_up": take_up.difference, "take_up_low": take_up.low, "take_up_high": take_up.high}
    facts |= _compared(evidence)
    if evidence.cluster:
        facts["cluster"] = evidence.cluster
    if take_up.high < 0:
        return Verdict(Code.NUDGE_FAILED, "wrong_direction", facts)
    tests = evidence.inequalities
    if tests is not None and computable(tests) and tests.p_value < evidence.alpha:
        works: dict[str, Detail] = {"nudge_works": 1} if significant else {}
        return Verdict(Code.NUDGE_NOT_BEHAVIOUR, "inequality", {**facts, **works, "inequality_p": tests.p_value})
    # A moved user may help several friends, so with whole clusters more than one unit may gain per user moved.
    bound = evidence.kind is Kind.PROPORTION and not evidence.cluster
    if significant and bound and _beyond_any_share(effect_set):
        return Verdict(Code.NUDGE_NOT_BEHAVIOUR, "effect_without_first_stage", facts)
    if not significant and not effect_set.bounded:
        if evidence.interim:
            return Verdict(Code.INCONCLUSIVE, "early", facts)
        return Verdict(Code.NUDGE_FAILED, "weak_first_stage", facts)
    if not effect_set.bounded:
        return Verdict(Code.INCONCLUSIVE, "weak_first_stage", facts)
    return _bounded(evidence, effect_set, narrow_set, facts, significant=significant)


def _compared(evidence: Evidence) -> dict[str, Detail]:
    """Details for the sentence about a comparison with a placebo that may have moved units itself.

    Source: docs/methods/encouragement.md, "Placebo arm".
    """
    if not evidence.comparator:
        return {}
    return {"comparator": evidence.comparator, **({"placebo_moves": 1} if evidence.placebo_moves else {})}


def _beyond_any_share(effect_set: AndersonRubin) -> bool:
    """True when no effect between -1 and 1 fits: a share of units can't change by more than all of them.

    Source: docs/methods/verdict.md, "Verdict", row 5; Huber and Mellace 2015.
    """
    low, high = effect_set.low, effect_set.high
    if effect_set.shape is Shape.RAYS and low is not None and high is not None:
        return low < -1 and high > 1
    return effect_set.shape is Shape.EMPTY or (low is not None and low > 1) or (high is not None and high < -1)


def _bounded(
    evidence: Evidence,
    effect_set: AndersonRubin,
    narrow_set: AndersonRubin,
    facts: dict[str, Detail],
    *,
    significant: bool,
) -> Verdict:
    """Rows 8 to 11: the set of effects is a bounded interval."""
    low, high = _ends(effect_set)
    facts = {**facts, "level": effect_set.level, "effect_low": low, "effect_high": high}
    excludes_zero = low > 0 or high < 0
    if evidence.margin is not None and narrow_set.bounded:
        narrow_low, narrow_high = _ends(narrow_set)
        if -evidence.margin < narrow_low and narrow_high < evidence.margin:
            reason = "immaterial" if excludes_zero else "equivalent"
            return Verdict(Code.NO_MATERIAL_EFFECT, reason, {**facts, "margin": evidence.margin})
    if significant and excludes_zero:
        if (other := _other_behaviour(evidence)) is not None:
            return Verdict(Code.NUDGE_NOT_BEHAVIOUR, "other_behaviour", {**facts, **_beside(evidence), **other})
        if evidence.breakdown is not None and computable(evidence.breakdown):
            facts = {**facts, "breakdown": evidence.breakdown}
        if evidence.unasked and not evidence.cluster:
            facts = {**facts, "others_unasked": 1}
        facts |= _beside(evidence)
        reason = WHOLE_CLUSTERS if evidence.cluster else "behaviour"
        return Verdict(Code.CAUSES if low > 0 else Code.HARMS, reason, facts)
    alone = computable(evidence.difference) and evidence.difference.p_value < evidence.alpha
    if excludes_zero or (alone and not significant):
        return Verdict(Code.INCONCLUSIVE, "multiplicity", facts)
    if evidence.margin is not None and evidence.needed is not None:
        facts = {**facts, "margin": evidence.margin, "needed": evidence.needed}
    return Verdict(Code.INCONCLUSIVE, "underpowered", facts)


def _other_behaviour(evidence: Evidence) -> dict[str, Detail] | None:
    """Details of the other behaviour that may explain the effect instead; None where the moved ones can't.

    Source: docs/methods/joint.md, "Other behaviours"; docs/methods/verdict.md, "Verdict", row 9.
    """
    under, difference = evidence.under_others, evidence.difference
    if under is None or not computable(under) or under.excludes_zero or not computable(difference):
        return None
    row = suspect(evidence.others, difference.estimate)
    if row is None:
        return None
    most, (low, high) = row.found.most, row.registered.box
    return {"harmless": most, "largest": low if most < 0 else high} if row.alone and computable(most) else {}


def _beside(evidence: Evidence) -> dict[str, Detail]:
    """Details of the other behaviours that the nudge moved, most of all one, and of those where this isn't clear."""
    details: dict[str, Detail] = {}
    itt = evidence.difference.estimate if computable(evidence.difference) else 0.0
    row = None if evidence.cluster else suspect(evidence.others, itt)
    if row is not None:
        details |= {
            "other": row.registered.name,
            "other_times": row.registered.times,
            "take_up_other": row.found.take_up,
            "take_up_other_low": row.found.low,
            "take_up_other_high": row.found.high,
            "moved": sum(each.rivals for each in evidence.others),
        }
        details["largest"] = row.registered.largest
    assumed = [each.registered.name for each in evidence.others if each.moved and each.registered.consequence]
    if assumed and not evidence.cluster:
        details["assumed"] = ", ".join(assumed)
    unclear = [each.registered.name for each in evidence.others if each.found.moved is Moved.CANNOT_TELL]
    return {**details, "unclear": ", ".join(unclear)} if unclear and not evidence.cluster else details


def _ends(effect_set: AndersonRubin) -> tuple[float, float]:
    if effect_set.low is None or effect_set.high is None:
        raise ValueError("a bounded set has two ends")
    return effect_set.low, effect_set.high


def _facts(evidence: Evidence, difference: Estimate, adjusted_p: float) -> dict[str, Detail]:
    return {
        **evidence.names,
        "kind": str(evidence.kind),
        "level": 1 - evidence.alpha,
        "estimate": difference.estimate,
        "low": difference.low,
        "high": difference.high,
        "adjusted_p": adjusted_p,
    }
