"""Groups in words: their keys, what they do, what their stability allows, and a card for each. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from reporting.numbers import decimal, number, p_value, percent, share
from reporting.table import Table
from reporting.words import gettext, reason_words
from segments.report.features import feature_name
from segments.search.clustering import PATTERN_JACCARD, STABLE_JACCARD, Standing
from segments.search.gaps import Shape
from segments.search.profiles import Direction, FeatureContrast
from segments.search.result import Cluster, Report
from stats.results import NotComputable, computable

STANDING_OUT = 6


@dataclass(frozen=True)
class GroupCard:
    """One group as a card: its key, words, size and table of what stands out; the first one is shown open."""

    key: str
    play: str
    standing: str
    light: str
    size: str
    retained: str
    table: Table | None
    open: bool


def cards(report: Report) -> tuple[GroupCard, ...]:
    """A card per group."""
    shape = shape_of(report)
    return tuple(
        GroupCard(
            key=cluster.key,
            play=play_words(cluster.profile.name),
            standing=standing_words(cluster.standing, shape),
            light=standing_of(cluster.stability, shape)[0],
            size=gettext("%(n)s users, %(share)s of all")
            % {"n": f"{cluster.profile.size:,}", "share": percent(cluster.profile.share)},
            retained=share(cluster.profile.retained),
            table=standing_out(cluster),
            open=cluster is report.clusters[0],
        )
        for cluster in report.clusters
    )


def standing_out(cluster: Cluster) -> Table | None:
    """What sets one group apart, the largest standardised difference first."""
    features = cluster.profile.features
    if isinstance(features, NotComputable):
        return None
    ordered = sorted(features, key=lambda row: -abs(row.smd) if computable(row.smd) else 0.0)[:STANDING_OUT]
    rows = tuple(_feature(row) for row in ordered)
    columns = (
        gettext("feature"),
        gettext("standardised difference"),
        gettext("share doing it"),
        gettext("share of the others"),
        gettext("median per active day"),
        gettext("median of the others"),
        gettext("adjusted p"),
    )
    untested = [row.adjusted_p_value for row in ordered if not computable(row.adjusted_p_value)]
    # One reason for all rows is said once, below them.
    note = reason_words(untested[0]) if len(untested) == len(ordered) > 0 else ""
    return Table(gettext("What stands out in %(group)s") % {"group": cluster.key}, columns, rows, note)


def _feature(row: FeatureContrast) -> tuple[str, ...]:
    tested = row.adjusted_p_value
    return (
        feature_name(row.name),
        number(row.smd, 2),
        percent(row.doing),
        percent(row.rest_doing),
        decimal(row.median),
        decimal(row.rest_median),
        p_value(tested) if computable(tested) else gettext("not tested"),
    )


def cluster_words(cluster: Cluster) -> str:
    """The key of a group and what it does most differently."""
    first = cluster.profile.name[:1]
    return f"{cluster.key} · {play_words(first)}" if first else cluster.key


def play_words(name: Sequence[tuple[str, str]]) -> str:
    """What stands out in a group, for example ``more arena, less build``."""
    texts = {Direction.MORE.value: gettext("more %(what)s"), Direction.LESS.value: gettext("less %(what)s")}
    found = [texts[str(direction)] % {"what": feature_name(what)} for what, direction in name]
    return ", ".join(found) if found else gettext("nothing stands out")


def shape_of(report: Report) -> str:
    """What a run calls its groups; "" for those of version 0.3, which didn't test for gaps."""
    return (report.shape or "") if report.found else Shape.NONE


def standing_words(standing: Standing, shape: str = "") -> str:
    """What a group's stability allows.

    Args:
        standing: of the group by itself.
        shape: of all of them together (`segments.search.gaps.Shape`); "" where it isn't known. What is no group, or a
            style of a continuum, is never called stable, however often it is found again.
    """
    if shape == Shape.NONE:
        return gettext("for looking only")
    if shape == Shape.STYLES and standing is Standing.STABLE:
        return gettext("found again")
    return {
        Standing.STABLE: gettext("stable"),
        Standing.PATTERN: gettext("a pattern: name it with care"),
        Standing.DISSOLVES: gettext("dissolves: no name, no targeting"),
    }[standing]


def standing_of(stability: float | None, shape: str = "") -> tuple[str, str]:
    """Colour name and words for a stored stability; a rule has none and always holds."""
    if stability is None:
        return "good", gettext("a rule: holds by definition")
    colour, standing = "bad", Standing.DISSOLVES
    if stability >= STABLE_JACCARD:
        colour, standing = ("" if shape == Shape.STYLES else "good"), Standing.STABLE
    elif stability >= PATTERN_JACCARD:
        colour, standing = "warn", Standing.PATTERN
    return "" if shape == Shape.NONE else colour, standing_words(standing, shape)
