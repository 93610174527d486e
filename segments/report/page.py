"""The page of a finished segmentation, part by part: heading, finding, picture, table. Pure.

A part without its data has no picture either; `segments.report.charts` asks the same question before it draws.
"""

from dataclasses import dataclass

from reporting.numbers import percent, share
from reporting.table import Part, Table
from reporting.words import gettext, reason_words
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


def evidence(report: Report) -> tuple[Part, ...]:
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
                "maps", gettext("Where the groups lie"), words.map_finding(report),
                tables.sample(report, shown["pca"]), note=note,
            )
        )  # fmt: skip
    if "tsne" in shown:
        parts.append(
            Part(
                "tsne", gettext("The same groups by t-SNE"), words.tsne_finding(report),
                tables.sample(report, shown["tsne"]),
            )
        )  # fmt: skip
    return (
        *parts,
        Part(
            "scorecard", gettext("PCA or UMAP?"), words.method_finding(report),
            tables.scorecard(report), picture=False,
        ),
        Part(
            "numbers", gettext("How many groups?"), words.k_finding(report),
            tables.numbers_of_groups(report),
        ),
        Part(
            "null", gettext("Are there groups at all?"), words.null_finding(report),
            tables.null(report),
        ),
        *_gap_part(report),
        Part(
            "stability", gettext("Is each group found again?"), words.stability_finding(report),
            tables.stability(report),
        ),
    )  # fmt: skip


def _gap_part(report: Report) -> tuple[Part, ...]:
    """Groups or styles; nothing for a run without stable groups, or of version 0.3."""
    if not report.gaps:
        return ()
    heading, finding = gettext("Groups, or styles of a continuum?"), gap_words.gaps_finding(report)
    return (Part("gaps", heading, finding, tables.gaps(report), picture=False),)


def description(report: Report) -> tuple[Part, ...]:
    """What the groups do, and who of them stays."""
    retention = any(computable(cluster.profile.retained) for cluster in report.clusters)
    return (
        Part(
            "heat", gettext("How each group plays"), words.heat_finding(report), tables.heat(report)
        ),
        Part(
            "retention", gettext("Who stays?"), words.retention_finding(report),
            tables.retention(report), picture=retention,
        ),
    )  # fmt: skip


def activity(report: Report) -> tuple[Part, ...]:
    """Tiers, and what separates the more active from the rest."""
    heading, question = gettext("Activity tiers"), gettext("What do the more active do differently?")
    found = report.tiers
    if not computable(found.cuts):
        return (Part("tiers", heading, reason_words(found.cuts), None, picture=False),)
    known = any(computable(tier.retained) for tier in found.tiers)
    tiers = Part("tiers", heading, words.tiers_finding(report), tables.tiers(report), picture=known)
    drivers = found.drivers
    if not computable(drivers):
        return tiers, Part("drivers", question, reason_words(drivers), None, picture=False)
    return (
        tiers,
        Part("drivers", question, words.drivers_finding(drivers), tables.drivers(drivers)),
        Part(
            "ranking", gettext("Which behaviours tell the tiers apart?"), words.ranking_finding(drivers),
            tables.ranking(drivers), picture=computable(drivers.ranking),
        ),
    )  # fmt: skip


def groups(report: Report) -> tuple[Group, ...]:
    """A card per group."""
    return tuple(
        Group(
            key=cluster.key,
            play=words.play_words(cluster.profile.name),
            standing=words.standing_words(cluster.standing),
            light=words.standing_of(cluster.stability)[0],
            size=gettext("%(n)s users, %(share)s of all") % {
                "n": f"{cluster.profile.size:,}", "share": percent(cluster.profile.share),
            },
            retained=share(cluster.profile.retained),
            table=tables.standing_out(cluster),
        )
        for cluster in report.clusters
    )  # fmt: skip


def pictures(report: Report) -> dict[str, str]:
    """Slug and finding of every picture that this report has."""
    parts = (*evidence(report), *description(report), *activity(report))
    return {part.slug: part.finding for part in parts if part.picture}
