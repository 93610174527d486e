"""Precision against recall of every cell of a candidate's behaviour. Pure."""

from aha.report.candidate.cell_map import cells_of
from aha.report.claim import claim_words, number_words
from aha.study.result import Candidate, Report
from reporting.charts import BLUE, GREY, ORANGE, Drawn, alt, data, share_axis
from reporting.numbers import percent
from reporting.table import Part
from reporting.words import gettext
from stats.results import computable


def part(report: Report, candidate: Candidate, prefix: str) -> Part:
    """Precision against recall; the numbers are in the table of `cell_map`."""
    return Part(
        f"{prefix}pareto",
        gettext("Precision against recall"),
        finding(candidate),
        None,
        draw=lambda: chart(report, candidate),
        note=gettext(
            "Each mark is a cell; the front is drawn through those with a reach of 5 to 80% that no other beats in "
            "both. The numbers are in the table above."
        ),
    )


def finding(candidate: Candidate) -> str:
    """Precision and recall of the candidate in words."""
    cell = candidate.cell
    if not computable(cell.ppv) or not computable(cell.recall):
        return claim_words(candidate)
    text = gettext("Of those who did it {ppv} stayed; of those who stayed {recall} did it.")
    return text.format(ppv=percent(cell.ppv.estimate, 0), recall=percent(cell.recall.estimate, 0))


def chart(report: Report, candidate: Candidate) -> Drawn:
    """Precision against recall of every cell."""
    kinds = [gettext("candidate"), gettext("on the front"), gettext("other cells")]
    # The candidate comes last, so that it is drawn on top.
    rows = [
        {
            "recall": cell.recall,
            "ppv": cell.ppv,
            "kind": kinds[0] if cell.chosen else kinds[1] if cell.on_front else kinds[2],
            "order": 0 if cell.chosen else 1 if cell.on_front else 2,
        }
        for cell in sorted(cells_of(report, candidate), key=lambda cell: (cell.chosen, cell.on_front))
        if cell.recall is not None and cell.ppv is not None and cell.reason is None
    ]
    base = alt.Chart(data(rows)).encode(
        x=alt.X(
            "recall:Q",
            title=gettext("recall: doers of those who stay"),
            axis=share_axis(),
            scale=alt.Scale(domain=[0, 1]),
        ),
        y=alt.Y(
            "ppv:Q",
            title=gettext("precision: retained, of those who did it"),
            axis=share_axis(),
            scale=alt.Scale(domain=[0, 1]),
        ),
    )
    legend = alt.Legend(orient="right", title=None)
    dots = base.mark_point(filled=True, opacity=1).encode(
        color=alt.Color("kind:N", scale=alt.Scale(domain=kinds, range=[ORANGE, BLUE, "#9CA3AF"]), legend=legend),
        shape=alt.Shape("kind:N", scale=alt.Scale(domain=kinds, range=["diamond", "square", "circle"]), legend=legend),
        size=alt.Size("kind:N", scale=alt.Scale(domain=kinds, range=[220, 70, 40]), legend=legend),
    )
    front = base.transform_filter("datum.order < 2").mark_line(color=BLUE, strokeWidth=1, interpolate="step-before")
    text = number_words(candidate.times, candidate.days)
    label = base.transform_filter("datum.order === 0").mark_text(
        text=text, align="left", dx=12, dy=-8, fontSize=12, fontWeight="bold", color=ORANGE
    )
    rate = report.population.rate
    layers = [front, dots, label]
    if computable(rate):
        line = alt.Chart(data([{"at": rate.estimate, "text": gettext("stay of all")}])).encode(y="at:Q")
        layers = [
            line.mark_rule(color=GREY, strokeDash=[4, 3]),
            line.mark_text(align="right", dy=-7, fontSize=11, color=GREY).encode(x=alt.value(420), text="text:N"),
            *layers,
        ]
    return alt.layer(*layers).properties(width=420, height=300), len(rows) + 4
