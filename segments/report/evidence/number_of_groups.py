"""How many groups, and why so many. Pure."""

from typing import Any

from reporting.charts import BLUE, GREY, INK, LIGHT, ORANGE, Drawn, Mark, alt, data
from reporting.numbers import decimal, percent
from reporting.table import Part, Table
from reporting.words import gettext
from segments.search.clustering import SMALLEST_SHARE, STABLE_ARI, KReason, KScore
from segments.search.result import Report


def part(report: Report) -> Part:
    """How many groups?"""
    heading = gettext("How many groups?")
    return Part("numbers", heading, finding(report), table(report), draw=lambda: chart(report))


def finding(report: Report) -> str:
    """Which number of groups, and why that one."""
    gap = gettext("none") if report.choice.gap_k is None else str(report.choice.gap_k)
    return {
        KReason.GIVEN: gettext("%(k)s groups, as a person asked"),
        KReason.GAP: gettext("%(k)s groups: the gap statistic's choice, and found again in resamples"),
        KReason.LARGEST_ADMISSIBLE: gettext(
            "%(k)s groups: the largest number found again in resamples (the gap statistic would take %(gap)s)"
        ),
        KReason.NONE_ADMISSIBLE: gettext(
            "No number of groups is found again in resamples; %(k)s are shown for looking"
        ),
    }[report.choice.reason] % {"k": report.k, "gap": gap}


def table(report: Report) -> Table:
    """Each number of groups that was tried."""
    rows = tuple(
        (
            str(row.k) + (" ←" if row.k == report.k else ""),
            decimal(row.stability),
            percent(row.smallest_share),
            gettext("yes") if row.admissible else gettext("no"),
            decimal(row.silhouette, 3),
            decimal(row.davies_bouldin),
            f"{row.calinski_harabasz:,.0f}",
            f"{decimal(row.gap, 3)} ± {decimal(row.gap_error, 3)}",
        )
        for row in report.k_scores
    )
    columns = (
        gettext("groups"),
        gettext("stability"),
        gettext("smallest group"),
        gettext("may be chosen"),
        gettext("silhouette"),
        gettext("Davies-Bouldin (less is better)"),
        gettext("Calinski-Harabasz"),
        gettext("gap ± s"),
    )
    votes = report.choice.votes
    note = gettext(
        "A number may be chosen when its stability is %(ari)s or more and no group is smaller than %(smallest)s. What "
        "each criterion alone would take: silhouette %(silhouette)s, Davies-Bouldin %(davies_bouldin)s, "
        "Calinski-Harabasz %(calinski_harabasz)s, stability %(stability)s, gap %(gap)s."
    ) % {
        "ari": decimal(STABLE_ARI),
        "smallest": percent(SMALLEST_SHARE),
        "gap": gettext("none") if report.choice.gap_k is None else report.choice.gap_k,
        **votes,
    }
    return Table(gettext("Numbers of groups that were tried"), columns, rows, note)


def chart(report: Report) -> Drawn:
    """Stability, silhouette and gap of each number of groups."""
    rows = [_mark(row, report.k) for row in report.k_scores]
    panels = [
        _panel(rows, "stability", gettext("stability (adjusted Rand index)"), level=STABLE_ARI),
        _panel(rows, "silhouette", gettext("silhouette")),
        _panel(rows, "gap", gettext("gap ± s")),
    ]
    return alt.hconcat(*panels, spacing=34), 4 * len(rows)


def _mark(row: KScore, chosen: int) -> Mark:
    return {
        "k": row.k,
        "stability": row.stability,
        "silhouette": row.silhouette,
        "gap": row.gap,
        "low": row.gap - row.gap_error,
        "high": row.gap + row.gap_error,
        "shown": row.k == chosen,
    }


def _panel(rows: list[Mark], name: str, title: str, level: float | None = None) -> Any:
    base = alt.Chart(data(rows)).encode(x=alt.X("k:O", title=gettext("number of groups"), axis=alt.Axis(labelAngle=0)))
    y = alt.Y(f"{name}:Q", title=title, scale=alt.Scale(zero=name != "gap"))
    layers = [base.mark_line(color=LIGHT).encode(y=y)]
    if name == "gap":
        layers.append(base.mark_rule(color=GREY).encode(y="low:Q", y2="high:Q"))
    if level is not None:
        line = alt.Chart(data([{"level": level, "text": decimal(level)}])).encode(y="level:Q")
        layers += [
            line.mark_rule(strokeDash=[4, 3], color=INK),
            line.mark_text(align="right", baseline="bottom", dy=-2, fontSize=12, color=INK).encode(
                x=alt.value(210), text="text:N"
            ),
        ]
    layers.append(
        base.mark_point(filled=True, opacity=1).encode(
            y=y,
            color=alt.Color("shown:N", legend=None, scale=alt.Scale(domain=[False, True], range=[BLUE, ORANGE])),
            shape=alt.Shape("shown:N", legend=None, scale=alt.Scale(domain=[False, True], range=["circle", "diamond"])),
            size=alt.Size("shown:N", legend=None, scale=alt.Scale(domain=[False, True], range=[50, 160])),
        )
    )
    return alt.layer(*layers).properties(width=210, height=190)
