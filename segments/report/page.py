"""The page of a finished segmentation, part by part: heading, finding, picture, table. Pure.

A part without its data has no picture either; `segments.report.charts` asks the same question before it draws.
"""

from dataclasses import dataclass

from reporting.numbers import percent, share
from reporting.table import Part, Table
from reporting.words import Gettext, reason_words
from segments.report import gap_words, tables, words
from segments.search.result import Report
from stats.results import computable


@dataclass(frozen=True)
class Group:
    """One group as a card: its key, words, size and table of what stands out."""

    key: str
    play: str
    standing: str
    light: str
    size: str
    retained: str
    table: Table | None


def evidence(report: Report, gettext: Gettext) -> tuple[Part, ...]:
    """Maps, and whether there are groups at all."""
    shown = {points.name: points for points in report.points}
    parts = []
    if {"pca", "umap"} <= shown.keys():
        note = gettext(
            "A sample of %(n)s users. Each dot is a user; close dots play alike. Only the statistics below say whether "
            "the groups are real."
        ) % {"n": f"{len(shown['pca'].x):,}"}
        parts.append(
            Part(
                "maps", gettext("Where the groups lie"), words.map_finding(report, gettext),
                tables.sample(report, shown["pca"], gettext), note=note,
            )
        )  # fmt: skip
    if "tsne" in shown:
        parts.append(
            Part(
                "tsne", gettext("The same groups by t-SNE"), words.tsne_finding(report, gettext),
                tables.sample(report, shown["tsne"], gettext),
            )
        )  # fmt: skip
    return (
        *parts,
        Part(
            "scorecard", gettext("PCA or UMAP?"), words.method_finding(report, gettext),
            tables.scorecard(report, gettext), picture=False,
        ),
        Part(
            "numbers", gettext("How many groups?"), words.k_finding(report, gettext),
            tables.numbers_of_groups(report, gettext),
        ),
        Part(
            "null", gettext("Are there groups at all?"), words.null_finding(report, gettext),
            tables.null(report, gettext),
        ),
        *_gap_part(report, gettext),
        Part(
            "stability", gettext("Is each group found again?"), words.stability_finding(report, gettext),
            tables.stability(report, gettext),
        ),
    )  # fmt: skip


def _gap_part(report: Report, gettext: Gettext) -> tuple[Part, ...]:
    """Groups or styles; nothing for a run without stable groups, or of version 0.3."""
    if not report.gaps:
        return ()
    heading, finding = gettext("Groups, or styles of a continuum?"), gap_words.gaps_finding(report, gettext)
    return (Part("gaps", heading, finding, tables.gaps(report, gettext), picture=False),)


def description(report: Report, gettext: Gettext) -> tuple[Part, ...]:
    """What the groups do, and who of them stays."""
    retention = any(computable(cluster.profile.retained) for cluster in report.clusters)
    return (
        Part(
            "heat", gettext("How each group plays"), words.heat_finding(report, gettext), tables.heat(report, gettext)
        ),
        Part(
            "retention", gettext("Who stays?"), words.retention_finding(report, gettext),
            tables.retention(report, gettext), picture=retention,
        ),
    )  # fmt: skip


def activity(report: Report, gettext: Gettext) -> tuple[Part, ...]:
    """Tiers, and what separates the more active from the rest."""
    heading, question = gettext("Activity tiers"), gettext("What do the more active do differently?")
    found = report.tiers
    if not computable(found.cuts):
        return (Part("tiers", heading, reason_words(found.cuts, gettext), None, picture=False),)
    known = any(computable(tier.retained) for tier in found.tiers)
    tiers = Part("tiers", heading, words.tiers_finding(report, gettext), tables.tiers(report, gettext), picture=known)
    drivers = found.drivers
    if not computable(drivers):
        return tiers, Part("drivers", question, reason_words(drivers, gettext), None, picture=False)
    return (
        tiers,
        Part("drivers", question, words.drivers_finding(drivers, gettext), tables.drivers(drivers, gettext)),
        Part(
            "ranking", gettext("Which behaviours tell the tiers apart?"), words.ranking_finding(drivers, gettext),
            tables.ranking(drivers, gettext), picture=computable(drivers.ranking),
        ),
    )  # fmt: skip


def groups(report: Report, gettext: Gettext) -> tuple[Group, ...]:
    """A card per group."""
    return tuple(
        Group(
            key=cluster.key,
            play=words.play_words(cluster.profile.name, gettext),
            standing=words.standing_words(cluster.standing, gettext),
            light=words.standing_of(cluster.stability, gettext)[0],
            size=gettext("%(n)s users, %(share)s of all") % {
                "n": f"{cluster.profile.size:,}", "share": percent(cluster.profile.share),
            },
            retained=share(cluster.profile.retained, gettext),
            table=tables.standing_out(cluster, gettext),
        )
        for cluster in report.clusters
    )  # fmt: skip


def pictures(report: Report, gettext: Gettext) -> dict[str, str]:
    """Slug and finding of every picture that this report has."""
    parts = (*evidence(report, gettext), *description(report, gettext), *activity(report, gettext))
    return {part.slug: part.finding for part in parts if part.picture}
