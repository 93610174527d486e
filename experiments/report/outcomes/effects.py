"""All outcomes and guardrails: their levels, and the effect of the nudge on each. Pure."""

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from experiments.analyse.effects import Comparison, OutcomeReport, Report
from experiments.analyse.result import Readout
from experiments.plan.design import Kind
from experiments.report.chart_pieces import ROW, WIDTH, difference_title, label_axis, limit_marks
from experiments.report.estimates import effect_cells, level_heading, number_cell, p_cell
from experiments.report.names import versus
from reporting.charts import Drawn, Mark, alt, data, forest
from reporting.numbers import (
    between,
    count,
    decimal,
    effect_text,
    p_relation,
    p_value,
    percent,
    points,
    signed_percent,
    significant,
)
from reporting.table import Part, Row, Section, Table
from reporting.words import gettext, reason_words
from stats.results import Estimate, Interval, NotComputable, computable


def section(readout: Readout, report: Report) -> Section:
    """Every outcome of the plan, as a file's report has them."""
    several = len(report.outcomes) > 1 and any(outcome.kind is Kind.PROPORTION for outcome in report.outcomes)
    against = any(row.compared_with for row in report.outcomes[0].comparisons)
    title = gettext("Every outcome against the placebo") if against else gettext("Every outcome against control")
    draw = partial(draw_shares, report.outcomes) if several else None
    parts = [
        Part("outcomes", title, outcomes_finding(readout), comparisons(report), draw=draw),
        Part("levels", gettext("Levels in each group"), "", levels(report)),
    ]
    covariates = adjusted(report)
    if covariates is not None:
        parts.append(Part("adjusted", covariates.title, "", covariates))
    return Section("outcomes", gettext("All outcomes and guardrails"), "", tuple(parts))


def outcomes_finding(readout: Readout) -> str:
    """Number of outcomes of each role."""
    plan = readout.plan
    text = gettext("Outcomes that decide: {primary}. Also read: {secondary}. Guardrails: {guardrails}.")
    return text.format(primary=len(plan.primary), secondary=len(plan.secondary), guardrails=len(plan.guardrails))


def levels(report: Report) -> Table:
    """Each outcome's level in each variant."""
    rows = []
    for outcome in report.outcomes:
        for label, value in outcome.values.items():
            rows.append(
                (
                    outcome.name,
                    label,
                    count(value.n),
                    _level(value.mean, outcome.kind),
                    _level(value.standard_error, outcome.kind),
                    _level_interval(value.interval, outcome.kind),
                )
            )
    columns = (
        gettext("outcome"),
        gettext("variant"),
        gettext("n"),
        gettext("share or mean"),
        gettext("standard error"),
        level_heading(report.design.level),
    )
    return Table(gettext("Level of each outcome"), columns, tuple(rows))


def _level(value: float | NotComputable, kind: Kind) -> str:
    return number_cell(value, percent if kind is Kind.PROPORTION else significant)


def _level_interval(value: Interval | NotComputable, kind: Kind) -> str:
    if not computable(value):
        return ""
    return between(_level(value.low, kind), _level(value.high, kind))


def comparisons(report: Report) -> Table:
    """Each variant against its comparator, on each outcome; with a placebo comparator also against control."""
    control, placebo = report.design.control, report.design.placebo
    pairs = [(outcome, row) for outcome in report.outcomes for row in outcome.comparisons]
    rows = []
    for outcome, row in pairs:
        judged = ("", _lift(row.lift), "")  # a placebo against control is a diagnostic outside the family
        if row.variant != placebo:
            judged = (number_cell(row.adjusted_p, p_value), _lift(row.lift), row.verdict.heading)
        rows.append(_compared(outcome, row, row.difference, row.compared_with, row.compared_with or control, judged))
    for outcome, row in pairs:
        if row.against_control is not None:  # the effect of giving it to everybody
            rows.append(_compared(outcome, row, row.against_control, control, control, ("", "", "")))
    columns = (
        gettext("outcome"),
        gettext("variant"),
        gettext("n, compared with and variant") if _placebo_serves(report) else gettext("n, control and variant"),
        gettext("difference"),
        level_heading(report.design.level),
        gettext("p"),
        gettext("adjusted p (Holm)"),
        gettext("relative lift"),
        gettext("users per extra retained user (NNT)"),
        gettext("verdict"),
    )
    note = _comparison_note(report)
    together = [_together(outcome, row) for outcome, row in pairs]
    if any(together):
        heading = gettext("Intervals that hold for all confirmatory comparisons together: %(intervals)s.")
        note += " " + heading % {"intervals": "; ".join(text for text in together if text)}
    note += _randomisation_sentence(report)
    return Table(gettext("Effect of the nudge (intention to treat)"), columns, tuple(rows), note)


def _compared(
    outcome: OutcomeReport,
    row: Comparison,
    found: Estimate | NotComputable,
    named: str,
    comparator: str,
    judged: tuple[str, str, str],
) -> Row:
    sizes = f"{count(outcome.values[comparator].n)} / {count(outcome.values[row.variant].n)}"
    family_p, lift, verdict = judged
    return (
        outcome.name,
        versus(row.variant, named),
        sizes,
        *effect_cells(found, outcome.kind),
        p_cell(found),
        family_p,
        lift,
        _needed(found, outcome.kind),
        verdict,
    )


def _together(outcome: OutcomeReport, row: Comparison) -> str:
    if row.simultaneous is None or not computable(row.simultaneous):
        return ""
    share = outcome.kind is Kind.PROPORTION
    low, high = (effect_text(v, share=share) for v in (row.simultaneous.low, row.simultaneous.high))
    return f"{outcome.name} · {versus(row.variant, row.compared_with)} {between(low, high)}"


def _needed(value: Estimate | NotComputable, kind: Kind) -> str:
    """Number needed to treat, 1/difference: units given the variant for one whose outcome changes."""
    if kind is not Kind.PROPORTION or not computable(value) or value.estimate == 0:
        return ""
    return decimal(abs(1 / value.estimate), 0)


def _lift(value: Interval | NotComputable) -> str:
    if not computable(value):
        return reason_words(value)
    return f"{signed_percent(value.estimate)} ({between(points(value.low), points(value.high))})"


def _placebo_serves(report: Report) -> bool:
    """True when some comparison is with the placebo."""
    return any(row.compared_with for outcome in report.outcomes for row in outcome.comparisons)


def _comparison_note(report: Report) -> str:
    """Note on the direction of subtraction."""
    note = gettext("Differences are variant minus control (%(control)s); p belongs to the absolute difference.")
    note = note % {"control": report.design.control}
    if _placebo_serves(report):
        note = gettext(
            "Differences are variant minus what it is compared with: the placebo (%(placebo)s), which is as loud as "
            "the nudge, and control (%(control)s) where nothing else is named. Rows without a verdict decide nothing: "
            "that of the placebo shows what being nudged does by itself, and the nudge against control holds both. p "
            "belongs to the absolute difference."
        ) % {"control": report.design.control, "placebo": report.design.placebo}
    return note


def _randomisation_sentence(report: Report) -> str:
    """Sentence on the randomisation tests for few clusters; empty without any."""
    found = [
        (outcome, row, row.randomisation)
        for outcome in report.outcomes
        for row in outcome.comparisons
        if row.randomisation is not None
    ]
    tests = [(outcome, row, test) for outcome, row, test in found if computable(test)]
    if not tests:
        return ""
    sentence = gettext(
        "Few clusters: a randomisation test of the cluster means (%(draws)s other assignments, seed %(seed)s) gives p "
        "%(tests)s."
    )
    texts = [f"{p_relation(test.p_value)} ({outcome.name} · {row.variant})" for outcome, row, test in tests]
    first = tests[0][2]
    return " " + sentence % {"draws": count(first.draws), "seed": first.seed, "tests": ", ".join(texts)}


def adjusted(report: Report) -> Table | None:
    """The comparison adjusted for covariates, if any; where it is the registered one, the plain one too."""
    rows: list[Row] = []
    for outcome in report.outcomes:
        for row in outcome.comparisons:
            value, plain = row.covariate_adjusted, row.unadjusted
            named = versus(row.variant, row.compared_with)
            if value is not None:
                reduction = percent(value.variance_reduction) if computable(value) else ""
                rows.append((outcome.name, named, *effect_cells(value, outcome.kind), p_cell(value), reduction))
            if plain is not None:
                without = gettext("{comparison}, without covariates").format(comparison=named)
                rows.append((outcome.name, without, *effect_cells(plain, outcome.kind), p_cell(plain), ""))
    if not rows:
        return None
    columns = (
        gettext("outcome"),
        gettext("variant"),
        gettext("adjusted difference"),
        level_heading(report.design.level),
        gettext("p"),
        gettext("variance removed"),
    )
    note = gettext("Covariates: %(names)s. A sensitivity check: the verdict rests on the unadjusted comparison.")
    if report.design.adjusted:
        note = gettext(
            "Covariates: %(names)s. The plan registered the adjusted comparison: verdict, looks and the set of the "
            "behaviour's effects rest on it. The one without covariates is a sensitivity check."
        )
    names = ", ".join(row.name for row in report.design.covariates)
    return Table(gettext("Adjusted for covariates (Lin)"), columns, tuple(rows), note % {"names": names})


def draw_shares(found: Sequence[OutcomeReport]) -> Drawn:
    """Chart of every share's difference in points, the primary outcome first."""
    rows = _rows(outcome for outcome in found if outcome.kind is Kind.PROPORTION)
    return _panel(rows, difference_title(True)), 2 * len(rows)


def draw_all(report: Report) -> Drawn | None:
    """The chart in a file's report, where every mean has its own panel, since units can't share an axis."""
    # Against a placebo, each row names its comparator.
    against = _placebo_serves(report)
    shares = gettext("Difference, points") if against else gettext("Difference to control, points")
    mean = gettext("Difference, %(outcome)s") if against else gettext("Difference to control, %(outcome)s")
    panels = {shares: _rows(outcome for outcome in report.outcomes if outcome.kind is Kind.PROPORTION)}
    panels |= {mean % {"outcome": one.name}: _rows([one]) for one in report.outcomes if one.kind is Kind.MEAN}
    drawn = [_panel(rows, title) for title, rows in panels.items() if rows]
    return (alt.vconcat(*drawn, spacing=18), 2 * sum(map(len, panels.values()))) if drawn else None


def _rows(found: Iterable[OutcomeReport]) -> list[Mark]:
    return [
        {
            "label": f"{outcome.name} · {versus(row.variant, row.compared_with)}",
            **limit_marks(row.difference, 100.0 if outcome.kind is Kind.PROPORTION else 1.0),
        }
        for outcome in found
        for row in outcome.comparisons
        if computable(row.difference)
    ]


def _panel(rows: Sequence[Mark], title: str) -> Any:
    layers = forest(alt.Chart(data(rows)).encode(y=label_axis([row["label"] for row in rows])), title)
    return alt.layer(*layers).properties(width=WIDTH - 80, height=ROW * len(rows))
