"""Section "for whom?": the effect beyond compliers, effects by strength of the nudge, and the targeting rule. Pure."""

from collections.abc import Iterable
from functools import partial

from experiments.analyse.codes import NOT_THE_BEHAVIOUR, Code
from experiments.analyse.effects import Comparison, Encouragement, NudgeMargins, OutcomeReport, Report
from experiments.analyse.result import Opened
from experiments.plan.design import Kind
from experiments.report.estimates import (
    ROW,
    WIDTH,
    difference_title,
    effect_with_limits,
    label_axis,
    level_heading,
    limit_marks,
    set_text,
)
from reporting.charts import BLUE, GREY, INK, Drawn, Mark, alt, data, forest, rule
from reporting.numbers import effect_limits, effect_text, p_value, percent, planned_text
from reporting.table import Part, Row, Section, Table
from reporting.words import gettext, reason_words
from stats.instrument.anderson_rubin import AndersonRubin
from stats.instrument.bounds import Bounds
from stats.instrument.generalise import Everybody, Reweighted
from stats.instrument.margins import Margin
from stats.policy import NudgeRule, Policy, TraitCondition
from stats.results import Interval, NotComputable, computable
from stats.trait_cells import SEGMENT

# Traits, their levels and rules on them in words. Pure.


def rule_words(rule: NudgeRule) -> str:
    """A rule in words, for example ``platform is ios and country is not KR``."""
    named = [_condition(condition) for condition in rule.conditions]
    if len(named) == 1:
        return named[0]
    text = gettext("{first} or {second}") if rule.any_of else gettext("{first} and {second}")
    return text.format(first=named[0], second=named[1])


def combination_words(combination: Iterable[tuple[str, str]]) -> str:
    """A combination in words, for example ``social · platform ios``: a segment needs no trait name."""
    return " · ".join(
        level_words(trait, level) if trait == SEGMENT else f"{trait} {level_words(trait, level)}"
        for trait, level in combination
    )


def level_words(trait: str, level: str) -> str:
    """A level in words; an empty one means unknown, or no segment."""
    if level:
        return level
    return gettext("Everyone else") if trait == SEGMENT else gettext("unknown")


def _condition(condition: TraitCondition) -> str:
    text = gettext("{name} is {value}") if condition.holds else gettext("{name} is not {value}")
    name = gettext("segment") if condition.trait == SEGMENT else condition.trait
    return text.format(name=name, value=level_words(condition.trait, condition.level))


# Extrapolate from compliers to everybody: reweighted effect, and bounds for the others. Pure.

# Further combinations of traits are too small to be read individually.
MOST_ROWS = 12


def parts_of(outcome: OutcomeReport, row: Comparison, place: int) -> tuple[Part, ...]:
    """Sentence, chart and table; and the combinations of traits behind the reweighted effect."""
    encouragement = row.encouragement
    if encouragement is None or encouragement.everybody is None:
        return ()
    everybody, share = encouragement.everybody, outcome.kind is Kind.PROPORTION
    heading = gettext("From users who did it because of {variant} to all users").format(variant=row.variant)
    if not computable(everybody):
        return (Part(f"everybody-{place}", heading, reason_words(everybody), None),)
    main = Part(
        f"everybody-{place}",
        heading,
        beyond_moved_finding(encouragement, everybody, share),
        beyond_moved_table(encouragement, everybody, share),
        note=beyond_moved_note(everybody, share),
        draw=partial(beyond_moved_draw, encouragement, everybody, share)
        if drawable(encouragement, everybody)
        else None,
    )
    if not computable(everybody.reweighted):
        return (main,)
    title = gettext("Effect by user traits")
    return main, Part(f"everybody-cells-{place}", title, "", cells(everybody.reweighted, share))


def beyond_moved_finding(encouragement: Encouragement, everybody: Everybody, share: bool) -> str:
    """Share of users for which the effect is known, and its bounds for the others."""
    moved = percent(abs(everybody.moved))
    effect = f"{effect_with_limits(encouragement.effect, share)[0]} ({set_text(encouragement.effect_set, share=share)})"
    if not computable(everybody.others):
        text = gettext("Known for {moved} of users: {effect}. Nothing can be said about the others: {reason}")
        return text.format(moved=moved, effect=effect, reason=reason_words(everybody.others))
    text = gettext("Known for {moved} of users: {effect}. For the others it lies somewhere between {low} and {high}.")
    low, high = (effect_text(value, share=share) for value in (everybody.others.low, everybody.others.high))
    return text.format(moved=moved, effect=effect, low=low, high=high)


def beyond_moved_note(everybody: Everybody, share: bool) -> str:
    """The reweighted effect with the condition under which it is valid."""
    if not computable(everybody.reweighted):
        return gettext("Their traits say nothing about the other users: {reason}").format(
            reason=reason_words(everybody.reweighted)
        )
    effect = everybody.reweighted.effect
    text = gettext(
        "If similar users respond alike, the effect for {share} of users would be {effect} ({limits}). This can't be "
        "tested."
    )
    return text.format(
        share=percent(everybody.reweighted.share),
        effect=effect_text(effect.estimate, share=share),
        limits=effect_limits(effect.low, effect.high, share),
    )


def beyond_moved_table(encouragement: Encouragement, everybody: Everybody, share: bool) -> Table:
    """Table of effects by group of users: share, size, and assumptions."""
    moved = abs(everybody.moved)
    random = gettext("the random assignment, and that the nudge works only through the behaviour")
    rows: list[Row] = [
        (
            gettext("because of the nudge"),
            percent(moved),
            effect_with_limits(encouragement.effect, share)[0],
            set_text(encouragement.effect_set, share=share),
            random,
        )
    ]
    if computable(everybody.reweighted):
        alike = gettext("also that users with the same traits respond alike")
        of_all, effect = percent(everybody.reweighted.share), effect_with_limits(everybody.reweighted.effect, share)
        rows.append((gettext("with the traits of all comparable users"), of_all, *effect, alike))
    else:
        reason = reason_words(everybody.reweighted)
        rows.append((gettext("with the traits of all comparable users"), "", reason, "", ""))
    monotone = gettext("also that the nudge prevents nobody from it; the unknown outcomes may be anything")
    rows.append((gettext("the others"), percent(1 - moved), *_bounds_cells(everybody.others, share), monotone))
    rows.append((gettext("everybody"), percent(1.0), *_bounds_cells(everybody.everyone, share), random))
    level = encouragement.effect_set.level if computable(encouragement.effect_set) else 0.95
    columns = (
        gettext("users"),
        gettext("share"),
        gettext("effect of the behaviour"),
        level_heading(level),
        gettext("it rests on"),
    )
    return Table(gettext("How far the effect extends"), columns, tuple(rows))


def _bounds_cells(bounds: Bounds | NotComputable, share: bool) -> tuple[str, str]:
    if not computable(bounds):
        return reason_words(bounds), ""
    limits = ""
    if bounds.limit_low is not None and bounds.limit_high is not None:
        limits = effect_limits(bounds.limit_low, bounds.limit_high, share)
    return effect_limits(bounds.low, bounds.high, share), limits


def cells(found: Reweighted, share: bool) -> Table:
    """The largest combinations of traits: how many of their units are moved, and the effect on these."""
    rows = tuple(
        (
            combination_words(cell.combination),
            percent(cell.share),
            effect_text(cell.first_stage, share=True, plus=True),
            *effect_with_limits(cell.effect, share),
        )
        for cell in found.cells[:MOST_ROWS]
    )
    columns = (
        gettext("known before"),
        gettext("of all users"),
        gettext("because of the nudge"),
        gettext("effect of the behaviour"),
        level_heading(found.effect.level),
    )
    left = len(found.cells) - MOST_ROWS
    more = gettext("The {n} largest combinations of {all}.").format(n=MOST_ROWS, all=len(found.cells))
    title = gettext("The behaviour's effect by user traits")
    return Table(title, columns, rows, more if left > 0 else "")


def drawable(encouragement: Encouragement, everybody: Everybody) -> bool:
    """True when every row has two limits: an unbounded set can't be drawn beside bounds."""
    around = encouragement.effect_set
    return computable(around) and around.bounded and computable(encouragement.effect) and computable(everybody.others)


def beyond_moved_draw(encouragement: Encouragement, everybody: Everybody, share: bool) -> Drawn:
    """Chart of effects as points with their limits, and of bounds as bars with thin confidence limits."""
    factor = 100.0 if share else 1.0
    moved, marks = abs(everybody.moved), list[Mark]()

    def add(users: str, part: float, low: float | None, high: float | None, **ends: float | None) -> None:
        scaled = {name: None if value is None else value * factor for name, value in ends.items()}
        both = {name: None if value is None else value * factor for name, value in (("low", low), ("high", high))}
        label = f"{users} ({percent(part)})"
        marks.append({"label": label, "estimate": None, "from": None, "to": None, **both, **scaled})

    around = encouragement.effect_set
    if computable(encouragement.effect) and isinstance(around, AndersonRubin):
        add(gettext("because of the nudge"), moved, around.low, around.high, estimate=encouragement.effect.estimate)
    if computable(everybody.reweighted):
        effect = everybody.reweighted.effect
        label = gettext("with the traits of all comparable users")
        add(label, everybody.reweighted.share, effect.low, effect.high, estimate=effect.estimate)
    for users, part, bounds in (
        (gettext("the others"), 1 - moved, everybody.others),
        (gettext("everybody"), 1.0, everybody.everyone),
    ):
        if computable(bounds):
            ends: Mark = {"from": bounds.low, "to": bounds.high}
            add(users, part, bounds.limit_low, bounds.limit_high, **ends)
    base = alt.Chart(data(marks)).encode(y=label_axis([mark["label"] for mark in marks]))
    x = alt.X("low:Q", title=difference_title(share), scale=alt.Scale(zero=True))
    bars = base.transform_filter("datum.from !== null").mark_bar(color=GREY, opacity=0.45, height=14)
    thin = base.transform_filter("datum.low !== null").mark_rule(color=INK, strokeWidth=1.5)
    points = base.transform_filter("datum.estimate !== null").mark_point(filled=True, size=90, opacity=1, color=BLUE)
    layers = (rule(), bars.encode(x="from:Q", x2="to:Q"), thin.encode(x=x, x2="high:Q"), points.encode(x="estimate:Q"))
    return alt.layer(*layers).properties(width=WIDTH - 60, height=ROW * len(marks)), 3 * len(marks)


# Nudges of different strength: the behaviour's effect on units that only the stronger one moves. Pure.

DIFFER = 0.05


def strength_part_of(outcome: OutcomeReport) -> Part | None:
    """The effect at each margin, where at least two variants nudge towards the behaviour."""
    nudges = outcome.margins
    if nudges is None:
        return None
    heading = gettext("Nudges of different strength")
    if not computable(nudges):
        return Part("margins", heading, reason_words(nudges), None)
    share = outcome.kind is Kind.PROPORTION
    note = gettext(
        "A weak nudge changes users who were nearly there, a stronger one others too. Between neighbours in strength "
        "the effect is that on users who did it only because of the stronger one."
    )
    drawn = partial(strength_draw, nudges, share) if all(map(_bounded, nudges.margins.rows)) else None
    return Part("margins", heading, strength_finding(nudges), strength_table(nudges, share), note=note, draw=drawn)


def strength_finding(nudges: NudgeMargins) -> str:
    """Whether the nudges agree on one effect."""
    differ = gettext("The nudges disagree (p {p}): the effect isn't the same for the users who did it because of each.")
    agree = gettext("No difference was shown between the users who did it because of each nudge (p {p}).")
    text = differ if nudges.margins.p_value < DIFFER else agree
    return text.format(p=p_value(nudges.margins.p_value))


def strength_table(nudges: NudgeMargins, share: bool) -> Table:
    """One row for each pair of neighbouring nudges."""
    rows = tuple(
        (
            _between(nudges, row),
            effect_limits(row.take_up_low, row.take_up_high, share=True),
            effect_with_limits(row.effect, share)[0],
            set_text(row.effect_set, share=share),
        )
        for row in nudges.margins.rows
    )
    columns = (
        gettext("from the weaker to the stronger"),
        gettext("take-up"),
        gettext("effect of the behaviour"),
        gettext("Anderson-Rubin set (decides)"),
    )
    return Table(gettext("The effect between neighbouring nudges"), columns, rows)


def strength_draw(nudges: NudgeMargins, share: bool) -> Drawn:
    """Chart with an interval for each pair of neighbours, from units moved first to units moved last."""
    factor = 100.0 if share else 1.0
    marks = [
        {
            "label": f"{_between(nudges, row)} ({effect_limits(row.take_up_low, row.take_up_high, share=True)})",
            "estimate": row.effect.estimate * factor,
            "low": row.effect_set.low * factor,
            "high": row.effect_set.high * factor,
        }
        for row in nudges.margins.rows
        if computable(row.effect) and computable(row.effect_set)
        if row.effect_set.low is not None and row.effect_set.high is not None
    ]
    base = alt.Chart(data(marks)).encode(y=label_axis([str(mark["label"]) for mark in marks]))
    layers = forest(base, difference_title(share))
    return alt.layer(*layers).properties(width=WIDTH - 60, height=ROW * len(marks)), 2 * len(marks)


def _between(nudges: NudgeMargins, row: Margin) -> str:
    return f"{nudges.arms[row.weaker]} → {nudges.arms[row.stronger]}"


def _bounded(row: Margin) -> bool:
    return computable(row.effect) and computable(row.effect_set) and row.effect_set.bounded


# Whom to nudge: a rule with its value on held-out units, or that no rule beats nudging everybody. Pure.


def whom_to_nudge_part_of(outcome: OutcomeReport, row: Comparison, place: int) -> Part | None:
    """Sentence, chart and table of one variant."""
    policy, share = row.policy, outcome.kind is Kind.PROPORTION
    if policy is None:
        return None
    heading = gettext("Who should get {variant}").format(variant=row.variant)
    slug = f"policy-{place}"
    if not computable(policy):
        return Part(slug, heading, reason_words(policy), None)
    shown = whom_to_nudge_table(row.variant, policy, share)
    return Part(
        slug,
        heading,
        whom_to_nudge_finding(policy, share),
        shown,
        note=whom_to_nudge_note(policy, share),
        draw=partial(whom_to_nudge_draw, policy, share),
    )


def whom_to_nudge_finding(policy: Policy, share: bool) -> str:
    """The targeting rule and its gain, or why there is none."""
    if policy.rule is None:
        if policy.everybody:
            return gettext("Nudge everyone: no group does better without it.")
        return gettext("No rule beats nudging everybody or nobody: no group benefits enough.")
    fields = {
        "rule": rule_words(policy.rule),
        "share": percent(policy.share),
        "over_all": effect_text(policy.over_all.estimate, share=share, plus=True),
        "all_limits": effect_limits(policy.over_all.low, policy.over_all.high, share),
        "over_none": effect_text(policy.over_none.estimate, share=share, plus=True),
        "none_limits": effect_limits(policy.over_none.low, policy.over_none.high, share),
    }
    if policy.beats:
        text = gettext(
            "Nudge only where {rule}, {share} of users. Gain: {over_all} ({all_limits}) against nudging everybody, "
            "{over_none} ({none_limits}) against nobody, on users who had no part in the choice."
        )
        return text.format(**fields)
    text = gettext(
        "No rule beats everybody. The best one found, {rule}, gains {over_all} ({all_limits}) against nudging "
        "everybody and {over_none} ({none_limits}) against nobody; both would have to lie above 0."
    )
    return text.format(**fields)


def whom_to_nudge_note(policy: Policy, share: bool) -> str:
    """Meaning of a gain, and how much the choice depends on random splits."""
    free = gettext("Gains are averaged over all users; a nudge is assumed to cost nothing.")
    paid = gettext("Gains are averaged over all users; a nudge costs {cost} per nudged user.")
    text = paid.format(cost=planned_text(policy.cost, share=share)) if policy.cost else free
    if policy.rule is None:
        return text
    again = gettext("{agreement} of the training samples chose this very rule.")
    return f"{text} {again.format(agreement=percent(policy.agreement, 0))}"


def whom_to_nudge_table(variant: str, policy: Policy, share: bool) -> Table:
    """Gains of the three policies over each other, and the effect on both sides of the rule."""
    rows: list[Row] = [(label, *_cells(value, share)) for label, value in _rows(policy)]
    columns = (gettext("compared"), gettext("gain"), level_heading(policy.over_all.level))
    note = gettext("{splits} random splits in {folds} parts: {judging} judged what the others chose; seed {seed}.")
    if policy.judging == 1:  # in versions up to 0.4
        note = gettext(
            "{splits} random splits in {folds} parts, each of which judged what the others chose; seed {seed}."
        )
    title = gettext("Who should get {variant}: gains").format(variant=variant)
    note_text = note.format(splits=policy.splits, folds=policy.folds, judging=policy.judging, seed=policy.seed)
    return Table(title, columns, tuple(rows), note_text)


def whom_to_nudge_draw(policy: Policy, share: bool) -> Drawn:
    """Chart of the table's rows as intervals."""
    factor = 100.0 if share else 1.0
    marks = [{"label": label, **limit_marks(value, factor)} for label, value in _rows(policy) if computable(value)]
    base = alt.Chart(data(marks)).encode(y=label_axis([str(mark["label"]) for mark in marks]))
    layers = forest(base, difference_title(share))
    return alt.layer(*layers).properties(width=WIDTH - 60, height=ROW * len(marks)), 2 * len(marks)


def _rows(policy: Policy) -> list[tuple[str, Interval | NotComputable]]:
    plain: list[tuple[str, Interval | NotComputable]] = [(gettext("everybody against nobody"), policy.all_over_none)]
    if policy.rule is None:
        return plain
    return [
        (gettext("the rule against everybody"), policy.over_all),
        (gettext("the rule against nobody"), policy.over_none),
        *plain,
        (gettext("effect on users in the rule"), policy.inside),
        (gettext("effect on the others"), policy.outside),
    ]


def _cells(value: Interval | NotComputable, share: bool) -> tuple[str, str]:
    if not computable(value):
        return reason_words(value), ""
    return effect_text(value.estimate, share=share, plus=True), effect_limits(value.low, value.high, share)


# The section "for whom?": how far the effect extends beyond compliers, and whom to nudge. Pure.


def section(_opened: Opened, report: Report) -> Section:
    """The section for a stored experiment."""
    return of_report(report)


def of_report(report: Report) -> Section:
    """Parts of the first outcome; variants are numbered from 1. Without parts for broken data."""
    outcome, parts = report.outcomes[0], list[Part]()
    for place, row in enumerate(outcome.comparisons, start=1):
        if row.verdict.code not in NOT_THE_BEHAVIOUR:
            parts += parts_of(outcome, row, place)
        policy = whom_to_nudge_part_of(outcome, row, place)
        if policy is not None and row.verdict.code is not Code.INVALID:
            parts.append(policy)
    margins = strength_part_of(outcome)
    if margins is not None and report.verdict.code not in NOT_THE_BEHAVIOUR:
        parts.append(margins)
    return Section("for-whom", gettext("Who benefits?"), "", tuple(parts))
