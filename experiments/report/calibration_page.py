"""The calibration page in sentences and tables: promise against finding over all experiments. Pure."""

from collections.abc import Sequence

from experiments.analyse.codes import Code, code_words
from experiments.analyse.deflation import Deflation, Trial
from experiments.report import charts
from reporting.charts import Drawing, drawing
from reporting.numbers import between, decimal, percent, points
from reporting.table import Table
from reporting.words import gettext, reason_words
from stats.results import NotComputable, computable


def finding(pooled: Deflation | NotComputable) -> str:
    """How much of a promise is left, in one sentence."""
    if not computable(pooled):
        return reason_words(pooled)
    text = gettext(
        "Of each point that a correlation promised, experiments found {ratio} points ({limits}, {n} experiments)."
    )
    limits = between(decimal(pooled.low), decimal(pooled.high))
    return text.format(ratio=decimal(pooled.ratio), limits=limits, n=pooled.experiments)


def trials(rows: Sequence[Trial]) -> Table:
    """Promise and finding of each experiment."""
    cells = tuple(
        (
            f"{place}. {row.name}", points(row.promised), points(row.found), _limits(row), decimal(row.ratio),
            code_words(Code(row.verdict)), row.on,
        )
        for place, row in enumerate(rows, start=1)
    )  # fmt: skip
    columns = (
        gettext("experiment"), gettext("promised, points"), gettext("found, points"), gettext("Anderson-Rubin set"),
        gettext("found per promised"), gettext("verdict"), gettext("data up to"),
    )  # fmt: skip
    note = gettext(
        "Found: effect of the behaviour on those whom the nudge moved, by the final analysis, corrected for the "
        "looks of plans with planned ones. Promised: as the study observed it."
    )
    return Table(gettext("Promise and finding by experiment"), columns, cells, note)


def _limits(row: Trial) -> str:
    if row.low is None or row.high is None:
        return gettext("unbounded")
    return between(points(row.low), points(row.high))


def left_out(rows: Sequence[tuple[str, str, str]]) -> Table | None:
    """Experiments that say nothing about their promise: name, verdict code, code of why."""
    reasons = {
        "unreadable": gettext("what is stored of its analysis can't be read"),
        "locked": gettext("its outcome is still locked"),
        "peeked": gettext("it was peeked at before its end"),
        "not_final": gettext("its final analysis is still to come: what a look finds on the way is too large"),
        "no_promise": gettext("nobody measured what its moment promises"),
        "not_the_behaviour": gettext("its verdict says nothing about the behaviour"),
        "other_outcome": gettext("its first outcome isn't a share, or nothing was promised"),
    }
    cells = tuple(
        (name, code_words(Code(verdict)) if verdict else gettext("No verdict yet"), reasons[why])
        for name, verdict, why in rows
    )
    columns = (gettext("experiment"), gettext("verdict"), gettext("why it isn't counted"))
    return Table(gettext("Not counted"), columns, cells) if cells else None


def spread(pooled: Deflation | NotComputable) -> str:
    """How differently the experiments deflate, and what this means for the next promise."""
    if not computable(pooled):
        return ""
    text = gettext(
        "Random-effects mean of found over promised, weighted by inverse variance (DerSimonian and Laird), with the "
        "Hartung-Knapp interval. Between experiments the true ratio varies with a standard deviation of {sd}. A new "
        "candidate that promises 10 points should be planned for {planned} points."
    )
    return text.format(sd=decimal(pooled.tau_squared**0.5), planned=points(0.1 * pooled.ratio))


def draw(rows: Sequence[Trial], sentence: str) -> Drawing | None:
    """The scatter with its identity line; None without a trial."""
    if not rows:
        return None
    chart, marks = charts.calibration(rows, sentence)
    return drawing("calibration", sentence, chart, marks=marks)


def share_left(pooled: Deflation | NotComputable) -> str:
    """What promises have been worth so far, for the report of one experiment; empty where nobody knows."""
    if not computable(pooled):
        return ""
    text = gettext("Over {n} experiments {share} of what correlations promised was left.")
    return text.format(n=pooled.experiments, share=percent(pooled.ratio, 0))
