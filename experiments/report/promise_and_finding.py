"""The correlation's promise beside the experiment's finding. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from experiments.analyse.codes import NOT_THE_BEHAVIOUR, Code
from experiments.analyse.corrected import of_variant
from experiments.analyse.effects import Comparison, Encouragement, Report, leading
from experiments.analyse.result import Readout
from experiments.plan.design import Kind
from experiments.report.behaviour.take_up import take_up_sentences
from experiments.report.chart_pieces import ROW, WIDTH, difference_title, label_axis
from experiments.report.estimates import set_text
from experiments.report.names import metric_words
from experiments.report.stopping import stopping_sentence
from reporting.charts import BLUE, GREY, INK, Drawn, alt, data, forest
from reporting.numbers import effect_limits, effect_text
from reporting.table import Part, Table
from reporting.words import gettext, reason_words
from stats.results import Estimate, NotComputable, computable


@dataclass(frozen=True)
class Contrast:
    """One number of the comparison between promise and finding.

    Attributes:
        label: name of the number.
        how: how it is computed, in a sentence.
        trust: whether it may be read as an effect, in words.
        struck: True when it is no effect, and is shown struck out.
        text: the formatted number, or why there is none.
        limits: its formatted interval or set, or "".
        estimate: in the outcome's unit; None when there is none.
        low, high: its limits, where it has both.
    """

    label: str
    how: str
    trust: str
    struck: bool
    text: str
    limits: str = ""
    estimate: float | None = None
    low: float | None = None
    high: float | None = None


def promise(readout: Readout) -> Part | None:
    """First part of the page; None while the outcome is locked."""
    rows = contrasts(readout)
    if readout.report is None or not rows:
        return None
    note, claim = "", readout.plan.claim
    if claim is not None and claim.promised is not None and claim.retention != readout.plan.primary[0]:
        note = gettext("The study promised another outcome than this experiment reads first: compare with care.")
    said = (*take_up_sentences(readout), stopping_sentence(readout), note)
    share = readout.report.outcomes[0].kind is Kind.PROPORTION
    return Part(
        "promise",
        gettext("What the correlation promised, what the experiment found"),
        promise_finding(readout),
        table(effects_first(rows)),
        note=" ".join(one for one in said if one),
        draw=partial(draw, effects_first(rows), share) if any(row.estimate is not None for row in rows) else None,
    )


def promise_finding(readout: Readout) -> str:
    """The main sentence of the product: promise against finding; empty while the outcome is locked."""
    if readout.report is None:
        return ""
    rows, code = contrasts(readout), readout.report.verdict.code
    found, claim = rows[-1], readout.plan.claim
    with_limits = f"{found.text} ({found.limits})" if found.limits else found.text
    if leading(readout.report).encouragement is None:
        text = gettext("Effect of {variant} on {outcome}: {found}.")
        outcome = metric_words(readout.report.outcomes[0].name)
        return text.format(variant=readout.report.leading, outcome=outcome, found=with_limits)
    if found.estimate is None:
        return gettext("What the behaviour does can't be said: {why}").format(why=found.text)
    promised = rows[0].text if claim is not None and claim.promised is not None and rows[0].estimate else ""
    if code in NOT_THE_BEHAVIOUR:
        text = gettext("The figure of {found} may not be read as what the behaviour does; the verdict says why.")
    elif readout.whole_clusters:
        text = gettext(
            "Whole clusters were moved: the experiment found {found} per user moved, with what the moved friends did "
            "for all in the {cluster}. That is no member's own effect, so no promise is held against it."
        )
    elif promised and rows[0].estimate == (None if claim is None else claim.promised):
        text = gettext(
            "The correlation promised {promised}; the experiment found {found} among those whom the nudge moved."
        )
    else:
        text = gettext("Among those whom the nudge moved, the experiment found {found}.")
    return text.format(promised=promised, found=with_limits, cluster=readout.whole_clusters)


def contrasts(readout: Readout) -> tuple[Contrast, ...]:
    """Promise, naive comparisons inside the experiment, and the two effects. Empty while the outcome is locked."""
    return () if readout.report is None else tuple(_rows(readout, readout.report))


def effects_first(rows: tuple[Contrast, ...]) -> tuple[Contrast, ...]:
    """In the page's order: effects before struck-out numbers."""
    return tuple(sorted(rows, key=lambda row: row.struck))


def _rows(readout: Readout, report: Report) -> Iterator[Contrast]:
    row = leading(report)
    yield from _who_chose(readout, report, row)
    yield from _of_nudge(readout, report, row)
    if row.encouragement is not None:
        yield from _of_moved(readout, report, row, row.encouragement)


def _who_chose(readout: Readout, report: Report, row: Comparison) -> Iterator[Contrast]:
    """Comparisons of self-selected users: shown struck out."""
    claim, share = readout.plan.claim, report.outcomes[0].kind is Kind.PROPORTION
    chose = gettext("self-selected")
    if claim is not None and claim.promised is not None and share:
        how = gettext("The study's users who did it, minus those who didn't.")
        blank = Contrast(gettext("Promised by the correlation"), how, chose, True, "")
        yield _filled(blank, claim.promised, claim.promised_low, claim.promised_high, share)
    if row.encouragement is not None:
        through = next((one for one in readout.through if one.variant == row.variant), None)
        how = gettext("In the experiment, who did it minus who didn't, whatever the group.")
        blank = Contrast(gettext("As treated"), how, chose, True, "")
        yield _with(blank, row.encouragement.as_treated, share)
        if through is not None:
            how = gettext("The nudged who did it, minus the others who didn't: people who chose.")
            yield _with(Contrast(gettext("Per protocol"), how, chose, True, ""), through.per_protocol, share)


def _of_nudge(readout: Readout, report: Report, row: Comparison) -> Iterator[Contrast]:
    """The nudge's effect on everybody, and the same effect corrected for looks."""
    share, corrected = report.outcomes[0].kind is Kind.PROPORTION, of_variant(readout, row.variant)
    struck = report.verdict.code is Code.INVALID
    trust = gettext("no: see the verdict") if struck else gettext("randomised")
    how = gettext("Everybody as assigned, whatever they did (intention to treat).")
    if corrected is not None:
        how += " " + gettext("Naive: a plan that may stop early finds too large an effect.")
    label = gettext("Effect of the nudge on everyone")
    if row.compared_with:
        label = gettext("Effect of the nudge on everyone, against the placebo")
    nudge = Contrast(label, how, trust, struck, "")
    yield _with(nudge, row.difference, share)
    if corrected is not None and computable(corrected.difference):
        how = gettext("The same, corrected for the looks (median-unbiased, by the stage-wise order).")
        blank = replace(nudge, label=gettext("Effect of the nudge, corrected for the looks"), how=how)
        found = corrected.difference
        yield _filled(blank, found.estimate, found.low, found.high, share)


def _of_moved(readout: Readout, report: Report, row: Comparison, found: Encouragement) -> Iterator[Contrast]:
    """The behaviour's effect on compliers, and the same effect corrected for looks."""
    share, corrected = report.outcomes[0].kind is Kind.PROPORTION, of_variant(readout, row.variant)
    struck = report.verdict.code in NOT_THE_BEHAVIOUR
    sound = gettext("randomised") if row.compared_with else gettext("yes, if the nudge works only through it")
    trust = gettext("no: see the verdict") if struck else sound
    how = gettext("The nudge's effect divided by its take-up; its Anderson-Rubin set decides.")
    if row.compared_with:
        how = gettext(
            "The nudge's effect divided by its take-up, both against the placebo; its Anderson-Rubin set decides."
        )
    if corrected is not None:
        how += " " + gettext("Naive: a plan that may stop early finds too large an effect.")
    label = gettext("Effect of the behaviour on those moved")
    if readout.whole_clusters:
        label = gettext("Effect per user moved, with what the moved friends did for all in the cluster")
        trust = gettext("no: see the verdict") if struck else gettext("yes, of whole clusters")
    blank = Contrast(label, how, trust, struck, "")
    yield _of_behaviour(blank, found, found.effect, share)
    if corrected is not None and corrected.effect is not None:
        how = gettext("The corrected effect of the nudge divided by its take-up; the same set decides.")
        label = gettext("Effect of the behaviour, corrected for the looks")
        if readout.whole_clusters:
            label = gettext("Effect per user moved, corrected for the looks")
        yield _of_behaviour(replace(blank, label=label, how=how), found, corrected.effect, share)


def _with(blank: Contrast, value: Estimate | float | NotComputable, share: bool) -> Contrast:
    if isinstance(value, NotComputable):
        return replace(blank, text=reason_words(value))
    if isinstance(value, Estimate):
        return _filled(blank, value.estimate, value.low, value.high, share)
    return _filled(blank, value, None, None, share)


def _of_behaviour(
    blank: Contrast, one: Encouragement, value: Estimate | float | NotComputable, share: bool
) -> Contrast:
    if isinstance(value, NotComputable):
        return replace(blank, text=reason_words(value))
    estimate = value.estimate if isinstance(value, Estimate) else value
    if not computable(one.effect_set) or not one.effect_set.bounded:
        found = _filled(blank, estimate, None, None, share)
        return replace(found, limits=set_text(one.effect_set, share=share))
    return _filled(blank, estimate, one.effect_set.low, one.effect_set.high, share)


def _filled(blank: Contrast, estimate: float, low: float | None, high: float | None, share: bool) -> Contrast:
    def text(value: float) -> str:
        return effect_text(value, share=share)

    limits = effect_limits(low, high, share) if low is not None and high is not None else ""
    return replace(blank, text=text(estimate), limits=limits, estimate=estimate, low=low, high=high)


def table(found: tuple[Contrast, ...]) -> Table:
    """Table of promise and finding."""
    rows = tuple((row.label, row.text, row.limits, row.trust, row.how) for row in found)
    columns = (
        gettext("quantity"),
        gettext("value"),
        gettext("interval or set"),
        gettext("is it an effect?"),
        gettext("how it's calculated"),
    )
    return Table(gettext("What the correlation promised, what the experiment found"), columns, rows)


def draw(rows: Sequence[Contrast], share: bool) -> Drawn:
    """Chart: struck-out comparisons as grey crosses, effects as blue dots with their intervals."""
    factor = 100.0 if share else 1.0
    shown = [row for row in rows if row.estimate is not None]
    marks = [
        {
            "label": row.label,
            "estimate": (row.estimate or 0.0) * factor,
            "text": row.text,
            "low": None if row.low is None else row.low * factor,
            "high": None if row.high is None else row.high * factor,
            "kind": gettext("not an effect") if row.struck else gettext("an effect"),
        }
        for row in shown
    ]
    kinds = [gettext("not an effect"), gettext("an effect")]
    legend = alt.Legend(orient="bottom", title=None, symbolSize=110, labelLimit=320)
    colour = alt.Color("kind:N", scale=alt.Scale(domain=kinds, range=[GREY, BLUE]), legend=legend)
    shape = alt.Shape("kind:N", scale=alt.Scale(domain=kinds, range=["cross", "circle"]), legend=legend)
    base = alt.Chart(data(marks)).encode(y=label_axis([row.label for row in shown]))
    layers = [
        *forest(base, difference_title(share), colour=colour, shape=shape),
        base.mark_text(dy=-13, fontSize=11, color=INK).encode(x="estimate:Q", text="text:N"),
    ]
    return alt.layer(*layers).properties(width=WIDTH - 80, height=ROW * len(shown) + 10), 3 * len(shown)
