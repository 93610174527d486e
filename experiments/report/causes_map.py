"""A map of causes as JSON and as tables of a terminal. Pure."""

from typing import Any

from experiments.analyse.across.causes_map import CausesMap, Promise, Remark, ToKnow
from experiments.analyse.across.map_changes import Change, ReadPlace
from experiments.report.names import metric_words
from reporting.document import chosen, outward
from reporting.numbers import count, decimal, effect_limits, effect_text, level_text, p_text, p_value, percent
from reporting.table import Row, Table
from reporting.words import gettext, later, reason_words
from stats.instrument.anderson_rubin import AndersonRubin, Shape
from stats.instrument.causes import Place, State
from stats.instrument.joint import STRONG_F
from stats.instrument.nudge_pairs import POWER
from stats.results import Estimate, NotComputable, computable

STATES: dict[State, str] = {
    State.CAUSES: later("causes"),
    State.HARMS: later("harms"),
    State.NO_MATERIAL_EFFECT: later("no material effect"),
    State.INCONCLUSIVE: later("not known yet"),
    State.NOT_TOLD_APART: later("can't be told apart"),
    State.CONTRADICTED: later("the nudges contradict each other"),
    State.NEVER_NUDGED: later("never nudged"),
}
REMARKS: dict[str, str] = {
    "missing_unit": later("%(n)s rows without a user were left out."),
    "missing_nudge": later("%(n)s users without a value for each nudge were left out."),
    "missing_cluster": later("%(n)s users without a group were left out."),
    "missing_behaviour": later("%(n)s users without a value for each behaviour were left out."),
    "missing_outcome": later(
        "%(n)s users without an outcome were left out. Where a nudge decides whose outcome is known, the effects are "
        "wrong."
    ),
    "nudge_share": later(
        "%(n)s of %(users)s users have the nudge %(nudge)s. If half were planned, the data can't answer; if another "
        "share was planned, give it with --ratio."
    ),
    "draws_dependent": later(
        "The nudges %(first)s and %(second)s weren't drawn independently of each other (%(p_value)s): the effect of "
        "each holds a part of the other's."
    ),
    "left_invalid": later("%(name)s (%(variant)s) isn't on the map: its data can't answer."),
    "left_whole_clusters": later(
        "%(name)s (%(variant)s) isn't on the map: whole groups were nudged, so its effect holds what friends did."
    ),
    "left_shares_control": later(
        "%(name)s (%(variant)s) isn't on the map: it shares its control group with the first variant."
    ),
    "left_other_claim": later(
        "%(name)s (%(variant)s) isn't on the map: it counted its behaviour over other days or from another number of "
        "times on than most."
    ),
    "shared_users": later(
        "%(n)s users were in both %(first)s and %(second)s. The map reads them as if they were different users, which "
        "is right where both draws were independent of each other and their effects add up."
    ),
}


# ── JSON ──────────────────────────────────────────────────────────────────────
def document(found: CausesMap) -> dict[str, Any]:
    """The JSON document of `map --json` and of REST. Other programs read it: never rename keys."""
    written: dict[str, Any] = outward(
        {
            "behaviours": [_behaviour(found, place) for place in found.places],
            "agreement": _agreement(found),
            "interactions": [
                {
                    "nudges": list(pair.nudges),
                    "change": _estimate(pair.change),
                    "adjusted_p_value": pair.adjusted_p,
                    "smallest_detectable": pair.smallest,
                    "power": POWER,
                }
                for pair in found.pairs
            ],
            "outcome": found.outcome,
            "users": found.users,
            "nudges": list(found.experiments),
            "alpha": found.alpha,
            "changes": [_change(change) for change in found.changes.rows],
            "remarks": [
                {"code": remark.code, **remark.values, "message": remark_sentence(remark)} for remark in found.remarks
            ],
        }
    )
    return written


def _behaviour(found: CausesMap, place: Place) -> dict[str, Any]:
    measured, to_know = place.measured, found.to_know.get(place.behaviour)
    apart = place.state is State.NOT_TOLD_APART and measured is not None
    return {
        "behaviour": place.behaviour,
        "promise": _promise(found.promises.get(place.behaviour)),
        "effect": _effect(place),
        "state": place.state.value,
        "conditional_f": place.adjusted_p if measured is None else measured.conditional_f,
        "with": list(measured.confused_with) if apart and measured is not None else [],
        "to_know": {"users": to_know.users, "weeks": to_know.weeks} if isinstance(to_know, ToKnow) else to_know,
    }


def _effect(place: Place) -> Any:
    """The effect with its set; the p-values are those of "no effect", the second adjusted over the map."""
    measured = place.measured
    if measured is None:
        return place.adjusted_p
    if not computable(measured.effect) or isinstance(measured.effect_set, NotComputable):
        return measured.effect
    return {
        "estimate": measured.effect,
        "shape": measured.effect_set.shape.value,
        **chosen(measured.effect_set, "low", "high", "level"),
        "p_value": measured.p_zero,
        "adjusted_p_value": place.adjusted_p,
        "read": "jointly" if measured.joint else "alone",
        "strong_set": _set(measured.strong_set),
    }


def _change(change: Change) -> dict[str, Any]:
    return {
        "at": change.at.isoformat(),
        "behaviour": change.behaviour,
        "before": _kept(change.before),
        "after": _kept(change.after),
        "experiments": list(change.brought),
        "reading": change.reading,
        "signed": change.signed,
    }


def _kept(place: ReadPlace | None) -> Any:
    if place is None:
        return None
    return {
        "state": place.state.value,
        "estimate": place.effect,
        "shape": place.shape or None,
        "low": place.low,
        "high": place.high,
    }


def _set(effect_set: AndersonRubin | None) -> Any:
    return (
        None if effect_set is None else {"shape": effect_set.shape.value, **chosen(effect_set, "low", "high", "level")}
    )


def _promise(promise: Promise | None) -> Any:
    return chosen(promise, "estimate", "low", "high", "level")


def _estimate(estimate: Estimate | NotComputable) -> Any:
    return chosen(estimate, "estimate", "standard_error", "low", "high", "p_value", "level")


def _agreement(found: CausesMap) -> Any:
    agreement = found.agreement
    if isinstance(agreement, NotComputable):
        return agreement
    direct = found.direct_effect
    return {
        **chosen(agreement, "statistic", "degrees_of_freedom", "p_value"),
        "agree": agreement.p_value >= found.alpha,
        "influential": list(agreement.influential),
        "direct_effect": direct if isinstance(direct, NotComputable) else _set(direct),
    }


# ── Tables ────────────────────────────────────────────────────────────────────
def state_words(place: Place) -> str:
    """The state in words, with the behaviours from which it can't be told."""
    if place.state is State.NOT_TOLD_APART and place.measured is not None and place.measured.confused_with:
        return gettext("can't be told apart from %(others)s") % {"others": ", ".join(place.measured.confused_with)}
    return gettext(STATES[place.state])


def effect_words(place: Place, *, share: bool) -> str:
    """The measured effect with its set; "" where there is no number."""
    has = place.measured is not None and computable(place.measured.effect)
    return _effect_text(place, share=share) if has else ""


def remark_sentence(remark: Remark) -> str:
    """A remark in words."""
    shown = {name: _value(name, value) for name, value in remark.values.items()}
    return gettext(REMARKS[remark.code]) % shown


def _value(name: str, value: str | float) -> str:
    if name == "p_value" and not isinstance(value, str):
        return p_text(value)
    return count(value) if isinstance(value, int) else str(value)


def agreement_sentence(found: CausesMap) -> str:
    """Whether the nudges tell one story."""
    agreement = found.agreement
    if isinstance(agreement, NotComputable):
        return reason_words(agreement)
    if agreement.p_value >= found.alpha:
        return gettext("The nudges agree (%(p_value)s).") % {"p_value": p_text(agreement.p_value)}
    if agreement.influential:
        names = ", ".join(agreement.influential)
        return gettext(
            "The nudges contradict each other (%(p_value)s); without one of these they agree: %(nudges)s. What that "
            "one changes has no number, and the other numbers are read without it."
        ) % {"p_value": p_text(agreement.p_value), "nudges": names}
    return gettext(
        "The nudges contradict each other (%(p_value)s), and no single one explains it: no behaviour has a number."
    ) % {"p_value": p_text(agreement.p_value)}


def tables(found: CausesMap) -> tuple[Table, ...]:
    """All tables, in their order."""
    rest = (_pairs_table(found),) if found.pairs else ()
    return (_behaviours_table(found), *rest)


def _behaviours_table(found: CausesMap) -> Table:
    columns = (
        gettext("behaviour"),
        gettext("what the correlation says"),
        gettext("what nudges say, %(level)s") % {"level": level_text(1 - found.alpha)},
        *((gettext("shorter set, for strong nudges"),) if has_strong_sets(found) else ()),
        gettext("state"),
        gettext("users to know"),
    )
    note = gettext(
        "The effect of a behaviour is that part which doesn't go through the others of the list. All states together "
        "keep one error rate of %(alpha)s."
    ) % {"alpha": percent(found.alpha, 0)}
    if has_strong_sets(found):
        note = f"{note} {strong_note()}"
    rows = tuple(_row(found, place) for place in found.places)
    return Table(gettext("Map of causes: %(outcome)s") % {"outcome": metric_words(found.outcome)}, columns, rows, note)


def has_strong_sets(found: CausesMap) -> bool:
    """Whether some behaviour has the shorter set as well."""
    return any(place.measured is not None and place.measured.strong_set is not None for place in found.places)


def strong_note() -> str:
    """What the shorter set needs, and that no state rests on it."""
    return gettext(
        "The shorter set holds only because these nudges part all of their behaviours well (each conditional F is at "
        "least %(least)s). No state rests on it."
    ) % {"least": decimal(STRONG_F, 0)}


def _row(found: CausesMap, place: Place) -> Row:
    promise = found.promises.get(place.behaviour)
    to_know = found.to_know.get(place.behaviour)
    return (
        place.behaviour,
        "" if promise is None else _promise_text(promise, share=found.share),
        _effect_text(place, share=found.share),
        *((_strong_text(place, share=found.share),) if has_strong_sets(found) else ()),
        state_words(place),
        _to_know_text(to_know),
    )


def _promise_text(promise: Promise, *, share: bool) -> str:
    if isinstance(promise, NotComputable):
        return reason_words(promise)
    limits = effect_limits(promise.low, promise.high, share)
    return f"{effect_text(promise.estimate, share=share, plus=True)} ({limits})"


def _effect_text(place: Place, *, share: bool) -> str:
    measured = place.measured
    if measured is None or not computable(measured.effect) or isinstance(measured.effect_set, NotComputable):
        missing = place.adjusted_p if measured is None else measured.effect
        return reason_words(missing) if isinstance(missing, NotComputable) else ""
    return f"{effect_text(measured.effect, share=share, plus=True)} ({set_text(measured.effect_set, share=share)})"


def _strong_text(place: Place, *, share: bool) -> str:
    strong = None if place.measured is None else place.measured.strong_set
    return "" if strong is None else set_text(strong, share=share)


def set_text(effect_set: AndersonRubin, *, share: bool) -> str:
    """A set in words: its two ends, or what it is without them."""
    if effect_set.shape is Shape.EMPTY:
        return gettext("empty: no one effect fits all of them")
    low, high = effect_set.low, effect_set.high
    if effect_set.shape is not Shape.INTERVAL or low is None or high is None:
        return gettext("every value is possible")
    return effect_limits(low, high, share)


def _to_know_text(to_know: ToKnow | NotComputable | None) -> str:
    if to_know is None:
        return ""
    if isinstance(to_know, NotComputable):
        return reason_words(to_know)
    if isinstance(to_know.weeks, NotComputable):
        return count(to_know.users)
    return gettext("%(users)s, in %(weeks)s weeks") % {
        "users": count(to_know.users),
        "weeks": decimal(to_know.weeks, 1),
    }


def _pairs_table(found: CausesMap) -> Table:
    columns = (
        gettext("nudges"),
        gettext("how one changes the effect of the other"),
        gettext("adjusted p"),
        gettext("smallest that would be found"),
    )
    rows = tuple(
        (
            " × ".join(pair.nudges),
            _promise_text(pair.change, share=found.share),
            p_value(pair.adjusted_p) if computable(pair.adjusted_p) else "",
            effect_text(pair.smallest, share=found.share) if computable(pair.smallest) else "",
        )
        for pair in found.pairs
    )
    note = gettext(
        "The map takes the effects of nudges to add up. A change that isn't found may still be as large as the last "
        "column (found in 80%% of experiments)."
    ).replace("%%", "%")
    return Table(gettext("Do the nudges change each other?"), columns, rows, note)
