"""Meta-analysis of all experiments with a behaviour: sentences, forest plot, JSON. Pure."""

from collections.abc import Sequence
from typing import Any

from aha.evidence.expected_gain import ExpectedGain
from aha.evidence.findings import Definition, LeftOut, PastExperiments, PastFinding, Summary, Why, answer_of, own_effect
from aha.report.axes import ROW, WIDTH
from aha.report.claim import cell_words
from aha.study.result import Candidate
from events.metrics import display_name
from reporting.charts import BLUE, ORANGE, Drawing, Mark, alt, categories, data, forest, titled
from reporting.document import chosen, outward
from reporting.numbers import (
    between,
    count,
    decimal,
    difference,
    effect_limits,
    effect_text,
    level_text,
    p_text,
    p_value,
    percent,
    points,
)
from reporting.table import Row, Table
from reporting.words import gettext, reason_words
from stats.instrument.anderson_rubin import AndersonRubin, Shape
from stats.instrument.arms import Piece
from stats.instrument.pooled import Answer, Pooled
from stats.results import Estimate, Interval, NotComputable, computable
from stats.synthesis import RandomEffects

# Findings and their meta-analysis as JSON values, for `pool`, REST, `discover` and `import_experiment`. Pure.

INTERVAL = ("estimate", "low", "high", "level")
MOMENTS = ("itt", "first_stage", "v_r", "v_d", "c_rd", "n_control", "n_variant", "degrees_of_freedom")


def document(past: PastExperiments) -> dict[str, Any]:
    """The meta-analysis of a behaviour as the JSON document of `pool --json` and of REST.

    Where the nudges disagree it has no pooled set, only the reason.
    """
    pool = past.pooled
    written: dict[str, Any] = outward(
        {
            **definition_document(past.definition),
            "experiments": len({(row.origin, row.source) for row in past.used}),
            "findings": [finding_document(row) for row in past.used],
            "left_out": [{**finding_document(row.finding), "why": row.why.value} for row in past.left_out],
            **(_documents_together(pool) if computable(pool) else {"answer": None, "pooled": pool}),
        }
    )
    return written


def _documents_together(pool: Pooled) -> dict[str, Any]:
    disagree = pool.answer is Answer.NUDGES_DISAGREE
    agreement = pool.agreement
    pooled: Any = pool.answer_set
    if computable(pooled):
        pooled = {
            "estimate": pool.liml.estimate if computable(pool.liml) else pool.liml,
            "set": pieces_document(pooled.pieces),
            "anderson_rubin": pieces_document(pool.anderson_rubin.pieces),
            "jackknife": _interval(pool.jive),
            "level": pool.level,
        }
    return {
        "answer": pool.answer.value,
        "mean_f": pool.mean_f,
        "pooled": pooled,
        "agreement": agreement
        if not computable(agreement)
        else {
            **chosen(agreement, "statistic", "degrees_of_freedom", "p_over_identified", "p_intercept", "p_value"),
            "agree": not disagree,
        },
        "egger": {"slope": _interval(pool.egger.slope), "intercept": _interval(pool.egger.intercept)}
        if computable(pool.egger)
        else pool.egger,
        "random_effects": _random(pool.random_effects),
        "influence": [
            {"source": row.key.partition(":")[2], **chosen(row, "name", "weight", "misfit", "without", "p_without")}
            for row in pool.influence
        ],
    }


def finding_document(row: PastFinding) -> dict[str, Any]:
    """One finding with its moments and its own effect."""
    own = own_effect(row)
    written: dict[str, Any] = outward(
        {
            **chosen(row, "name", "origin", "source", "variant", "comparator", "placebo", "kind", "verdict", "caution"),
            **definition_document(row.definition),
            "started": row.started.isoformat(),
            "ended": row.ended.isoformat(),
            "moments": chosen(row.moments, *MOMENTS),
            "corrected": None if row.corrected is None else chosen(row.corrected, "itt", "v_r", "c_rd"),
            "effect": {
                "estimate": own.estimate,
                "shape": own.around.shape.value,
                "low": own.around.low,
                "high": own.around.high,
                "level": own.around.level,
            },
            **chosen(row, "reach", "promised", "promised_error"),
        }
    )
    return written


def summary_document(summary: Summary) -> dict[str, Any]:
    """The pooled results that are stored with a study."""
    effect: Any = summary.estimate
    if summary.answer is not None:
        effect = {"estimate": summary.estimate, "set": pieces_document(summary.pieces), "level": summary.level}
    answer = None if summary.answer is None else summary.answer.value
    written: dict[str, Any] = outward(
        {"experiments": summary.experiments, "left_out": summary.left_out, "answer": answer, "effect": effect}
    )
    return written


def definition_document(definition: Definition) -> dict[str, Any]:
    """The definition that findings share."""
    return {name: getattr(definition, name) for name in ("behaviour", "times", "days", "outcome")}


def pieces_document(pieces: tuple[Piece, ...]) -> list[dict[str, float | None]]:
    """Disjoint intervals in order; null is an unbounded side."""
    return [{"low": low, "high": high} for low, high in pieces]


def _interval(interval: Estimate | Interval | NotComputable) -> Any:
    return chosen(interval, *INTERVAL)  # which leaves a reason as it is


def _random(effects: RandomEffects | NotComputable) -> Any:
    if not computable(effects):
        return effects
    return {
        "mean": _interval(effects.mean),
        "prediction": _interval(effects.prediction),
        **chosen(effects, "spread", "experiments"),
    }


# Effects of a behaviour and their confidence sets in words. Pure.


def pieces_of(effect_set: AndersonRubin) -> tuple[Piece, ...]:
    """An Anderson-Rubin set as disjoint intervals; None is an unbounded side."""
    if effect_set.shape is Shape.EMPTY:
        return ()
    if effect_set.shape is Shape.RAYS:
        return ((None, effect_set.low), (effect_set.high, None))
    return ((effect_set.low, effect_set.high),)


def pieces_text(pieces: tuple[Piece, ...], *, share: bool) -> str:
    """A set of effects in words, unbounded ones included."""
    if not pieces:
        return gettext("empty: no one effect fits all of them")
    return gettext(" or ").join(_piece(*piece, share=share) for piece in pieces)


def _piece(low: float | None, high: float | None, *, share: bool) -> str:
    if low is not None and high is not None:
        return effect_limits(low, high, share)
    if low is not None:
        return gettext("from %(low)s on") % {"low": effect_text(low, share=share)}
    if high is not None:
        return gettext("up to %(high)s") % {"high": effect_text(high, share=share)}
    return gettext("every value is possible")


def effect_cell(estimate: float | NotComputable, *, share: bool) -> str:
    """An effect with its sign, or the reason why there is none."""
    return effect_text(estimate, share=share, plus=True) if computable(estimate) else reason_words(estimate)


# The effect that an experiment with a candidate is expected to find. Pure.


def sentence(candidate: Candidate) -> str:
    """The expected causal gain in a sentence, with the sources of its inputs."""
    gain = candidate.expected
    if not computable(gain):
        return reason_words(gain)
    text = gettext(
        "An experiment may be expected to raise all users' retention by {gain} points ({limits}, {level}): {share} "
        "of the predicted {promise} points, for the {moved} of all users whose behaviour a nudge is expected to "
        "change."
    )
    return text.format(
        gain=points(gain.estimate),
        limits=between(points(gain.low), points(gain.high)),
        level=level_text(gain.level),
        share=percent(gain.ratio.estimate, 0),
        promise=points(gain.promise),
        moved=percent(gain.headroom * gain.take_up),
    )


def rests_on(gain: ExpectedGain | NotComputable) -> str:
    """The sources of ratio and take-up."""
    if not computable(gain):
        return ""
    if gain.assumed:
        text = gettext(
            "The share that is left is assumed: too few experiments have tested a prediction here ({n}, five are "
            "needed)."
        )
    else:
        text = gettext("The share that is left is what {n} experiments found of the predictions.")
    lines = [text.format(n=count(gain.experiments))]
    if not gain.measured:
        lines.append(gettext("The take-up is assumed: no experiment has nudged to this behaviour yet."))
    return " ".join(lines)


def table(candidate: Candidate) -> Table | None:
    """Promise, ratio, users moved and gain; None where there is no gain."""
    gain = candidate.expected
    if not computable(gain):
        return None
    ratio = gain.ratio
    limits = between(decimal(ratio.low), decimal(ratio.high))
    rows = (
        (gettext("predicted: the last rung of the ladder, points"), points(gain.promise)),
        (gettext("share of a prediction that experiments confirm"), f"{decimal(ratio.estimate)} ({limits})"),
        (gettext("users who don't do it by themselves"), percent(gain.headroom)),
        (gettext("of these, because of a nudge"), percent(gain.take_up)),
        (gettext("expected gain, points of all users' retention"), gain_cell(gain)),
    )
    title = gettext("Expected causal gain")
    note = gettext("Limits: {level}. {why}").format(level=level_text(gain.level), why=rests_on(gain))
    return Table(title, (gettext("quantity"), gettext("value")), rows, note)


def gain_cell(gain: ExpectedGain | NotComputable) -> str:
    """The gain with its limits in points."""
    if not computable(gain):
        return reason_words(gain)
    return f"{points(gain.estimate)} ({between(points(gain.low), points(gain.high))})"


def promise_cell(candidate: Candidate) -> str:
    """Its rank by the raw correlational estimate, with that estimate."""
    place = "–" if candidate.rank_by_promise is None else str(candidate.rank_by_promise)
    return f"{place} · {difference(candidate.ladder.rungs[0].difference)}"


# The meta-analysis of a behaviour in sentences. Pure.

FAR = 3.84  # chi-square(1) at .05: how much better the others must agree without it
MOST_NAMED = 5


def is_share(past: PastExperiments) -> bool:
    """True when the outcome is a share of units."""
    return all(row.kind == "proportion" for row in past.used)


def sentences(past: PastExperiments) -> tuple[str, ...]:
    """The pooled effect first, then whether the nudges agree, then what to expect of the next experiment."""
    pool = past.pooled
    if not computable(pool):
        return (reason_words(pool),)
    share = is_share(past)
    if pool.answer is Answer.NUDGES_DISAGREE:
        return (*_apart(pool, share=share), agreement(pool))
    lines = (_answer(pool, share=share), _alone(past, pool), agreement(pool), _next(pool, share=share))
    return tuple(line for line in lines if line)


def _answer(pool: Pooled, *, share: bool) -> str:
    effect = effect_cell(pool.liml.estimate if computable(pool.liml) else pool.liml, share=share)
    around = pieces_text(pool.likelihood_ratio.pieces, share=share)
    fields = {"effect": effect, "set": around, "level": level_text(pool.level), "n": count(pool.experiments)}
    if pool.experiments == 1:
        text = gettext(
            "One experiment has nudged to this behaviour. Effect on users who did it because of the "
            "nudge: {effect} ({level} set: {set})."
        )
        return text.format(**fields)
    text = gettext(
        "{n} experiments together: effect of the behaviour on users who did it because of the nudge "
        "{effect} ({level} set: {set})."
    )
    return text.format(**fields)


def _alone(past: PastExperiments, pool: Pooled) -> str:
    """Warns that the uncorrected effect of a single experiment that could stop early is too large; else ""."""
    if pool.experiments > 1 or not any(row.corrected is not None or row.caution == "optimistic" for row in past.used):
        return ""
    return gettext(
        "Its plan could end early, and alone such an effect is too large on average: see the experiment's own page."
    )


def _apart(pool: Pooled, *, share: bool) -> tuple[str, ...]:
    """For disagreeing nudges: Egger's slope, which allows each nudge a direct effect, and the deviating experiments."""
    text = gettext("The {n} experiments disagree, so they are not averaged: some nudges work in other ways, too.")
    lines = [text.format(n=count(pool.experiments)), _egger(pool, share=share)]
    far = [row.name for row in pool.influence if row.misfit > FAR][:MOST_NAMED]
    if far:
        text = gettext("Furthest from the others: {names}.")
        lines.append(text.format(names=", ".join(far)))
    return tuple(lines)


def _egger(pool: Pooled, *, share: bool) -> str:
    egger = pool.egger
    if not computable(egger):
        return reason_words(egger)
    if share and egger.slope.low <= -1 and egger.slope.high >= 1:
        text = gettext(
            "{n} experiments are too few to correct for nudges that work in other ways (Egger's regression)."
        )
        return text.format(n=count(pool.experiments))
    text = gettext(
        "If each nudge may also work in other ways (Egger's regression), the effect of the behaviour is {slope}, and "
        "those other ways do {intercept} on average."
    )
    slope, intercept = (_limited(interval, share=share) for interval in (egger.slope, egger.intercept))
    return text.format(slope=slope, intercept=intercept)


def _limited(interval: Estimate, *, share: bool) -> str:
    return f"{effect_cell(interval.estimate, share=share)} ({effect_limits(interval.low, interval.high, share)})"


def agreement(pool: Pooled) -> str:
    """Whether one common effect of the behaviour could explain the results of all nudges."""
    together = pool.agreement
    if not computable(together):
        return ""
    if pool.answer is Answer.NUDGES_DISAGREE:
        text = gettext("Test that one effect explains what all nudges did: {p}.")
        return text.format(p=p_text(together.p_value))
    text = gettext(
        "The nudges agree: one effect explains what all of them did ({p}). That is no proof that none works in other "
        "ways."
    )
    return text.format(p=p_text(together.p_value))


def _next(pool: Pooled, *, share: bool) -> str:
    if not computable(pool.random_effects):
        return ""
    prediction = pool.random_effects.prediction
    text = gettext("The effect of the next experiment is expected between {limits} ({level} prediction interval).")
    limits = effect_limits(prediction.low, prediction.high, share)
    return text.format(limits=limits, level=percent(prediction.level, 0))


def summary_words(summary: Summary | None) -> str:
    """A study's stored summary of past experiments, for a table cell; "–" without any."""
    if summary is None or summary.answer is None:
        return "–"
    if summary.answer is Answer.NUDGES_DISAGREE:
        return gettext("{n} experiments that disagree").format(n=count(summary.experiments))
    effect = effect_cell(summary.estimate, share=True)
    text = gettext("{effect} (one experiment)") if summary.experiments == 1 else gettext("{effect} ({n} experiments)")
    return text.format(effect=effect, n=count(summary.experiments))


# Tables and forest plot of a behaviour's findings, their pooled effect, and what each adds. Pure.

SLUG = "past"


def findings_table(findings: Sequence[PastFinding]) -> Table:
    """What each finished experiment found."""
    columns = (
        gettext("experiment"),
        gettext("days"),
        gettext("compared"),
        gettext("users"),
        gettext("effect of the nudge on the outcome"),
        gettext("because of the nudge, points"),
        gettext("F"),
        gettext("effect of the behaviour on users who did it because of the nudge"),
        gettext("set (95%)"),
        gettext("note"),
    )
    note = gettext(
        "Sets are Anderson-Rubin sets, which hold however weak the nudge is. All final analyses count, whatever they "
        "found, with what they measured: a plan that stopped early has a large effect and a small weight, so "
        "together they are right. Its own page shows the effect corrected for interim analyses."
    )
    return Table(gettext("What each experiment found"), columns, tuple(_row(row) for row in findings), note)


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
        "corrected": gettext("only its effect corrected for interim analyses is known: in the pool a little too small"),
        "optimistic": gettext("could end at any time: too large alone"),
        "any_link": gettext("a summary without covariances: widened so that it holds for every correlation"),
    }
    looked = gettext("could end at planned analyses: too large alone") if row.corrected is not None else ""
    origin = gettext("imported") if row.origin == "file" else ""
    return ", ".join(phrase for phrase in (origin, words.get(row.caution, ""), looked) if phrase)


def adds_table(past: PastExperiments) -> Table | None:
    """The influence of each experiment: its weight, and the pooled effect without it; None below two experiments."""
    pool = past.pooled
    if not computable(pool) or not pool.influence:
        return None
    share, disagree = is_share(past), pool.answer is Answer.NUDGES_DISAGREE
    rows = tuple(
        (
            row.name,
            percent(row.weight, 0),
            effect_cell(row.without, share=share),
            p_value(row.p_without) if computable(row.p_without) else reason_words(row.p_without),
            decimal(row.misfit, 1),
        )
        for row in pool.influence
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
        Why.WHOLE_CLUSTERS: gettext("it nudged whole clusters: its effect includes what friends did"),
        Why.SHARES_CONTROL: gettext("another group with the same control group is in: its users would count twice"),
        Why.NO_VARIANCE: gettext("behaviour and outcome can't be separated in it"),
    }
    cells = tuple(
        (
            row.finding.name,
            row.finding.variant,
            cell_words(row.finding.definition.behaviour, row.finding.definition.times, row.finding.definition.days),
            display_name(row.finding.definition.outcome),
            reasons[row.why],
        )
        for row in rows
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


def tables(past: PastExperiments) -> tuple[Table, ...]:
    """All tables, in their order."""
    first = (findings_table(past.used),) if past.used else ()
    rest = (adds_table(past), left_out_table(past.left_out))
    return (*first, *(table for table in rest if table is not None))


# ── The picture ───────────────────────────────────────────────────────────────
def drawing(past: PastExperiments) -> Drawing | None:
    """Forest plot of the findings, with the pooled effect below; None without a finding."""
    if not past.used:
        return None
    share = is_share(past)
    marks = [_mark(row.name, own_effect(row).estimate, pieces_of(own_effect(row).around), share) for row in past.used]
    for at, mark in enumerate(marks):  # two experiments may have one name
        mark["label"] = f"{at + 1}. {mark['label']}"
    pool = past.pooled
    if computable(pool) and pool.experiments > 1 and (together := _forest_together(pool, share)) is not None:
        marks.append(together)
    labels = [str(mark["label"]) for mark in marks]
    kinds = [gettext("one experiment"), gettext("all experiments")]
    colour = alt.Color("kind:N", title=None, scale=alt.Scale(domain=kinds, range=[BLUE, ORANGE]), legend=None)
    shown = [mark for mark in marks if mark["estimate"] is not None]
    title = gettext("effect of the behaviour, points") if share else gettext("effect of the behaviour")
    base = alt.Chart(data(shown)).encode(y=categories(labels, wrap=38))
    layers = forest(base, title, colour=colour)
    chart = alt.layer(*layers).properties(width=WIDTH - 120, height=ROW * len(labels) + 10)
    return titled(SLUG, sentences(past)[0], (chart, 3 * len(shown)))


def _forest_together(pool: Pooled, share: bool) -> Mark | None:
    numbers = answer_of(pool)
    if isinstance(numbers, NotComputable):
        return None
    label = gettext("All, each nudge free to work in other ways")
    if pool.answer is Answer.POOLED:
        label = gettext("All together")
    return {**_mark(label, *numbers, share), "kind": gettext("all experiments")}


def _mark(label: str, estimate: float | NotComputable, pieces: tuple[Piece, ...], share: bool) -> Mark:
    """A row of the forest plot; limits only where the set is one interval, and for a share none beyond 100 points."""
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
