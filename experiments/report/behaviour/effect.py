"""Effect of the behaviour in a file's report: take-up, sets, and comparisons that are no effect. Pure."""

from math import isclose

from experiments.analyse.effects import Comparison, Encouragement, OutcomeReport, Report
from experiments.analyse.verdict import WHOLE_CLUSTERS
from experiments.plan.design import Kind
from experiments.report.behaviour.breakdown import breakdown_text
from experiments.report.chart_pieces import WIDTH
from experiments.report.estimates import effect_cells, level_heading, number_cell, p_cell, set_text
from reporting.charts import GREY, INK, Drawn, Mark, alt, data
from reporting.numbers import between, decimal, effect_text, level_text, percent
from reporting.table import Table
from reporting.words import gettext, reason_words
from stats.instrument.encouragement import TakeUp
from stats.results import Reason, computable

ROW = 34


def table(report: Report, outcome: OutcomeReport, row: Comparison) -> Table | None:
    """Take-up, the effect of the behaviour, and the as-treated comparison, which is no effect."""
    found = row.encouragement
    if found is None:
        return None
    named = {"behaviour": report.design.behaviour, "outcome": outcome.name, "placebo": row.compared_with}
    named["variant"] = row.variant
    placebo_itself = row.variant == report.design.placebo
    rows = _take_up_rows(found, row.compared_with, placebo_itself)
    if placebo_itself:
        title = gettext("Whether the placebo moves %(behaviour)s") % named
    else:
        rows += _effect_rows(found, outcome.kind, report.design.level)
        rows[-1:-1] = [] if row.compared_with else _direct_rows(found, outcome.kind is Kind.PROPORTION)
        title = gettext("Effect of %(behaviour)s on %(outcome)s, nudged by %(variant)s") % named
        if WHOLE_CLUSTERS in found.warnings:
            title = (
                gettext("Effect of moving whole clusters towards %(behaviour)s on %(outcome)s, nudged by %(variant)s")
                % named
            )
        elif row.compared_with:
            title = gettext("Effect of %(behaviour)s on %(outcome)s, %(variant)s against %(placebo)s") % named
    columns = (gettext("quantity"), gettext("value"), level_heading(report.design.level), gettext("p"))
    return Table(title, columns, tuple(rows))


def _take_up_rows(found: Encouragement, placebo: str, placebo_itself: bool) -> list[tuple[str, str, str, str]]:
    take_up = found.take_up
    heading = gettext("Take-up (share that did it)")
    if not computable(take_up):
        return [(heading, reason_words(take_up), "", "")]
    arms, moved = _arms(take_up, placebo, placebo_itself), effect_text(take_up.difference, share=True)
    interval = between(*(effect_text(end, share=True) for end in (take_up.low, take_up.high)))
    if placebo_itself:  # a placebo isn't a nudge, so the strength of its first stage is irrelevant
        return [(heading, arms, "", ""), (gettext("Moved by the placebo"), moved, interval, "")]
    strength = number_cell(take_up.f_statistic, lambda value: decimal(value, 1))
    return [
        (heading, arms, "", ""),
        (gettext("Moved by the nudge (first stage)"), moved, interval, ""),
        (gettext("Strength of the nudge (robust F)"), strength, "", ""),
    ]


def _effect_rows(found: Encouragement, kind: Kind, level: float) -> list[tuple[str, str, str, str]]:
    share = kind is Kind.PROPORTION
    label = gettext("Effect among the moved (Wald)")
    if WHOLE_CLUSTERS in found.warnings:
        label = gettext("Effect per user moved, with what the moved friends did for all in the cluster (Wald)")
    rows = [(label, *effect_cells(found.effect, kind), p_cell(found.effect))]
    if found.adjusted_effect is not None:
        effect = effect_cells(found.adjusted_effect, kind)
        rows.append((gettext("The same with covariates (2SLS)"), *effect, p_cell(found.adjusted_effect)))
    label = gettext("Anderson-Rubin set (decides)")
    if computable(found.effect_set) and not isclose(found.effect_set.level, level):  # several arms could lead
        label = gettext("Anderson-Rubin set (decides), %(level)s: holds for all nudges together") % {
            "level": level_text(found.effect_set.level)
        }
    rows.append((label, "", set_text(found.effect_set, share=share), ""))
    as_treated = number_cell(found.as_treated, lambda value: effect_text(value, share=share))
    rows.append((gettext("As treated (not causal, a warning)"), as_treated, "", ""))
    return rows


def _direct_rows(found: Encouragement, share: bool) -> list[tuple[str, str, str, str]]:
    """How large a direct effect of being nudged would invalidate the finding, and the evidence of one."""
    value = found.breakdown
    if not computable(value) and value.reason is Reason.EARLIER_VERSION:
        return []
    shown = number_cell(value, lambda size: breakdown_text(size, share=share))
    rows = [(gettext("Direct effect of being nudged that would undo it (breakdown value)"), shown, "", "")]
    if found.zero_first_stage is not None:
        group = found.zero_first_stage
        kind = Kind.PROPORTION if share else Kind.MEAN
        label = gettext("Direct effect as %(group)s shows it, which the nudge can't move") % {"group": group.group}
        rows.append((label, *effect_cells(group.direct, kind), p_cell(group.direct)))
        effects = set_text(group.effect_set, share=share)
        rows.append((gettext("Anderson-Rubin set without that direct effect"), "", effects, ""))
    return rows


def _arms(found: TakeUp, placebo: str, placebo_itself: bool) -> str:
    """Both arms' shares that reached the behaviour."""
    both = gettext("%(control)s in control, %(variant)s with the nudge")
    if placebo_itself:
        both = gettext("%(control)s in control, %(variant)s with the placebo")
    elif placebo:
        both = gettext("%(control)s with the placebo, %(variant)s with the nudge")
    return both % {"control": percent(found.control), "variant": percent(found.variant)}


def draw(outcome: OutcomeReport, comparison: Comparison) -> Drawn | None:
    """Chart of the correlation's promise beside the experiment's finding, with the Anderson-Rubin set."""
    found = comparison.encouragement
    if found is None or not computable(found.as_treated) or not computable(found.effect):
        return None
    if computable(found.effect_set) and not found.effect_set.bounded:
        # A bar without an interval would look certain where the effect is unbounded.
        return None
    scale = 100.0 if outcome.kind is Kind.PROPORTION else 1.0
    promised = gettext("As treated (not causal)")
    caused = gettext("Causal effect")
    rows: list[Mark] = [
        {"label": promised, "estimate": found.as_treated * scale, "causal": False, "low": None, "high": None},
        {"label": caused, "estimate": found.effect.estimate * scale, "causal": True, "low": None, "high": None},
    ]
    effects = found.effect_set
    if computable(effects) and effects.bounded and effects.low is not None and effects.high is not None:
        rows[1].update(low=effects.low * scale, high=effects.high * scale)
    base = alt.Chart(data(rows)).encode(
        y=alt.Y("label:N", sort=None, title=None, axis=alt.Axis(ticks=False, domain=False))
    )
    bars = base.mark_bar(height=20).encode(
        x=alt.X("estimate:Q", title=_effect_title(outcome)),
        color=alt.Color("causal:N", legend=None, scale=alt.Scale(domain=[False, True], range=[GREY, "#7FB8D8"])),
    )
    interval = (
        base.transform_filter("datum.low !== null").mark_rule(color=INK, strokeWidth=2).encode(x="low:Q", x2="high:Q")
    )
    return alt.layer(bars, interval).properties(width=WIDTH, height=2 * ROW), 2 * len(rows)


def _effect_title(outcome: OutcomeReport) -> str:
    if outcome.kind is Kind.PROPORTION:
        return gettext("Effect of the behaviour on %(outcome)s, points") % {"outcome": outcome.name}
    return gettext("Effect of the behaviour on %(outcome)s") % {"outcome": outcome.name}
