"""Planning: cost of choices, power of placebo and dose arms, comparison of designs, power curve. Pure."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from events.metrics import display_name
from experiments.plan.arms_power import ArmsPower, DoseArms, PlaceboArm
from experiments.plan.designs import (
    Assigned,
    DesignOption,
    JudgedDesign,
    PlaceReason,
    RefusedDesign,
    SearchInputs,
    SearchResult,
    WhyRefused,
    proposal,
)
from experiments.plan.parting import Parting
from experiments.plan.planned_power import ChoiceCost, weeks
from experiments.plan.validation import Problem
from reporting.charts import BLUE, GREY, ORANGE, SERIES, Drawing, alt, data, drawing, reading, readings
from reporting.document import outward
from reporting.numbers import count, decimal, effect_text, percent, planned_text
from reporting.table import Table
from reporting.words import days_words, gettext, reason_words
from stats.power.family_and_looks import Method
from stats.results import NotComputable, computable

# The choices of a plan in words: costs, durations, and warnings. Pure.


def choice_name(choice: ChoiceCost) -> str:
    """Name of the choice in the first column."""
    if choice.code == "effect":
        return gettext("Plan for an effect {factor} times as large").format(factor=f"{choice.factor:g}")
    names = {
        "placebo": gettext("Placebo group"),
        "doses": gettext("Dose groups"),
        "arm": gettext("One more group"),
        "segments": gettext("Only these segments"),
        "coverage": gettext("Coverage below 100%"),
        "half_coverage": gettext("Enrol half of them"),
        "layer": gettext("A slice of a layer"),
        "holdout": gettext("Holdout"),
        "clusters": gettext("Draw whole clusters"),
        "guardrails": gettext("Guardrails with a margin"),
        "second_primary": gettext("Second primary outcome"),
        "adjusted": gettext("Adjusted comparison"),
        "looks": gettext("Analyses before the end"),
    }
    return names[choice.code]


def choice_state(choice: ChoiceCost) -> str:
    """Whether the plan has made the choice."""
    return gettext("in the plan") if choice.chosen else gettext("not in the plan")


def with_and_without(choice: ChoiceCost) -> tuple[str, str]:
    """Duration with the choice, and without it."""
    now, turned = duration(choice.now), duration(choice.days)
    return (now, turned) if choice.chosen else (turned, now)


def difference(choice: ChoiceCost) -> str:
    """Days that the choice costs; a plus means longer."""
    if not (computable(choice.now) and computable(choice.days)):
        return ""
    more = choice.now - choice.days if choice.chosen else choice.days - choice.now
    if not more:
        return gettext("no difference")
    text = gettext("{days} longer") if more > 0 else gettext("{days} shorter")
    return text.format(days=days_words(abs(more)))


def duration(days: int | NotComputable) -> str:
    """Days, with weeks or years where these are easier to read."""
    if not computable(days):
        return reason_words(days)
    if days > 730:
        return gettext("{years} years").format(years=decimal(days / 365.25, 1))
    text = gettext("1 week") if weeks(days) == 1 else gettext("{weeks} weeks")
    return text.format(weeks=count(weeks(days)))


def caution_words(problem: Problem) -> str:
    """A warning as one plain sentence in the reader's language."""
    sentences = {
        "no_nudge": gettext("The nudge is empty: nobody knows what to build."),
        "nudge_without_words": gettext("Nobody knows what to build: these nudges don't say what users see: {keys}."),
        "same_values": gettext("All groups have the same value: a service that reads it shows everybody the same."),
        "nobody_enrolled": gettext("With this coverage nobody is enrolled."),
        "shares_units": gettext(
            "About {units} users of the running experiment “{name}” are in this audience too, so both changes meet "
            "the same users. A common layer would separate them."
        ),
        "may_share_units": gettext(
            "New users can be in the running experiment “{name}” too. A common layer would separate them."
        ),
        "unknown_event": gettext("No event “{event}” has arrived so far, which “{metric}” counts."),
        "unknown_other": gettext("No event “{event}” has arrived so far, which another behaviour counts."),
        "no_margin": gettext("“{metric}” has no margin: it can raise an alarm, but never be shown to be unharmed."),
        "take_up_beyond": gettext(
            "Without a nudge the share who do it is {reach}%, so the nudge can change at most {room}%."
        ),
        "never_so_many": gettext("{units} users would take more than ten years: about {per_day} are enrolled a day."),
        "too_few_units": gettext(
            "The planned users are too few: this effect would be found with a chance of {chance}%, not {wanted}%."
        ),
        "too_long": gettext("At {per_day} users a day this takes {years} years. A plan should end within a year."),
        "end_too_soon": gettext(
            "The planned end comes {days} days before the planned users are enrolled, which is on {ends}."
        ),
        "unknown_length": gettext(
            "How long this takes isn't known: no users signed up in the last four weeks. Enter users per day."
        ),
        "unknown_power": gettext("Whether the planned users can show this effect isn't known: there is no base rate."),
    }
    return sentences[problem.code].format(**problem.details)


# Power of placebo and dose arms as lines, beside the size of a plan and on the terminal. Pure.


def arms_rows(arms: ArmsPower) -> list[tuple[str, str]]:
    """Lines of a label and its number, or the reason why there is none."""
    return [*_placebo(arms.placebo), *_doses(arms.doses)]


def _placebo(arm: PlaceboArm) -> list[tuple[str, str]]:
    title = (
        gettext("Placebo of {n} users: chance to show that it leaves the behaviour alone")
        if arm.planned
        else gettext("A placebo of {n} users would show that it leaves the behaviour alone with a chance of")
    )
    return [
        (title.format(n=_say(arm.units, count)), _say(arm.shown, partial(percent, digits=0))),
        (gettext("Users that the placebo and control need for it, each"), _say(arm.needed, count)),
    ]


def _doses(arms: DoseArms) -> list[tuple[str, str]]:
    title = (
        gettext("Groups nudged to {targets} times: chance to show a step, or an effect of each time")
        if arms.planned
        else gettext("Groups nudged to {targets} times would show a step, or an effect of each time, with chances of")
    )
    say = partial(percent, digits=0)
    return [
        (
            title.format(targets=", ".join(map(str, arms.targets))),
            f"{_say(arms.tells_step, say)} · {_say(arms.tells_dose, say)}"
            if not isinstance(arms.tells_step, NotComputable)
            else reason_words(arms.tells_step),
        ),
        (gettext("Users that these groups need for it, together"), _say(arms.needed, count)),
    ]


def _say(value: Any, write: Callable[[Any], str]) -> str:
    return reason_words(value) if isinstance(value, NotComputable) else write(value)


# Table of test designs by how fast they decide, with the reason for each rank, and designs that aren't ranked.


def lead(inputs: SearchInputs, result: SearchResult) -> str:
    """Sentence on the proposed design, and on the fastest test of the feature, which answers another question."""
    feature = next((candidate for candidate in result.ranked if candidate.design.assigned is not Assigned.NUDGE), None)
    sentences = [_proposed(inputs, result)]
    if feature is not None:
        text = gettext("The soonest test of the feature itself is {design}: {expected} days on average.")
        sentences.append(text.format(design=named(feature.design), expected=decimal(feature.expected_days, 0)))
    return " ".join(sentences)


def _proposed(inputs: SearchInputs, result: SearchResult) -> str:
    best = proposal(result)
    if best is None:
        return gettext("No test of a nudge can be planned: the table of designs that aren't ranked says why.")
    text = gettext(
        "Proposed: {design}. With {units} users it has decided after {days} days with a chance of {chance} if the "
        "effect is {effect}; on average after {expected} days."
    )
    return text.format(
        design=named(best.design),
        units=count(best.units),
        days=count(best.days),
        chance=percent(best.chance, 0),
        effect=planned_text(inputs.effect, share=best.design.audience.sd is None),
        expected=decimal(best.expected_days, 0),
    )


def ranked_tables(result: SearchResult, *, most: int | None = None) -> tuple[Table, Table]:
    """Tests of a nudge, and tests of the feature: fastest first, each with its rank among all of them."""
    placed = list(enumerate(result.ranked, start=1))
    nudges = [(place, candidate) for place, candidate in placed if candidate.design.assigned is Assigned.NUDGE]
    features = [(place, candidate) for place, candidate in placed if candidate.design.assigned is not Assigned.NUDGE]
    nudge_rows = tuple(_nudge_row(place, candidate) for place, candidate in nudges[:most])
    feature_rows = tuple((*_row(place, candidate), _why(candidate)) for place, candidate in features[:most])
    first = (
        gettext("place"),
        gettext("test"),
        gettext("users"),
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


def refused_table(result: SearchResult) -> Table:
    """Designs that aren't ranked, each once whatever its looks; of those that take too long, the fastest."""
    soonest = sorted(result.refused, key=lambda refusal: float(refusal.values.get("days", 0)))
    refusals: dict[tuple[str, WhyRefused], RefusedDesign] = {}
    for candidate in (*(candidate for candidate in result.refused if "days" not in candidate.values), *soonest):
        name = "" if candidate.why is WhyRefused.NO_R_SQUARED else named(candidate.design, whole=False)
        refusals.setdefault((name, candidate.why), candidate)
    rows = [
        (name or gettext("every design, adjusted"), refusal_words(refusal))
        for (name, _why), refusal in refusals.items()
    ]
    return Table(gettext("Designs that aren't ranked"), (gettext("test"), gettext("why not")), tuple(rows))


def named(design: DesignOption, *, whole: bool = True) -> str:
    """Name of a design.

    Args:
        design: the test design.
        whole: include its adjustment and its looks.
    """
    nudge = gettext("the nudge {name}").format(name=design.nudge) if design.nudge else gettext("a nudge")
    parts = [
        {
            Assigned.NUDGE: nudge,
            Assigned.SWITCH: gettext("the feature on or off"),
            Assigned.FEATURE: gettext("the feature for everybody in the group"),
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
                Method.FIXED: gettext("one analysis"),
                Method.GROUP_SEQUENTIAL: gettext("{n} analyses").format(n=design.looks),
                Method.ALWAYS_VALID: gettext("analyses every night"),
            }[design.method]
        )
    return ", ".join(parts)


def reason_sentence(reason: PlaceReason) -> str:
    """Reason for a design's rank."""
    text = {
        "soonest": gettext("decides soonest"),
        "feature_itself": gettext("the whole effect arrives; says nothing of the behaviour by itself"),
        "switch_itself": gettext("changes everybody who uses it; says what the feature does"),
        "placebo_costs": gettext("the placebo costs {days} days, and takes the 'unless' out of the answer"),
        "no_placebo": gettext("without a placebo the answer holds only “unless the nudge itself” keeps users"),
        "adjustment_saves": gettext("adjusting saves {days} days"),
        "looks_save": gettext("analyses save {days} days on average"),
        "looks_cost": gettext("analyses cost {days} days on average"),
        "segment": gettext("{per_day} users a day, {moved} of them do it because of the nudge"),
        "segment_sooner": gettext(
            "{days} days sooner than everyone: {per_day} users a day, {moved} of them do it because of the nudge"
        ),
        "segment_later": gettext(
            "{days} days later than everyone: {per_day} users a day, {moved} of them do it because of the nudge"
        ),
        "may_be_weak": gettext("the nudge may turn out weak"),
    }[reason.code]
    return text.format(**_written(reason.values))


def refusal_words(refusal: RefusedDesign) -> str:
    """Why a design isn't ranked."""
    text = {
        WhyRefused.NO_TAKE_UP: gettext(
            "No past experiment says how many users a nudge changes here, and no take-up is given."
        ),
        WhyRefused.HEAD_ROOM: gettext(
            "A take-up of {take_up} is more than the {room} who don't come there by themselves."
        ),
        WhyRefused.UNCERTAIN_TAKE_UP: gettext(
            "The past take-up isn't clearly above 0: the chance to decide stays at {chance}."
        ),
        WhyRefused.NOBODY_COMES: gettext("Nobody comes."),
        WhyRefused.FLAT_OUTCOME: gettext("The outcome doesn't vary."),
        WhyRefused.BEYOND_EVERYBODY: gettext("An effect of this size on {share} takes the outcome out of 0 to 100%."),
        WhyRefused.NOBODY_USES_IT: gettext("Nobody does it by themselves: switching it off changes nothing."),
        WhyRefused.NO_R_SQUARED: gettext("Nothing is known of what covariates explain: give R²."),
        WhyRefused.TOO_LATE: gettext("It would take {whole_days} days or more: no test of two years is planned."),
    }[refusal.why]
    return text.format(**_written(refusal.values))


def _written(values: Mapping[str, str | float]) -> dict[str, str]:
    """Values of a reason, formatted for its sentence: shares in per cent."""
    plain = {"days": 1, "per_day": 0}
    written = {
        name: decimal(float(value), plain[name]) if name in plain else percent(float(value))
        for name, value in values.items()
    }
    return {**written, "whole_days": count(int(values["days"]))} if "days" in values else written


def parting_sentence(parting: Parting, *, share: bool) -> str:
    """Which nudge would part a behaviour from the one that goes with it."""
    names = {"behaviour": display_name(parting.behaviour), "other": display_name(parting.other)}
    first = gettext("The experiments so far can't separate {behaviour} from {other}.").format(**names)
    best = next((one for one in parting.tried if computable(one.users)), None)
    if best is not None and computable(best.users):
        second = gettext(
            "The nudge of {nudge} would part them, as it moved {behaviour} by {moves} and {other} by {moves_other}: "
            "with about {users} users more."
        ).format(
            **names,
            nudge=best.nudge,
            moves=effect_text(best.moves, share=True, plus=True),
            moves_other=effect_text(best.moves_other, share=True, plus=True),
            users=count(best.users),
        )
        return f"{first} {second} {_found_then(parting, best.chance, share=share)}"
    if not computable(parting.users):
        second = gettext("No nudge that was tried parts them, and no number of users of a new one is enough.")
        return f"{first} {second}"
    second = gettext(
        "No nudge that was tried parts them: it takes one that moves {other} and not {behaviour}. If it moves "
        "{take_up} of the users, about {users} users are enough."
    ).format(**names, take_up=percent(parting.take_up), users=count(parting.users))
    return f"{first} {second} {_found_then(parting, parting.chance, share=share)}"


def _found_then(parting: Parting, chance: float, *, share: bool) -> str:
    text = gettext("An effect of {effect} is then found in {chance} of cases.")
    return text.format(effect=planned_text(parting.effect, share=share), chance=percent(chance, 0))


def search_document(
    subject: Mapping[str, object], inputs: SearchInputs, result: SearchResult, parting: Parting | None = None
) -> Any:
    """A search for the fastest test as JSON for other programs; `subject` holds what was searched for."""
    best = proposal(result)
    return outward(
        {
            "subject": subject,
            "effect": inputs.effect,
            "alpha": inputs.alpha,
            "power": inputs.power,
            "r_squared": inputs.r_squared,
            "deadline": inputs.deadline,
            "proposal": None if best is None else result.ranked.index(best) + 1,
            "designs": [
                {"rank": place, **design_document(candidate)} for place, candidate in enumerate(result.ranked, start=1)
            ],
            "refused": [design_document(refusal) for refusal in result.refused],
            "parting": None if parting is None else _parting(parting, share=is_share(inputs)),
        }
    )


def is_share(inputs: SearchInputs) -> bool:
    """Whether the outcome of a search is a share of users."""
    return inputs.audiences[0].sd is None


def _parting(parting: Parting, *, share: bool) -> dict[str, Any]:
    return {
        "behaviour": parting.behaviour,
        "other": parting.other,
        "conditional_f": parting.conditional_f,
        "tried": [
            {
                "nudge": one.nudge,
                "moves": one.moves,
                "moves_other": one.moves_other,
                "users": one.users,
                "chance": one.chance,
            }
            for one in parting.tried
        ],
        "new": {"moves": 0.0, "moves_other": parting.take_up, "users": parting.users, "chance": parting.chance},
        "message": parting_sentence(parting, share=share),
    }


def design_document(candidate: JudgedDesign | RefusedDesign) -> dict[str, Any]:
    """A design as JSON for other programs: its choices, then the results, or why it isn't ranked."""
    design = candidate.design
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
    if isinstance(candidate, RefusedDesign):
        return {**chosen, "reason": refusal_words(candidate), "reason_code": str(candidate.why)}
    return {
        **chosen,
        "units": candidate.units,
        "per_variant": list(candidate.per_variant),
        "days": candidate.days,
        "chance": candidate.chance,
        "expected_days": candidate.expected_days,
        "weak_instrument": candidate.weak,
        "smallest_effect": candidate.smallest_effect,
        "placebo_shown": candidate.placebo_shown,
        "reasons": [{"code": reason.code, **reason.values} for reason in candidate.reasons],
        "reason": _why(candidate),
    }


def _row(place: int, candidate: JudgedDesign) -> tuple[str, ...]:
    share = candidate.design.audience.sd is None
    return (
        str(place),
        named(candidate.design),
        count(candidate.units),
        decimal(candidate.expected_days, 1),
        count(candidate.days),
        percent(candidate.chance, 0),
        _say(candidate.smallest_effect, partial(planned_text, share=share)),
    )


def _nudge_row(place: int, candidate: JudgedDesign) -> tuple[str, ...]:
    placebo = "" if candidate.placebo_shown is None else _say(candidate.placebo_shown, partial(percent, digits=0))
    return (*_row(place, candidate), _say(candidate.weak, partial(percent, digits=1)), placebo, _why(candidate))


def _why(candidate: JudgedDesign) -> str:
    return "; ".join(reason_sentence(reason) for reason in candidate.reasons)


# The power curve of a plan as a chart. Pure.

WIDTH, HEIGHT = 330, 190  # fits the narrow column beside the form


def power_curve(
    points: tuple[tuple[int, float], ...], *, units: int, reached: float, wanted: float, effect: float, share: bool
) -> Drawing:
    """Power for the planned effect by the number of units, with the plan's own size marked.

    Args:
        points: (units of all variants, power 0 to 1), by units.
        units: planned units of all variants.
        reached: power with them, 0 to 1.
        wanted: the plan's power, 0 to 1.
        effect: planned, absolute.
        share: True when the effect is a difference of shares, shown in points.
    """
    title = gettext("With {units} users, an effect of {effect} is found with a chance of {power}").format(
        units=count(units), effect=planned_text(effect, share=share), power=percent(reached, 0)
    )
    rows = [{"units": size, "power": power} for size, power in points]
    axis = alt.Axis(format="%", tickCount=5)
    y = alt.Y("power:Q", title=gettext("Chance to find it"), scale=alt.Scale(domain=[0, 1]), axis=axis)
    x = alt.X("units:Q", title=gettext("Users of all groups"), axis=alt.Axis(format=",d", tickCount=5))
    line = alt.Chart(data(rows)).mark_line(color=BLUE, strokeWidth=2.5).encode(x=x, y=y)
    goal = alt.Chart(data([{"power": wanted}])).mark_rule(color=GREY, strokeDash=[4, 3]).encode(y="power:Q")
    here = alt.Chart(data([{"units": units, "power": reached}]))
    dot = here.mark_point(color=ORANGE, filled=True, size=110, opacity=1).encode(x="units:Q", y="power:Q")
    found = gettext("Chance to find it")
    texts = {
        size: reading(gettext("{units} users").format(units=count(size)), [(found, percent(power, 0))])
        for size, power in points
    }
    chart = alt.layer(goal, line, dot, readings(x, "units", texts)).properties(width=WIDTH, height=HEIGHT)
    return drawing("power-curve", title, chart, marks=len(rows))


def lab_curve(
    behaviours: tuple[tuple[str, tuple[tuple[int, float], ...]], ...],
    *,
    units: int,
    reached: float,
    wanted: float,
    effect: float,
    share: bool,
) -> Drawing:
    """Power of a lab by the number of users, one line for each behaviour, with the plan's own size marked.

    Args:
        behaviours: name of each, and its (users of the lab, power 0 to 1), by users; the same users for all.
        units: planned users.
        reached: power with them of the behaviour with the least, 0 to 1.
        wanted: the plan's power, 0 to 1.
        effect: planned for every behaviour, absolute.
        share: True when the effect is a difference of shares, shown in points.
    """
    title = gettext(
        "With {units} users, an effect of {effect} is found with a chance of {power} or more, whichever behaviour has "
        "it"
    ).format(units=count(units), effect=planned_text(effect, share=share), power=percent(reached, 0))
    names = [name for name, _points in behaviours]
    rows = [{"name": name, "units": size, "power": power} for name, points in behaviours for size, power in points]
    y = alt.Y(
        "power:Q",
        title=gettext("Chance to find it"),
        scale=alt.Scale(domain=[0, 1]),
        axis=alt.Axis(format="%", tickCount=5),
    )
    x = alt.X("units:Q", title=gettext("Users of the lab"), axis=alt.Axis(format=",d", tickCount=5))
    legend = alt.Legend(orient="bottom", columns=2, labelLimit=240)
    colour = alt.Color(
        "name:N", title=None, scale=alt.Scale(domain=names, range=list(SERIES[: len(names)])), legend=legend
    )
    lines = alt.Chart(data(rows)).mark_line(strokeWidth=2.5).encode(x=x, y=y, color=colour)
    goal = alt.Chart(data([{"power": wanted}])).mark_rule(color=GREY, strokeDash=[4, 3]).encode(y="power:Q")
    here = alt.Chart(data([{"units": units, "power": reached}]))
    dot = here.mark_point(color=GREY, filled=True, size=110, opacity=1).encode(x="units:Q", y="power:Q")
    texts = {
        size: reading(
            gettext("{units} users").format(units=count(size)),
            [(name, percent(points[at][1], 0)) for name, points in behaviours],
        )
        for at, (size, _power) in enumerate(behaviours[0][1])
    }
    chart = alt.layer(goal, lines, dot, readings(x, "units", texts)).properties(width=WIDTH, height=HEIGHT)
    return drawing("power-curve", title, chart, marks=len(rows))
