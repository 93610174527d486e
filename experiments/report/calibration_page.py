"""The calibration page in sentences and tables: promise against finding over all experiments. Pure."""

from collections.abc import Sequence

from experiments.analyse.across.deflation import Deflation, Trial
from experiments.analyse.codes import Code, code_words
from experiments.report.estimates import WIDTH
from reporting.charts import BLUE, GREY, INK, Drawing, alt, data, drawing, headline, rule
from reporting.numbers import between, day_text, decimal, percent, points
from reporting.table import Table
from reporting.words import gettext, reason_words
from stats.results import NotComputable, computable


def finding(pooled: Deflation | NotComputable) -> str:
    """One sentence on the share of a promise that experiments found."""
    if not computable(pooled):
        return reason_words(pooled)
    text = gettext(
        "For each point that a correlation promised, experiments found {ratio} points ({limits}, {n} experiments)."
    )
    limits = between(decimal(pooled.low), decimal(pooled.high))
    return text.format(ratio=decimal(pooled.ratio), limits=limits, n=pooled.experiments)


def trials(rows: Sequence[Trial]) -> Table:
    """Table of promise and finding by experiment."""
    cells = tuple(
        (
            f"{place}. {row.name}",
            points(row.promised),
            points(row.found),
            _limits(row),
            decimal(row.ratio),
            code_words(Code(row.verdict)),
            day_text(row.on),
        )
        for place, row in enumerate(rows, start=1)
    )
    columns = (
        gettext("experiment"),
        gettext("predicted, points"),
        gettext("found, points"),
        gettext("Anderson-Rubin set"),
        gettext("measured per predicted"),
        gettext("verdict"),
        gettext("data up to"),
    )
    note = gettext(
        "Measured: effect of the behaviour on users who did it because of the nudge, by the final analysis, "
        "corrected for interim analyses. Predicted: as the study observed it."
    )
    return Table(gettext("Predicted and measured, by experiment"), columns, cells, note)


def _limits(row: Trial) -> str:
    if row.low is None or row.high is None:
        return gettext("unbounded")
    return between(points(row.low), points(row.high))


def left_out(rows: Sequence[tuple[str, str, str]]) -> Table | None:
    """Experiments that can't be compared with their promise: name, verdict code, reason code."""
    reasons = {
        "unreadable": gettext("what is stored of its analysis can't be read"),
        "locked": gettext("its outcome is still locked"),
        "peeked": gettext("it was opened before its end"),
        "not_final": gettext("its final analysis is still to come: effects found on the way are too large"),
        "no_promise": gettext("nobody measured what its moment predicts"),
        "not_the_behaviour": gettext("its verdict says nothing about the behaviour"),
        "whole_clusters": gettext("it nudged whole clusters: its effect includes what friends did"),
        "other_outcome": gettext("its first outcome isn't a share, or nothing was predicted"),
    }
    cells = tuple(
        (
            name,
            code_words(Code(verdict), whole_clusters=why == "whole_clusters") if verdict else gettext("No verdict yet"),
            reasons[why],
        )
        for name, verdict, why in rows
    )
    columns = (gettext("experiment"), gettext("verdict"), gettext("why it isn't counted"))
    return Table(gettext("Not counted"), columns, cells) if cells else None


def spread(pooled: Deflation | NotComputable) -> str:
    """How much the deflation varies between experiments, and what this means for the next promise."""
    if not computable(pooled):
        return ""
    text = gettext(
        "Random-effects mean of measured over predicted, weighted by inverse variance (DerSimonian and Laird), with "
        "the Hartung-Knapp interval. Between experiments the true ratio varies with a standard deviation of {sd}. A "
        "new candidate that predicts 10 points should be planned for {planned} points."
    )
    return text.format(sd=decimal(pooled.tau_squared**0.5), planned=points(0.1 * pooled.ratio))


def draw(rows: Sequence[Trial], sentence: str) -> Drawing | None:
    """Chart of promise (x) against finding (y), with the line on which both agree; None without a trial."""
    if not rows:
        return None
    marks = [
        {
            "name": row.name,
            "promised": row.promised * 100,
            "found": row.found * 100,
            "low": None if row.low is None else row.low * 100,
            "high": None if row.high is None else row.high * 100,
            "text": str(place),
        }
        for place, row in enumerate(rows, start=1)
    ]
    edge = max(10.0, *(abs(value) for row in rows for value in (row.promised * 100, row.found * 100))) * 1.15
    base = alt.Chart(data(marks))
    line = alt.Chart(data([{"at": 0.0}, {"at": edge}])).mark_line(color=GREY, strokeDash=[6, 4])
    x = alt.X("promised:Q", title=gettext("predicted by the correlation, points"), scale=alt.Scale(domain=[0, edge]))
    y = alt.Y("found:Q", title=gettext("measured by the experiment, points"), scale=alt.Scale(zero=True))
    layers = [
        line.encode(x=alt.X("at:Q"), y=alt.Y("at:Q")),
        rule(channel="y"),
        base.transform_filter("datum.low !== null")
        .mark_rule(color=BLUE, strokeWidth=2)
        .encode(x=x, y=alt.Y("low:Q"), y2="high:Q"),
        base.mark_point(filled=True, size=110, color=BLUE, opacity=1).encode(x=x, y=y),
        base.mark_text(align="left", dx=9, fontSize=12, fontWeight=600, color=INK).encode(
            x=x, y="found:Q", text="text:N"
        ),
    ]
    chart = alt.layer(*layers).properties(width=WIDTH - 60, height=340, title=headline(sentence))
    return drawing("calibration", sentence, chart, marks=3 * len(marks))


def share_left(pooled: Deflation | NotComputable) -> str:
    """Share of promises found so far, for the report of one experiment; empty while unknown."""
    if not computable(pooled):
        return ""
    text = (
        gettext("In one experiment {share} of what correlations promised was left.")
        if pooled.experiments == 1
        else gettext("Over {n} experiments {share} of what correlations promised was left.")
    )
    return text.format(n=pooled.experiments, share=percent(pooled.ratio, 0))
