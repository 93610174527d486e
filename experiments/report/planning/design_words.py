"""Table of test designs by how fast they decide, with the reason for each rank, and designs that aren't ranked."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from experiments.plan.search.design_options import (
    Assigned,
    DesignOption,
    JudgedDesign,
    PlaceReason,
    RefusedDesign,
    SearchInputs,
    WhyRefused,
)
from experiments.plan.search.ranked import SearchResult, proposal
from reporting.numbers import count, decimal, effect_text, percent
from reporting.table import Table
from reporting.words import gettext, reason_words
from stats.power.family_and_looks import Method
from stats.results import NotComputable


def lead(asked: SearchInputs, found: SearchResult) -> str:
    """The proposal, and the fastest test of the feature beside it: they answer different questions."""
    feature = next((one for one in found.ranked if one.design.assigned is not Assigned.NUDGE), None)
    sentences = [_proposed(asked, found)]
    if feature is not None:
        text = gettext("The soonest test of the feature itself is {design}: {expected} days on average.")
        sentences.append(text.format(design=named(feature.design), expected=decimal(feature.expected_days, 0)))
    return " ".join(sentences)


def _proposed(asked: SearchInputs, found: SearchResult) -> str:
    best = proposal(found)
    if best is None:
        return gettext("No test of a nudge can be planned: the table of designs that aren't ranked says why.")
    text = gettext(
        "Proposed: {design}. With {units} units it has decided after {days} days with a chance of {chance} if the "
        "effect is {effect}; on average after {expected} days."
    )
    return text.format(
        design=named(best.design),
        units=count(best.units),
        days=count(best.days),
        chance=percent(best.chance, 0),
        effect=effect_text(asked.effect, share=best.design.audience.sd is None, plus=True),
        expected=decimal(best.expected_days, 0),
    )


def ranked_tables(found: SearchResult, *, most: int | None = None) -> tuple[Table, Table]:
    """Tests of a nudge, and tests of the feature: fastest first, each with its rank among all of them."""
    placed = list(enumerate(found.ranked, start=1))
    nudges = [(place, one) for place, one in placed if one.design.assigned is Assigned.NUDGE]
    features = [(place, one) for place, one in placed if one.design.assigned is not Assigned.NUDGE]
    nudge_rows = tuple(_nudge_row(place, one) for place, one in nudges[:most])
    feature_rows = tuple((*_row(place, one), _why(one)) for place, one in features[:most])
    first = (
        gettext("place"),
        gettext("test"),
        gettext("units"),
        gettext("days, average"),
        gettext("days, most"),
        gettext("chance"),
        gettext("smallest effect"),
    )
    why = gettext("why here")
    return (
        Table(
            gettext("Test the nudge: what does the behaviour do?"),
            (*first, gettext("F below 10"), gettext("placebo inert"), why),
            nudge_rows,
            gettext(
                "Chance: to have decided after the most days: the effect's set then excludes 0 and is bounded. "
                "Smallest effect: found with that chance by the deadline. F below 10: chance of a weak nudge. Placebo "
                "inert: chance to show that it leaves the behaviour alone."
            ),
        ),
        Table(
            gettext("Test the feature: what does the feature do?"),
            (*first, why),
            feature_rows,
            gettext("It answers for the feature, not for the behaviour, and only where it can be withheld from half."),
        ),
    )


def refused_table(found: SearchResult) -> Table:
    """Designs that aren't ranked, each once whatever its looks; of those that take too long, the fastest."""
    soonest = sorted(found.refused, key=lambda one: float(one.values.get("days", 0)))
    kept: dict[tuple[str, WhyRefused], RefusedDesign] = {}
    for one in (*(one for one in found.refused if "days" not in one.values), *soonest):
        name = "" if one.why is WhyRefused.NO_R_SQUARED else named(one.design, whole=False)
        kept.setdefault((name, one.why), one)
    rows = [(name or gettext("every design, adjusted"), refusal_words(one)) for (name, _why), one in kept.items()]
    return Table(gettext("Designs that aren't ranked"), (gettext("test"), gettext("why not")), tuple(rows))


def named(design: DesignOption, *, whole: bool = True) -> str:
    """A design in words.

    Args:
        design: the test design.
        whole: include its adjustment and its looks.
    """
    nudge = gettext("the nudge {name}").format(name=design.nudge) if design.nudge else gettext("a nudge")
    parts = [
        {
            Assigned.NUDGE: nudge,
            Assigned.SWITCH: gettext("the feature on or off"),
            Assigned.FEATURE: gettext("the feature for everybody in the variant"),
        }[design.assigned]
    ]
    if design.placebo:
        parts.append(gettext("against a placebo"))
    parts.append(design.audience.segment or gettext("everyone"))
    if whole:
        if design.adjusted:
            parts.append(gettext("adjusted"))
        parts.append(
            {
                Method.FIXED: gettext("one look"),
                Method.GROUP_SEQUENTIAL: gettext("{n} looks").format(n=design.looks),
                Method.ALWAYS_VALID: gettext("looks each night"),
            }[design.method]
        )
    return ", ".join(parts)


def reason_sentence(reason: PlaceReason) -> str:
    """Reason for a design's rank."""
    text = {
        "soonest": gettext("decides soonest"),
        "feature_itself": gettext("the whole effect arrives; says nothing of the behaviour by itself"),
        "switch_itself": gettext("moves all who use it by themselves; says what the feature does"),
        "placebo_costs": gettext("the placebo costs {days} days, and takes the 'unless' out of the answer"),
        "no_placebo": gettext("without a placebo the answer holds 'unless being nudged by itself' keeps users"),
        "adjustment_saves": gettext("adjusting saves {days} days"),
        "looks_save": gettext("looks save {days} days on average"),
        "looks_cost": gettext("looks cost {days} days on average"),
        "segment": gettext("{per_day} users a day, {moved} of them moved"),
        "segment_sooner": gettext("{days} days sooner than everyone: {per_day} users a day, {moved} of them moved"),
        "segment_later": gettext("{days} days later than everyone: {per_day} users a day, {moved} of them moved"),
        "may_be_weak": gettext("the nudge may turn out weak"),
    }[reason.code]
    return text.format(**_written(reason.values))


def refusal_words(one: RefusedDesign) -> str:
    """Why a design isn't ranked."""
    text = {
        WhyRefused.NO_TAKE_UP: gettext("No past experiment says how many a nudge moves here, and no take-up is given."),
        WhyRefused.HEAD_ROOM: gettext(
            "A take-up of {take_up} is more than the {room} who don't come there by themselves."
        ),
        WhyRefused.UNCERTAIN_TAKE_UP: gettext(
            "The past take-up isn't told from 0 surely enough: the chance to decide stays at {chance}."
        ),
        WhyRefused.NOBODY_COMES: gettext("Nobody comes."),
        WhyRefused.FLAT_OUTCOME: gettext("The outcome doesn't vary."),
        WhyRefused.BEYOND_EVERYBODY: gettext("An effect of this size on {share} takes the outcome out of 0 to 100%."),
        WhyRefused.NOBODY_USES_IT: gettext("Nobody does it by themselves: switching it off changes nothing."),
        WhyRefused.NO_R_SQUARED: gettext("Nothing is known of what covariates explain: give R²."),
        WhyRefused.TOO_LATE: gettext("It would take {whole_days} days or more: no test of two years is planned."),
    }[one.why]
    return text.format(**_written(one.values))


def _written(values: Mapping[str, str | float]) -> dict[str, str]:
    """Values of a reason, formatted for its sentence: shares in per cent."""
    plain = {"days": 1, "per_day": 0}
    written = {
        name: decimal(float(value), plain[name]) if name in plain else percent(float(value))
        for name, value in values.items()
    }
    return {**written, "whole_days": count(int(values["days"]))} if "days" in values else written


def design_document(one: JudgedDesign | RefusedDesign) -> dict[str, Any]:
    """A design as JSON for other programs: its choices, then the results, or why it isn't ranked."""
    design = one.design
    chosen: dict[str, Any] = {
        "assigned": str(design.assigned),
        "nudge": design.nudge,
        "segment": design.audience.segment,
        "placebo": design.placebo,
        "adjusted": design.adjusted,
        "method": str(design.method),
        "looks": design.looks,
        "users_per_day": design.audience.per_day,
        "moved": design.moved,
        "moved_standard_error": design.moved_error,
    }
    if isinstance(one, RefusedDesign):
        return {**chosen, "reason": refusal_words(one), "reason_code": str(one.why)}
    return {
        **chosen,
        "units": one.units,
        "per_variant": list(one.per_variant),
        "days": one.days,
        "chance": one.chance,
        "expected_days": one.expected_days,
        "weak_instrument": one.weak,
        "smallest_effect": one.smallest_effect,
        "placebo_shown": one.placebo_shown,
        "reasons": [{"code": reason.code, **reason.values} for reason in one.reasons],
        "reason": _why(one),
    }


def _row(place: int, one: JudgedDesign) -> tuple[str, ...]:
    share = one.design.audience.sd is None
    return (
        str(place),
        named(one.design),
        count(one.units),
        decimal(one.expected_days, 1),
        count(one.days),
        percent(one.chance, 0),
        _say(one.smallest_effect, partial(effect_text, share=share, plus=False)),
    )


def _nudge_row(place: int, one: JudgedDesign) -> tuple[str, ...]:
    placebo = "" if one.placebo_shown is None else _say(one.placebo_shown, partial(percent, digits=0))
    return (*_row(place, one), _say(one.weak, partial(percent, digits=1)), placebo, _why(one))


def _why(one: JudgedDesign) -> str:
    return "; ".join(reason_sentence(reason) for reason in one.reasons)


def _say(value: Any, write: Callable[[Any], str]) -> str:
    return reason_words(value) if isinstance(value, NotComputable) else write(value)
