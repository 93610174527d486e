"""The page of a finished search for groups: its sections and parts, in order. Pure.

A new part is a file with its sentence, table and chart, and one line here.
"""

from collections.abc import Mapping
from typing import Any

from reporting.charts import Drawing
from reporting.numbers import decimal, p_text, percent
from reporting.table import Part, Section, Table, drawings
from reporting.words import gettext
from runs.run_times import told_words
from segments.report import evidence as report_evidence
from segments.report import groups as report_groups
from segments.report import tiers
from segments.report.evidence import gap_why
from segments.search.clustering import NULL_LEVEL, STABLE_ARI, Standing
from segments.search.gaps import Shape
from segments.search.result import Report
from stats.results import computable

# The result of a search for groups: one sentence, and why the groups were accepted or rejected. Pure.


def headline(report: Report) -> str:
    """The result in one sentence."""
    if not report.found:
        return gettext("No stable groups: use activity tiers")
    if report.shape is Shape.STYLES:
        return gettext("%(styles)s playing styles, not separate groups") % {"styles": report.k}
    stable = sum(cluster.standing is Standing.STABLE for cluster in report.clusters)
    if stable == report.k:
        return gettext("%(groups)s stable groups of users") % {"groups": report.k}
    return gettext("%(groups)s groups of users, %(stable)s of them stable") % {"groups": report.k, "stable": stable}


def why(report: Report) -> str:
    """Why the groups were accepted or rejected."""
    details = {
        "k": report.k,
        "ari": decimal(report.stability),
        "needed": decimal(STABLE_ARI),
        "p": p_text(report.null.p_value),
        "draws": len(report.null.values),
        "level": NULL_LEVEL,
    }
    if report.found:
        return " ".join(part for part in (_believed(details), gap_why(report)) if part)
    if report.choice.k is None:
        return (
            gettext(
                "No number of groups from 2 to 10 is found again in resamples (agreement of %(needed)s or more) with "
                "at least 2 in 100 users in each. The %(k)s groups below are for viewing only: users differ by "
                "degrees."
            )
            % details
        )
    if report.null.p_value > NULL_LEVEL:
        return (
            gettext(
                "The %(k)s groups are no more separate than groups made in %(draws)s populations of the same margins "
                "without any (%(p)s; at most %(level)s is needed). They cut one cloud into pieces and are for "
                "viewing only."
            )
            % details
        )
    return (
        gettext(
            "Resampling the users does not find the same %(k)s groups again (agreement %(ari)s; %(needed)s is "
            "needed). They are for viewing only."
        )
        % details
    )


def _believed(details: Mapping[str, object]) -> str:
    return (
        gettext(
            "Resampling the users finds the same groups again (agreement %(ari)s; %(needed)s is needed), and they "
            "are more separate than groups made in %(draws)s populations of the same margins without any (%(p)s)."
        )
        % details
    )


# Flow of users, samples and seed. Pure.


def flow(report: Report) -> Table:
    """From signups to units with a group."""
    units = report.units
    rows = [
        (gettext("signed up"), units.signed_up),
        (gettext("left out: their days aren't over yet"), units.too_young),
        (gettext("considered"), units.eligible),
        (gettext("left out: fewer than three active days, so no pattern to see"), units.too_little_data),
        (gettext("in a group"), units.clustered),
        (gettext("of these unlike any group (farther out than 99 in 100 of those who formed it)"), units.unlike),
    ]
    text = tuple((name, f"{count:,}") for name, count in rows)
    return Table(gettext("Flow of users"), (gettext("step"), gettext("users")), text)


def samples(report: Report) -> Table:
    """Seed and sizes of the samples."""
    names = {
        "units": gettext("users considered"),
        "train": gettext("users the groups were fitted on"),
        "reference": gettext("users in resamples, table of groups and null"),
    }
    rows = [(gettext("seed"), str(report.seed))]
    rows += [(names.get(name, name), f"{count:,}") for name, count in report.rows.items()]
    exact = gettext("exact") if report.fidelity is None else percent(report.fidelity)
    rows.append((gettext("new users placed as the groups would have"), exact))
    agreement = report.agreement
    if computable(agreement):
        rows.append((gettext("agreement of groups made from half of the days"), decimal(agreement.adjusted_rand)))
    return Table(gettext("Seed and samples"), (gettext("quantity"), gettext("value")), tuple(rows))


# The preview of a search for groups, in words: name, number and explanation. Pure.

type Fact = tuple[str, str, str]


def facts(found: Any) -> tuple[Fact, ...]:
    """Rows of the preview of a search (`segments.search.segmentations.Foretold`)."""
    rows: list[Fact] = [
        (
            gettext("Users in groups"),
            f"{found.placed:,}",
            gettext("of {count} who signed up").format(count=f"{found.signed_up:,}"),
        )
    ]
    if found.too_young:
        rows.append(
            (gettext("Left out"), f"{found.too_young:,}", gettext("their days of play or of retention aren’t over"))
        )
    if found.quiet:
        rows.append(
            (gettext("No group"), f"{found.quiet:,}", gettext("fewer than three active days; they count in the tiers"))
        )
    unlisted = gettext("{count} rarer events are left out").format(count=found.unlisted) if found.unlisted else ""
    rows.append((gettext("Behaviours"), str(found.behaviours), unlisted))
    rows.append((gettext("Takes"), *told_words(found.takes)))
    return tuple(rows)


def groups(report: Report) -> Section:
    """Section of the groups' features; the page shows their cards below it."""
    return _section("groups", gettext("Who they are"), report_groups.heat_part(report))


def stays(report: Report) -> Section:
    """Section of the groups' retention."""
    return _section("stays", gettext("Who stays?"), report_groups.retention_part(report))


def evidence(report: Report) -> Section:
    """Section on the evidence for the groups: stability and tests."""
    parts = (
        report_evidence.stability_part(report),
        report_evidence.gaps_part(report),
        report_evidence.null_test_part(report),
        report_evidence.number_of_groups_part(report),
    )
    return _section("evidence", gettext("Are there groups?"), *parts)


def pictures(report: Report) -> Section:
    """Section of the maps, and how far each can be trusted."""
    return _section(
        "maps",
        gettext("Maps"),
        report_evidence.maps_part(report),
        report_evidence.tsne_part(report),
        report_evidence.scorecard_part(report),
    )


def activity(report: Report) -> Section:
    """Section of the activity tiers, and what separates the more active users from the rest."""
    parts = (tiers.part(report), tiers.drivers_part(report), tiers.ranking_part(report))
    return _section("activity", gettext("By activity"), *parts)


def sections(report: Report) -> tuple[Section, ...]:
    """The sections about groups, in order: features, retention, evidence, maps."""
    return groups(report), stays(report), evidence(report), pictures(report)


def draw(report: Report, slug: str = "") -> tuple[Drawing, ...]:
    """Every chart of a finished search, or one; the app's run kind refers to this function."""
    parts = (part for section in (*sections(report), activity(report)) for part in section.parts)
    return drawings(parts, slug)


def _section(slug: str, title: str, *parts: Part | None) -> Section:
    return Section(slug, title, "", tuple(part for part in parts if part is not None))
