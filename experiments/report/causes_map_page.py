"""The map of causes as a page: one sentence, and each behaviour's promise beside what its nudges found. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from events.metrics import display_name
from experiments.analyse.across.causes_map import CausesMap
from experiments.analyse.across.map_changes import ReadPlace
from experiments.report.causes_map import STATES, effect_words, has_strong_sets, set_text, state_words, strong_note
from experiments.report.estimates import ROW, difference_title
from experiments.report.names import metric_words
from reporting.charts import BLUE, GREEN, GREY, INK, ORANGE, PURPLE, Drawing, Mark, alt, categories, data, rule, titled
from reporting.numbers import count, effect_text
from reporting.words import gettext
from stats.instrument.anderson_rubin import AndersonRubin, Shape
from stats.instrument.causes import Place, State
from stats.results import NotComputable, computable

# In the order of the page, with the colour of their sets.
COLOURS: Mapping[State, str] = {
    State.CAUSES: GREEN,
    State.HARMS: ORANGE,
    State.NO_MATERIAL_EFFECT: BLUE,
    State.INCONCLUSIVE: GREY,
    State.NOT_TOLD_APART: PURPLE,
    State.CONTRADICTED: PURPLE,
    State.NEVER_NUDGED: GREY,
}
# Classes of tags, as verdicts have them.
TAGS: Mapping[State, str] = {State.CAUSES: "good", State.HARMS: "bad", State.NO_MATERIAL_EFFECT: "warn"}
PLOT = 420  # pixels, with the state in words beside it
LEVEL = 0.95  # of kept readings
NAMED = 3  # behaviours that the sentence names


def in_order(found: CausesMap) -> tuple[Place, ...]:
    """The behaviours by state, what is known first; within a state the largest effect or promise first."""
    order = list(COLOURS)
    return tuple(sorted(found.places, key=lambda place: (order.index(place.state), -_size(found, place))))


def _size(found: CausesMap, place: Place) -> float:
    if place.measured is not None and computable(place.measured.effect):
        return abs(place.measured.effect)
    promise = found.promises.get(place.behaviour)
    return 0.0 if promise is None or isinstance(promise, NotComputable) else abs(promise.estimate)


def finding(found: CausesMap) -> str:
    """What the map says, in one sentence."""
    by_state = {state: [place.behaviour for place in found.places if place.state is state] for state in State}
    settled = by_state[State.CAUSES] + by_state[State.HARMS]
    outcome, n = metric_words(found.outcome), count(len(found.places))
    if settled:
        text = gettext("Known to change {outcome}: {names} ({k} of {n} behaviours).")
        return text.format(names=_named(settled), k=count(len(settled)), n=n, outcome=outcome)
    if len(by_state[State.NEVER_NUDGED]) == len(found.places):
        return gettext("No experiment has nudged any of {n} behaviours yet.").format(n=n)
    return gettext("No behaviour of {n} is known to change {outcome} yet.").format(n=n, outcome=outcome)


def _named(names: Sequence[str]) -> str:
    shown = ", ".join(map(display_name, names[:NAMED]))
    return (
        shown
        if len(names) <= NAMED
        else gettext("{names} and {more} more").format(names=shown, more=count(len(names) - NAMED))
    )


@dataclass(frozen=True)
class ShortRow:
    """One behaviour in a few words.

    Attributes:
        behaviour: its name for people.
        tag: class of its colour; "" for none.
        words: its state.
        effect: with its set; "" where there is no number.
    """

    behaviour: str
    tag: str
    words: str
    effect: str


def short_rows(found: CausesMap) -> list[ShortRow]:
    """Each behaviour's state and set, in the order of the page."""
    return [
        ShortRow(
            display_name(place.behaviour),
            TAGS.get(place.state, ""),
            state_words(place),
            effect_words(place, share=found.share),
        )
        for place in in_order(found)
    ]


@dataclass(frozen=True)
class ChangeRow:
    """One change of the map, in words.

    Attributes:
        at: when the reading was kept.
        behaviour: its name for people.
        before, after: state and set.
        brought: the experiments that brought it.
        reading: number of the signed reading; None where it isn't signed.
    """

    at: datetime
    behaviour: str
    before: str
    after: str
    brought: str
    reading: int | None


def change_rows(found: CausesMap) -> list[ChangeRow]:
    """What changed, the latest first."""
    return [
        ChangeRow(
            change.at,
            display_name(change.behaviour),
            kept_words(change.before, share=found.share),
            kept_words(change.after, share=found.share),
            ", ".join(change.brought) or gettext("findings that are no longer read"),
            change.reading if change.signed else None,
        )
        for change in found.changes.rows
    ]


def kept_words(place: ReadPlace | None, *, share: bool) -> str:
    """State and set of a behaviour in a kept reading."""
    if place is None:
        return gettext(STATES[State.NEVER_NUDGED])
    words = gettext(STATES[place.state])
    if place.effect is None:
        return words
    limits = set_text(AndersonRubin(Shape(place.shape), place.low, place.high, LEVEL), share=share)
    return f"{words}, {effect_text(place.effect, share=share, plus=True)} ({limits})"


def draw(found: CausesMap, sentence: str) -> Drawing | None:
    """Crosses: what correlations promise. Dots: what nudges found, with its set. None where there is neither."""
    factor = 100.0 if found.share else 1.0
    places = in_order(found)
    rows = [row for place in places for row in _marks(found, place, factor)]
    if not rows:
        return None
    y = categories([display_name(place.behaviour) for place in places], labelLimit=220)
    x = alt.X("low:Q", title=difference_title(found.share), scale=alt.Scale(zero=True))
    kinds = [gettext("predicted by the correlation"), gettext("measured by nudges")]
    shape = alt.Shape(
        "kind:N",
        scale=alt.Scale(domain=kinds, range=["cross", "circle"]),
        legend=alt.Legend(orient="bottom", title=None, symbolSize=110, labelLimit=320),
    )
    base = alt.Chart(data(rows)).encode(y=y, color=alt.Color("colour:N", scale=None))
    words = [{"label": display_name(place.behaviour), "state": state_words(place)} for place in places]
    thick = (
        base.transform_filter("datum.strong_low != null")
        .mark_rule(strokeWidth=7, opacity=0.5)
        .encode(x="strong_low:Q", x2="strong_high:Q", yOffset="kind:N")
    )
    layers = [
        rule(),
        base.transform_filter("datum.low !== null")
        .mark_rule(strokeWidth=2.5)
        .encode(x=x, x2="high:Q", yOffset="kind:N"),
        *([thick] if any("strong_low" in row for row in rows) else []),
        base.transform_filter("datum.estimate !== null")
        .mark_point(filled=True, size=90, opacity=1)
        .encode(x="estimate:Q", yOffset="kind:N", shape=shape),
        alt.Chart(data(words))
        .mark_text(align="left", fontSize=12, color=INK)
        .encode(y=y, x=alt.value(PLOT + 12), text="state:N"),
    ]
    return titled(
        "causes", sentence, (alt.layer(*layers).properties(width=PLOT, height=ROW * len(places)), 3 * len(rows))
    )


def legend(found: CausesMap) -> str:
    """What the marks of the picture are."""
    text = gettext(
        "Crosses: what users who did it and users who didn't differ by. Dots and bars: what nudges changed. All "
        "words on the right share one error rate, so that a bar beside 0 may still be “not known yet”."
    )
    if not has_strong_sets(found):
        return text
    return f"{text} {gettext('The thick part of a bar is its shorter set.')} {strong_note()}"


def _marks(found: CausesMap, place: Place, factor: float) -> list[Mark]:
    label, rows = display_name(place.behaviour), []
    promise = found.promises.get(place.behaviour)
    if promise is not None and not isinstance(promise, NotComputable):
        rows.append(
            {
                "label": label,
                "kind": gettext("predicted by the correlation"),
                "colour": GREY,
                "estimate": promise.estimate * factor,
                "low": promise.low * factor,
                "high": promise.high * factor,
            }
        )
    measured = place.measured
    if measured is not None and computable(measured.effect) and computable(measured.effect_set):
        low, high = measured.effect_set.low, measured.effect_set.high
        rows.append(
            {
                "label": label,
                "kind": gettext("measured by nudges"),
                "colour": COLOURS[place.state],
                "estimate": measured.effect * factor,
                "low": None if low is None or high is None else low * factor,
                "high": None if low is None or high is None else high * factor,
                **_strong_ends(measured.strong_set, factor),
            }
        )
    return rows


def _strong_ends(strong: AndersonRubin | None, factor: float) -> Mark:
    """Ends of the shorter set; none where there is none, or it has no end."""
    if strong is None or strong.shape is not Shape.INTERVAL or strong.low is None or strong.high is None:
        return {}
    return {"strong_low": strong.low * factor, "strong_high": strong.high * factor}
