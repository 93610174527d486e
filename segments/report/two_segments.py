"""Comparison of two segments: size, retention with its difference, traits, and differences by construction. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from reporting.charts import Drawing
from reporting.numbers import difference, number, p_text, percent, share
from reporting.table import Table
from reporting.words import gettext, reason_words
from runs.refusals import Refused
from segments.names import title_of
from segments.published.drift import ComparisonResult
from segments.report import tiers
from segments.report.segment_rows import Segmented, picture, stayed_of
from segments.rules import Needs, needs, parse_rule
from segments.search.leaving import Share
from stats.compare import compare_proportions
from stats.results import NotComputable, Reason, computable
from stats.summaries import Mean

# What separates two segments. Pure.


@dataclass(frozen=True)
class Comparison:
    """Two segments: the finding, their rates and differences, and the model's ranking if it has skill."""

    finding: str
    rows: Table
    ranking: Table | None


def comparison(result: ComparisonResult, titles: tuple[str, str], *, constructed: bool = False) -> Comparison | str:
    """A comparison of two segments, or the reason why there is none.

    Args:
        result: as stored.
        titles: current names of the two; the stored ones may be outdated.
        constructed: True when the groups were formed by these behaviours, so that a model always separates them.
    """
    drivers = result.drivers
    if not computable(drivers):
        return reason_words(drivers)
    drivers = replace(drivers, first=titles[0], second=titles[1])
    title = gettext("Behaviour on an active day")
    note = gettext(
        "Events per active day, %(first)s against %(second)s users. Cliff's delta compares everybody over the same "
        "%(days)s active days: 0 alike, 1 when each of the second group does it more often."
    ) % {"first": f"{drivers.first_units:,}", "second": f"{drivers.second_units:,}", "days": drivers.exposure_days}
    ranks = tiers.ranking_table(drivers)
    if ranks is not None:
        judged = gettext(
            "The model separates the two with an area under the curve of %(auc)s on users it never saw (0.5 is "
            "chance). Ranks whose intervals overlap are tied. It predicts; it does not explain."
        ) % {"auc": number(drivers.auc, 2)}
        if constructed:
            judged += " " + gettext("These groups were formed by these behaviours, so an area near 1 is expected.")
        ranks = replace(ranks, note=judged)
    rows = replace(tiers.drivers_table(drivers), title=title, note=note)
    return Comparison(tiers.drivers_finding(drivers), rows, ranks)


LEVEL = 0.05


@dataclass(frozen=True)
class Side:
    """One of two segments.

    Attributes:
        segment: the segment's row.
        version: its version, as text.
        units: number of users that the version placed.
        rule: rule of the version; None for clusters.
        inputs: inputs of the version.
        is_list: whether it is a list of users.
    """

    segment: Segmented
    version: str
    units: int
    rule: Any
    inputs: Mapping[str, Any]
    is_list: bool = False

    @property
    def title(self) -> str:
        """The segment's name on pages."""
        return title_of(self.segment.name, self.segment.key, self.segment.pattern)


@dataclass(frozen=True)
class TwoSegments:
    """Comparison of two segments without a model, for a page."""

    finding: str
    facts: Table
    construction: tuple[str, ...]
    picture: Drawing | None


def two_segments(first: Side, second: Side, *, pairs: int) -> TwoSegments:
    """Compare two segments.

    Args:
        first: the baseline of the differences.
        second: the other one.
        pairs: number of pairs of segments to choose from: p is adjusted for it.
    """
    stays = stayed_of(first.segment.stayed), stayed_of(second.segment.stayed)
    same = (first.segment.stayed or {}).get("retention") == (second.segment.stayed or {}).get("retention")
    contrast = _difference(*stays) if same else NotComputable(Reason.NO_DATA)
    finding = _finding(first, second, contrast, same, pairs)
    sizes = [_size(side) for side in (first, second)]
    rows = [
        (gettext("users"), *sizes, ""),
        (gettext("retained (95% CI)"), *(_stays(each) for each in stays), difference(contrast) if same else ""),
        (gettext("version"), first.version, second.version, ""),
    ]
    columns = ("", first.title, second.title, gettext("difference, points (95% CI)"))
    facts = Table(gettext("Side by side"), columns, tuple(rows))
    return TwoSegments(finding, facts, by_construction(first, second), picture([first.segment, second.segment]))


def _size(side: Side) -> str:
    text = gettext("{count} ({share} of {units} placed)")
    part = percent(side.segment.size / side.units) if side.units else percent(0.0)
    return text.format(count=f"{side.segment.size:,}", share=part, units=f"{side.units:,}")


def _stays(stayed: Share | NotComputable) -> str:
    return f"{share(stayed)}, n {stayed.n:,}" if computable(stayed) else reason_words(stayed)


def _difference(first: Share | NotComputable, second: Share | NotComputable) -> Any:
    if not computable(first):
        return first
    if not computable(second):
        return second
    return compare_proportions(_mean(first), _mean(second))


def _mean(stayed: Share) -> Mean:
    return Mean.from_counts(stayed.count, stayed.n)


def _finding(first: Side, second: Side, contrast: Any, same: bool, pairs: int) -> str:
    if not same:
        return gettext("Their retention was measured by two definitions, so it can’t be compared.")
    if not computable(contrast):
        return gettext("Who stays can’t be compared yet: {why}").format(why=reason_words(contrast))
    p_value = min(1.0, contrast.p_value * pairs)
    names = {"first": first.title, "second": second.title, "p": p_text(p_value), "pairs": pairs}
    names["difference"] = difference(contrast)
    if p_value > LEVEL:
        text = gettext("Retention does not differ detectably between {first} and {second} ({difference} points, {p}).")
    elif contrast.estimate > 0:
        text = gettext("{second} is retained more than {first}: {difference} points ({p}).")
    else:
        text = gettext("{second} is retained less than {first}: {difference} points ({p}).")
    words = text.format(**names)
    if pairs > 1:
        words += " " + gettext(
            "p is adjusted for the {pairs} pairs that could have been picked; the interval is not."
        ).format(pairs=pairs)
    return words


def by_construction(first: Side, second: Side) -> tuple[str, ...]:
    """Differences between the two that come from how the segments are defined."""
    notes: list[str] = []
    for side in (first, second):
        if side.is_list:
            text = gettext("{name} is a list: what its users did decided that they are in it.")
            notes.append(text.format(name=side.title))
    if not (first.is_list or second.is_list) and first.rule is None and second.rule is None:
        notes.append(
            gettext(
                "These groups were formed by how often their users do each behaviour, on the days that are compared "
                "here. Differences in behaviour are there by construction, and a model can separate the two almost "
                "perfectly: that shows how the groups were cut, not what makes a user one or the other."
            )
        )
    for side in (first, second):
        required = _needs(side.rule)
        if required is None:
            continue
        names = [str(count.behaviour) for count in required.behaviours]
        names += [str(count.behaviour) for count in required.recent if count.behaviour is not None]
        if names:
            text = gettext("{segment} is defined by {names}, so a difference in it is there by construction.")
            notes.append(text.format(segment=side.title, names=", ".join(dict.fromkeys(names))))
        if required.features or required.recent:
            text = gettext(
                "{segment} is defined by activity up to today, the days of retention included, so a difference in "
                "retention is there by construction."
            )
            notes.append(text.format(segment=side.title))
    return tuple(notes)


def _needs(rule: Any) -> Needs | None:
    try:
        return None if rule is None else needs(parse_rule(rule))
    except Refused:
        return None


def traits_table(titles: tuple[str, str], sides: tuple[Iterable[Any], Iterable[Any]]) -> Table | None:
    """The most frequent values of each trait in both, as shares of the users that have it; None without traits.

    Args:
        titles: names of the two.
        sides: `members.TraitShare` of each.
    """
    first, second = ({trait.name: trait for trait in traits} for traits in sides)
    lines: list[tuple[str, ...]] = []
    for name in [name for name in first if name in second]:
        values = dict.fromkeys(value for trait in (first[name], second[name]) for value, _ in trait.values)
        lines += [
            (name, value, *(_share_of(each[name], value) for each in (first, second))) for value in list(values)[:4]
        ]
    if not lines:
        return None
    note = gettext("Shares of the users that have the trait, up to 5,000 of each segment. Described, not tested.")
    columns = (gettext("trait"), gettext("value"), *titles)
    return Table(gettext("Traits"), columns, tuple(lines), note)


def _share_of(trait: Any, value: str) -> str:
    count = dict(trait.values).get(value, 0)
    return f"{percent(count / trait.users)} ({count:,}/{trait.users:,})"
