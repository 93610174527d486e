"""Partial results of a running segmentation: users counted, activity tiers, and groups so far. Pure."""

from collections.abc import Mapping
from typing import Any

from reporting.document import load
from reporting.numbers import count, decimal, p_text, percent
from reporting.table import Growing, GrowingTable
from reporting.words import gettext, reason_words
from segments.report.tiers import tier_name
from segments.search import partial_results
from segments.search.gaps import Shape
from segments.search.partial_results import Chance, Chosen, Compared, GroupCount, Neighbours, Sizes, Started, TierSizes
from stats.results import NotComputable

type Documents = Mapping[str, Any]
type Text = str | None


def page(documents: Documents) -> Growing | None:
    """The page of a running segmentation; None before the first counts.

    Raises:
        pydantic.ValidationError: for parts of another version.
    """
    if partial_results.STARTED not in documents:
        return None
    started = load(Started, documents[partial_results.STARTED])
    tiers = load(TierSizes, documents[partial_results.TIERS]) if partial_results.TIERS in documents else None
    rows = _known(started, tiers, documents)
    come = [label for label, value in rows[2:] if value is not None]
    counted = counted_sentence(started, tiers)
    news = gettext("Known so far: {names}.").format(names=", ".join(come)) if come else ""
    return Growing(
        gettext("So far: counts and activity"),
        counted,
        f"{counted} {news}".strip(),
        gettext("Preliminary: numbers may still change, and until all tests are done nothing here is a segment."),
        (
            _tiers(tiers),
            GrowingTable(
                gettext("What is known of the groups"), (gettext("quantity"), gettext("value")), rows, "", frozenset()
            ),
        ),
    )


def counted_sentence(started: Started, tiers: TierSizes | None) -> str:
    """Number of users that the counts are based on."""
    if tiers is not None and tiers.users < tiers.eligible:
        text = gettext("Counted on a sample: {n} of {all} users, drawn by seed {seed}. The exact counts follow.")
        return text.format(n=count(tiers.users), all=count(tiers.eligible), seed=tiers.seed)
    if tiers is not None:
        return gettext("Counted on all {all} users.").format(all=count(tiers.eligible))
    return gettext("{all} users are considered.").format(all=count(started.eligible))


def _tiers(tiers: TierSizes | None) -> GrowingTable:
    names, note = ("low", "mid", "high"), ""
    columns = (gettext("tier"), gettext("users"), gettext("share"))
    rows: tuple[tuple[Text, ...], ...] = tuple((tier_name(name), None, None) for name in names)
    if tiers is not None and isinstance(tiers.cuts, NotComputable):
        note = reason_words(tiers.cuts)
        rows = tuple((tier_name(name), gettext("n/a"), gettext("n/a")) for name in names)
    elif tiers is not None and not isinstance(tiers.cuts, NotComputable):
        note = gettext("Low: up to %(low)s active days; middle: up to %(mid)s; high: more.")
        note %= {"low": tiers.cuts.low, "mid": tiers.cuts.mid}
        sizes = dict(zip(names, tiers.sizes, strict=True))
        rows = tuple((tier_name(name), count(n), percent(n / tiers.users, 0)) for name, n in sizes.items())
    return GrowingTable(gettext("Activity tiers"), columns, rows, note, frozenset({1, 2}))


def _known(started: Started, tiers: TierSizes | None, documents: Documents) -> tuple[tuple[str, Text], ...]:
    groups = _groups(documents)
    return (
        (gettext("signed up"), count(started.signed_up)),
        (gettext("considered"), count(started.eligible)),
        (gettext("too few active days for a pattern"), None if tiers is None else _share(tiers)),
        (gettext("features compared"), _features(documents)),
        (gettext("number of groups"), None if groups is None else _number(groups)),
        (gettext("stability (adjusted Rand index)"), None if groups is None else decimal(groups.stability)),
        (gettext("map used"), _method(documents)),
        (gettext("against populations without groups"), _chance(documents)),
        (gettext("separate groups, or styles of play?"), _shape(documents)),
        (gettext("users in each group"), _sizes(documents)),
    )


def _groups(documents: Documents) -> GroupCount | None:
    if partial_results.METHOD in documents:
        return load(Chosen, documents[partial_results.METHOD]).groups
    return load(GroupCount, documents[partial_results.GROUPS]) if partial_results.GROUPS in documents else None


def _share(tiers: TierSizes) -> str:
    return f"{count(tiers.too_little)} ({percent(tiers.too_little / max(tiers.users, 1), 0)})"


def _number(groups: GroupCount) -> str:
    return str(groups.k) if groups.recommended else gettext("{k}, for viewing only").format(k=groups.k)


def _features(documents: Documents) -> Text:
    if partial_results.FEATURES not in documents:
        return None
    compared = load(Compared, documents[partial_results.FEATURES])
    return gettext("{n}, and {dropped} behaviours left out").format(n=compared.features, dropped=compared.dropped)


def _method(documents: Documents) -> Text:
    return (
        load(Chosen, documents[partial_results.METHOD]).method.value.upper()
        if partial_results.METHOD in documents
        else None
    )


def _chance(documents: Documents) -> Text:
    if partial_results.CHANCE not in documents:
        return None
    chance = load(Chance, documents[partial_results.CHANCE])
    return gettext("{p}, {n} populations").format(p=p_text(chance.p_value), n=chance.draws)


def _shape(documents: Documents) -> Text:
    if partial_results.GAPS not in documents:
        return None
    neighbours = load(Neighbours, documents[partial_results.GAPS])
    if neighbours.shape is Shape.NONE:
        return gettext("no stable groups")
    names = {Shape.GROUPS: gettext("groups"), Shape.STYLES: gettext("styles of play")}
    text = gettext("{shape}: a gap between {found} of {pairs} pairs of neighbours")
    return text.format(shape=names[neighbours.shape], found=neighbours.found, pairs=neighbours.pairs)


def _sizes(documents: Documents) -> Text:
    return (
        ", ".join(map(count, load(Sizes, documents[partial_results.SIZES]).sizes))
        if partial_results.SIZES in documents
        else None
    )
