"""Whether the best cell beats chance and equally active users (permutation nulls); negative controls. Pure."""

from typing import Any

from aha.report.claim import cell_words
from aha.study.candidates import ALPHA, AS_STRONG_AS_INERT
from aha.study.result import Controls, NullPicture, Report
from events.metrics import display_name
from reporting.charts import ORANGE, PALE, Drawn, alt, data
from reporting.numbers import count, decimal, difference, p_text, p_value, points
from reporting.table import Part, Table
from reporting.words import gettext, reason_words
from stats.results import NotComputable, computable

# Negative controls: what the method finds for behaviours that can't cause retention. Pure.


def negative_controls_part(report: Report) -> Part:
    """Section of the negative controls."""
    controls = report.controls
    heading = gettext("What does the method find where nothing is?")
    return Part("controls", heading, finding(controls), negative_controls_table(controls))


def finding(controls: Controls) -> str:
    """What the negative controls show about the method's error."""
    null = controls.null
    if not computable(null):
        return reason_words(null)
    text = gettext(
        "{n} behaviours that can't cause retention come out at {mean} points on average, with a spread of {sd}: that "
        "much this method makes out of nothing."
    )
    sentence = text.format(n=null.controls, mean=points(null.mean), sd=decimal(null.sd * 100, 1))
    if null.is_weak:
        sentence += " " + gettext("Fewer than ten controls: the spread may be larger.")
    return sentence


def negative_controls_table(controls: Controls) -> Table | None:
    """The negative controls; None without any."""
    if not controls.rows:
        return None
    rows = tuple((cell_words(row.behaviour, row.times, row.days), difference(row.adjusted)) for row in controls.rows)
    columns = (gettext("inert behaviour"), gettext("difference left after adjustment, points"))
    return Table(gettext("Negative controls"), columns, rows)


def warning(report: Report) -> str:
    """Warning at the top of the page when inert behaviours have estimates as strong as candidates, else ""."""
    names = [display_name(row.behaviour) for row in report.candidates if AS_STRONG_AS_INERT in row.flags]
    if not names:
        return ""
    text = gettext(
        "Behaviours that can't cause retention come out as strong as {names}: what is measured here is not the effect "
        "of the behaviour."
    )
    return text.format(names=", ".join(names))


# An observed value beyond this multiple of the null's largest value is drawn at the edge: to scale, the whole null
# would be one thin bar.
FAR = 1.6


def part(report: Report) -> Part:
    """Section of the permutation nulls."""
    return Part(
        "nulls",
        gettext("Is the best cell better than luck?"),
        null_sentence(report.active),
        table(report),
        draw=(lambda: chart(report)) if computable(report.luck) or computable(report.active) else None,
        note=null_sentence(report.luck) if computable(report.luck) else "",
    )


def null_sentence(picture: NullPicture | NotComputable) -> str:
    """Whether the best cell of the grid is better than chance, or than chance among equally active users."""
    if not computable(picture):
        return reason_words(picture)
    passed = picture.smallest_p <= ALPHA
    if picture.by_activity:
        text = (
            gettext("Some cell predicts retention even among equally active users ({p}, {n} cells tested).")
            if passed
            else gettext("Among equally active users it makes no difference ({p}, {n} cells tested).")
        )
    else:
        text = (
            gettext("The best cell is better than the best of {n} cells by luck ({p}). Activity alone passes this.")
            if passed
            else gettext("The best of {n} cells is no better than luck would make it ({p}).")
        )
    return text.format(p=p_text(picture.smallest_p), n=count(picture.tested))


def table(report: Report) -> Table:
    """Table of both permutation nulls."""
    rows = tuple(
        (name, *_row(picture))
        for name, picture in ((gettext("luck"), report.luck), (gettext("equally active users"), report.active))
    )
    columns = (
        gettext("compared with"),
        gettext("largest |z| of the data"),
        gettext("largest |z| by chance, 95th percentile"),
        gettext("adjusted p of the best cell"),
        gettext("cells tested"),
        gettext("shuffles"),
    )
    note = gettext("Retention is shuffled within signup week and segment; in the second row also within active days.")
    return Table(gettext("Better than chance?"), columns, rows, note)


def _row(picture: NullPicture | NotComputable) -> tuple[str, ...]:
    if not computable(picture):
        return (reason_words(picture), "", "", "", "")
    total, seen, at = sum(picture.counts), 0, picture.edges[-1]
    for place, n in enumerate(picture.counts):
        seen += n
        if seen >= 0.95 * total:
            at = picture.edges[place + 1]
            break
    return (
        decimal(picture.observed, 1),
        decimal(at, 1),
        p_value(picture.smallest_p),
        count(picture.tested),
        count(picture.permutations),
    )


def chart(report: Report) -> Drawn:
    """Histogram of the largest statistic of each shuffle, with that of the data."""
    named = ((report.luck, gettext("against luck")), (report.active, gettext("against equally active users")))
    panels = [_panel(picture, name) for picture, name in named if computable(picture)]
    return alt.hconcat(*panels, spacing=36), 42 * len(panels)


def _panel(picture: NullPicture, title: str) -> Any:
    edges = picture.edges
    rows = [{"from": edges[n], "to": edges[n + 1], "n": shuffles} for n, shuffles in enumerate(picture.counts)]
    far = observed_far(picture)
    last = edges[-1] * 1.25 if far else max(edges[-1], picture.observed) * 1.05
    at = last if far else picture.observed
    text = gettext("data: {value}").format(value=decimal(picture.observed, 1)) + (" →" if far else "")
    axis = alt.X(
        "from:Q", title=gettext("largest |z| of a shuffle"), scale=alt.Scale(domain=[edges[0], last], nice=False)
    )
    bars = (
        alt.Chart(data(rows))
        .mark_bar(color=PALE)
        .encode(x=axis, x2="to:Q", y=alt.Y("n:Q", title=gettext("shuffles")), y2=alt.datum(0))
    )
    mark = alt.Chart(data([{"at": at, "text": text}])).encode(x="at:Q")
    return alt.layer(
        bars,
        mark.mark_rule(color=ORANGE, strokeWidth=3, strokeDash=[4, 3] if far else [1, 0]),
        mark.mark_text(align="right", dx=-7, fontSize=13, fontWeight="bold", color=ORANGE).encode(
            y=alt.value(8), text="text:N"
        ),
    ).properties(width=270, height=180, title=alt.TitleParams(title, fontSize=12, fontWeight="normal"))


def observed_far(picture: NullPicture) -> bool:
    """True if the observed maximum is off the chart's scale and drawn at its edge."""
    return picture.observed > FAR * picture.edges[-1]
