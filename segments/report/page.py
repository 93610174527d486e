"""The page of a finished search for groups: its sections and parts, in order. Pure.

A new part is a file with its sentence, table and chart, and one line here.
"""

from reporting.charts import Drawing
from reporting.table import Part, Section, drawings
from reporting.words import gettext
from segments.report import drivers, heat, ranking, retention, tiers
from segments.report.evidence import gaps, maps, null_test, number_of_groups, scorecard, stability
from segments.search.result import Report


def groups(report: Report) -> Section:
    """What the groups do; on the page their cards follow."""
    return _section("groups", gettext("Who they are"), heat.part(report))


def stays(report: Report) -> Section:
    """Who of them stays."""
    return _section("stays", gettext("Who stays?"), retention.part(report))


def evidence(report: Report) -> Section:
    """Whether another sample of users would show the same groups."""
    parts = (stability.part(report), gaps.part(report), null_test.part(report), number_of_groups.part(report))
    return _section("evidence", gettext("Are there groups?"), *parts)


def pictures(report: Report) -> Section:
    """Maps for the eye, and which of them can be trusted."""
    return _section("maps", gettext("Maps"), maps.part(report), maps.tsne_part(report), scorecard.part(report))


def activity(report: Report) -> Section:
    """Tiers, and what separates the more active from the rest."""
    parts = (tiers.part(report), drivers.part(report), ranking.part(report))
    return _section("activity", gettext("By activity"), *parts)


def sections(report: Report) -> tuple[Section, ...]:
    """What is read of the groups, in order: who, who stays, whether they hold, maps."""
    return groups(report), stays(report), evidence(report), pictures(report)


def draw(report: Report, slug: str = "") -> tuple[Drawing, ...]:
    """Every picture of a finished search, or one; the app's kind of run names this function."""
    parts = (part for section in (*sections(report), activity(report)) for part in section.parts)
    return drawings(parts, slug)


def _section(slug: str, title: str, *parts: Part | None) -> Section:
    return Section(slug, title, "", tuple(part for part in parts if part is not None))
