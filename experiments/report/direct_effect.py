"""Sensitivity of the behaviour's effect to a direct effect of being nudged. Pure."""

from functools import partial
from math import copysign
from typing import Any

from experiments.analyse.codes import Code
from experiments.analyse.effects import Comparison, Encouragement, OutcomeReport, Report
from experiments.analyse.result import Opened
from experiments.plan.design import Kind
from experiments.report.estimates import PANEL, WIDTH, effect_with_limits, set_text
from experiments.report.verdict import breakdown_text, toward_zero, undone
from reporting.charts import BLUE, GREEN, INK, LIGHT, ORANGE, Drawn, alt, data, rule
from reporting.numbers import between, count, effect_limits, effect_text, level_text, p_value
from reporting.table import Part, Row, Section, Table
from reporting.words import gettext, reason_words
from stats.instrument.anderson_rubin import AndersonRubin, Shape
from stats.instrument.exclusion import ZeroFirstStage
from stats.results import Estimate, NotComputable, Reason, computable

# With these verdicts no set is shown as the behaviour's effect, whatever the direct effect.
SILENT = (Code.INVALID, Code.NUDGE_NOT_BEHAVIOUR, Code.NUDGE_FAILED)


def section(_opened: Opened, report: Report) -> Section:
    """The section for a stored experiment."""
    return of_report(report)


def of_report(report: Report) -> Section:
    """The section; never folded, since every statement about the behaviour depends on it."""
    parts, measured = _parts(report), _measured(report)
    title = gettext("What if the nudge does something by itself?")
    lead = gettext(
        "The effect of the behaviour is read from the nudge on one condition: the nudge by itself does nothing. No "
        "test can see a small direct effect, so this is what the data say for each size of it."
    )
    return Section("direct", title, lead if parts else "", (*parts, *measured))


def _measured(report: Report) -> tuple[Part, ...]:
    """With a placebo, the direct effect of being nudged is measured, and it cancels in the comparison.

    Source: docs/methods/encouragement.md, "Placebo arm".
    """
    outcome = report.outcomes[0]
    if not any(row.compared_with for row in outcome.comparisons):
        return ()
    return tuple(
        Part(f"direct-{place}", gettext("Placebo against control"), _by_itself(outcome, row.difference), None)
        for place, row in enumerate(outcome.comparisons, start=1)
        if row.variant == report.design.placebo and row.verdict.code is not Code.INVALID
    )


def _by_itself(outcome: OutcomeReport, difference: Estimate | NotComputable) -> str:
    if not computable(difference):
        return reason_words(difference)
    share = outcome.kind is Kind.PROPORTION
    text = gettext(
        "The nudge by itself changed {outcome} by {effect} ({limits}, p {p}). This cancels where the nudge is "
        "compared with the placebo."
    )
    effect, limits = effect_with_limits(difference, share)
    return text.format(outcome=outcome.name, effect=effect, limits=limits, p=p_value(difference.p_value))


def _parts(report: Report) -> tuple[Part, ...]:
    # Variants are numbered from 1.
    outcome = report.outcomes[0]
    return tuple(
        Part(
            f"direct-{place}",
            gettext("Group “{variant}”").format(variant=row.variant),
            finding(outcome, encouragement),
            table(outcome, row.variant, encouragement),
            note=note(outcome, encouragement),
            draw=partial(draw, encouragement, outcome.kind is Kind.PROPORTION) if drawable(encouragement) else None,
        )
        for place, row, encouragement in shown(report)
    )


def shown(report: Report) -> tuple[tuple[int, Comparison, Encouragement], ...]:
    """Comparisons of the first outcome with control that show an effect of the behaviour, numbered from 1.

    Against a placebo both arms have the direct effect, so it cancels and no assumption is needed.
    """
    return tuple(
        (place, row, row.encouragement)
        for place, row in enumerate(report.outcomes[0].comparisons, start=1)
        if row.encouragement is not None
        and row.variant != report.design.placebo
        and row.verdict.code not in SILENT
        and "comparator" not in row.verdict.details
        and (computable(row.encouragement.breakdown) or row.encouragement.breakdown.reason is Reason.NUDGE_NOT_PROVED)
    )


def drawable(encouragement: Encouragement) -> bool:
    """True when every set is bounded, which doesn't depend on the direct effect."""
    return bool(encouragement.sensitivity) and all(row.shape is Shape.INTERVAL for row in encouragement.sensitivity)


def finding(outcome: OutcomeReport, encouragement: Encouragement) -> str:
    """Sentence on the direct effect at which nothing is shown."""
    if not computable(encouragement.breakdown):
        return reason_words(encouragement.breakdown)
    return undone(encouragement.breakdown, outcome.name, share=outcome.kind is Kind.PROPORTION)


def note(outcome: OutcomeReport, encouragement: Encouragement) -> str:
    """What the inequalities can't detect, and the result of a group without first stage."""
    parts = []
    if drawable(encouragement):
        parts.append(
            gettext(
                "Band: effects of the behaviour that fit the data. Grey: from the breakdown value on, no effect at "
                "all fits too."
            )
        )
    if encouragement.direct_range is not None:
        share = outcome.kind is Kind.PROPORTION
        ends = (effect_text(v, share=share) for v in (encouragement.direct_range.low, encouragement.direct_range.high))
        text = gettext("If the nudge by itself changes the outcome by {direct}, the behaviour's effect is {effects}.")
        effects = set_text(encouragement.direct_range.effect_set, share=share)
        parts.append(text.format(direct=between(*ends), effects=effects))
    if computable(encouragement.blind_spot):
        text = gettext("No test can rule out a direct effect below {limit}, however many users there are.")
        parts.append(text.format(limit=effect_text(encouragement.blind_spot, share=True)))
    if encouragement.zero_first_stage is not None:
        parts.append(unmoved(encouragement.zero_first_stage, encouragement, share=outcome.kind is Kind.PROPORTION))
    return " ".join(parts)


def unmoved(group: ZeroFirstStage, encouragement: Encouragement, *, share: bool) -> str:
    """The direct effect in a group whose behaviour the nudge can't move, beside the breakdown value."""

    def text(value: float) -> str:
        return effect_text(value, share=share)

    sentence = gettext(
        "In {group} ({n} users) the nudge hardly changes the behaviour ({take_up}), so its effect there is a direct "
        "one: {direct} ({limits}), beside a breakdown value of {breakdown}. If it is the same for the others, the "
        "behaviour's effect on them is {effects}."
    )
    moved = effect_limits(group.take_up.low, group.take_up.high, share=True)
    return sentence.format(
        group=group.group,
        n=count(group.units),
        take_up=moved,
        direct=text(group.direct.estimate),
        limits=between(text(group.direct.low), text(group.direct.high)),
        breakdown=breakdown_text(encouragement.breakdown, share=share) if computable(encouragement.breakdown) else "–",
        effects=set_text(group.effect_set, share=share),
    )


def table(outcome: OutcomeReport, variant: str, found: Encouragement) -> Table | None:
    """The chart's data: the set of effects for each assumed direct effect."""
    if not found.sensitivity:
        return None
    share = outcome.kind is Kind.PROPORTION
    level = 1.0
    if computable(found.effect_set):
        level = found.effect_set.level
    rows: list[Row] = []
    for row in found.sensitivity:
        whole = AndersonRubin(row.shape, row.low, row.high, level)
        at = computable(found.breakdown) and row.direct == found.breakdown
        # As in the sentence: rounded up it would claim too much.
        direct = copysign(toward_zero(row.direct, share=share), row.direct) if at else row.direct
        rows.append(
            (
                effect_text(direct, share=share),
                set_text(whole, share=share),
                gettext("breakdown value: from here on no effect at all fits too") if at else "",
            )
        )
    columns = (
        gettext("the nudge by itself changes the outcome by"),
        gettext("effect of the behaviour then ({level} set)").format(level=level_text(level)),
        "",
    )
    title = gettext("Effect of the behaviour under a direct effect of {variant}").format(variant=variant)
    return Table(title, columns, tuple(rows))


def draw(encouragement: Encouragement, share: bool) -> Drawn:
    """Chart of the set of the behaviour's effects against the direct effect, marking where it includes no effect."""
    factor = 100.0 if share else 1.0
    rows = [
        {"direct": row.direct * factor, "low": row.low * factor, "high": row.high * factor}
        for row in encouragement.sensitivity
        if row.low is not None and row.high is not None
    ]
    titles = (
        (gettext("direct effect of the nudge, points"), gettext("effect of the behaviour, points"))
        if share
        else (
            gettext("direct effect of the nudge, in the outcome's unit"),
            gettext("effect of the behaviour, in the outcome's unit"),
        )
    )
    x = alt.X("direct:Q", title=titles[0], scale=alt.Scale(nice=False), axis=alt.Axis(grid=False, tickCount=8))
    low = alt.Y("low:Q", title=titles[1], scale=alt.Scale(zero=True))
    base = alt.Chart(data(rows)).encode(x=x)
    layers = [
        base.mark_area(color=BLUE, opacity=0.18).encode(y=low, y2="high:Q"),
        base.mark_line(color=BLUE, strokeWidth=2).encode(y=low),
        base.mark_line(color=BLUE, strokeWidth=2).encode(y="high:Q"),
        rule(channel="y"),
    ]
    ends = [row["direct"] for row in rows]
    if computable(encouragement.breakdown) and min(ends) <= encouragement.breakdown * factor <= max(ends):
        text = breakdown_text(encouragement.breakdown, share=share)
        label = gettext("breakdown value: {value}").format(value=text)
        edge = max(ends) if encouragement.breakdown > 0 else min(ends)
        at = {"breakdown": encouragement.breakdown * factor, "edge": edge, "label": label}
        mark = alt.Chart(data([at])).encode(x="breakdown:Q")
        layers.insert(0, mark.mark_rect(color=LIGHT, opacity=0.35).encode(x2="edge:Q"))
        layers.append(mark.mark_rule(color=ORANGE, strokeWidth=2))
        layers.append(
            mark.mark_text(align="left", baseline="bottom", dx=-2, dy=-4, color=INK, fontWeight=600).encode(
                text="label:N", y=alt.value(0)
            )
        )
    if encouragement.zero_first_stage is not None:
        layers += _unmoved_marks(encouragement.zero_first_stage, min(ends), max(ends), factor)
    return alt.layer(*layers).properties(width=WIDTH, height=PANEL), 3 * len(rows)


def _unmoved_marks(group: ZeroFirstStage, left: float, right: float, factor: float) -> list[Any]:
    """Marks at the lower edge: the direct effect in a group whose behaviour the nudge can't move.

    Source: docs/methods/encouragement.md, "How much exclusion must fail": its interval is shown beside the breakdown
    value. Parts outside the chart are cut off.
    """
    effect = group.direct
    low, high = max(effect.low * factor, left), min(effect.high * factor, right)
    text = gettext("direct effect in {group}, with its interval").format(group=group.group)
    marks: list[Any] = []
    if low <= high:
        line = alt.Chart(data([{"low": low, "high": high}])).mark_rule(color=GREEN, strokeWidth=3)
        marks.append(line.encode(x="low:Q", x2="high:Q", y=alt.value(PANEL - 8)))
    if left <= effect.estimate * factor <= right:
        point = alt.Chart(data([{"own": effect.estimate * factor}])).mark_point(
            filled=True, size=80, opacity=1, color=GREEN, shape="diamond"
        )
        marks.append(point.encode(x="own:Q", y=alt.value(PANEL - 8)))
    label = alt.Chart(data([{"at": left, "label": text}])).mark_text(
        align="left", baseline="bottom", dx=6, color=INK, limit=WIDTH - 20
    )
    return [*marks, label.encode(x="at:Q", y=alt.value(PANEL - 16), text="label:N")]
