"""Nudges of different strength: the behaviour's effect on units that only the stronger one moves. Pure."""

from functools import partial

from experiments.analyse.effects import NudgeMargins, OutcomeReport
from experiments.plan.design import Kind
from experiments.report.chart_pieces import ROW, WIDTH, difference_title, label_axis
from experiments.report.estimates import effect_with_limits, set_text
from reporting.charts import Drawn, alt, data, forest
from reporting.numbers import effect_limits, p_value
from reporting.table import Part, Table
from reporting.words import gettext, reason_words
from stats.instrument.margins import Margin
from stats.results import computable

DIFFER = 0.05


def part_of(outcome: OutcomeReport) -> Part | None:
    """The effect at each margin, where at least two variants nudge towards the behaviour."""
    found = outcome.margins
    if found is None:
        return None
    heading = gettext("Nudges of different strength")
    if not computable(found):
        return Part("margins", heading, reason_words(found), None)
    share = outcome.kind is Kind.PROPORTION
    note = gettext(
        "A weak nudge moves those who were nearly there, a stronger one others too. Between neighbours in strength the "
        "effect is that on the users whom only the stronger one moves."
    )
    drawn = partial(draw, found, share) if all(map(_bounded, found.margins.rows)) else None
    return Part("margins", heading, finding(found), table(found, share), note=note, draw=drawn)


def finding(found: NudgeMargins) -> str:
    """Whether the nudges agree on one effect."""
    differ = gettext("The nudges disagree (p {p}): the effect isn't the same for those whom each of them moves.")
    agree = gettext("No difference was shown between the users whom each nudge moves (p {p}).")
    text = differ if found.margins.p_value < DIFFER else agree
    return text.format(p=p_value(found.margins.p_value))


def table(found: NudgeMargins, share: bool) -> Table:
    """One row for each pair of neighbouring nudges."""
    rows = tuple(
        (
            _between(found, row),
            effect_limits(row.take_up_low, row.take_up_high, share=True),
            effect_with_limits(row.effect, share)[0],
            set_text(row.effect_set, share=share),
        )
        for row in found.margins.rows
    )
    columns = (
        gettext("from the weaker to the stronger"),
        gettext("take-up"),
        gettext("effect of the behaviour"),
        gettext("Anderson-Rubin set (decides)"),
    )
    return Table(gettext("The effect between neighbouring nudges"), columns, rows)


def draw(found: NudgeMargins, share: bool) -> Drawn:
    """Chart with an interval for each pair of neighbours, from units moved first to units moved last."""
    factor = 100.0 if share else 1.0
    marks = [
        {
            "label": f"{_between(found, row)} ({effect_limits(row.take_up_low, row.take_up_high, share=True)})",
            "estimate": row.effect.estimate * factor,
            "low": row.effect_set.low * factor,
            "high": row.effect_set.high * factor,
        }
        for row in found.margins.rows
        if computable(row.effect) and computable(row.effect_set)
        if row.effect_set.low is not None and row.effect_set.high is not None
    ]
    base = alt.Chart(data(marks)).encode(y=label_axis([str(mark["label"]) for mark in marks]))
    layers = forest(base, difference_title(share))
    return alt.layer(*layers).properties(width=WIDTH - 60, height=ROW * len(marks)), 2 * len(marks)


def _between(found: NudgeMargins, row: Margin) -> str:
    return f"{found.arms[row.weaker]} → {found.arms[row.stronger]}"


def _bounded(row: Margin) -> bool:
    return computable(row.effect) and computable(row.effect_set) and row.effect_set.bounded
