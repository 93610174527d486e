"""A churn model: its finding, quality and calibration. Pure."""

from dataclasses import dataclass

from reporting.charts import BLUE, GREY, Drawing, Drawn, alt, data, titled
from reporting.numbers import decimal, limits, number, percent
from reporting.table import Table
from reporting.words import gettext, reason_words
from segments.published.churn_model import ChurnResult, Quality
from stats.results import NotComputable, computable


@dataclass(frozen=True)
class ChurnView:
    """A finished churn model: its finding, quality and calibration; without a model the finding gives the reason."""

    finding: str
    quality: Table | None
    calibration: Table | None


def churn(result: ChurnResult) -> ChurnView:
    """A churn model for its page."""
    quality = result.quality
    if isinstance(quality, NotComputable):
        return ChurnView(reason_words(quality), None, None)
    return ChurnView(finding(quality), _quality(quality), _bins(quality))


def finding(quality: Quality) -> str:
    """Sentence on whether scores can be read as probabilities."""
    auc = quality.skill.auc
    details = {"auc": decimal(auc.estimate), "low": decimal(auc.low), "high": decimal(auc.high)}
    if quality.slope.low <= 1 <= quality.slope.high:
        return gettext("Scores can be read as chances; area under the curve %(auc)s (%(low)s … %(high)s)") % details
    return (
        gettext("Scores rank users but are off as chances; area under the curve %(auc)s (%(low)s … %(high)s)") % details
    )


def _quality(quality: Quality) -> Table:
    skill = quality.skill
    rows = (
        (
            gettext("users judged, of these left"),
            f"{skill.units:,} / {skill.positives:,}",
            gettext("on users it never saw"),
        ),
        (
            gettext("area under the curve"),
            number(skill.auc, 3),
            gettext("0.5: chance, 1: every leaver above every other"),
        ),
        (
            gettext("Brier score, base rate alone"),
            f"{decimal(quality.brier, 4)} / {decimal(quality.base_brier, 4)}",
            gettext("mean squared error of the chance; less is better"),
        ),
        (
            gettext("calibration slope"),
            number(quality.slope, 2),
            gettext("1: as spread as it should be; less: too extreme"),
        ),
        (gettext("calibration intercept"), number(quality.intercept, 2), gettext("0: right on average; more: too low")),
    )
    columns = (gettext("quantity"), gettext("value (95% CI)"), gettext("how to read it"))
    return Table(gettext("How good the scores are"), columns, rows)


def _bins(quality: Quality) -> Table:
    rows = tuple(
        (f"{row.n:,}", percent(row.predicted), limits(row.observed, row.low, row.high)) for row in quality.table
    )
    columns = (gettext("users"), gettext("mean predicted risk"), gettext("share that left (95% CI)"))
    return Table(gettext("Calibration: predicted against what happened"), columns, rows)


def draw(result: ChurnResult, slug: str = "") -> tuple[Drawing, ...]:
    """The calibration chart of a churn model; empty without a model, or when `slug` is another chart's."""
    quality = result.quality
    if not computable(quality) or slug not in ("", "calibration"):
        return ()
    return (titled("calibration", finding(quality), _chart(quality)),)


def _chart(quality: Quality) -> Drawn:
    rows = [
        {"x": 100 * row.predicted, "y": 100 * row.observed, "low": 100 * row.low, "high": 100 * row.high}
        for row in quality.table
    ]
    top = max(max(row["high"], row["x"]) for row in rows)
    base = alt.Chart(data(rows)).encode(
        x=alt.X("x:Q", title=gettext("predicted risk of leaving, %"), scale=alt.Scale(domain=[0, top]))
    )
    line = alt.Chart(data([{"x": 0, "y": 0}, {"x": top, "y": top}]))
    y_title = gettext("share that left, % (line: 95% CI)")
    layers = [
        line.mark_line(color=GREY, strokeDash=[4, 3]).encode(x="x:Q", y="y:Q"),
        base.mark_rule(color=BLUE, strokeWidth=2).encode(y=alt.Y("low:Q", title=y_title), y2="high:Q"),
        base.mark_point(filled=True, size=80, color=BLUE, opacity=1).encode(y="y:Q"),
    ]
    return alt.layer(*layers).properties(width=380, height=300), 3 * len(rows) + 1
