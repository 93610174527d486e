"""The three figures of docs/calibration.md, as small SVG files. Used by `calibration.py`."""

from pathlib import Path
from typing import Any

BLUE, ORANGE, GREY = "#2563a8", "#c2410c", "#9ca3af"


def write(found: Any, folder: Path) -> None:
    """Write alarms.svg, coverage.svg and peeking.svg into the folder, which is made if needed."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, chart in (("alarms", alarms(found)), ("coverage", coverage(found)), ("peeking", peeking(found))):
        chart.save(folder / f"{name}.svg")


def alarms(found: Any) -> Any:
    """Share of alarms at each level, on the band that luck allows."""
    import altair as alt

    rows = [
        {
            "test": row.name + (" (≤)" if row.bounded else ""),
            "level": f"level {row.level:.0%}",
            "share": row.share,
            "low": row.band[0],
            "high": row.band[1],
            "kept": "inside" if row.kept else "outside",
        }
        for row in found.alarms
    ]
    levels = sorted({row.level for row in found.alarms})
    base = alt.Chart().encode(y=alt.Y("test:N", sort=None, title=None, axis=alt.Axis(labelLimit=380)))
    band = base.mark_bar(color=GREY, opacity=0.45, height=9).encode(
        x=alt.X("low:Q", title="share of false alarms", axis=alt.Axis(format="%")), x2="high:Q"
    )
    dots = base.mark_point(filled=True, size=38, opacity=1).encode(x="share:Q", color=coloured(alt))
    layered = alt.layer(band, dots, data=alt.Data(values=rows)).properties(width=190)
    return layered.facet(
        alt.Column("level:N", title=None, sort=[f"level {level:.0%}" for level in levels])
    ).resolve_scale(x="independent")


def coverage(found: Any) -> Any:
    """Share of 95 % intervals that hold the truth, with its own error."""
    import altair as alt

    rows = [
        {
            "interval": row.name,
            "share": row.share,
            "low": row.share - 1.96 * (row.share * (1 - row.share) / row.runs) ** 0.5,
            "high": row.share + 1.96 * (row.share * (1 - row.share) / row.runs) ** 0.5,
            "kept": "inside" if row.kept else "outside",
        }
        for row in found.coverage
    ]
    base = alt.Chart(alt.Data(values=rows)).encode(
        y=alt.Y("interval:N", sort=None, title=None, axis=alt.Axis(labelLimit=380))
    )
    scale = alt.Scale(domain=[0.92, 1.0], zero=False)
    bars = base.mark_rule(color=GREY, strokeWidth=2, clip=True).encode(
        x=alt.X("low:Q", scale=scale, title="share that holds the truth", axis=alt.Axis(format="%")), x2="high:Q"
    )
    dots = base.mark_point(filled=True, size=38, opacity=1, clip=True).encode(x="share:Q", color=coloured(alt))
    return (bars + dots + at(alt, 0.95) + at(alt, 0.94, dashed=True)).properties(width=420)


def peeking(found: Any) -> Any:
    """How the share of tests that have alarmed grows with the evenings, at 5 %."""
    import altair as alt

    rows = [
        {"evening": day, "share": float(share), "method": name}
        for name, levels in found.by_day.items()
        for day, share in enumerate(levels[1], 1)
    ]
    lines = (
        alt.Chart(alt.Data(values=rows))
        .mark_line(strokeWidth=2)
        .encode(
            x=alt.X("evening:Q", title="evening"),
            y=alt.Y("share:Q", title="share that has alarmed", axis=alt.Axis(format="%")),
            color=alt.Color("method:N", title=None, sort=None),
        )
    )
    level = alt.Chart(alt.Data(values=[{"at": 0.05}])).mark_rule(strokeDash=[4, 4], color=GREY).encode(y="at:Q")
    return (lines + level).properties(width=420, height=240)


def coloured(alt: Any) -> Any:
    return alt.Color("kept:N", scale=alt.Scale(domain=["inside", "outside"], range=[BLUE, ORANGE]), legend=None)


def at(alt: Any, value: float, *, dashed: bool = False) -> Any:
    mark = {"strokeDash": [4, 4]} if dashed else {}
    return alt.Chart(alt.Data(values=[{"at": value}])).mark_rule(color="black", opacity=0.5, **mark).encode(x="at:Q")
