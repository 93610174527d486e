"""The page of a finished search for groups: its sections and parts, in order. Pure.

A new part is a file with its sentence, table and chart, and one line here.
"""

from reporting.charts import Drawing
from reporting.table import Part, Section, drawings
from reporting.words import gettext
from segments.report import drivers, heat, ranking, retention, tiers
from segments.report.evidence import gaps, maps, null_test, number_of_groups, scorecard, stability
from segments.search.result import Report


def evidence(report: Report) -> Section:
    """Maps, and whether there are groups at all."""
    return _section(
        "evidence",
        gettext("Are there groups?"),
        maps.part(report),
        maps.tsne_part(report),
        scorecard.part(report),
        number_of_groups.part(report),
        null_test.part(report),
        gaps.part(report),
        stability.part(report),
    )


def groups(report: Report) -> Section:
    """What the groups do, and who of them stays; on the page their cards follow."""
    return _section("groups", gettext("Who they are"), heat.part(report), retention.part(report))


def activity(report: Report) -> Section:
    """Tiers, and what separates the more active from the rest."""
    parts = (tiers.part(report), drivers.part(report), ranking.part(report))
    return _section("activity", gettext("By activity"), *parts)


def draw(report: Report, slug: str = "") -> tuple[Drawing, ...]:
    """Every picture of a finished search, or one; the app's kind of run names this function."""
    sections = (evidence(report), groups(report), activity(report))
    return drawings((part for section in sections for part in section.parts), slug)


def _section(slug: str, title: str, *parts: Part | None) -> Section:
    return Section(slug, title, "", tuple(part for part in parts if part is not None))
