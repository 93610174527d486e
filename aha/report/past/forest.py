"""The findings of a behaviour one under the other, what they give together, and what each adds. Pure."""

from collections.abc import Sequence

from aha.evidence.past.finding_rows import LeftOut, PastFinding, Why
from aha.evidence.past.pool_findings import PastExperiments, answer_of, own_effect
from aha.report.axes import ROW, WIDTH
from aha.report.claim import cell_words
from aha.report.past.effect_words import effect_cell, pieces_of, pieces_text
from aha.report.past.verdict_of_all import is_share, sentences
from events.metrics import display_name
from reporting.charts import BLUE, ORANGE, Drawing, Mark, alt, categories, data, forest, titled
from reporting.numbers import count, decimal, p_value, percent
from reporting.table import Row, Table
from reporting.words import gettext, reason_words
from stats.instrument.arms_set import Piece
from stats.instrument.pooled import Answer, Pooled
from stats.results import NotComputable, computable

SLUG = "past"


def findings_table(found: Sequence[PastFinding]) -> Table:
    """What each finished experiment found."""
    columns = (
        gettext("experiment"),
        gettext("days"),
        gettext("compared"),
        gettext("units"),
        gettext("effect of the nudge on the outcome"),
        gettext("moved by the nudge, points"),
        gettext("F"),
        gettext("effect of the behaviour on those moved"),
        gettext("set (95%)"),
        gettext("note"),
    )
    note = gettext(
        "Sets are Anderson-Rubin sets, which hold however weak the nudge is. All final analyses count, whatever they "
        "found, with what they measured: a plan that stopped early has a large effect and a small weight, so together "
        "they are right. Its own page shows the effect corrected for its looks."
    )
    return Table(gettext("What each experiment found"), columns, tuple(_row(row) for row in found), note)


def _row(row: PastFinding) -> Row:
    share, moments, own = row.kind == "proportion", row.moments, own_effect(row)
    strength = moments.f_statistic
    return (
        row.name,
        f"{row.started} … {row.ended}",
        gettext("{variant} with {comparator}").format(variant=row.variant, comparator=row.comparator),
        count(row.units),
        effect_cell(moments.itt, share=share),
        effect_cell(moments.first_stage, share=True),
        decimal(strength, 1) if computable(strength) else reason_words(strength),
        effect_cell(own.estimate, share=share),
        pieces_text(pieces_of(own.around), share=share),
        _caution(row),
    )


def _caution(row: PastFinding) -> str:
    words = {
        "corrected": gettext("only its effect corrected for looks is known: in the pool a little too small"),
        "optimistic": gettext("could end at any look: too large alone"),
    }
    looked = gettext("could end at planned looks: too large alone") if row.corrected is not None else ""
    origin = gettext("imported") if row.origin == "file" else ""
    return ", ".join(one for one in (origin, words.get(row.caution, ""), looked) if one)


def adds_table(found: PastExperiments) -> Table | None:
    """What each experiment adds: its weight, and what the others say without it; None below two experiments."""
    said = found.pooled
    if not computable(said) or not said.influence:
        return None
    share, disagree = is_share(found), said.answer is Answer.NUDGES_DISAGREE
    rows = tuple(
        (
            row.name,
            percent(row.weight, 0),
            effect_cell(row.without, share=share),
            p_value(row.p_without) if computable(row.p_without) else reason_words(row.p_without),
            decimal(row.misfit, 1),
        )
        for row in said.influence
    )
    columns = (
        gettext("experiment"),
        gettext("its share of what is known"),
        gettext("effect without it"),
        gettext("p of agreement without it"),
        gettext("how far it stands apart (chi-square)"),
    )
    note = gettext("The one that stands furthest apart comes first.")
    if disagree:
        note += " " + gettext("While the nudges disagree, the effect without one of them is no answer either.")
    return Table(gettext("What each experiment adds"), columns, rows, note)


def left_out_table(rows: Sequence[LeftOut]) -> Table | None:
    """Findings of the same behaviour that aren't pooled, and why; None without any."""
    reasons = {
        Why.OTHER_CLAIM: gettext("another number of times or days"),
        Why.OTHER_OUTCOME: gettext("another outcome"),
        Why.INVALID: gettext("its data can't answer, whatever the question"),
        Why.WHOLE_CLUSTERS: gettext("it moved whole clusters: its effect holds what friends did, too"),
        Why.SHARES_CONTROL: gettext("another arm with the same control group is in: its users would count twice"),
        Why.NO_VARIANCE: gettext("behaviour and outcome can't be told apart in it"),
    }
    cells = tuple(
        (
            one.finding.name,
            one.finding.variant,
            cell_words(one.finding.definition.behaviour, one.finding.definition.times, one.finding.definition.days),
            display_name(one.finding.definition.outcome),
            reasons[one.why],
        )
        for one in rows
    )
    columns = (
        gettext("experiment"),
        gettext("variant"),
        gettext("behaviour"),
        gettext("outcome"),
        gettext("why it isn't pooled"),
    )
    note = gettext("Only findings of one definition are pooled: behaviour, times, days and outcome.")
    return Table(gettext("Not pooled"), columns, cells, note) if cells else None


def tables(found: PastExperiments) -> tuple[Table, ...]:
    """All tables, in their order."""
    first = (findings_table(found.used),) if found.used else ()
    rest = (adds_table(found), left_out_table(found.left_out))
    return (*first, *(table for table in rest if table is not None))


# ── The picture ───────────────────────────────────────────────────────────────
def drawing(found: PastExperiments) -> Drawing | None:
    """Findings as a forest, and under them the answer of all; None without a finding."""
    if not found.used:
        return None
    share = is_share(found)
    marks = [_mark(row.name, own_effect(row).estimate, pieces_of(own_effect(row).around), share) for row in found.used]
    for at, mark in enumerate(marks):  # two experiments may have one name
        mark["label"] = f"{at + 1}. {mark['label']}"
    said = found.pooled
    if computable(said) and said.experiments > 1 and (together := _together(said, share)) is not None:
        marks.append(together)
    labels = [str(mark["label"]) for mark in marks]
    kinds = [gettext("one experiment"), gettext("all experiments")]
    colour = alt.Color("kind:N", title=None, scale=alt.Scale(domain=kinds, range=[BLUE, ORANGE]), legend=None)
    shown = [mark for mark in marks if mark["estimate"] is not None]
    title = gettext("effect of the behaviour, points") if share else gettext("effect of the behaviour")
    base = alt.Chart(data(shown)).encode(y=categories(labels))
    layers = forest(base, title, colour=colour)
    chart = alt.layer(*layers).properties(width=WIDTH - 120, height=ROW * len(labels) + 10)
    return titled(SLUG, sentences(found)[0], (chart, 3 * len(shown)))


def _together(said: Pooled, share: bool) -> Mark | None:
    numbers = answer_of(said)
    if isinstance(numbers, NotComputable):
        return None
    label = gettext("All, each nudge free to act by itself")
    if said.answer is Answer.POOLED:
        label = gettext("All together")
    return {**_mark(label, *numbers, share), "kind": gettext("all experiments")}


def _mark(label: str, estimate: float | NotComputable, pieces: tuple[Piece, ...], share: bool) -> Mark:
    """A row of the forest; limits only where a set is one interval, and of a share none beyond 100 points."""
    factor = 100.0 if share else 1.0
    low, high = pieces[0] if len(pieces) == 1 else (None, None)
    bounded = low is not None and high is not None

    def inside(value: float) -> float:
        return max(-factor, min(factor, value * factor)) if share else value

    point = estimate if computable(estimate) else None
    return {
        "label": label,
        "estimate": None if point is None else inside(point),
        "low": inside(low) if bounded and low is not None else None,
        "high": inside(high) if bounded and high is not None else None,
        "kind": gettext("one experiment"),
    }
