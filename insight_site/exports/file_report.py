"""The self-contained HTML report of `analyze_file`: texts, tables and pictures of one `Report` in a template."""

from typing import Any

from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext

from experiments.analyse.effects import Comparison, OutcomeReport, Report
from experiments.report import behaviour, direct_effect, outcomes, segments, targeting
from experiments.report.definitions import definitions
from experiments.report.flow import flow_of_file
from experiments.report.health import finding_sentence, severity_words
from experiments.report.names import versus
from experiments.report.verdict import verdict_sentence, warning_sentence
from insight_site import __version__
from insight_site.exports.pictures import svg
from reporting.charts import Drawn, drawing
from reporting.numbers import day_text
from reporting.table import Section
from runs.site_zone import site_date

type Context = dict[str, Any]
type Picture = dict[str, str | SafeString]


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
    return {
        "report": report,
        "subtitle": _subtitle(report),
        "verdict_heading": report.verdict.heading,
        "verdict_reason": verdict_sentence(report.verdict),
        "findings": [
            {
                "severity": finding.severity,
                "label": severity_words(finding.severity),
                "message": finding_sentence(finding),
            }
            for finding in report.health
        ],
        "flow": flow_of_file(report),
        "levels": outcomes.levels(report),
        "comparisons": outcomes.comparisons(report),
        "outcome_chart": _picture("effects", gettext("Effects with intervals"), outcomes.draw_all(report)),
        "verdicts": [_verdict(report, outcome, row) for outcome, row in pairs],
        "adjusted": outcomes.adjusted(report),
        "segments": [
            {"table": segments.table(outcome, row, report.design.level), "chart": _by_segment(outcome, row, place)}
            for place, (outcome, row) in enumerate(pairs)
            if row.by_segment
        ],
        "behaviours": [
            {"table": table, "chart": _as_treated(report, outcome, row, place)}
            for place, (outcome, row) in enumerate(pairs)
            if (table := behaviour.table(report, outcome, row)) is not None
        ],
        "behaviour_warnings": [warning_sentence(code) for code in _warnings(report)],
        "sections": [
            _section(section)
            for section in (direct_effect.of_report(report), _others(report), targeting.of_report(report))
        ],
        "definitions": definitions(report),
        "made": gettext("Made by Insight %(version)s on %(date)s.")
        % {"version": __version__, "date": day_text(site_date())},
    }


def _others(report: Report) -> Section:
    """What else the nudge moved; no part in a test without a behaviour."""
    parts = (behaviour.other_behaviours(report, row) for row in report.outcomes[0].comparisons)
    return Section("others", gettext("Other behaviours"), "", tuple(part for part in parts if part is not None))


def _section(section: Section) -> Context:
    parts = [
        {"part": part, "chart": part.draw and _picture(part.slug.replace("-", ""), part.finding, part.draw())}
        for part in section.parts
    ]
    return {"slug": section.slug, "title": section.title, "lead": section.lead, "parts": parts}


def _verdict(report: Report, outcome: OutcomeReport, row: Comparison) -> dict[str, str]:
    placebo = row.variant == report.design.placebo
    return {
        "heading": gettext("What being nudged does by itself") if placebo else row.verdict.heading,
        "reason": f"{outcome.name} · {versus(row.variant, row.compared_with)}: {verdict_sentence(row.verdict)}",
    }


def _by_segment(outcome: OutcomeReport, row: Comparison, place: int) -> Picture | None:
    made = segments.draw(outcome, row) if segments.drawable(row) else None
    return _picture(f"segment{place}", gettext("Effects by segment"), made)


def _as_treated(report: Report, outcome: OutcomeReport, row: Comparison, place: int) -> Picture | None:
    """The chart of as-treated against causal effects; None for a placebo, from which no effect may be read."""
    made = None if row.variant == report.design.placebo else behaviour.draw(outcome, row)
    return _picture(f"causal{place}", gettext("As treated against causal"), made)


def _warnings(report: Report) -> list[str]:
    """Codes of the caveats of all comparisons except the placebo's, without duplicates."""
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


def _picture(slug: str, label: str, made: Drawn | None) -> Picture | None:
    if made is None:
        return None
    chart, marks = made
    # vl-convert escapes names of columns and variants from the data; the markup itself is ours.
    return {"label": label, "svg": mark_safe(svg(drawing(slug, label, chart, marks=marks).spec, slug))}  # noqa: S308
