"""Validate plans: everything that prevents a start, those that draw whole clusters first. Pure."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from itertools import pairwise
from math import inf
from typing import Any

from events.metrics import Quantile, Ratio, Survival, first_day, is_display_only, parse_behaviour, parse_metric
from events.metrics.facts import refuse_exposures
from experiments.draw.evaluation import DEFAULT
from experiments.plan.fields import Method, Origin
from experiments.plan.lab import (
    LARGEST_SHARE,
    LEAST_NUDGES,
    LEAST_SHARE,
    NUDGE_KEY,
    flags_of,
    is_nudge_key,
    share_at_most,
)
from experiments.plan.record import (
    ADJUSTMENTS,
    DAYS_BEFORE,
    FIELDS,
    MOST_NUDGES,
    MOST_OTHERS,
    PREDICTED,
    UNADJUSTED,
    WHOLE,
    Claim,
    Plan,
    PlannedNudge,
    PlannedOther,
)
from reporting.words import gettext
from runs.refusals import Refused

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")
# Callers don't send these attributes, or they hold the unit itself.
RESERVED = ("id", "targetingKey", "segments")
MOST_SATURATIONS = 10


STEPS = {field.name: field.step for field in FIELDS.values()}


@dataclass(frozen=True)
class Problem:
    """One problem of a plan: a code that `words` knows, details for its sentence, and where it is fixed.

    Attributes:
        at: form field to show it at; "" for the step as a whole.
        step: of the plan's pages; "" for that of the field.
    """

    code: str
    details: dict[str, str | int] = field(default_factory=dict)
    at: str = ""
    step: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "step", self.step or STEPS[self.at])


def cluster_problems(plan: Plan, _: object) -> Iterator[Problem]:
    """Problems of the cluster attribute, of the saturations, and of their combination with other fields."""
    if plan.cluster and (not NAME.fullmatch(plan.cluster) or plan.cluster in RESERVED):
        yield Problem("bad_cluster", {"name": plan.cluster}, at="cluster")
    if plan.saturations and not plan.cluster:
        yield Problem("saturations_without_cluster", at="saturations")
    if plan.cluster and any(row.weights is not None for row in plan.audience):
        yield Problem("cluster_row_weights", step="audience")
    if plan.saturations:
        yield from _saturations(plan)


def _saturations(plan: Plan) -> Iterator[Problem]:
    shares, weights = [pair[0] for pair in plan.saturations], [pair[1] for pair in plan.saturations]
    rising = all(low < high for low, high in pairwise(shares))
    sound = len(shares) <= MOST_SATURATIONS and rising and min(weights) > 0 and sum(weights) == WHOLE
    if not sound or shares[0] != 0 or not 0 < shares[-1] <= WHOLE:
        yield Problem("bad_saturations", at="saturations")
        return
    if len(plan.variants) != 2 or plan.placebo is not None:
        yield Problem("saturation_variants", step="variants")
        return
    nudged = nudged_share(plan.saturations)
    if abs(plan.variants[1].weight - nudged) > 1:
        yield Problem(
            "saturation_weights", {"share": f"{nudged / 100:g}", "key": plan.variants[1].key}, step="variants"
        )


def nudged_share(saturations: tuple[tuple[int, int], ...]) -> int:
    """Share of all units that the saturations nudge, in steps of 0.01 %."""
    return round(sum(share * weight for share, weight in saturations) / WHOLE)


def cluster_sentences() -> dict[str, str]:
    """Sentences by problem code."""
    return {
        "bad_cluster": gettext("'{name}' can't be the attribute of a cluster: it begins with a letter, and is no id."),
        "saturations_without_cluster": gettext("Saturations are drawn by clusters: name the attribute of a cluster."),
        "cluster_row_weights": gettext(
            "Where whole clusters are drawn, rows of the audience can't have weights of their own: a cluster may lie "
            "in several rows."
        ),
        "bad_saturations": gettext(
            "Saturations are rising shares, the first 0%, each with a weight above 0; the weights add up to 100%."
        ),
        "saturation_variants": gettext("A plan with saturations has two groups: the control and one nudge."),
        "saturation_weights": gettext(
            "The share nudged by these saturations is {share}%, so the weight of '{key}' must be {share}%."
        ),
    }


# Validate plans: everything that prevents a start. Pure.
#
# `problems` returns codes; `words` turns each into a sentence.

KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")  # some clients put it into a URL unescaped
VALUE_TYPES = tuple(FIELDS["value_type"].choices)
DIRECTIONS = ("higher", "lower")
OTHERWISE = tuple(FIELDS["otherwise"].choices)
METHODS = tuple(FIELDS["method"].choices)
ORIGINS = tuple(origin.value for origin in Origin)
MAX_PRIMARY = 2


@dataclass(frozen=True)
class Situation:
    """Input of the validation beside the plan.

    Attributes:
        today: local date.
        enrolment_open: True while new units are enrolled.
        flags_taken: the plan's flags, also those of a lab's nudges, that another experiment is live or rolled out
            under, each with its key.
        no_prediction: True when it has started without the prediction model that its adjustment needs.
        layer_taken: name and slice, in steps, of the other live experiments of the layer.
        review: what is missing of the review before the start, a code of `experiments.plan.review`; "" for nothing.
        rolled_out: True when one of its variants is rolled out.
        uncertified: SQL metrics of a draft without certification: text in the plan, name, and URL of the page to
            certify it.
    """

    today: date
    enrolment_open: bool = True
    flags_taken: tuple[tuple[str, str], ...] = ()
    layer_taken: tuple[tuple[str, int, int], ...] = ()
    no_prediction: bool = False
    review: str = ""
    rolled_out: bool = False
    uncertified: tuple[tuple[str, str, str], ...] = ()


def problems(plan: Plan, situation: Situation) -> tuple[Problem, ...]:
    """All problems that prevent the start, in the order in which a person would fix them; empty when there are none."""
    outcome_checks = (_outcomes, _guardrails, _windows, _adjustment, _numbers, _looks)
    checks: tuple[Callable[[Plan, Situation], Iterator[Problem]], ...]
    checks = (
        _keys,
        _words,
        _lab,
        _others,
        _variants,
        _roles,
        _values,
        *outcome_checks,
        _audience,
        _layer,
        cluster_problems,
    )
    return tuple(problem for check in checks for problem in check(plan, situation))


def fits(value: Any, value_type: str) -> bool:
    """True when a value has the flag's declared type; an integer is a number, too."""
    match value_type:
        case "string":
            return isinstance(value, str)
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, dict | list)


def _keys(plan: Plan, situation: Situation) -> Iterator[Problem]:
    flags = flags_of(plan.flag, (nudge.key for nudge in plan.nudges if NUDGE_KEY.fullmatch(nudge.key)))
    for key in dict.fromkeys((plan.key, *flags)):
        if not KEY.fullmatch(key):
            yield Problem("bad_key", {"key": key}, at="flag_key")
    for flag, other in situation.flags_taken:
        yield Problem("flag_taken", {"flag": flag, "other": other}, at="flag_key")


def _words(plan: Plan, _: Situation) -> Iterator[Problem]:
    if not plan.hypothesis.strip():
        yield Problem("no_hypothesis", at="hypothesis")


def _others(plan: Plan, _: Situation) -> Iterator[Problem]:
    """Problems of the list of other behaviours: docs/methods/joint.md, "Other behaviours"."""
    if plan.others and plan.claim is None:
        yield Problem("others_without_moment", at="other_behaviours")
    if len(plan.others) > MOST_OTHERS:
        yield Problem("too_many_others", {"most": MOST_OTHERS}, at="other_behaviours")
    seen = [] if plan.claim is None else [str(parse_behaviour(plan.claim.behaviour))]
    for other in plan.others:
        name = other.behaviour
        try:
            refuse_exposures(name)
            behaviour = str(parse_behaviour(name))
        except Refused as refusal:
            yield Problem("bad_other", {"why": str(refusal)}, at="other_behaviours")
            continue
        if behaviour in seen:
            own = plan.claim is not None and behaviour == seen[0]
            yield Problem("other_is_own" if own else "repeated_other", {"name": name}, at="other_behaviours")
        seen.append(behaviour)
        yield from _limits(other)


def _limits(other: PlannedOther) -> Iterator[Problem]:
    name = other.behaviour
    if other.times < 1:
        yield Problem("other_times", {"name": name}, at="other_behaviours")
    if not -inf < other.low <= 0 <= other.high < inf:  # also for what is no number
        yield Problem("other_limits", {"name": name}, at="other_behaviours")
    if other.origin not in ORIGINS:
        yield Problem("other_origin", {"name": name, "origin": other.origin}, at="other_behaviours")
    if other.consequence and not other.consequence.strip():
        yield Problem("consequence_without_reason", {"name": name}, at="other_behaviours")


def _lab(plan: Plan, _: Situation) -> Iterator[Problem]:
    """Problems of a lab, and of nudges without one: docs/methods/joint.md, "The lab"."""
    if not plan.is_lab:
        if plan.nudges or plan.most_nudges is not None:
            yield Problem("nudges_of_a_test", at="nudges")
        return
    count = len(plan.nudges)
    if not LEAST_NUDGES <= count <= MOST_NUDGES:
        yield Problem("nudge_count", {"least": LEAST_NUDGES, "most": MOST_NUDGES}, at="nudges")
    seen: set[str] = set()
    for nudge in plan.nudges:
        yield from _nudge(nudge)
        if nudge.key in seen:
            yield Problem("repeated_nudge", {"key": nudge.key}, at="nudges")
        seen.add(nudge.key)
    if plan.claim is None:
        yield Problem("lab_without_moment", step="hypothesis")
    elif count and not any(_leads_to(nudge, plan.claim) for nudge in plan.nudges):
        details: dict[str, str | int] = {"name": plan.claim.behaviour, "times": plan.claim.times}
        yield Problem("nothing_leads_there", details, at="nudges")
    if len(plan.measured_beside) > MOST_OTHERS >= len(plan.others):
        yield Problem("too_many_beside", {"most": MOST_OTHERS}, at="nudges")
    yield from _lab_draw(plan, count)
    yield from _not_in_a_lab(plan)


def _nudge(nudge: PlannedNudge) -> Iterator[Problem]:
    details: dict[str, str | int] = {"key": nudge.key}
    if not is_nudge_key(nudge.key):
        yield Problem("bad_nudge_key", details, at="nudges")
    try:
        refuse_exposures(nudge.behaviour)
        parse_behaviour(nudge.behaviour)
    except Refused as refusal:
        yield Problem("bad_nudge_behaviour", {**details, "why": str(refusal)}, at="nudges")
    if nudge.times < 1:
        yield Problem("nudge_times", details, at="nudges")
    if not 0 < nudge.take_up <= 1:
        yield Problem("nudge_take_up", details, at="nudges")
    if not 0 <= nudge.spill <= 1:
        yield Problem("nudge_spill", details, at="nudges")


def _leads_to(nudge: PlannedNudge, claim: Claim) -> bool:
    try:
        same = str(parse_behaviour(nudge.behaviour)) == str(parse_behaviour(claim.behaviour))
    except Refused:  # reported by `_nudge`
        return False
    return same and nudge.times == claim.times


def _lab_draw(plan: Plan, count: int) -> Iterator[Problem]:
    """Problems of how many users have each nudge."""
    limits: dict[str, str | int] = {"low": f"{LEAST_SHARE / 100:g}", "high": f"{LARGEST_SHARE / 100:g}"}
    most = plan.most_nudges
    if most is not None and not 1 <= most <= max(count, 1):
        yield Problem("bad_most_nudges", {"count": count}, at="most_nudges")
    elif most is not None and most < count:  # whatever the nudges' own shares
        share = share_at_most(count, most) * WHOLE
        if not LEAST_SHARE - 1e-5 < share < LARGEST_SHARE + 1e-5:
            yield Problem("too_few_at_once", {**limits, "share": f"{share / 100:.0f}"}, at="most_nudges")
    else:
        for nudge in plan.nudges:
            if not LEAST_SHARE <= nudge.share <= LARGEST_SHARE:
                yield Problem("nudge_share", {**limits, "key": nudge.key}, at="nudges")


def _not_in_a_lab(plan: Plan) -> Iterator[Problem]:
    """Problems of other fields that a lab can't have."""
    if plan.method == Method.ALWAYS_VALID:
        yield Problem("lab_always_valid", at="method")
    if plan.cluster or plan.saturations:
        yield Problem("lab_clusters", at="cluster")
    if any(row.weights is not None for row in plan.audience):
        yield Problem("lab_row_weights", step="audience")
    if plan.adjustment == PREDICTED:
        yield Problem("lab_predicted", at="primary")
    if plan.claim is None and any(_is(text, Quantile) for text in plan.primary):
        yield Problem("lab_quantile", at="first", step="outcomes")


def _variants(plan: Plan, _: Situation) -> Iterator[Problem]:
    keys = [variant.key for variant in plan.variants]
    if len(keys) < 2 and not plan.is_lab:  # a lab's are made of its nudges
        yield Problem("too_few_variants", step="variants")
    for key in keys:
        if key == DEFAULT or not KEY.fullmatch(key):
            yield Problem("bad_variant_key", {"key": key}, step="variants")
    if len(set(keys)) < len(keys):
        yield Problem("repeated_variant", step="variants")
    weights = [variant.weight for variant in plan.variants]
    if len(keys) >= 2 and (sum(weights) != WHOLE or min(weights) < 1):
        yield Problem("bad_weights", {"sum": f"{sum(weights) / 100:g}"}, step="variants")


def _roles(plan: Plan, _: Situation) -> Iterator[Problem]:
    arms = plan.variants[1:]
    placebos = [arm.key for arm in arms if arm.role == "placebo"]
    if len(placebos) > 1:
        yield Problem("two_placebos", {"key": placebos[1]}, step="variants")
    if placebos and len(placebos) == len(arms):
        yield Problem("placebo_alone", {"key": placebos[0]}, step="variants")
    if plan.claim is None and any(arm.role != "nudge" for arm in arms):
        yield Problem(
            "role_without_moment", {"key": next(arm.key for arm in arms if arm.role != "nudge")}, step="variants"
        )
    for arm in arms:
        if (arm.role == "dose") != (arm.dose is not None) or (arm.dose is not None and arm.dose < 1):
            yield Problem("bad_dose", {"key": arm.key}, step="variants")


def _values(plan: Plan, _: Situation) -> Iterator[Problem]:
    if plan.value_type not in VALUE_TYPES:
        yield Problem("bad_value_type", {"type": plan.value_type}, at="value_type")
        return
    values = [(DEFAULT, plan.default), *((variant.key, variant.value) for variant in plan.variants)]
    for key, value in values:
        if not fits(value, plan.value_type):
            yield Problem("bad_value", {"variant": key, "type": plan.value_type}, step="variants")


def _outcomes(plan: Plan, situation: Situation) -> Iterator[Problem]:
    if not 1 <= len(plan.primary) <= MAX_PRIMARY:
        yield Problem("primary_count", at="first", step="outcomes")
    for text in (*plan.primary, *plan.secondary, *plan.guardrails):
        try:
            definition = parse_metric(text)
            refuse_exposures(text)
            if is_display_only(definition):
                yield Problem("display_only", {"metric": text}, step="outcomes")
            if isinstance(definition, Survival):
                yield Problem("no_window", {"metric": text}, step="outcomes")
            if isinstance(definition, Quantile) and plan.claim is not None and text in plan.primary:
                yield Problem("quantile_of_moved", {"metric": text}, at="first", step="outcomes")
        except Refused as refusal:
            yield Problem("bad_metric", {"why": str(refusal)}, step="outcomes")
    for text, name, address in situation.uncertified:
        yield Problem("uncertified_sql", {"metric": text, "name": name, "address": address}, step="outcomes")


def _guardrails(plan: Plan, _: Situation) -> Iterator[Problem]:
    for text, rule in plan.guardrail_rules.items():
        if text not in plan.guardrails:
            yield Problem("rule_without_guardrail", {"metric": text}, at="guardrail_rules")
        if rule.direction not in DIRECTIONS:
            yield Problem("bad_direction", {"metric": text, "direction": rule.direction}, at="guardrail_rules")
        if not 0 < rule.margin < inf:
            yield Problem("bad_guardrail_margin", {"metric": text}, at="guardrail_rules")
    if plan.otherwise not in OTHERWISE:
        yield Problem("bad_otherwise", {"given": plan.otherwise}, at="otherwise")


def _windows(plan: Plan, _: Situation) -> Iterator[Problem]:
    """Problems where the behaviour's window overlaps the outcome's: docs/methods/discovery.md, "Window guard"."""
    for text in plan.primary if plan.claim is not None else ():
        first = _first_day(text)
        if plan.claim is not None and first is not None and first < plan.claim.days:
            yield Problem(
                "overlap", {"metric": text, "days": plan.claim.days, "first": first}, at="first", step="outcomes"
            )


def _first_day(metric: str) -> int | None:
    try:
        return first_day(parse_metric(metric))
    except Refused:  # reported by `_outcomes`
        return None


def _looks(plan: Plan, _: Situation) -> Iterator[Problem]:
    looks = plan.looks
    rising = all(0 < low < high for low, high in pairwise((*looks, 2.0)))
    if looks and not (rising and looks[-1] == 1):
        yield Problem("bad_looks", at="looks")
    names = (*plan.covariates, DAYS_BEFORE)  # a property of that name would clash with the computed covariate
    if len(set(names)) < len(names) or not all(name.strip() for name in names):
        yield Problem("bad_covariates", at="covariates")


def _adjustment(plan: Plan, situation: Situation) -> Iterator[Problem]:
    """Problems of the adjustment: covariates must be known before exposure, for all enrolled users."""
    new, before = plan.enrolment == "new_units", plan.active_days_before
    if plan.adjustment not in ADJUSTMENTS:
        yield Problem("bad_adjustment", {"adjustment": plan.adjustment}, at="primary")
    if plan.adjustment == "lin" and not plan.covariates and not before:
        yield Problem("adjusted_for_nothing", at="covariates")
    most = FIELDS[DAYS_BEFORE].most or 0
    if not 0 <= before <= most:
        yield Problem("bad_days_before", {"most": most}, at="active_days_before")
    if before and new:
        yield Problem("days_before_of_new", at="active_days_before")
    if before and plan.clock != "exposure":
        yield Problem("days_before_clock", at="active_days_before")
    quantiles = [text for text in plan.primary if _is(text, Quantile)]
    if plan.adjustment != UNADJUSTED and quantiles:
        yield Problem("adjusted_quantile", {"metric": quantiles[0]}, at="primary")
    if plan.adjustment != PREDICTED:
        return
    if not plan.covariates:
        yield Problem("predicted_from_nothing", at="covariates")
    if not new:
        yield Problem("predicted_of_old", at="primary")
    if any(_is(text, Ratio) for text in plan.primary[:1]):
        yield Problem("predicted_ratio", {"metric": plan.primary[0]}, at="primary")
    if situation.no_prediction:
        yield Problem("no_prediction", at="primary")


def _is(metric: str, kind: type[Ratio | Quantile]) -> bool:
    try:
        return isinstance(parse_metric(metric), kind)
    except Refused:  # reported by `_outcomes`
        return False


def _numbers(plan: Plan, situation: Situation) -> Iterator[Problem]:
    if not 0 < plan.alpha < 0.5:
        yield Problem("bad_alpha", at="alpha")
    if not plan.alpha < plan.power < 1:
        yield Problem("bad_power", at="power")
    if plan.smallest_effect is None or plan.smallest_effect <= 0:
        yield Problem("no_smallest_effect", at="smallest_effect")
    if plan.planned_effect is not None and plan.planned_effect <= 0:
        yield Problem("bad_planned_effect", at="planned_effect")
    if plan.method not in METHODS:
        yield Problem("bad_method", {"method": plan.method}, at="method")
    if plan.expected_take_up is not None and not 0 < plan.expected_take_up <= 1:
        yield Problem("bad_take_up", at="expected_take_up")
    if plan.planned_units is None or plan.planned_units < 1:
        yield Problem("no_planned_units", at="planned_units")
    if plan.planned_end is None or plan.planned_end <= situation.today:
        yield Problem("no_planned_end", at="planned_end")


def _audience(plan: Plan, _: Situation) -> Iterator[Problem]:
    for number, row in enumerate(plan.audience, start=1):
        if not 0 <= row.coverage <= WHOLE:
            yield Problem("bad_coverage", {"row": number}, at="everyone_coverage", step="audience")
        if row.weights is not None and (
            len(row.weights) != len(plan.variants) or sum(row.weights) != WHOLE or min(row.weights) < 1
        ):
            yield Problem("bad_row_weights", {"row": number}, step="audience")
        if row.segment is None and row.rule is not None:
            yield Problem("rule_without_segment", {"row": number}, step="audience")
        if row.segment is None and number < len(plan.audience):
            yield Problem("unreachable_row", {"row": number}, step="audience")
    names = [row.segment for row in plan.audience]
    if len(set(names)) < len(names):
        yield Problem("repeated_segment", step="audience")


def _layer(plan: Plan, situation: Situation) -> Iterator[Problem]:
    if plan.layer is None:
        return
    low, high = plan.layer.low, plan.layer.high
    if not 0 <= low < high <= WHOLE:
        yield Problem("bad_slice", at="layer")
        return
    for other, start, end in situation.layer_taken:
        if low < end and start < high:
            yield Problem(
                "slice_taken", {"other": other, "low": f"{start / 100:g}", "high": f"{end / 100:g}"}, at="layer"
            )


def words(problem: Problem) -> str:
    """The problem as one plain sentence in the reader's language."""
    sentences = {
        "bad_key": gettext(
            "'{key}' is no key: 1 to 128 letters, digits, dots, dashes, underscores; the first a letter or digit."
        ),
        "flag_taken": gettext("The flag '{flag}' is already served by the experiment '{other}'."),
        "no_hypothesis": gettext("The plan needs a hypothesis."),
        "too_few_variants": gettext("An experiment needs at least two groups; the first is the control."),
        "bad_variant_key": gettext("'{key}' can't be the key of a group."),
        "repeated_variant": gettext("Two groups have the same key."),
        "bad_weights": gettext("Weights must be above 0 and add up to 100%, not to {sum}%."),
        "bad_value_type": gettext("'{type}' is no type of value."),
        "bad_value": gettext("The value of '{variant}' is not of the type {type}."),
        "primary_count": gettext("The plan needs one or two primary outcomes."),
        "display_only": gettext("'{metric}' grows as the data age: it is for display only and can't judge."),
        "bad_metric": "{why}",
        "uncertified_sql": gettext("The SQL metric “{name}” must be certified before the start: {address}"),
        "rule_without_guardrail": gettext("There is a rule for '{metric}', which is no guardrail of this plan."),
        "bad_direction": gettext("'{metric}': a guardrail's direction is higher or lower, not '{direction}'."),
        "bad_guardrail_margin": gettext("'{metric}': a guardrail's margin is a number above 0."),
        "bad_otherwise": gettext("Where nothing is proved the decision is ship, dont or ask, not '{given}'."),
        "two_placebos": gettext("There are two placebo groups; one is enough, and '{key}' is the second."),
        "placebo_alone": gettext("'{key}' is a placebo, but no group nudges to the behaviour itself."),
        "role_without_moment": gettext("'{key}' is no plain nudge, which makes sense only with an AHA moment."),
        "bad_dose": gettext(
            "'{key}': a dose group, and only a dose group, says to how many times it nudges (1 or more)."
        ),
        "no_window": gettext(
            "'{metric}' has no fixed window; time to churn is shown for every experiment, so name a retention instead."
        ),
        "quantile_of_moved": gettext(
            "'{metric}': nobody knows which single users changed because of a nudge, so the behaviour's effect on a "
            "quantile isn't known either. Make it a secondary outcome or a guardrail."
        ),
        "overlap": gettext(
            "The behaviour counts on its first {days} days, but '{metric}' begins on day {first}: being around would "
            "be measured twice. Choose an outcome that begins on day {days} or later."
        ),
        "bad_looks": gettext("Planned analyses are rising shares of the planned users above 0, and the last one is 1."),
        "bad_covariates": gettext("Covariates are different names of properties of the signup event."),
        **_adjustment_words(),
        "bad_alpha": gettext("Alpha must lie between 0 and 0.5."),
        "bad_power": gettext("Power must lie between alpha and 1."),
        "bad_planned_effect": gettext("The planned effect must be above 0, or be left out."),
        "no_smallest_effect": gettext("The plan needs the smallest effect of interest, above 0."),
        "bad_method": gettext("'{method}' is no method of analysis."),
        "bad_take_up": gettext("The expected take-up must lie between 0 and 1."),
        "no_planned_units": gettext("The plan needs a planned number of users."),
        "no_planned_end": gettext("The plan needs an end that lies after today."),
        "bad_coverage": gettext("Row {row} of the audience: the coverage must lie between 0 and 100%."),
        "bad_row_weights": gettext(
            "Row {row} of the audience: it needs a weight above 0 for each group, and they must add up to 100%."
        ),
        "rule_without_segment": gettext("Row {row} of the audience has a rule but no segment."),
        "unreachable_row": gettext("Row {row} of the audience takes everyone, so no later row is ever used."),
        "repeated_segment": gettext("A segment stands in two rows of the audience."),
        "bad_slice": gettext("The slice of the layer must have a beginning below its end, between 0 and 100%."),
        "slice_taken": gettext("The slice of the layer overlaps that of '{other}' ({low} to {high}%)."),
        **cluster_sentences(),
        **_other_words(),
        **_lab_words(),
    }
    return sentences[problem.code].format(**problem.details)


def _other_words() -> dict[str, str]:
    return {
        "others_without_moment": gettext("Other behaviours are listed, but the plan tests no AHA moment."),
        "too_many_others": gettext("At most {most} other behaviours can be listed."),
        "bad_other": "{why}",
        "other_is_own": gettext("'{name}' is the behaviour under test: it can't be another one."),
        "repeated_other": gettext("'{name}' stands twice among the other behaviours."),
        "other_times": gettext("'{name}' counts as done from once on: write 1 or more."),
        "other_limits": gettext(
            "'{name}': the smallest effect that it may have is 0 or less, the largest is 0 or more, and both are "
            "numbers."
        ),
        "other_origin": gettext("'{name}': '{origin}' is no place where its limits could come from."),
        "consequence_without_reason": gettext(
            "'{name}' is called a consequence of the behaviour under test: say why it is one."
        ),
    }


def _lab_words() -> dict[str, str]:
    return {
        "nudges_of_a_test": gettext("The plan has nudges of a lab, but it is a test: make a new lab of them."),
        "nudge_count": gettext("A lab has {least} to {most} nudges."),
        "bad_nudge_key": gettext(
            "'{key}' can't be the key of a nudge: 1 to 15 letters, digits, dashes, underscores, and not none, off or "
            "default."
        ),
        "repeated_nudge": gettext("Two nudges have the key '{key}'."),
        "bad_nudge_behaviour": gettext("The behaviour of the nudge '{key}': {why}"),
        "nudge_times": gettext("The behaviour of the nudge '{key}' counts as done from once on: write 1 or more."),
        "nudge_take_up": gettext("The expected take-up of the nudge '{key}' must be above 0, and 100% at most."),
        "nudge_spill": gettext(
            "The share of users who do each other behaviour because of the nudge '{key}' must lie between 0 and 100%."
        ),
        "nudge_share": gettext("The share of users who see the nudge '{key}' must be {low}% to {high}%."),
        "bad_most_nudges": gettext("One user can have at most 1 to {count} of {count} nudges, or any number."),
        "too_few_at_once": gettext(
            "With at most so many nudges for one user, the share of users who see each would be {share}%; it must be "
            "{low}% to {high}%."
        ),
        "lab_without_moment": gettext("A lab needs an AHA moment: one of its nudges leads to that behaviour."),
        "nothing_leads_there": gettext(
            "No nudge of the lab leads to the behaviour of the AHA moment: '{name}', at least {times} times."
        ),
        "too_many_beside": gettext(
            "At most {most} behaviours are measured beside that of the AHA moment: those of the nudges and the other "
            "behaviours together."
        ),
        "lab_always_valid": gettext(
            "A lab is analysed at planned times or at its end, not at any time: choose another method of analysis."
        ),
        "lab_clusters": gettext("A lab draws its nudges for single users: it can't draw whole clusters."),
        "lab_row_weights": gettext("In a lab rows of the audience can't have weights of their own."),
        "lab_predicted": gettext("A lab's outcome can't be adjusted for a prediction: adjust for covariates, or not."),
        "lab_quantile": gettext("A lab can't have a quantile as a primary outcome: it has no mean per user."),
    }


def _adjustment_words() -> dict[str, str]:
    return {
        "bad_adjustment": gettext("'{adjustment}' is no comparison that can decide."),
        "adjusted_for_nothing": gettext("The plan adjusts for covariates but names none."),
        "bad_days_before": gettext("Active days before the exposure can be counted within 1 to {most} days."),
        "days_before_of_new": gettext(
            "Only users who signed up after the start are enrolled: they have no days before the exposure to count."
        ),
        "days_before_clock": gettext("Active days before the exposure need the first exposure as day 0."),
        "predicted_from_nothing": gettext("The outcome is predicted from the covariates, but the plan names none."),
        "predicted_of_old": gettext(
            "The predicted outcome is for users who sign up after the start; for users who were there before, adjust "
            "for their active days before the exposure."
        ),
        "adjusted_quantile": gettext("The comparison of '{metric}' is not adjusted: a quantile has no mean to adjust."),
        "predicted_ratio": gettext("'{metric}' can't be predicted: it has no share or mean per user."),
        "no_prediction": gettext(
            "No model was fitted before the start that predicts this outcome from these covariates, and none can be "
            "fitted any more."
        ),
    }
