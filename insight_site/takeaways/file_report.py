"""The self-contained HTML report of a file: words, tables and pictures of one `Report`, put into the template."""

from typing import Any

from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext

from experiments.analyse.codes import code_words
from experiments.analyse.effects import Encouragement, OutcomeReport, Report
from experiments.plan.design import Kind
from experiments.report import charts as report_charts
from experiments.report import direct_effect, effect_charts, effect_tables, health, words
from experiments.report.comparison_words import versus
from experiments.report.definitions import definitions
from insight_site import __version__
from insight_site.takeaways.rendering import svg
from reporting.charts import theme

type Context = dict[str, Any]


def file_report(report: Report) -> str:
    """Render the report in the active language.

    Args:
        report: a finished analysis.

    Returns:
        One HTML file without script and without any outside request.
    """
    return render_to_string("experiments/file_report.html", _context(report))


def _context(report: Report) -> Context:
    pairs = [(outcome, row) for outcome in report.outcomes for row in outcome.comparisons]
    outcome = report.outcomes[0]
    level = report.design.level
    return {
        "report": report,
        "subtitle": _subtitle(report),
        "verdict_heading": code_words(report.verdict.code),
        "verdict_reason": words.verdict_sentence(report.verdict),
        "findings": [
            {
                "severity": finding.severity,
                "label": health.severity_words(finding.severity),
                "message": health.finding_sentence(finding),
            }
            for finding in report.health
        ],
        "flow": effect_tables.flow(report),
        "levels": effect_tables.levels(report),
        "comparisons": effect_tables.comparisons(report),
        "outcome_chart": _picture(effect_charts.outcome_forest(report), "effects", gettext("Effects with intervals")),
        "verdicts": [
            {
                "heading": gettext("What being nudged does by itself")
                if row.variant == report.design.placebo
                else code_words(row.verdict.code),
                "reason": f"{outcome.name} · {versus(row.variant, row.compared_with)}: "
                f"{words.verdict_sentence(row.verdict)}",
            }
            for outcome, row in pairs
        ],
        "adjusted": effect_tables.adjusted(report),
        "segments": [
            {
                "table": effect_tables.segments(outcome, row, level),
                "chart": _picture(
                    effect_charts.segment_forest(outcome, row),
                    f"segment{place}",
                    gettext("Effects by segment"),
                ),
            }
            for place, (outcome, row) in enumerate(pairs)
            if row.by_segment
        ],
        "behaviours": [
            {
                "table": table,
                "chart": _picture(
                    None if row.variant == report.design.placebo else effect_charts.causal_bars(outcome, row),
                    f"causal{place}",
                    gettext("As treated against causal"),
                ),
            }
            for place, (outcome, row) in enumerate(pairs)
            if row.encouragement is not None and (table := effect_tables.behaviour(report, outcome, row)) is not None
        ],
        "directs": [
            {
                "heading": gettext("Nudged by {variant}").format(variant=row.variant),
                "finding": direct_effect.finding(outcome, found),
                "note": direct_effect.note(outcome, found),
                "table": direct_effect.table(outcome, row.variant, found),
                "chart": _direct_picture(outcome, found, place),
            }
            for place, row, found in direct_effect.shown(report)
        ],
        "direct_lead": direct_effect.lead(),
        "behaviour_warnings": [words.warning_sentence(code) for code in _warnings(report)],
        "definitions": definitions(report),
        "made": gettext("Made by Insight %(version)s on %(date)s.")
        % {"version": __version__, "date": timezone.localdate().isoformat()},
    }


def _direct_picture(outcome: OutcomeReport, found: Encouragement, place: int) -> dict[str, str | SafeString] | None:
    if not direct_effect.drawable(found):
        return None
    chart, _marks = report_charts.direct(found, outcome.kind is Kind.PROPORTION)
    return _picture(chart.configure(**theme()), f"direct{place}", direct_effect.finding(outcome, found))


def _warnings(report: Report) -> list[str]:
    """Codes of the caveats of all comparisons, each once; nothing is read from what a placebo moved."""
    rows = (row for outcome in report.outcomes for row in outcome.comparisons if row.variant != report.design.placebo)
    return list(dict.fromkeys(code for row in rows if row.encouragement for code in row.encouragement.warnings))


def _subtitle(report: Report) -> str:
    design = report.design
    parts = [gettext("control: %(label)s") % {"label": design.control}]
    if design.behaviour is not None:
        parts.append(gettext("behaviour: %(name)s") % {"name": design.behaviour})
    if design.segment is not None:
        parts.append(gettext("segments: %(name)s") % {"name": design.segment})
    if design.cluster is not None:
        parts.append(gettext("clusters: %(name)s") % {"name": design.cluster})
    parts.append(gettext("alpha %(alpha)s, two-sided") % {"alpha": f"{design.alpha:g}"})
    if design.margin is not None:
        parts.append(gettext("smallest effect of interest %(margin)s") % {"margin": f"{design.margin:g}"})
    return " · ".join(parts)


def _picture(chart: Any, slug: str, label: str) -> dict[str, str | SafeString] | None:
    if chart is None:
        return None
    # vl-convert escapes what comes from the data (names of columns and variants); the markup itself is ours.
    return {"label": label, "svg": mark_safe(svg(chart.to_dict(), slug))}  # noqa: S308
