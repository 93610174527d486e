"""The correlation's promise beside the experiment's finding. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from experiments.analyse.codes import NOT_THE_BEHAVIOUR, Code
from experiments.analyse.corrected import of_variant
from experiments.analyse.effects import Comparison, Encouragement, leading
from experiments.analyse.result import AnalysisResult, Opened
from experiments.plan.design import Kind
from experiments.report.behaviour import take_up_sentences
from experiments.report.estimates import ROW, difference_title, label_axis, set_text
from experiments.report.looks import stopping_sentence
from experiments.report.names import metric_words
from reporting.charts import BLUE, GREY, INK, Drawn, alt, data, forest
from reporting.numbers import effect_limits, effect_text
from reporting.table import Part, Table
from reporting.words import gettext, reason_words
from stats.results import Estimate, NotComputable, computable

PLOT = 310  # pixels: with labels and numbers beside it, its letters keep their size in the first screen's card


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


def promise(result: AnalysisResult) -> Part | None:
    """First part of the page; None while the outcome is locked."""
    rows = contrasts(result)
    if not isinstance(result, Opened) or not rows:
        return None
    note, claim = "", result.plan.claim
    if claim is not None and claim.promised is not None and claim.retention != result.plan.primary[0]:
        note = gettext("The study measured another outcome than this experiment reads first: compare with care.")
    sentences = (*take_up_sentences(result), stopping_sentence(result), note)
    share = result.report.outcomes[0].kind is Kind.PROPORTION
    return Part(
        "promise",
        gettext("Predicted by correlation, measured by experiment"),
        promise_finding(result),
        table(effects_first(rows)),
        note=" ".join(sentence for sentence in sentences if sentence),
        draw=partial(draw, effects_first(rows), share) if any(row.estimate is not None for row in rows) else None,
    )


def promise_finding(result: AnalysisResult) -> str:
    """Promise against finding in one sentence; empty while the outcome is locked, and for a lab."""
    if not isinstance(result, Opened) or result.plan.is_lab:
        return ""
    rows, code = contrasts(result), result.report.verdict.code
    finding, claim = rows[-1], result.plan.claim
    with_limits = f"{finding.text} ({finding.limits})" if finding.limits else finding.text
    if leading(result.report).encouragement is None:
        text = gettext("Effect of {variant} on {outcome}: {found}.")
        outcome = metric_words(result.report.outcomes[0].name)
        return text.format(variant=result.report.leading, outcome=outcome, found=with_limits)
    if finding.estimate is None:
        return gettext("What the behaviour does can't be said: {why}").format(why=finding.text)
    promised = rows[0].text if claim is not None and claim.promised is not None and rows[0].estimate else ""
    if code in NOT_THE_BEHAVIOUR:
        text = gettext("The figure of {found} may not be read as what the behaviour does; the verdict says why.")
    elif result.whole_clusters:
        text = gettext(
            "Whole clusters were nudged. The experiment found {found} per user who did it because of the nudge, "
            "including the friends in the {cluster}. That is no member's own effect, so it isn't compared with the "
            "correlation."
        )
    elif promised and rows[0].estimate == (None if claim is None else claim.promised):
        text = gettext(
            "The correlation promised {promised}. The experiment found {found} for users who did it because of the "
            "nudge."
        )
    else:
        text = gettext("The experiment found {found} for users who did it because of the nudge.")
    return text.format(promised=promised, found=with_limits, cluster=result.whole_clusters)


def contrasts(result: AnalysisResult) -> tuple[Contrast, ...]:
    """Promise, naive comparisons inside the experiment, and the two effects.

    Empty while the outcome is locked, and for a lab, in which no one nudge's effect stands for all.
    """
    return tuple(_rows(result)) if isinstance(result, Opened) and not result.plan.is_lab else ()


def effects_first(rows: tuple[Contrast, ...]) -> tuple[Contrast, ...]:
    """In the page's order: effects before struck-out numbers."""
    return tuple(sorted(rows, key=lambda row: row.struck))


def _rows(opened: Opened) -> Iterator[Contrast]:
    row = leading(opened.report)
    yield from _who_chose(opened, row)
    yield from _of_nudge(opened, row)
    if row.encouragement is not None:
        yield from _of_moved(opened, row, row.encouragement)


def _who_chose(opened: Opened, row: Comparison) -> Iterator[Contrast]:
    """Comparisons of self-selected users: shown struck out."""
    claim, share = opened.plan.claim, opened.report.outcomes[0].kind is Kind.PROPORTION
    chose = gettext("self-selected")
    if claim is not None and claim.promised is not None and share:
        how = gettext("The study's users who did it, minus those who didn't.")
        blank = Contrast(gettext("Predicted by the correlation"), how, chose, True, "")
        yield _filled(blank, claim.promised, claim.promised_low, claim.promised_high, share)
    if row.encouragement is not None:
        through = next((arm for arm in opened.through if arm.variant == row.variant), None)
        how = gettext("In the experiment, who did it minus who didn't, whatever the group.")
        blank = Contrast(gettext("As treated"), how, chose, True, "")
        yield _with(blank, row.encouragement.as_treated, share)
        if through is not None:
            how = gettext("The nudged who did it, minus the others who didn't: people who chose.")
            yield _with(Contrast(gettext("Per protocol"), how, chose, True, ""), through.per_protocol, share)


def _of_nudge(opened: Opened, row: Comparison) -> Iterator[Contrast]:
    """The nudge's effect on everybody, and the same effect corrected for looks."""
    share, corrected = opened.report.outcomes[0].kind is Kind.PROPORTION, of_variant(opened, row.variant)
    struck = opened.report.verdict.code is Code.INVALID
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
        how = gettext("The same, corrected for interim analyses (median-unbiased, by the stage-wise order).")
        blank = replace(nudge, label=gettext("Effect of the nudge, corrected for interim analyses"), how=how)
        difference = corrected.difference
        yield _filled(blank, difference.estimate, difference.low, difference.high, share)


def _of_moved(opened: Opened, row: Comparison, encouragement: Encouragement) -> Iterator[Contrast]:
    """The behaviour's effect on compliers, and the same effect corrected for looks."""
    share, corrected = opened.report.outcomes[0].kind is Kind.PROPORTION, of_variant(opened, row.variant)
    struck = opened.report.verdict.code in NOT_THE_BEHAVIOUR
    sound = gettext("randomised") if row.compared_with else gettext("yes, if the nudge works only through it")
    trust = gettext("no: see the verdict") if struck else sound
    how = gettext("The nudge's effect divided by its take-up; its Anderson-Rubin set decides.")
    if row.compared_with:
        how = gettext(
            "The nudge's effect divided by its take-up, both against the placebo; its Anderson-Rubin set decides."
        )
    if corrected is not None:
        how += " " + gettext("Naive: a plan that may stop early finds too large an effect.")
    label = gettext("Effect of the behaviour on users who did it because of the nudge")
    if opened.whole_clusters:
        label = gettext("Effect per user who did it because of the nudge, including the friends in the cluster")
        trust = gettext("no: see the verdict") if struck else gettext("yes, of whole clusters")
    blank = Contrast(label, how, trust, struck, "")
    yield _of_behaviour(blank, encouragement, encouragement.effect, share)
    if corrected is not None and corrected.effect is not None:
        how = gettext("The corrected effect of the nudge divided by its take-up; the same set decides.")
        label = gettext("Effect of the behaviour, corrected for interim analyses")
        if opened.whole_clusters:
            label = gettext("Effect per user who did it because of the nudge, corrected for interim analyses")
        yield _of_behaviour(replace(blank, label=label, how=how), encouragement, corrected.effect, share)


def _with(blank: Contrast, value: Estimate | float | NotComputable, share: bool) -> Contrast:
    if isinstance(value, NotComputable):
        return replace(blank, text=reason_words(value))
    if isinstance(value, Estimate):
        return _filled(blank, value.estimate, value.low, value.high, share)
    return _filled(blank, value, None, None, share)


def _of_behaviour(
    blank: Contrast, encouragement: Encouragement, value: Estimate | float | NotComputable, share: bool
) -> Contrast:
    if isinstance(value, NotComputable):
        return replace(blank, text=reason_words(value))
    estimate = value.estimate if isinstance(value, Estimate) else value
    if not computable(encouragement.effect_set) or not encouragement.effect_set.bounded:
        contrast = _filled(blank, estimate, None, None, share)
        return replace(contrast, limits=set_text(encouragement.effect_set, share=share))
    return _filled(blank, estimate, encouragement.effect_set.low, encouragement.effect_set.high, share)


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
    return Table(gettext("Predicted by correlation, measured by experiment"), columns, rows)


def draw(rows: Sequence[Contrast], share: bool) -> Drawn:
    """Chart: struck-out comparisons as grey crosses, effects as blue dots with their intervals."""
    factor = 100.0 if share else 1.0
    estimated = [row for row in rows if row.estimate is not None]
    marks = [
        {
            "label": row.label,
            "estimate": (row.estimate or 0.0) * factor,
            "text": row.text,
            "low": None if row.low is None else row.low * factor,
            "high": None if row.high is None else row.high * factor,
            "kind": gettext("not an effect") if row.struck else gettext("an effect"),
        }
        for row in estimated
    ]
    kinds = [gettext("not an effect"), gettext("an effect")]
    legend = alt.Legend(orient="bottom", title=None, symbolSize=110, labelLimit=320)
    colour = alt.Color("kind:N", scale=alt.Scale(domain=kinds, range=[GREY, BLUE]), legend=legend)
    shape = alt.Shape("kind:N", scale=alt.Scale(domain=kinds, range=["cross", "circle"]), legend=legend)
    base = alt.Chart(data(marks)).encode(y=label_axis([row.label for row in estimated]))
    layers = [
        *forest(base, difference_title(share), colour=colour, shape=shape),
        # In a column of their own: above its point a number stands on the line at 0, or on another number.
        base.mark_text(align="left", fontSize=12, color=INK).encode(x=alt.value(PLOT + 12), text="text:N"),
    ]
    return alt.layer(*layers).properties(width=PLOT, height=ROW * len(estimated)), 3 * len(estimated)
