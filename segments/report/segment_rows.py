"""Segments as rows of lists and pages: name, distinctive behaviours, size and retention. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from events.metrics import parse_retention
from events.metrics.sentences import sentence as definition_sentence
from reporting.charts import Drawing, titled
from reporting.numbers import percent, share
from reporting.table import Table
from reporting.words import gettext
from runs.refusals import Refused
from segments.names import pattern_words, title_of
from segments.report.groups import retained_bars, standing_of
from segments.search.leaving import Share, rate, too_small
from stats.results import NotComputable, Reason, computable

# Users of a segment: traits as shares, and shortened ids. Pure.

LETTERS = 4


def breakdown(members: Any) -> Table | None:
    """Traits of a segment's users, from `members.WhoIsIn`; None where they have none."""
    rows = [
        (trait.name, value, percent(users / trait.users), f"{users:,}", f"{trait.users:,}")
        for trait in members.traits
        for value, users in trait.values
    ]
    if not rows:
        return None
    columns = (gettext("trait"), gettext("value"), gettext("share"), gettext("users"), gettext("users with the trait"))
    note = gettext("Of {read} users of the segment, at most 5,000.").format(read=f"{members.read:,}")
    return Table(gettext("Traits of its users"), columns, tuple(rows), note)


def shortened(unit: str) -> str:
    """An id shortened for a page: its start and end."""
    return unit if len(unit) <= 2 * LETTERS + 1 else f"{unit[:LETTERS]}…{unit[-LETTERS:]}"


class Segmented(Protocol):
    """`segments.models.Segment`."""

    pk: Any
    key: str
    name: str
    pattern: Sequence[Sequence[str]] | None
    stayed: Mapping[str, Any] | None
    stability: float | None
    size: int


@dataclass(frozen=True)
class SegmentRow:
    """One segment in words.

    Attributes:
        pk, key: of the segment.
        title: its name; without one its key and distinctive behaviours.
        named: whether a person named it.
        play: its distinctive behaviours, "" for a rule.
        size: number of its users.
        part: their share of all placed users, 0 to 1, for the bar.
        part_text: the same in words.
        stays: share retained, with interval and n; or why it is unknown.
        fraction: share retained, 0 to 1; "" where unknown.
        colour, standing: recommended use by stability.
        stability: 0 to 1; None for a rule.
    """

    pk: Any
    key: str
    title: str
    named: bool
    play: str
    size: str
    part: str
    part_text: str
    stays: str
    fraction: str
    colour: str
    standing: str
    stability: float | None


def rows(segments: Iterable[Segmented], units: int, shape: str) -> tuple[SegmentRow, ...]:
    """Rows of the segments of one version, which placed `units` users; `shape` is its run's result of the gap test."""
    return tuple(row(segment, units, shape) for segment in segments)


def row(segment: Segmented, units: int, shape: str) -> SegmentRow:
    """Row of one segment of a version that placed `units` users."""
    colour, standing = standing_of(segment.stability, shape)
    stayed = stayed_of(segment.stayed)
    part = segment.size / units if units else 0.0
    known = computable(stayed)
    return SegmentRow(
        pk=segment.pk,
        key=segment.key,
        title=title_of(segment.name, segment.key, segment.pattern),
        named=bool(segment.name),
        play=pattern_words(segment.pattern),
        size=f"{segment.size:,}",
        part=f"{part:.4f}",
        part_text=percent(part),
        stays=_stays(segment.stayed, stayed),
        fraction=f"{stayed.estimate:.4f}" if known and computable(stayed) else "",
        colour=colour,
        standing=standing,
        stability=segment.stability,
    )


def _stays(stored: Mapping[str, Any] | None, stayed: Share | NotComputable) -> str:
    if stored is None:
        return gettext("measured at the next refresh")
    return f"{share(stayed)}, n {stayed.n:,}" if computable(stayed) else share(stayed)


def stayed_of(stored: Mapping[str, Any] | None) -> Share | NotComputable:
    """The share retained, from `Segment.stayed`."""
    if not stored or not stored.get("n"):
        return NotComputable(Reason.NO_DATA)
    n = int(stored["n"])
    return too_small(n) or rate(int(stored["count"]), n)


def retention_words(segments: Iterable[Segmented]) -> str:
    """The retention definition of these segments, as a sentence; "" where it wasn't measured."""
    for segment in segments:
        text = (segment.stayed or {}).get("retention")
        if text:
            try:
                return definition_sentence(parse_retention(str(text)))
            except Refused:
                return ""
    return ""


def picture(segments: Sequence[Segmented]) -> Drawing | None:
    """Retention of each segment as bars; None where it is unknown."""
    pairs = [(title_of(each.name, each.key, each.pattern), stayed_of(each.stayed)) for each in segments]
    bars = [(title, stayed, stayed.n if computable(stayed) else 0) for title, stayed in pairs]
    if not any(computable(stayed) for _, stayed in pairs):
        return None
    drawn = retained_bars(bars, NotComputable(Reason.NO_DATA), width=180)  # beside a table
    return titled("segment-retention", gettext("Who stays?"), drawn)


def refresh_words(units: int, rule: bool) -> str:
    """What a refresh will do to this version, shown before it is started."""
    text = (
        gettext("Asks the rule of every user again, {units} at the last time. The rule stays as it is.")
        if rule
        else gettext(
            "Checks again which group each user belongs to, {units} at the last time. The groups stay as they are."
        )
    )
    return text.format(units=f"{units:,}")
