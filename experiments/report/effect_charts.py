"""Report in, chart out: no computing. Each chart has a table of the same rows beside it on the page."""

from typing import Any

from experiments.analyse.effects import Comparison, OutcomeReport, Report
from experiments.plan.design import Kind
from experiments.report.comparison_words import versus
from reporting.charts import BLUE, GREY, INK, ORANGE, Mark, alt, categories, data, forest, theme
from reporting.words import gettext
from stats.results import Estimate, computable

WIDTH = 560
ROW_HEIGHT = 34


def outcome_forest(report: Report) -> Any:
    """Effect of each variant on each outcome with its interval: one panel per kind of unit.

    Shares are drawn together in points; every mean gets an axis of its own, since units can't share one.
    """
    panels = []
    shares = [outcome for outcome in report.outcomes if outcome.kind is Kind.PROPORTION]
    rows = [row for outcome in shares for row in _outcome_rows(outcome, 100.0)]
    against = any(row.compared_with for outcome in report.outcomes for row in outcome.comparisons)
    if rows:
        # Against a placebo the rows say themselves what each is compared with.
        title = gettext("Difference, points") if against else gettext("Difference to control, points")
        panels.append(_forest(rows, title))
    for outcome in report.outcomes:
        if outcome.kind is Kind.MEAN:
            rows = _outcome_rows(outcome, 1.0)
            if rows:
                text = gettext("Difference, %(outcome)s") if against else gettext("Difference to control, %(outcome)s")
                title = text % {"outcome": outcome.name}
                panels.append(_forest(rows, title))
    if not panels:
        return None
    return _styled(alt.vconcat(*panels, spacing=18))


def segment_forest(outcome: OutcomeReport, comparison: Comparison) -> Any:
    """Effect inside each segment, the pooled effect last."""
    scale = 100.0 if outcome.kind is Kind.PROPORTION else 1.0
    rows = [
        _row(f"{segment.segment} (n {segment.n:,})", segment.difference, scale)
        for segment in comparison.by_segment
        if computable(segment.difference)
    ]
    pooled = comparison.stratified.risk_difference if comparison.stratified is not None else None
    if pooled is not None and computable(pooled):
        rows.append({**_row(gettext("All segments, pooled"), pooled, scale), "pooled": True})
    if not rows:
        return None
    title = _unit_title(outcome)
    if comparison.compared_with and outcome.kind is not Kind.PROPORTION:
        title = gettext("Difference, %(outcome)s") % {"outcome": outcome.name}
    return _styled(_forest(rows, title))


def causal_bars(outcome: OutcomeReport, comparison: Comparison) -> Any:
    """What the correlation promised beside what the experiment found, with the Anderson-Rubin set."""
    found = comparison.encouragement
    if found is None or not computable(found.as_treated) or not computable(found.effect):
        return None
    if computable(found.effect_set) and not found.effect_set.bounded:
        # A bar without an interval would look certain just where nothing is.
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
    return _styled(alt.layer(bars, interval).properties(width=WIDTH, height=2 * ROW_HEIGHT))


def _styled(chart: Any) -> Any:
    return chart.configure(**theme())


def _unit_title(outcome: OutcomeReport) -> str:
    if outcome.kind is Kind.PROPORTION:
        return gettext("Difference in %(outcome)s, points") % {"outcome": outcome.name}
    return gettext("Difference to control, %(outcome)s") % {"outcome": outcome.name}


def _effect_title(outcome: OutcomeReport) -> str:
    if outcome.kind is Kind.PROPORTION:
        return gettext("Effect of the behaviour on %(outcome)s, points") % {"outcome": outcome.name}
    return gettext("Effect of the behaviour on %(outcome)s") % {"outcome": outcome.name}


def _outcome_rows(outcome: OutcomeReport, scale: float) -> list[Mark]:
    return [
        _row(f"{outcome.name} · {versus(row.variant, row.compared_with)}", row.difference, scale)
        for row in outcome.comparisons
        if computable(row.difference)
    ]


def _row(label: str, effect: Estimate, scale: float) -> Mark:
    return {
        "label": label,
        "estimate": effect.estimate * scale,
        "low": effect.low * scale,
        "high": effect.high * scale,
        "pooled": False,
    }


def _forest(rows: list[Mark], title: str) -> Any:
    """Points with intervals around a zero line. Rows keep their order."""
    base = alt.Chart(data(rows)).encode(y=categories([row["label"] for row in rows]))
    colour = alt.Color("pooled:N", legend=None, scale=alt.Scale(domain=[False, True], range=[BLUE, ORANGE]))
    shape = alt.Shape("pooled:N", legend=None, scale=alt.Scale(domain=[False, True], range=["circle", "diamond"]))
    layers = forest(base, title, colour=colour, shape=shape)
    return alt.layer(*layers).properties(width=WIDTH, height=max(len(rows), 1) * ROW_HEIGHT, description=title)
