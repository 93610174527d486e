"""Drift of a published version, and migration of its users. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from reporting.numbers import decimal, number, percent
from reporting.words import gettext, reason_words
from runs.payloads import Unreadable
from segments.names import feature_name
from segments.published.drift import (
    ABSENT,
    DRIFT,
    REFIT_AT,
    TOO_LITTLE_DATA,
    UNLIKE_ANY,
    WATCH_AT,
    Drift,
    Moves,
    StabilityIndex,
)
from stats.results import NotComputable, Reason, computable

SHADES = 9  # CSS classes, since the content security policy forbids inline styles


@dataclass(frozen=True)
class Light:
    """One stability index: name, value, colour name and words."""

    name: str
    value: str
    by_chance: str
    colour: str
    words: str


@dataclass(frozen=True)
class Cell:
    """A number and the shade of its cell, 0 to `SHADES`."""

    text: str
    shade: int


@dataclass(frozen=True)
class HeatRow:
    """One row of the migration table: a state before."""

    label: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class MigrationView:
    """Migration table: one row per group before, one column per group after."""

    columns: tuple[str, ...]
    rows: tuple[HeatRow, ...]
    finding: str
    note: str


@dataclass(frozen=True)
class DriftView:
    """A version's drift, as shown on its page."""

    lights: tuple[Light, ...]
    note: str
    migration: MigrationView | None

    @property
    def alarmed(self) -> bool:
        """Whether any index isn't "good", so that the table is worth reading."""
        return any(light.colour != "good" for light in self.lights)


def drift(
    document: dict[str, Any] | None,
    names: Mapping[int, str],
    names_of: Callable[[int], Mapping[int, str]] | None = None,
) -> DriftView | None:
    """A version's stored drift, or None before the first refresh.

    Args:
        document: as `segments.published.drift.DRIFT` stores it.
        names: of the version's segments by their number.
        names_of: returns the current names of an earlier version's segments; without it the stored names are used.
    """
    if not document:
        return None
    result = DRIFT.read(document)
    if isinstance(result, Unreadable):
        return DriftView((), result.sentence(), None)
    lights = [_light(gettext("sizes of the groups"), result.shares)]
    lights += [_light(feature_name(name), index) for name, index in result.features.items()]
    note = gettext(
        "Population stability index against the users the groups were made from: below %(watch)s as before, from "
        "%(refit)s on search for groups anew. By chance: its average without any drift. %(unlike)s of the placed "
        "users are unlike any group; 1 in 100 was so when the groups were made."
    ) % {"watch": decimal(WATCH_AT), "refit": decimal(REFIT_AT), "unlike": percent(result.unlike_share)}
    moves = result.migration
    if moves is None:
        return DriftView(tuple(lights), note, None)
    before = (names_of(moves.from_version) if names_of is not None else {}) or moves.names or names
    return DriftView(tuple(lights), note, migration(moves, names, before))


def strongest(code: str) -> tuple[str, str]:
    """Colour name and words of a version's strongest drift, for a list; `code` is that of `DriftResult`."""
    if code in set(Drift):
        return drift_light(Drift(code))
    if code in set(Reason):
        return "", reason_words(NotComputable(Reason(code)))
    return "", gettext("not measured yet")


def _light(name: str, index: StabilityIndex | NotComputable) -> Light:
    if not computable(index):
        return Light(name, "", "", "", reason_words(index))
    colour, text = drift_light(index.code)
    return Light(name, decimal(index.value, 3), decimal(index.by_chance, 4), colour, text)


def drift_light(code: Drift) -> tuple[str, str]:
    """Colour name and words of a drift code."""
    return {
        Drift.STABLE: ("good", gettext("as when it was made")),
        Drift.WATCH: ("warn", gettext("drifting: watch it")),
        Drift.REFIT: ("bad", gettext("drifted: search for groups anew")),
    }[code]


def migration(moves: Moves, names: Mapping[int, str], before: Mapping[int, str]) -> MigrationView:
    """The migration as a table whose cells are shaded by the share of their row; `before` names its rows."""
    rows = tuple(
        HeatRow(place_words(state, before), tuple(Cell(f"{count:,}", _shade(count, sum(counts))) for count in counts))
        for state, counts in zip(moves.states, moves.counts, strict=True)
        if sum(counts)
    )
    finding = (
        gettext("%(share)s of the users in a group both times stayed in theirs") % {"share": percent(moves.stayed)}
        if computable(moves.stayed)
        else reason_words(moves.stayed)
    )
    agreement = number(moves.adjusted_rand, 2)
    note = gettext(
        "Rows: where users were in version %(version)s. Columns: where the same users are now. Stronger colour: a "
        "larger share of the row. Agreement whatever the groups are called (adjusted Rand index): %(agreement)s."
    ) % {"version": moves.from_version, "agreement": agreement}
    columns = tuple(place_words(state, names) for state in moves.states)
    return MigrationView(columns, rows, finding, note)


def _shade(count: int, total: int) -> int:
    return round(SHADES * count / total) if total else 0


def place_words(state: int, names: Mapping[int, str]) -> str:
    """A state of the migration table: a segment's name, or why a user has none."""
    return {
        UNLIKE_ANY: gettext("unlike any group"),
        TOO_LITTLE_DATA: gettext("too little data"),
        ABSENT: gettext("not yet a user"),
    }.get(state) or names.get(state, f"g{state + 1}")
