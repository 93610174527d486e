"""Rank designs by the days until they decide, each with the reason for its rank; list refused ones. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from experiments.plan.search.decided import judged
from experiments.plan.search.design_options import (
    EVERYONE,
    Assigned,
    DesignOption,
    JudgedDesign,
    PlaceReason,
    RefusedDesign,
    SearchInputs,
    designs,
)
from stats.power.family_and_looks import Method
from stats.results import computable

LEAST_DAYS = 0.05  # smaller differences are no reason for a rank
WEAK_CHANCE = 0.05  # above it the table warns of a weak instrument


@dataclass(frozen=True)
class SearchResult:
    """Result of a search.

    Attributes:
        ranked: designs by their mean days until they decide, the fastest first.
        refused: the others.
    """

    ranked: tuple[JudgedDesign, ...]
    refused: tuple[RefusedDesign, ...]


def search(asked: SearchInputs) -> SearchResult:
    """All designs, judged and ranked.

    Raises:
        ValueError: for an invalid value.
    """
    found = [judged(asked, design) for design in designs(asked)]
    good = sorted((one for one in found if isinstance(one, JudgedDesign)), key=_place)
    by_design = {_choices(one.design): one for one in good}
    ranked = tuple(replace(one, reasons=tuple(_reasons(at, one, by_design))) for at, one in enumerate(good))
    return SearchResult(ranked, tuple(one for one in found if isinstance(one, RefusedDesign)))


def proposal(found: SearchResult) -> JudgedDesign | None:
    """The fastest test with a placebo, which also measures the direct effect of being nudged.

    Without such a design, the fastest test of a nudge; without any, None.
    """
    nudges = [one for one in found.ranked if one.design.assigned is Assigned.NUDGE]
    return next((one for one in nudges if one.design.placebo), nudges[0] if nudges else None)


def _place(one: JudgedDesign) -> tuple[float, int, int]:
    """Sort key: mean days to a tenth, then days until the end, then units."""
    return round(one.expected_days, 1), one.days, one.units


type Choices = tuple[str, str, str, bool, bool, str]


def _choices(design: DesignOption) -> Choices:
    return (
        design.assigned.value,
        design.nudge,
        design.audience.segment,
        design.placebo,
        design.adjusted,
        design.method.value,
    )


def _reasons(place: int, one: JudgedDesign, others: dict[Choices, JudgedDesign]) -> Iterable[PlaceReason]:
    """Days that each choice costs or saves, against the same design with the other choice."""
    design = one.design
    if place == 0:
        yield PlaceReason("soonest")
    if design.assigned is not Assigned.NUDGE:
        yield PlaceReason(f"{design.assigned}_itself")

    def against(**changes: object) -> float | None:
        other = others.get(_choices(replace(design, **changes)))  # type: ignore[arg-type]
        days = None if other is None else one.expected_days - other.expected_days
        return None if days is None or abs(days) < LEAST_DAYS else days

    if design.placebo and (days := against(placebo=False)) is not None:
        yield PlaceReason("placebo_costs", {"days": days})
    elif design.assigned is Assigned.NUDGE and not design.placebo:
        yield PlaceReason("no_placebo")
    if design.adjusted and (days := against(adjusted=False)) is not None:
        yield PlaceReason("adjustment_saves", {"days": -days})
    if design.method is not Method.FIXED and (days := against(method=Method.FIXED)) is not None:
        yield PlaceReason("looks_save" if days < 0 else "looks_cost", {"days": abs(days)})
    if design.audience.segment != EVERYONE:
        yield from _segment(one, others)
    if computable(one.weak) and one.weak > WEAK_CHANCE:
        yield PlaceReason("may_be_weak", {"chance": one.weak})


def _segment(one: JudgedDesign, others: dict[Choices, JudgedDesign]) -> Iterable[PlaceReason]:
    design = one.design
    everyone = next((key for key in others if key == (*_choices(design)[:2], EVERYONE, *_choices(design)[3:])), None)
    values: dict[str, str | float] = {"per_day": design.audience.per_day, "moved": design.moved or 0.0}
    if everyone is None:
        yield PlaceReason("segment", values)
        return
    days = one.expected_days - others[everyone].expected_days
    yield PlaceReason("segment_sooner" if days < 0 else "segment_later", {**values, "days": abs(days)})
