"""A lab's result: what each nudge moved, what each behaviour does by itself, do nudges change each other. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from experiments.analyse.across.causes_map import CausesMap
from experiments.analyse.effects import Report
from experiments.analyse.result import AnalysisResult, LabReading, NudgeTakeUp, Opened, WholeEffect
from experiments.plan.design import Kind
from experiments.plan.lab import OFF
from experiments.plan.record import PlannedNudge
from experiments.report import causes_map
from experiments.report.estimates import set_text
from experiments.report.names import metric_words, other_words
from reporting.charts import shade_of, shade_range
from reporting.document import chosen, outward
from reporting.numbers import between, count, decimal, effect_limits, effect_text, level_text, percent, points
from reporting.table import Part, Row, Section, Table
from reporting.words import gettext, later, reason_words
from stats.instrument.causes import Place, State
from stats.results import NotComputable, computable

SHADES = 9

# ── What a lab says, as a map of causes and as JSON ───────────────────────────


def causes(result: Opened, reading: LabReading) -> CausesMap:
    """The joint reading as the map that several experiments give, in whose words and tables it is told."""
    outcome = result.report.outcomes[0]
    return CausesMap(
        outcome=outcome.name,
        share=outcome.kind is Kind.PROPORTION,
        users=sum(result.maturity.mature.values()),
        experiments=tuple(nudge.key for nudge in result.plan.nudges),
        places=tuple(row.place for row in reading.behaviours),
        promises={},
        to_know={},
        agreement=reading.agreement,
        direct_effect=reading.direct_effect,
        pairs=reading.pairs,
        remarks=(),
        alpha=result.plan.alpha,
    )


def document(result: AnalysisResult) -> dict[str, Any] | None:
    """The `lab` of a result's JSON document; None for a test. Other programs read it: never rename keys.

    While the outcome is locked, and where the data can't answer, the reading's parts are null or empty.
    """
    plan = result.plan
    if not plan.is_lab:
        return None
    found: dict[str, Any] = outward(
        {
            "nudges": [chosen(nudge, "key", "share", "behaviour", "times") for nudge in plan.nudges],
            "most_nudges": plan.most_nudges,
            "take_ups": [
                {
                    **chosen(row, "nudge", "behaviour", "times", "aimed", "n"),
                    "difference": chosen(row.difference, *DIFFERENCE),
                }
                for row in result.take_ups
            ],
        }
    )
    return {**found, **_read(result)}


DIFFERENCE = ("estimate", "standard_error", "low", "high", "p_value", "level")


def _read(result: AnalysisResult) -> dict[str, Any]:
    reading = result.lab if isinstance(result, Opened) else None
    if not isinstance(result, Opened) or reading is None:
        return {"outcome": None, "users": None, "behaviours": [], "agreement": None, "interactions": [], "whole": []}
    told = causes_map.document(causes(result, reading))
    behaviours = [
        {
            **{name: value for name, value in row.items() if name not in ("promise", "to_know")},
            "behaviour": read.behaviour,
            "times": read.times,
            "shorter_set": outward(chosen(read.strong_set, "low", "high", "level")),
        }
        for row, read in zip(told["behaviours"], reading.behaviours, strict=True)
    ]
    whole = [
        {
            **chosen(row, "nudge", "behaviour", "times"),
            "assumption": "only_through_its_behaviour",
            "effect": chosen(row.effect, *DIFFERENCE),
            "anderson_rubin": chosen(row.effect_set, "shape", "low", "high", "level"),
        }
        for row in reading.whole
    ]
    kept = {name: told[name] for name in ("outcome", "users", "agreement", "interactions")}
    return {**kept, "behaviours": behaviours, "whole": outward(whole)}


# ── Sentences ─────────────────────────────────────────────────────────────────
BEHAVIOUR: dict[State, str] = {
    State.CAUSES: later("{behaviour} raises {outcome}: {effect} for users who do it because of a nudge."),
    State.HARMS: later("{behaviour} lowers {outcome}: {effect} for users who do it because of a nudge."),
    State.NO_MATERIAL_EFFECT: later("{behaviour} makes no difference that matters: {effect}."),
    State.INCONCLUSIVE: later("Not known whether {behaviour} changes {outcome}: {effect}."),
    State.NOT_TOLD_APART: later("{behaviour} can't be told apart from {others}: the nudges move both alike."),
    State.CONTRADICTED: later("The nudges contradict each other about {behaviour}, so it has no number."),
}


def behaviour_sentences(result: Opened) -> Iterator[str]:
    """One plain sentence for each behaviour."""
    if result.lab is None:
        return
    outcome, share = metric_words(result.report.outcomes[0].name), result.report.outcomes[0].kind is Kind.PROPORTION
    words = _names(result.lab)
    for row in result.lab.behaviours:
        measured = row.place.measured
        others = () if measured is None else measured.confused_with
        yield gettext(BEHAVIOUR[row.place.state]).format(
            behaviour=words[row.place.behaviour],
            outcome=outcome,
            effect=_effect(row.place, share=share),
            others=", ".join(words.get(name, name) for name in others),
        )


def answer(result: Opened, reading: LabReading) -> str:
    """How many behaviours are known to change the outcome."""
    outcome, n = metric_words(result.report.outcomes[0].name), len(reading.behaviours)
    known = sum(row.place.state in (State.CAUSES, State.HARMS) for row in reading.behaviours)
    text = gettext("Known to change {outcome}: {known} of {n} behaviours.")
    return text.format(outcome=outcome, known=count(known), n=count(n))


def _names(reading: LabReading) -> dict[str, str]:
    """The words of each behaviour by its name in the reading."""
    return {row.place.behaviour: other_words(row.behaviour, row.times) for row in reading.behaviours}


def _effect(place: Place, *, share: bool) -> str:
    """The effect with its set, or why there is none."""
    effect = place.adjusted_p if place.measured is None else place.measured.effect
    around = None if place.measured is None else place.measured.effect_set
    if not computable(effect) or around is None or isinstance(around, NotComputable):
        return reason_words(effect) if isinstance(effect, NotComputable) else ""
    low, high = around.low, around.high
    limits = set_text(around, share=share) if low is None or high is None else effect_limits(low, high, share)
    return f"{effect_text(effect, share=share, plus=True)} ({level_text(around.level)}: {limits})"


# ── The page ──────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class HeatCell:
    """What one nudge did to one behaviour: points and limits in words, with the CSS class of its shade."""

    text: str
    limits: str
    said: str
    classes: str


@dataclass(frozen=True)
class Heat:
    """Nudges by behaviours: headings, and rows of a nudge's name and its cells."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[HeatCell, ...]], ...]
    note: str


def heat(result: AnalysisResult) -> Heat | None:
    """The take-ups as a table with shades; None without any. The number and a word say what the shade says."""
    if not result.take_ups:
        return None
    sizes = [abs(row.difference.estimate) for row in result.take_ups if computable(row.difference)]
    scale = shade_range(sizes) if sizes else (0.0, 0.0)
    acts = tuple(dict.fromkeys((row.behaviour, row.times) for row in result.take_ups))
    rows = tuple(
        (_nudge(nudge), tuple(_cell(row, scale) for row in result.take_ups if row.nudge == nudge.key))
        for nudge in result.plan.nudges
    )
    note = gettext(
        "How many more of 100 users do each behaviour with the nudge than without it, with {level} intervals, among "
        "{n} users whose outcome is known. It holds nothing of the outcome."
    ).format(level=level_text(1 - result.plan.alpha), n=count(result.take_ups[0].n))
    columns = (gettext("nudge"), *(other_words(*act) for act in acts))
    return Heat(gettext("What each nudge moved"), columns, rows, note)


def _nudge(nudge: PlannedNudge) -> str:
    return nudge.name or nudge.key


def _cell(row: NudgeTakeUp, scale: tuple[float, float]) -> HeatCell:
    aim = gettext("aimed at") if row.aimed else ""
    if not computable(row.difference):
        return HeatCell("–", reason_words(row.difference), aim, "")
    moved = row.difference
    clear = gettext("raised") if moved.low > 0 else gettext("lowered") if moved.high < 0 else gettext("not clear")
    shade = shade_of(abs(moved.estimate), scale, SHADES) if moved.low > 0 or moved.high < 0 else 0
    return HeatCell(
        points(moved.estimate),
        between(points(moved.low), points(moved.high)),
        ", ".join(word for word in (clear, aim) if word),
        f"shade-{shade}" if shade else "",
    )


def worded(result: Opened) -> Report:
    """The report with words in the place of `OFF`: levels are of users without any nudge, comparisons with all others.

    A test's report as it is.
    """
    report = result.report
    if not result.plan.is_lab:
        return report
    none = gettext("without any nudge")
    outcomes = tuple(
        replace(outcome, values={none if label == OFF else label: value for label, value in outcome.values.items()})
        for outcome in report.outcomes
    )
    design = replace(report.design, control=gettext("all users without it"))
    return replace(report, outcomes=outcomes, design=design)


def of_open(result: Opened, _report: Report) -> Section:
    """As `section`, of a result whose outcome may be read."""
    return section(result)


def section(result: AnalysisResult) -> Section:
    """All about a lab's nudges and behaviours; empty for a test."""
    parts = [part for part in (_take_up_part(result),) if part is not None]
    if isinstance(result, Opened) and result.lab is not None:
        parts += _reading_parts(result, result.lab)
    return Section("lab", gettext("Nudges and behaviours"), "", tuple(parts))


def tables(result: AnalysisResult) -> tuple[Table, ...]:
    """All tables of `section`, for a terminal."""
    return tuple(part.table for part in section(result).parts if part.table is not None)


def _take_up_part(result: AnalysisResult) -> Part | None:
    found = heat(result)
    if found is None:
        return None
    rows = tuple(
        (name, *(f"{cell.text} ({cell.limits})" for cell in cells)) if cells else (name,) for name, cells in found.rows
    )
    finding = gettext("Take-up of every behaviour by every nudge, counted before the outcome is read.")
    return Part("lab-take-ups", found.title, finding, Table(found.title, found.columns, rows, found.note))


def _reading_parts(result: Opened, reading: LabReading) -> Iterator[Part]:
    found = causes(result, reading)
    told = " ".join(behaviour_sentences(result))
    note = gettext(
        "The effect of a behaviour is that part which doesn't go through the others of the list. “Causes”, “harms” "
        "and “no material effect” keep one error rate of {alpha} over all of them (Holm)."
    ).format(alpha=percent(result.plan.alpha, 0))
    table = _behaviours(found, reading, note)
    yield Part("lab-behaviours", gettext("What each behaviour does by itself"), told, table)
    agreement = causes_map.agreement_sentence(found)
    yield Part("lab-agreement", gettext("Do the nudges agree?"), agreement, None)
    if reading.pairs:
        _all_behaviours, pairs = causes_map.tables(found)
        yield Part("lab-interactions", pairs.title, _pairs_finding(reading, result.plan.alpha), pairs)
    yield _whole_part(reading, share=found.share)


def _behaviours(found: CausesMap, reading: LabReading, note: str) -> Table:
    whole = causes_map.tables(found)[0]
    words = _names(reading)
    rows = tuple(
        (words[row.place.behaviour], told[2], told[3], _strength(row.place))
        for row, told in zip(reading.behaviours, whole.rows, strict=True)
    )
    columns = (whole.columns[0], whole.columns[2], whole.columns[3], gettext("conditional F"))
    return Table(gettext("Effects by behaviour"), columns, rows, note)


def _strength(place: Place) -> str:
    if place.measured is None:
        return ""
    value = place.measured.conditional_f
    return decimal(value, 1) if computable(value) else reason_words(value)


def _pairs_finding(reading: LabReading, alpha: float) -> str:
    changed = [
        " × ".join(pair.nudges) for pair in reading.pairs if computable(pair.adjusted_p) and pair.adjusted_p < alpha
    ]
    if changed:
        return gettext(
            "These nudges change each other's effect: {pairs}. Effects of both together don't add up."
        ).format(pairs=", ".join(changed))
    if not any(computable(pair.change) for pair in reading.pairs):
        return gettext("Too few users had two nudges at once, so whether one changes another's effect can't be seen.")
    return gettext("No pair of nudges is shown to change each other's effect.")


def _whole_part(reading: LabReading, *, share: bool) -> Part:
    rows = tuple(_whole_row(row, share=share) for row in reading.whole)
    columns = (
        gettext("nudge"),
        gettext("behaviour"),
        gettext("effect if the nudge works through it alone"),
        gettext("set of effects"),
    )
    note = gettext(
        "Under an assumption: each nudge works only through its own behaviour, with all that this leads to. Where a "
        "nudge moved other behaviours too, read the joint effects above."
    )
    title = gettext("Each nudge read alone")
    return Part("lab-whole", title, note, Table(title, columns, rows))


def _whole_row(row: WholeEffect, *, share: bool) -> Row:
    effect, around = row.effect, row.effect_set
    told = effect_text(effect.estimate, share=share, plus=True) if computable(effect) else reason_words(effect)
    limits = set_text(around, share=share) if computable(around) else reason_words(around)
    return (row.nudge, other_words(row.behaviour, row.times), told, limits)
