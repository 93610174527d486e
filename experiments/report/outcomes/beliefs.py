"""Bayesian figures of every comparison. Pure."""

from experiments.analyse.effects import Report
from experiments.analyse.result import Belief, Readout
from experiments.plan.design import Kind
from experiments.report.names import metric_words
from reporting.numbers import effect_limits, effect_text, percent
from reporting.table import Part, Row, Section, Table
from reporting.words import gettext, reason_words
from stats.results import computable


def section(readout: Readout, report: Report) -> Section:
    """Folded section, since it never enters the verdict."""
    title = gettext("Bayesian companion")
    if not readout.beliefs:
        return Section("bayes", title, "", (), closed=True)
    kinds = {row.name: row.kind is Kind.PROPORTION for row in (readout.report or report).outcomes}
    found = Part("beliefs", gettext("What a Bayesian would say"), "", beliefs(readout.beliefs, kinds))
    # Source: docs/methods/comparison.md, "Beta binomial and normal posterior".
    lead = gettext(
        "These numbers never enter the verdict, and they don't make peeking harmless: whoever stops when the chance "
        "looks high will be wrong more often than it says."
    )
    return Section("bayes", title, lead, (found,), closed=True)


def beliefs(found: tuple[Belief, ...], shares: dict[str, bool]) -> Table | None:
    """Table of Bayesian figures by comparison."""
    rows: list[Row] = []
    for row in found:
        name, belief, share = metric_words(row.outcome), row.posterior, shares[row.outcome]
        if not computable(belief):
            rows.append((name, row.variant, reason_words(belief), "", "", "", ""))
            continue
        values = (belief.estimate, belief.loss_variant, belief.loss_control)
        text = [effect_text(value, share=share) for value in values]
        around = effect_limits(belief.low, belief.high, share)
        rows.append((name, row.variant, percent(belief.chance_better), text[0], around, text[1], text[2]))
    columns = (
        gettext("outcome"),
        gettext("variant"),
        gettext("chance to beat control"),
        gettext("difference"),
        gettext("credible interval"),
        gettext("expected loss of the variant"),
        gettext("expected loss of control"),
    )
    return Table(gettext("Bayesian companion"), columns, tuple(rows)) if rows else None
