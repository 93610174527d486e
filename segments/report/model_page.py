"""What is said of a published model: drift, migration between versions, and its churn models. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from reporting.numbers import between, decimal, limits, number, percent
from reporting.table import Table
from reporting.words import gettext, reason_words
from runs.payloads import Unreadable
from segments.churn.model import Coefficient, Quality
from segments.churn.result import ChurnResult
from segments.published.drift import REFIT_AT, WATCH_AT, Drift, StabilityIndex
from segments.published.payload_versions import DRIFT
from segments.published.run_results import ComparisonResult, Moves
from segments.report import tables, words
from stats.results import NotComputable, Reason, computable

SHADES = 9  # classes of the style sheet, since the policy forbids styles in the page


@dataclass(frozen=True)
class Light:
    """One index of drift: what drifted, the index, a colour name and its words."""

    name: str
    value: str
    by_chance: str
    colour: str
    words: str


@dataclass(frozen=True)
class Cell:
    """A number and how dark its cell is, 0 to `SHADES`."""

    text: str
    shade: int


@dataclass(frozen=True)
class HeatRow:
    """One state before."""

    label: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class MigrationView:
    """Where users went: one row per group before, one column per group after."""

    columns: tuple[str, ...]
    rows: tuple[HeatRow, ...]
    finding: str
    note: str


@dataclass(frozen=True)
class DriftView:
    """Everything that is known of a version's drift."""

    lights: tuple[Light, ...]
    note: str
    migration: MigrationView | None


@dataclass(frozen=True)
class Comparison:
    """Two segments: the finding, their rates and differences, and the model's ranking if it has skill."""

    finding: str
    rows: Table
    ranking: Table | None


def drift(document: dict[str, Any] | None, names: Mapping[int, str]) -> DriftView | None:
    """A version's stored drift, or None before the first refresh.

    Args:
        document: as `segments.payload_versions.DRIFT` stores it.
        names: of the version's segments by their number.
    """
    if not document:
        return None
    result = DRIFT.read(document)
    if isinstance(result, Unreadable):
        return DriftView((), result.sentence(), None)
    lights = [_light(gettext("sizes of the groups"), result.shares)]
    lights += [_light(words.feature_name(name), index) for name, index in result.features.items()]
    note = gettext(
        "Population stability index against the users the groups were made from: below %(watch)s as before, from "
        "%(refit)s on look for groups anew. By chance: its average without any drift. %(unlike)s of the placed users "
        "are unlike any group; 1 in 100 was so when the groups were made."
    ) % {
        "watch": decimal(WATCH_AT), "refit": decimal(REFIT_AT), "unlike": percent(result.unlike_share),
    }  # fmt: skip
    moves = result.migration
    return DriftView(tuple(lights), note, None if moves is None else migration(moves, names))


def strongest(code: str) -> tuple[str, str]:
    """Colour name and words of a version's strongest drift, for a list; `code` is that of `DriftResult`."""
    if code in set(Drift):
        return words.drift_light(Drift(code))
    if code in set(Reason):
        return "", reason_words(NotComputable(Reason(code)))
    return "", gettext("not measured yet")


def _light(name: str, index: StabilityIndex | NotComputable) -> Light:
    if not computable(index):
        return Light(name, "", "", "", reason_words(index))
    colour, text = words.drift_light(index.code)
    return Light(name, decimal(index.value, 3), decimal(index.by_chance, 4), colour, text)


def migration(found: Moves, names: Mapping[int, str]) -> MigrationView:
    """The migration as a table whose cells are shaded by the share of their row."""
    rows = tuple(
        HeatRow(
            words.place_words(state, found.names or names),
            tuple(Cell(f"{count:,}", _shade(count, sum(counts))) for count in counts),
        )
        for state, counts in zip(found.states, found.counts, strict=True)
        if sum(counts)
    )
    finding = (
        gettext("%(share)s of the users in a group both times stayed in theirs") % {"share": percent(found.stayed)}
        if computable(found.stayed)
        else reason_words(found.stayed)
    )
    agreement = number(found.adjusted_rand, 2)
    note = gettext(
        "Rows: where users were in version %(version)s. Columns: where the same users are now. Stronger colour: a "
        "larger share of the row. Agreement whatever the groups are called (adjusted Rand index): %(agreement)s."
    ) % {"version": found.from_version, "agreement": agreement}
    columns = tuple(words.place_words(state, names) for state in found.states)
    return MigrationView(columns, rows, finding, note)


def _shade(count: int, total: int) -> int:
    return round(SHADES * count / total) if total else 0


@dataclass(frozen=True)
class ChurnView:
    """A finished churn model: its finding, quality and calibration; without a model the finding says why."""

    finding: str
    quality: Table | None
    calibration: Table | None


def churn(result: ChurnResult) -> ChurnView:
    """A churn model for its page."""
    found = result.quality
    if isinstance(found, NotComputable):
        return ChurnView(reason_words(found), None, None)
    return ChurnView(words.calibration_finding(found), _quality(found), _bins(found))


def _quality(found: Quality) -> Table:
    skill = found.skill
    rows = (
        (
            gettext("users judged, of these left"), f"{skill.units:,} / {skill.positives:,}",
            gettext("on users it never saw"),
        ),
        (
            gettext("area under the curve"),
            f"{decimal(skill.auc.estimate, 3)} ({between(decimal(skill.auc.low, 3), decimal(skill.auc.high, 3))})",
            gettext("0.5: chance, 1: every leaver above every other"),
        ),
        (
            gettext("Brier score, base rate alone"), f"{decimal(found.brier, 4)} / {decimal(found.base_brier, 4)}",
            gettext("mean squared error of the chance; less is better"),
        ),
        (
            gettext("calibration slope"), _coefficient(found.slope),
            gettext("1: as spread as it should be; less: too extreme"),
        ),
        (
            gettext("calibration intercept"), _coefficient(found.intercept),
            gettext("0: right on average; more: too low"),
        ),
    )  # fmt: skip
    columns = (gettext("quantity"), gettext("value (95 % CI)"), gettext("how to read it"))
    return Table(gettext("How good the scores are"), columns, rows)


def _coefficient(value: Coefficient) -> str:
    return f"{decimal(value.estimate)} ({between(decimal(value.low), decimal(value.high))})"


def _bins(found: Quality) -> Table:
    rows = tuple((f"{row.n:,}", percent(row.predicted), limits(row.observed, row.low, row.high)) for row in found.table)
    columns = (gettext("users"), gettext("mean predicted risk"), gettext("share that left (95 % CI)"))
    return Table(gettext("Calibration: predicted against what happened"), columns, rows)


def comparison(result: ComparisonResult) -> Comparison | str:
    """A comparison of two segments, or in words why there is none."""
    found = result.drivers
    if not computable(found):
        return reason_words(found)
    title = gettext("Behaviour on an active day")
    note = gettext(
        "Events per active day, %(first)s against %(second)s users. Cliff's delta compares everybody over the same "
        "%(days)s active days: 0 alike, 1 when each of the second group does it more often."
    ) % {"first": f"{found.first_units:,}", "second": f"{found.second_units:,}", "days": found.exposure_days}
    ranking = tables.ranking(found)
    if ranking is not None:
        judged = gettext(
            "The model tells the two apart with an area under the curve of %(auc)s on users it never saw (0.5 is "
            "chance). Ranks whose intervals overlap are tied. It predicts; it does not explain."
        ) % {"auc": number(found.auc, 2)}
        ranking = replace(ranking, note=judged)
    rows = replace(tables.drivers(found), title=title, note=note)
    return Comparison(words.drivers_finding(found), rows, ranking)
