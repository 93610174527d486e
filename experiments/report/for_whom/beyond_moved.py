"""Extrapolate from compliers to everybody: reweighted effect, and bounds for the others. Pure."""

from functools import partial

from experiments.analyse.effects import Comparison, Encouragement, OutcomeReport
from experiments.plan.design import Kind
from experiments.report.chart_pieces import ROW, WIDTH, difference_title, label_axis
from experiments.report.estimates import effect_with_limits, level_heading, set_text
from experiments.report.for_whom.trait_names import combination_words
from reporting.charts import BLUE, GREY, INK, Drawn, Mark, alt, data, rule
from reporting.numbers import effect_limits, effect_text, percent
from reporting.table import Part, Row, Table
from reporting.words import gettext, reason_words
from stats.instrument.anderson_rubin import AndersonRubin
from stats.instrument.bounds import Bounds
from stats.instrument.generalise import Everybody, Reweighted
from stats.results import NotComputable, computable

# Further combinations of traits are too small to be read individually.
MOST_ROWS = 12


def parts_of(outcome: OutcomeReport, row: Comparison, place: int) -> tuple[Part, ...]:
    """Sentence, chart and table; and the combinations of traits behind the reweighted effect."""
    told = row.encouragement
    if told is None or told.everybody is None:
        return ()
    found, share = told.everybody, outcome.kind is Kind.PROPORTION
    heading = gettext("From those whom {variant} moved to everybody").format(variant=row.variant)
    if not computable(found):
        return (Part(f"everybody-{place}", heading, reason_words(found), None),)
    main = Part(
        f"everybody-{place}",
        heading,
        finding(told, found, share),
        table(told, found, share),
        note=note(found, share),
        draw=partial(draw, told, found, share) if drawable(told, found) else None,
    )
    if not computable(found.reweighted):
        return (main,)
    title = gettext("The effect by what was known before")
    return main, Part(f"everybody-cells-{place}", title, "", cells(found.reweighted, share))


def finding(told: Encouragement, found: Everybody, share: bool) -> str:
    """Share of users for which the effect is known, and its bounds for the others."""
    moved = percent(abs(found.moved))
    effect = f"{effect_with_limits(told.effect, share)[0]} ({set_text(told.effect_set, share=share)})"
    if not computable(found.others):
        text = gettext("Known for {moved} of users: {effect}. For the others nothing can be said: {reason}")
        return text.format(moved=moved, effect=effect, reason=reason_words(found.others))
    text = gettext("Known for {moved} of users: {effect}. For the others it lies somewhere between {low} and {high}.")
    low, high = (effect_text(value, share=share) for value in (found.others.low, found.others.high))
    return text.format(moved=moved, effect=effect, low=low, high=high)


def note(found: Everybody, share: bool) -> str:
    """The reweighted effect with the condition under which it is valid."""
    if not computable(found.reweighted):
        return gettext("By their traits nothing can be said of others: {reason}").format(
            reason=reason_words(found.reweighted)
        )
    effect = found.reweighted.effect
    text = gettext(
        "For the {share} of users who have comparable users among those who were moved, it would be {effect} "
        "({limits}), if users of the same traits respond alike, whether the nudge moves them or not. No test can show "
        "that they do."
    )
    return text.format(
        share=percent(found.reweighted.share),
        effect=effect_text(effect.estimate, share=share),
        limits=effect_limits(effect.low, effect.high, share),
    )


def table(told: Encouragement, found: Everybody, share: bool) -> Table:
    """Table of effects by group of users: share, size, and assumptions."""
    moved = abs(found.moved)
    random = gettext("the random assignment, and that the nudge works only through the behaviour")
    rows: list[Row] = [
        (
            gettext("moved by the nudge"),
            percent(moved),
            effect_with_limits(told.effect, share)[0],
            set_text(told.effect_set, share=share),
            random,
        )
    ]
    if computable(found.reweighted):
        alike = gettext("also that users of the same traits respond alike")
        of_all, effect = percent(found.reweighted.share), effect_with_limits(found.reweighted.effect, share)
        rows.append((gettext("with the traits of all comparable users"), of_all, *effect, alike))
    else:
        reason = reason_words(found.reweighted)
        rows.append((gettext("with the traits of all comparable users"), "", reason, "", ""))
    monotone = gettext("also that the nudge keeps nobody from it; what can't be seen of the outcome may be anything")
    rows.append((gettext("the others"), percent(1 - moved), *_bounds_cells(found.others, share), monotone))
    rows.append((gettext("everybody"), percent(1.0), *_bounds_cells(found.everyone, share), random))
    level = told.effect_set.level if computable(told.effect_set) else 0.95
    columns = (
        gettext("users"),
        gettext("share"),
        gettext("effect of the behaviour"),
        level_heading(level),
        gettext("it rests on"),
    )
    return Table(gettext("How far the effect reaches"), columns, tuple(rows))


def _bounds_cells(bounds: Bounds | NotComputable, share: bool) -> tuple[str, str]:
    if not computable(bounds):
        return reason_words(bounds), ""
    limits = ""
    if bounds.limit_low is not None and bounds.limit_high is not None:
        limits = effect_limits(bounds.limit_low, bounds.limit_high, share)
    return effect_limits(bounds.low, bounds.high, share), limits


def cells(found: Reweighted, share: bool) -> Table:
    """The largest combinations of traits: how many of their units are moved, and the effect on these."""
    rows = tuple(
        (
            combination_words(cell.combination),
            percent(cell.share),
            effect_text(cell.first_stage, share=True, plus=True),
            *effect_with_limits(cell.effect, share),
        )
        for cell in found.cells[:MOST_ROWS]
    )
    columns = (
        gettext("known before"),
        gettext("of all users"),
        gettext("moved"),
        gettext("effect of the behaviour"),
        level_heading(found.effect.level),
    )
    left = len(found.cells) - MOST_ROWS
    more = gettext("The {n} largest combinations of {all}.").format(n=MOST_ROWS, all=len(found.cells))
    title = gettext("The behaviour's effect on those moved, by what was known before")
    return Table(title, columns, rows, more if left > 0 else "")


def drawable(told: Encouragement, found: Everybody) -> bool:
    """True when every row has two limits: an unbounded set can't be drawn beside bounds."""
    around = told.effect_set
    return computable(around) and around.bounded and computable(told.effect) and computable(found.others)


def draw(told: Encouragement, found: Everybody, share: bool) -> Drawn:
    """Chart of effects as points with their limits, and of bounds as bars with thin confidence limits."""
    factor = 100.0 if share else 1.0
    moved, marks = abs(found.moved), list[Mark]()

    def add(users: str, part: float, low: float | None, high: float | None, **ends: float | None) -> None:
        scaled = {name: None if value is None else value * factor for name, value in ends.items()}
        both = {name: None if value is None else value * factor for name, value in (("low", low), ("high", high))}
        label = f"{users} ({percent(part)})"
        marks.append({"label": label, "estimate": None, "from": None, "to": None, **both, **scaled})

    around = told.effect_set
    if computable(told.effect) and isinstance(around, AndersonRubin):
        add(gettext("moved by the nudge"), moved, around.low, around.high, estimate=told.effect.estimate)
    if computable(found.reweighted):
        effect = found.reweighted.effect
        label = gettext("with the traits of all comparable users")
        add(label, found.reweighted.share, effect.low, effect.high, estimate=effect.estimate)
    for users, part, bounds in (
        (gettext("the others"), 1 - moved, found.others),
        (gettext("everybody"), 1.0, found.everyone),
    ):
        if computable(bounds):
            ends: Mark = {"from": bounds.low, "to": bounds.high}
            add(users, part, bounds.limit_low, bounds.limit_high, **ends)
    base = alt.Chart(data(marks)).encode(y=label_axis([mark["label"] for mark in marks]))
    x = alt.X("low:Q", title=difference_title(share), scale=alt.Scale(zero=True))
    bars = base.transform_filter("datum.from !== null").mark_bar(color=GREY, opacity=0.45, height=14)
    thin = base.transform_filter("datum.low !== null").mark_rule(color=INK, strokeWidth=1.5)
    points = base.transform_filter("datum.estimate !== null").mark_point(filled=True, size=90, opacity=1, color=BLUE)
    layers = (rule(), bars.encode(x="from:Q", x2="to:Q"), thin.encode(x=x, x2="high:Q"), points.encode(x="estimate:Q"))
    return alt.layer(*layers).properties(width=WIDTH - 60, height=ROW * len(marks)), 3 * len(marks)
