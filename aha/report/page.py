"""The pages of a finished study: their sections and parts, in order. Pure.

A new part is a file with its sentence, table and chart, and one line here.
"""

from aha.report import adjusted, cells, chance, cohort, honesty, ranking, subgroups
from aha.study.headline import headline_of, headline_words
from aha.study.result import Candidate, Report
from reporting.charts import Drawing
from reporting.table import Part, Section, drawings
from reporting.words import gettext


def headline(report: Report) -> str:
    """The study in one sentence, as in lists."""
    return headline_words(headline_of(report))


def study_sections(report: Report) -> tuple[Section, ...]:
    """All sections with charts: cohort, results, method."""
    curve = _section("cohort", gettext("The cohort"), cohort.part(report))
    return (curve, *results(report), *method(report))


def results(report: Report) -> tuple[Section, ...]:
    """Parts below the candidates: retention by signup week, and which behaviours predict retention."""
    weeks = _section("weeks-and-curve", gettext("Signup weeks"), cohort.signup_weeks_part(report))
    if report.floor is not None:  # then there is no model to show
        return (weeks,)
    return (
        weeks,
        _section(
            "model", gettext("Which behaviours predict retention"), ranking.part(report), ranking.beeswarm_part(report)
        ),
    )


def method(report: Report) -> tuple[Section, ...]:
    """Section on whether the result could be chance."""
    return (
        _section("chance", gettext("Better than chance?"), chance.part(report), chance.negative_controls_part(report)),
    )


def candidate_sections(report: Report, candidate: Candidate, place: int) -> tuple[Section, ...]:
    """Sections of a candidate: the evidence for it, then why this number.

    Args:
        report: the study.
        candidate: one of its candidates.
        place: its place, counted from 1; part of its charts' names.
    """
    prefix, squares = f"c{place}-", cells.cell_map(report, candidate)
    return (
        _section(
            "evidence",
            gettext("What is left after adjustment"),
            adjusted.part(candidate, prefix),
            honesty.part(candidate, prefix),
            subgroups.by_week_part(candidate, prefix),
            subgroups.by_segment_part(candidate, prefix),
        ),
        _section(
            "number",
            gettext("Why this number?"),
            cells.by_times_part(squares, candidate, prefix),
            cells.cell_map_part(squares, candidate, prefix),
            honesty.jump_part(report, candidate, prefix),
            cells.precision_recall_part(report, candidate, prefix),
        ),
    )


def draw(report: Report, slug: str = "") -> tuple[Drawing, ...]:
    """Every chart of a finished study, or one; the app's run kind refers to this function."""
    sections = list(study_sections(report))
    for place, candidate in enumerate(report.candidates, start=1):
        sections += candidate_sections(report, candidate, place)
    return drawings((part for section in sections for part in section.parts), slug)


def _section(slug: str, title: str, *parts: Part | None) -> Section:
    return Section(slug, title, "", tuple(part for part in parts if part is not None))
