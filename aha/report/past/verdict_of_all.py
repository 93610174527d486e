"""What all experiments together say of a behaviour, in sentences. Pure."""

from aha.evidence.past.pool_findings import PastExperiments, Summary
from aha.report.past.effect_words import effect_cell, pieces_text
from reporting.numbers import count, effect_limits, level_text, p_text, percent
from reporting.words import gettext, reason_words
from stats.instrument.pooled import Answer, Pooled
from stats.results import Estimate, computable

FAR = 3.84  # chi-square(1) at .05: without it the others agree that much better
MOST_NAMED = 5


def is_share(found: PastExperiments) -> bool:
    """True when the outcome is a share of units."""
    return all(row.kind == "proportion" for row in found.used)


def sentences(found: PastExperiments) -> tuple[str, ...]:
    """The answer first, then whether the nudges agree, then what to expect of the next experiment."""
    said = found.pooled
    if not computable(said):
        return (reason_words(said),)
    share = is_share(found)
    if said.answer is Answer.NUDGES_DISAGREE:
        return (*_apart(said, share=share), agreement(said))
    lines = (_answer(said, share=share), _alone(found, said), agreement(said), _next(said, share=share))
    return tuple(line for line in lines if line)


def _answer(said: Pooled, *, share: bool) -> str:
    effect = effect_cell(said.liml.estimate if computable(said.liml) else said.liml, share=share)
    around = pieces_text(said.likelihood_ratio.pieces, share=share)
    fields = {"effect": effect, "set": around, "level": level_text(said.level), "n": count(said.experiments)}
    if said.experiments == 1:
        text = gettext("One experiment has moved this behaviour. Effect on those moved: {effect} ({level} set: {set}).")
        return text.format(**fields)
    text = gettext("{n} experiments together: effect of the behaviour on those moved {effect} ({level} set: {set}).")
    return text.format(**fields)


def _alone(found: PastExperiments, said: Pooled) -> str:
    """What an effect as measured is worth without others beside it, where its plan could stop early; else ""."""
    if said.experiments > 1 or not any(row.corrected is not None or row.caution == "optimistic" for row in found.used):
        return ""
    return gettext(
        "Its plan could end early, and alone such an effect is too large on average: see the experiment's own page."
    )


def _apart(said: Pooled, *, share: bool) -> tuple[str, ...]:
    """No pooled set: Egger's slope, which lets each nudge act by itself, and who stands apart."""
    text = gettext("The {n} experiments disagree, so they are not averaged: some nudges work in other ways, too.")
    lines = [text.format(n=count(said.experiments)), _egger(said, share=share)]
    far = [row.name for row in said.influence if row.misfit > FAR][:MOST_NAMED]
    if far:
        text = gettext("Furthest from the others: {names}.")
        lines.append(text.format(names=", ".join(far)))
    return tuple(lines)


def _egger(said: Pooled, *, share: bool) -> str:
    found = said.egger
    if not computable(found):
        return reason_words(found)
    if share and found.slope.low <= -1 and found.slope.high >= 1:
        text = gettext(
            "{n} experiments are too few to correct for nudges that work in other ways (Egger's regression)."
        )
        return text.format(n=count(said.experiments))
    text = gettext(
        "Where each nudge may act by itself (Egger's regression), the effect of the behaviour is {slope}, and the "
        "nudges by themselves do {intercept} on average."
    )
    slope, intercept = (_limited(one, share=share) for one in (found.slope, found.intercept))
    return text.format(slope=slope, intercept=intercept)


def _limited(found: Estimate, *, share: bool) -> str:
    return f"{effect_cell(found.estimate, share=share)} ({effect_limits(found.low, found.high, share)})"


def agreement(said: Pooled) -> str:
    """Whether one effect of the behaviour could explain what all nudges did."""
    together = said.agreement
    if not computable(together):
        return ""
    if said.answer is Answer.NUDGES_DISAGREE:
        text = gettext("Test that one effect explains what all nudges did: {p}.")
        return text.format(p=p_text(together.p_value))
    text = gettext(
        "The nudges agree: one effect explains what all of them did ({p}). That is no proof that none acts by itself."
    )
    return text.format(p=p_text(together.p_value))


def _next(said: Pooled, *, share: bool) -> str:
    if not computable(said.random_effects):
        return ""
    found = said.random_effects.prediction
    text = gettext("The effect of the next experiment is expected between {limits} ({level} prediction interval).")
    limits = effect_limits(found.low, found.high, share)
    return text.format(limits=limits, level=percent(found.level, 0))


def summary_words(found: Summary | None) -> str:
    """What a study kept of past experiments, for a cell of a table; "–" without any."""
    if found is None or found.answer is None:
        return "–"
    if found.answer is Answer.NUDGES_DISAGREE:
        return gettext("{n} experiments that disagree").format(n=count(found.experiments))
    effect = effect_cell(found.estimate, share=True)
    text = gettext("{effect} (one experiment)") if found.experiments == 1 else gettext("{effect} ({n} experiments)")
    return text.format(effect=effect, n=count(found.experiments))
