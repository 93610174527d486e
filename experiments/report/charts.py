"""The report of a stored experiment in pictures: records in, charts out, no computing. Pure."""

from collections.abc import Sequence
from datetime import date
from statistics import NormalDist
from typing import Any

from experiments.analyse.deflation import Trial
from experiments.analyse.effects import Comparison, Encouragement, OutcomeReport
from experiments.analyse.result import LookTaken, Shrunk
from experiments.plan.design import Kind
from experiments.report.comparison_words import versus
from experiments.report.promise_and_finding import Contrast
from experiments.report.words import breakdown_text
from reporting.charts import (
    BLUE,
    GREEN,
    GREY,
    INK,
    LIGHT,
    ORANGE,
    SERIES,
    Drawn,
    Mark,
    alt,
    categories,
    data,
    forest,
    headline,
    rule,
)
from reporting.numbers import count
from reporting.words import gettext
from stats.instrument.dose import DoseWeights
from stats.instrument.exclusion import ZeroFirstStage
from stats.results import computable

WIDTH = 560
ROW = 38
PANEL = 220


def _names(labels: Sequence[str]) -> Any:
    return categories(labels, labelLimit=320)


def _unit(share: bool) -> str:
    return gettext("difference, points") if share else gettext("difference, in the outcome's unit")


def promise(rows: Sequence[Contrast], share: bool) -> Drawn:
    """Struck-out comparisons as grey crosses, effects as blue dots with their intervals."""
    factor = 100.0 if share else 1.0
    shown = [row for row in rows if row.estimate is not None]
    marks = [
        {
            "label": row.label, "estimate": (row.estimate or 0.0) * factor, "text": row.text,
            "low": None if row.low is None else row.low * factor,
            "high": None if row.high is None else row.high * factor,
            "kind": gettext("not an effect") if row.struck else gettext("an effect"),
        }
        for row in shown
    ]  # fmt: skip
    kinds = [gettext("not an effect"), gettext("an effect")]
    legend = alt.Legend(orient="bottom", title=None, symbolSize=110, labelLimit=320)
    colour = alt.Color("kind:N", scale=alt.Scale(domain=kinds, range=[GREY, BLUE]), legend=legend)
    shape = alt.Shape("kind:N", scale=alt.Scale(domain=kinds, range=["cross", "circle"]), legend=legend)
    base = alt.Chart(data(marks)).encode(y=_names([row.label for row in shown]))
    layers = [
        *forest(base, _unit(share), colour=colour, shape=shape),
        base.mark_text(dy=-13, fontSize=11, color=INK).encode(x="estimate:Q", text="text:N"),
    ]
    return alt.layer(*layers).properties(width=WIDTH - 80, height=ROW * len(shown) + 10), 3 * len(shown)


def inflow(by_day: Sequence[tuple[date, str, int]], names: Sequence[str]) -> Drawn:
    """Units exposed so far, by variant."""
    totals = dict.fromkeys(names, 0)
    rows: list[Mark] = []
    for day in sorted({row[0] for row in by_day}):
        for _day, name, n in (row for row in by_day if row[0] == day):
            totals[name] = totals.get(name, 0) + n
        rows += [{"day": day.isoformat(), "name": name, "units": n} for name, n in totals.items()]
    colours = [INK, *(SERIES[n % len(SERIES)] for n in range(len(totals) - 1))]
    dashes = [[1, 0], *([6, 3] if n % 2 else [3, 2] for n in range(len(totals) - 1))]
    legend = alt.Legend(orient="top", symbolType="stroke", symbolStrokeWidth=2)
    domain = list(totals)
    chart = alt.Chart(data(rows)).mark_line(strokeWidth=2).encode(
        x=alt.X("day:T", title=gettext("day of first exposure"), axis=alt.Axis(format="%m-%d")),
        y=alt.Y("units:Q", title=gettext("units so far")),
        color=alt.Color("name:N", title=None, scale=alt.Scale(domain=domain, range=colours), legend=legend),
        strokeDash=alt.StrokeDash("name:N", title=None, scale=alt.Scale(domain=domain, range=dashes), legend=legend),
    )  # fmt: skip
    return chart.properties(width=WIDTH, height=PANEL), len(rows)


def segments(outcome: OutcomeReport, row: Comparison, shrunk: Shrunk | None) -> Drawn:
    """Raw effect of each segment in blue, shrunk beneath as a hollow diamond, pooled last."""
    share = outcome.kind is Kind.PROPORTION
    factor = 100.0 if share else 1.0
    raw, pulled = gettext("its own data"), gettext("shrunk towards the mean")
    all_units, rest = gettext("All segments, pooled"), gettext("Everyone else")
    marks: list[Mark] = []
    for one in row.by_segment:
        if computable(one.difference):
            label = f"{one.segment or rest} (n {count(one.n)})"
            marks.append({"label": label, "kind": raw, **_limits(one.difference, factor)})
            if shrunk is not None and one.segment in shrunk.segments:
                effect = shrunk.shrinkage.effects[shrunk.segments.index(one.segment)]
                marks.append({"label": label, "kind": pulled, **_limits(effect, factor)})
    pooled = None if row.stratified is None else row.stratified.risk_difference
    if pooled is not None and computable(pooled):
        marks.append({"label": all_units, "kind": all_units, **_limits(pooled, factor)})
    labels = list(dict.fromkeys(mark["label"] for mark in marks))
    domain, colours, shapes = [raw, pulled, all_units], [BLUE, GREY, ORANGE], ["circle", "diamond", "square"]
    legend = alt.Legend(orient="bottom", title=None)
    colour = alt.Color("kind:N", scale=alt.Scale(domain=domain, range=colours), legend=legend)
    base = alt.Chart(data(marks)).encode(
        y=_names(labels), yOffset=alt.YOffset("kind:N", sort=domain, scale=alt.Scale(domain=domain))
    )
    shape = alt.Shape("kind:N", scale=alt.Scale(domain=domain, range=shapes), legend=legend)
    layers = forest(base, _unit(share), colour=colour, shape=shape)
    return alt.layer(*layers).properties(width=WIDTH - 60, height=46 * len(labels)), 2 * len(marks)


def _limits(found: Any, factor: float) -> Mark:
    return {"estimate": found.estimate * factor, "low": found.low * factor, "high": found.high * factor}


def weights(found: DoseWeights, level: float) -> Drawn:
    """By how many points more units reach each number of times; the moment's own number stands out.

    Args:
        found: differences of shares and their standard errors.
        level: of the limits that are drawn, the plan's, for example 0.95.
    """
    z = NormalDist().inv_cdf((1 + level) / 2)
    rows = [
        {
            "times": n, "raised": raised * 100, "low": (raised - z * error) * 100,
            "high": (raised + z * error) * 100, "own": n == found.threshold,
        }
        for n, raised, error in zip(found.times, found.raised, found.errors, strict=True)
    ]  # fmt: skip
    base = alt.Chart(data(rows)).encode(
        x=alt.X("times:O", title=gettext("number of times (at least)"), axis=alt.Axis(labelAngle=0))
    )
    y = alt.Y("raised:Q", title=gettext("reach it more with the nudge, points"), scale=alt.Scale(zero=True))
    layers = [
        base.mark_bar().encode(y=y, color=alt.condition("datum.own", alt.value(ORANGE), alt.value(LIGHT))),
        base.mark_rule(color=INK).encode(y=alt.Y("low:Q"), y2="high:Q"),
    ]
    return alt.layer(*layers).properties(width=WIDTH, height=PANEL), 2 * len(rows)


def direct(found: Encouragement, share: bool) -> Drawn:
    """The set of the behaviour's effects against the direct effect of being nudged, and where it takes in no effect."""
    factor = 100.0 if share else 1.0
    rows = [
        {"direct": row.direct * factor, "low": row.low * factor, "high": row.high * factor}
        for row in found.sensitivity
        if row.low is not None and row.high is not None
    ]
    titles = (
        (gettext("direct effect of being nudged, points"), gettext("effect of the behaviour, points"))
        if share
        else (
            gettext("direct effect of being nudged, in the outcome's unit"),
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
    if computable(found.breakdown) and min(ends) <= found.breakdown * factor <= max(ends):
        text = breakdown_text(found.breakdown, share=share)
        label = gettext("breakdown value: {value}").format(value=text)
        edge = max(ends) if found.breakdown > 0 else min(ends)
        at = {"breakdown": found.breakdown * factor, "edge": edge, "label": label}
        mark = alt.Chart(data([at])).encode(x="breakdown:Q")
        layers.insert(0, mark.mark_rect(color=LIGHT, opacity=0.35).encode(x2="edge:Q"))
        layers.append(mark.mark_rule(color=ORANGE, strokeWidth=2))
        layers.append(
            mark.mark_text(align="left", baseline="bottom", dx=-2, dy=-4, color=INK, fontWeight=600).encode(
                text="label:N", y=alt.value(0)
            )
        )
    if found.zero_first_stage is not None:
        layers += _unmoved(found.zero_first_stage, min(ends), max(ends), factor)
    return alt.layer(*layers).properties(width=WIDTH, height=PANEL), 3 * len(rows)


def _unmoved(group: ZeroFirstStage, left: float, right: float, factor: float) -> list[Any]:
    """Along the lower edge: the direct effect that a group shows whose behaviour the nudge can't move.

    Source: METHODS 4.16: its interval is put beside the breakdown value. What lies outside the picture is cut off.
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


def path(looks: Sequence[LookTaken]) -> Drawn:
    """Absolute z at every look under the bound that it had to reach; one panel per variant."""
    names = list(dict.fromkeys(look.variant for look in looks))
    words = {True: gettext("peeked"), False: gettext("as planned")}
    rows = [
        {
            "variant": look.variant, "share": look.fraction, "z": abs(look.z), "bound": min(look.critical, 8.0),
            "look": words[look.peeked],
        }
        for look in looks
    ]  # fmt: skip
    panels = []
    domain = [words[False], words[True]]
    legend = alt.Legend(orient="bottom", title=None) if any(look.peeked for look in looks) else None
    for name in names:
        base = alt.Chart(data([row for row in rows if row["variant"] == name])).encode(
            x=alt.X("share:Q", title=gettext("mature units, share of the plan"), axis=alt.Axis(format=".0%"),
                    scale=alt.Scale(zero=True))
        )  # fmt: skip
        y = alt.Y("z:Q", title=gettext("|z|, and its bound"), scale=alt.Scale(zero=True))
        colour = alt.Color("look:N", scale=alt.Scale(domain=domain, range=[BLUE, ORANGE]), legend=legend)
        shape = alt.Shape("look:N", scale=alt.Scale(domain=domain, range=["circle", "cross"]), legend=legend)
        layers = [
            base.mark_line(color=INK, strokeDash=[5, 3], point=alt.OverlayMarkDef(color=INK, shape="stroke", size=160))
            .encode(y=alt.Y("bound:Q")),
            base.mark_line(color=BLUE).encode(y=y),
            base.mark_point(filled=True, size=90, opacity=1).encode(y="z:Q", color=colour, shape=shape),
        ]  # fmt: skip
        panels.append(alt.layer(*layers).properties(width=WIDTH, height=PANEL, title=name))
    return alt.vconcat(*panels, spacing=14), 3 * len(rows)


def outcomes(found: Sequence[OutcomeReport]) -> Drawn:
    """Every share's difference in points: the primary outcome first."""
    rows = [
        {
            "label": f"{outcome.name} · {versus(row.variant, row.compared_with)}",
            **_limits(row.difference, 100.0),
        }
        for outcome in found
        if outcome.kind is Kind.PROPORTION
        for row in outcome.comparisons
        if computable(row.difference)
    ]
    base = alt.Chart(data(rows)).encode(y=_names([row["label"] for row in rows]))
    layers = forest(base, _unit(True))
    return alt.layer(*layers).properties(width=WIDTH - 80, height=ROW * len(rows)), 2 * len(rows)


def calibration(rows: Sequence[Trial], finding: str) -> Drawn:
    """Promise across, finding up, with the line on which both agree; numbers are those of the table below."""
    marks = [
        {
            "name": row.name, "promised": row.promised * 100, "found": row.found * 100,
            "low": None if row.low is None else row.low * 100, "high": None if row.high is None else row.high * 100,
            "text": str(place),
        }
        for place, row in enumerate(rows, start=1)
    ]  # fmt: skip
    edge = max(10.0, *(abs(value) for row in rows for value in (row.promised * 100, row.found * 100))) * 1.15
    base = alt.Chart(data(marks))
    line = alt.Chart(data([{"at": 0.0}, {"at": edge}])).mark_line(color=GREY, strokeDash=[6, 4])
    x = alt.X("promised:Q", title=gettext("promised by the correlation, points"), scale=alt.Scale(domain=[0, edge]))
    y = alt.Y("found:Q", title=gettext("found by the experiment, points"), scale=alt.Scale(zero=True))
    layers = [
        line.encode(x=alt.X("at:Q"), y=alt.Y("at:Q")),
        rule(channel="y"),
        base.transform_filter("datum.low !== null")
        .mark_rule(color=BLUE, strokeWidth=2).encode(x=x, y=alt.Y("low:Q"), y2="high:Q"),
        base.mark_point(filled=True, size=110, color=BLUE, opacity=1).encode(x=x, y=y),
        base.mark_text(align="left", dx=9, fontSize=12, fontWeight=600, color=INK)
        .encode(x=x, y="found:Q", text="text:N"),
    ]  # fmt: skip
    chart = alt.layer(*layers).properties(width=WIDTH - 60, height=340, title=headline(finding))
    return chart, 3 * len(marks)
