"""The first screen of a result: what to do, by how much, is the behaviour the cause, what would overturn it. Pure.

Everything that isn't needed for the decision stands on the other tabs. Sentences have at most 25 words, the whole at
most 110 in English; a number keeps its interval, its unit and whom it is about. Points have one decimal here.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime
from math import ceil, floor, log10
from typing import Any
from zoneinfo import ZoneInfo

from aha.made_names import moment_name
from events.metrics import parse_retention
from experiments.analyse.codes import LIGHTS, NOT_THE_BEHAVIOUR, Code, Severity
from experiments.analyse.effects import Comparison, Encouragement, leading
from experiments.analyse.others import OtherRow, suspect
from experiments.analyse.result import AnalysisResult, ArmRuling, Decision, Ground, Opened, Ruling
from experiments.analyse.verdict import WHOLE_CLUSTERS
from experiments.plan.design import Kind
from experiments.report import lab as lab_page
from experiments.report.first_lines import named_verdict
from experiments.report.names import metric_words, other_words
from experiments.report.verdict import toward_zero
from reporting.numbers import MINUS, between, count, day_text, decimal, level_text, percent, significant
from reporting.words import gettext, later, reason_words
from runs.refusals import Refused
from stats.instrument.other_behaviours import Moved
from stats.novelty import Change
from stats.results import NotComputable, computable
from stats.sequential.non_inferiority import Safety

ROUNDING = 1e-6  # of floating-point numbers, in points: no effect
SEGMENTS_DIFFER = 0.05  # of the interaction test, as on the tab of segments


@dataclass(frozen=True)
class Side:
    """Level of the outcome in one of the two groups that are compared: a share or a mean, of `n` users."""

    group: str
    text: str
    n: int


@dataclass(frozen=True)
class Scale:
    """The difference with its interval on an axis, in points or the outcome's unit; `ticks` include 0."""

    low: float
    high: float
    estimate: float
    ticks: tuple[float, ...]

    @property
    def drawn(self) -> dict[str, Any]:
        """Places on a line of 600, whole numbers: of the ticks with their texts, of 0, the limits and the estimate."""
        first, last = self.ticks[0], self.ticks[-1]

        def place(value: float) -> int:
            return round(30 + 540 * (value - first) / (last - first))

        return {
            "ticks": [(place(value), f"{value:+g}".replace("-", MINUS) if value else "0") for value in self.ticks],
            "zero": place(0.0),
            "low": place(self.low),
            "high": place(self.high),
            "estimate": place(self.estimate),
        }


@dataclass(frozen=True)
class Promise:
    """What the study's correlation promised, and what the experiment found, in points; percent of the longer bar."""

    promised: str
    found: str
    promised_width: int
    found_width: int


@dataclass(frozen=True)
class Fact:
    """One small card: a title and a sentence; `tab` has the rest."""

    title: str
    sentence: str
    tab: str


@dataclass(frozen=True)
class Summary:
    """The first screen.

    Attributes:
        code: of the verdict; "" while there is none.
        light: good, warn, bad or ""; the decision says the same in words.
        basis: what the recommendation rests on.
        decision: what to do, in a few words.
        finding: what the experiment found, in a few words; "" while it is locked.
        sides: levels of the comparator and of the leading group; empty where they may not be read.
        difference: between them; `limits` its interval with its level; both "" where they may not be read.
        whom: outcome, and the number of users with a known one.
        scale: for a small picture; None without a difference.
        question: about the cause; `answer` in a few words; `because` the sentences behind it.
        promise: against the finding; None where they can't be held against each other.
        weak: what would overturn the answer, or what is missing for one.
        quality: when, of how many users, after how many analyses, on which data.
        alarm: True where these data must not be read as they stand; the quality line then says why.
        facts: guardrails, segments, time, next step.
        nudges: of a lab what to do with each nudge, a sentence each.
    """

    code: str
    light: str
    basis: str
    decision: str
    finding: str
    sides: tuple[Side, ...]
    difference: str
    limits: str
    whom: str
    scale: Scale | None
    question: str
    answer: str
    because: tuple[str, ...]
    promise: Promise | None
    weak: str
    quality: tuple[str, ...]
    alarm: bool
    facts: tuple[Fact, ...]
    nudges: tuple[str, ...] = ()


def summary(result: AnalysisResult) -> Summary:
    """The first screen of a result, locked or open."""
    verdict = named_verdict(result)
    row = leading(result.report) if isinstance(result, Opened) else None
    lab = result.plan.is_lab
    readable = row is not None and verdict is not None and verdict.code is not Code.INVALID and not lab
    about = _Comparison(result, row) if isinstance(result, Opened) and row is not None and readable else None
    decision, finding = _decision(result)
    return Summary(
        code="" if verdict is None else str(verdict.code),
        light=_light(result),
        basis=gettext("Recommendation, as registered")
        if result.decision is not None
        else gettext("Result, without a registered rule"),
        decision=decision,
        finding=finding,
        sides=() if about is None else about.sides(),
        difference="" if about is None else about.difference(),
        limits="" if about is None else about.limits(),
        whom="" if about is None else about.whom(),
        scale=None if about is None else about.scale(),
        question=_question(result),
        answer=_answer(result),
        because=tuple(_because(result)),
        promise=None if about is None else about.promise(),
        weak=_weak(result),
        quality=tuple(_quality(result)),
        alarm=verdict is not None and verdict.code is Code.INVALID,
        facts=tuple(_facts(result)),
        nudges=tuple(_nudges(result)) if lab else (),
    )


def with_next(found: Summary, sentence: str) -> Summary:
    """The summary with what the site knows about the next step, as a rollout that has begun; it is the last fact."""
    *others, last = found.facts
    return replace(found, facts=(*others, replace(last, sentence=sentence)))


# ── Numbers with one decimal ──────────────────────────────────────────────────
def one_decimal(value: float, *, share: bool, plus: bool = False) -> str:
    """An effect without its unit; a value that would round to 0 gets two significant digits, so no limit becomes 0."""
    if not share:
        text = significant(value)
    else:
        size = abs(100 * value)
        text = decimal(100 * value, 1)
        if ROUNDING < size < 0.05:
            text = f"{MINUS if value < 0 else ''}{size:.2g}"
    return f"+{text}" if plus and value > 0 else text


def effect(value: float, *, share: bool, plus: bool = False) -> str:
    """An effect with its unit."""
    return _with_unit(one_decimal(value, share=share, plus=plus), share)


def effect_between(low: float, high: float, *, share: bool) -> str:
    """Two limits, then the unit."""
    return _with_unit(between(one_decimal(low, share=share), one_decimal(high, share=share)), share)


def _with_unit(text: str, share: bool) -> str:
    return gettext("%(value)s points") % {"value": text} if share else text


def of_100(value: float) -> str:
    """A share as so many of 100; below one in a hundred with a decimal."""
    size = 100 * value
    return decimal(size, 0) if size >= 0.95 else decimal(size, 1) if size >= 0.05 else f"{size:.2g}"


def _not_above(value: float) -> str:
    """The size of a breakdown value as so many of 100, rounded down: rounded up it would claim too much."""
    size = 100 * toward_zero(value, share=True)
    return decimal(floor(10 * size + 1e-9) / 10, 1) if size >= 0.1 else f"{size:.2g}"


# ── The comparison that the verdict rests on ──────────────────────────────────
class _Comparison:
    """Numbers of the leading group against its comparator, on the first outcome."""

    def __init__(self, opened: Opened, row: Comparison) -> None:
        self.opened, self.row = opened, row
        self.outcome = opened.report.outcomes[0]
        self.share = self.outcome.kind is Kind.PROPORTION
        self.comparator = row.compared_with or opened.plan.arms[0]

    def sides(self) -> tuple[Side, ...]:
        found = []
        for arm in (self.comparator, self.row.variant):
            value = self.outcome.values.get(arm)
            if value is not None and isinstance(value.mean, float | int):
                text = percent(value.mean) if self.share else significant(value.mean)
                found.append(Side(arm, text, value.n))
        return tuple(found) if len(found) == 2 else ()

    def difference(self) -> str:
        value = self.row.difference
        return effect(value.estimate, share=self.share, plus=True) if computable(value) else ""

    def limits(self) -> str:
        value = self.row.difference
        if not computable(value):
            return ""
        low, high = (one_decimal(side, share=self.share) for side in (value.low, value.high))
        return gettext("{level}: {limits}").format(level=level_text(value.level), limits=between(low, high))

    def whom(self) -> str:
        n = sum(side.n for side in self.sides())
        text = gettext("{outcome}, {n} users")
        return _capital(text.format(outcome=metric_words(self.outcome.name), n=count(n)))

    def scale(self) -> Scale | None:
        value = self.row.difference
        if not computable(value):
            return None
        factor = 100.0 if self.share else 1.0
        low, high, estimate = (factor * side for side in (value.low, value.high, value.estimate))
        return Scale(low, high, estimate, ticks(min(low, 0.0), max(high, 0.0)))

    def promise(self) -> Promise | None:
        claim, encouragement = self.opened.plan.claim, self.row.encouragement
        if claim is None or claim.promised is None or encouragement is None or not self.share:
            return None
        code = self.opened.report.verdict.code
        other_outcome = claim.retention != self.opened.plan.primary[0]
        unknown = (*NOT_THE_BEHAVIOUR, Code.INCONCLUSIVE)  # a bar would be read as an effect, whatever its interval
        if self.opened.whole_clusters or code in unknown or other_outcome:
            return None
        if not computable(encouragement.effect) or not _bounded(self.row):
            return None
        found = encouragement.effect.estimate
        longest = max(abs(claim.promised), abs(found)) or 1.0
        return Promise(
            effect(claim.promised, share=True, plus=True),
            effect(found, share=True, plus=True),
            round(100 * max(claim.promised, 0.0) / longest),
            round(100 * max(found, 0.0) / longest),
        )


def _bounded(row: Comparison) -> bool:
    found = row.encouragement
    return found is not None and computable(found.effect_set) and found.effect_set.bounded


def ticks(low: float, high: float) -> tuple[float, ...]:
    """Four to eight round values from just below `low` to just above `high`, 0 among them where it lies between."""
    span = (high - low) or 1.0
    size = 10.0 ** floor(log10(span / 4))
    step = next(size * factor for factor in (1, 2, 5, 10) if span / (size * factor) <= 5)
    first, last = floor(low / step), max(ceil(high / step), floor(low / step) + 1)
    return tuple(round(place * step, 10) for place in range(first, last + 1))


# ── What to do ────────────────────────────────────────────────────────────────
def _decision(result: AnalysisResult) -> tuple[str, str]:
    """What to do, and what was found, both in a few words."""
    verdict, decision = result.verdict, result.decision
    if verdict is not None and verdict.code is Code.INVALID:
        return gettext("Don't decide on these data."), gettext("They are broken.")
    if not isinstance(result, Opened):
        if decision is not None and decision.ruling is Ruling.DONT:
            return gettext("Don't ship it."), _harmed(result)
        return _until(result), ""
    if result.plan.is_lab:
        return _until(result) if result.maturity.peeked else gettext("Decide nudge by nudge."), ""
    if decision is None:
        return _found(result), ""
    if result.maturity.peeked:
        return _until(result), _found(result)
    what = _ruling_words(result, decision)
    if decision.ground is Ground.GUARDRAIL_HARM:
        return what, _harmed(result)
    return what, _found(result)


def _ruling_words(result: AnalysisResult, ruled: Decision | ArmRuling) -> str:
    what = {
        Ruling.SHIP: gettext("Ship it.")
        if ruled.ground is Ground.PROVED
        else gettext("Ship it, as agreed for an open result."),
        Ruling.DONT: gettext("Don't ship it."),
        Ruling.ASK: gettext("Decide together."),
        Ruling.WAIT: _until(result),
    }
    return what[ruled.ruling]


def _nudges(result: AnalysisResult) -> Iterator[str]:
    """What to do with each nudge of a lab, and its own effect; of a locked one only those that do harm."""
    verdict, decision = result.verdict, result.decision
    if decision is None or (verdict is not None and verdict.code is Code.INVALID):
        return
    names = {nudge.key: nudge.name or nudge.key for nudge in result.plan.nudges}
    for arm in decision.arms:
        harm = _harm(arm.harmed) if arm.ground is Ground.GUARDRAIL_HARM else ""
        if not isinstance(result, Opened):
            if harm:
                yield f"{names[arm.variant]}: {_ruling_words(result, arm)} {harm}"
            continue
        outcome = result.report.outcomes[0]
        row = next(row for row in outcome.comparisons if row.variant == arm.variant)
        about = _Comparison(result, row)
        moved = row.difference
        found = f"{about.difference()} ({about.limits()})." if computable(moved) else reason_words(moved)
        ruled = gettext("Wait.") if result.maturity.peeked else _ruling_words(result, arm)
        yield " ".join(part for part in (f"{names[arm.variant]}: {ruled}", harm, found) if part)


def _until(result: AnalysisResult) -> str:
    day = result.maturity.opens_on
    if day is None:
        return gettext("Wait for the planned end.")
    return gettext("Wait until {day}.").format(day=day_text(day))


def _harmed(result: AnalysisResult) -> str:
    decision = result.decision
    return _harm(() if decision is None else tuple(name for arm in decision.arms for name in arm.harmed))


def _harm(names: tuple[str, ...]) -> str:
    if not names:
        return gettext("Harm is proved.")
    listed = ", ".join(dict.fromkeys(metric_words(name) for name in names))
    return gettext("Harm is proved: {outcomes}.").format(outcomes=listed)


def _found(opened: Opened) -> str:
    """What is proved about the nudge on the outcome that leads, in two or three words."""
    row, outcome = leading(opened.report), opened.report.outcomes[0]
    proved = computable(row.difference) and computable(row.adjusted_p) and row.adjusted_p < opened.plan.alpha
    decision = opened.decision
    if not proved or not computable(row.difference):
        # A plan may have several primary outcomes, and the rule looks at each of them.
        if decision is not None and decision.ground is Ground.PROVED:
            return gettext("Another primary outcome rose.")
        if decision is not None and decision.ground is Ground.OUTCOME_HARM:
            return gettext("Another primary outcome fell.")
        return gettext("No effect is proved.")
    up = row.difference.estimate > 0
    if _is_retention(outcome.name):
        return gettext("More users stay.") if up else gettext("Fewer users stay.")
    text = gettext("{outcome} rose.") if up else gettext("{outcome} fell.")
    return _capital(text.format(outcome=metric_words(outcome.name)))


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def _about(n: int) -> str:
    """A planned number with three significant digits: more would pretend to be exact."""
    step = 10 ** max(len(str(n)) - 3, 0)
    return count(ceil(n / step) * step)


def _is_retention(name: str) -> bool:
    try:
        parse_retention(name)
    except Refused:
        return False
    return True


def _light(result: AnalysisResult) -> str:
    verdict, decision = result.verdict, result.decision
    if result.plan.is_lab and isinstance(result, Opened) and result.verdict.code is not Code.INVALID:
        return ""  # each nudge has a decision of its own
    if verdict is None:
        return "" if decision is None or decision.ruling is not Ruling.DONT else "bad"
    if decision is None or verdict.code is Code.INVALID:
        return LIGHTS[verdict.code]
    return {Ruling.SHIP: "good", Ruling.DONT: "bad", Ruling.ASK: "warn", Ruling.WAIT: ""}[decision.ruling]


# ── Is it the cause? ──────────────────────────────────────────────────────────
def _question(result: AnalysisResult) -> str:
    claim = result.plan.claim
    if result.plan.is_lab:
        return gettext("What does each behaviour do by itself?")
    if claim is None:
        variant = result.report.leading if isinstance(result, Opened) else ", ".join(result.plan.arms[1:])
        return gettext("Did {variant} cause it?").format(variant=variant)
    return gettext("Is “{moment}” the cause?").format(moment=moment_name(claim.name, claim))


# By code and reason of the verdict; "" for every other reason. Of a behaviour, then of a plain test.
OF_BEHAVIOUR: dict[tuple[Code, str], str] = {
    (Code.CAUSES, ""): later("Yes: {effect} for users who did it because of the nudge."),
    (Code.HARMS, ""): later("Yes, and it harms: {effect} for users who did it because of the nudge."),
    (Code.CAUSES, "per act"): later("Yes: each extra time adds {act}."),
    (Code.HARMS, "per act"): later("Yes, and it harms: each extra time costs {loss}."),
    (Code.CAUSES, WHOLE_CLUSTERS): later("Together it is: {effect} per user who did it because of the nudge."),
    (Code.HARMS, WHOLE_CLUSTERS): later("Together it harms: {effect} per user who did it because of the nudge."),
    (Code.NO_MATERIAL_EFFECT, ""): later("No: any effect is smaller than {margin}."),
    (Code.NUDGE_FAILED, ""): later("Not known: too few did it because of the nudge."),
    (Code.NUDGE_FAILED, "wrong_direction"): later("Not known: fewer did it with the nudge than without."),
    (Code.NUDGE_NOT_BEHAVIOUR, ""): later("Not known: the nudge works in another way, too."),
    (Code.NUDGE_NOT_BEHAVIOUR, "other_behaviour"): later("Not known: it may be {other} instead."),
    (Code.INCONCLUSIVE, ""): later("Not known yet."),
    (Code.INCONCLUSIVE, "early"): later("Too early to say."),
    (Code.INCONCLUSIVE, "weak_first_stage"): later("Not known: too few did it because of the nudge."),
    (Code.INCONCLUSIVE, "underpowered"): later("Not known: the effect may be {range}."),
    (Code.INVALID, ""): later("Not known: the data are broken."),
}
OF_VARIANT: dict[tuple[Code, str], str] = {
    (Code.CAUSES, ""): later("Yes. Chance decided who got it."),
    (Code.HARMS, ""): later("Yes. Chance decided who got it."),
    (Code.NO_MATERIAL_EFFECT, ""): later("No: any effect is smaller than {margin}."),
    (Code.INCONCLUSIVE, ""): later("Not known yet."),
    (Code.INCONCLUSIVE, "multiplicity"): later("Not known: too many comparisons for this one."),
    (Code.INVALID, ""): later("Not known: the data are broken."),
}


def _answer(result: AnalysisResult) -> str:
    verdict = named_verdict(result)
    if verdict is None:
        return gettext("Not yet: the outcome is closed, so that nobody decides too early.")
    if result.plan.is_lab and isinstance(result, Opened) and result.lab is not None:
        return lab_page.answer(result, result.lab)
    table = OF_VARIANT if result.plan.claim is None else OF_BEHAVIOUR
    reason = verdict.reason
    if reason == "behaviour" and "act_low" in verdict.details and verdict.code in (Code.CAUSES, Code.HARMS):
        reason = "per act"
    if result.whole_clusters and verdict.code in (Code.CAUSES, Code.HARMS):
        reason = WHOLE_CLUSTERS
    text = gettext(table.get((verdict.code, reason)) or table[verdict.code, ""])
    if "{effect}" in text and not (isinstance(result, Opened) and _estimate(leading(result.report))):
        # An earlier analysis decided it, and the set of this one has no end: there is no number to say.
        return gettext("Yes.") if verdict.code is Code.CAUSES else gettext("Yes, and it harms.")
    return text.format(**_figures(result))


def _estimate(row: Comparison) -> float | None:
    """The behaviour's effect, where it may be read as a number."""
    found = row.encouragement
    if found is None or not _bounded(row):
        return None
    value = found.effect
    return value.estimate if computable(value) else None


def _figures(result: AnalysisResult) -> dict[str, str]:
    """Numbers of the sentences, as far as there are any."""
    verdict = named_verdict(result)
    details: dict[str, Any] = {} if verdict is None else dict(verdict.details)
    share = details.get("kind") == "proportion"
    found = {"cluster": str(details.get("cluster", result.whole_clusters))}
    if "other" in details:
        found["other"] = other_words(details["other"], details["other_times"])
    if "margin" in details:
        found["margin"] = effect(details["margin"], share=share)
    if "effect_low" in details:
        found["range"] = effect_between(details["effect_low"], details["effect_high"], share=share)
    if "act_low" in details:
        low, high = details["act_low"], details["act_high"]
        found["act"] = effect_between(low, high, share=share)
        found["loss"] = effect_between(-high, -low, share=share)
    if not isinstance(result, Opened):
        return found
    row = leading(result.report)
    estimate = _estimate(row)
    share = result.report.outcomes[0].kind is Kind.PROPORTION
    if estimate is not None:
        found["effect"] = effect(estimate, share=share, plus=True)
    if _bounded(row) and row.encouragement is not None and computable(row.encouragement.effect_set):
        low, high = row.encouragement.effect_set.low, row.encouragement.effect_set.high
        if low is not None and high is not None:
            found["limits"] = between(one_decimal(low, share=share), one_decimal(high, share=share))
            found["level"] = level_text(row.encouragement.effect_set.level)
    return found


def _because(result: AnalysisResult) -> Iterator[str]:
    """The sentence behind the answer: of whom it is true, and how sure it is."""
    if not isinstance(result, Opened) or result.verdict.code is Code.INVALID:
        return
    if result.plan.is_lab:
        yield from lab_page.behaviour_sentences(result)
        return
    row, code = leading(result.report), result.verdict.code
    if result.plan.claim is None or row.encouragement is None:
        if code in (Code.CAUSES, Code.HARMS):
            yield gettext("Which behaviour made the difference isn't known.")
        return
    take_up = row.encouragement.take_up
    if not computable(take_up) or take_up.difference <= 0:
        return
    figures = {**_figures(result), "n": of_100(take_up.difference)}
    if code not in (Code.CAUSES, Code.HARMS) or "limits" not in figures:
        text = gettext("{n} of 100 users did it because of the nudge.")
    elif result.whole_clusters:
        text = gettext("That is {n} of 100 users ({level}: {limits}, with what friends in the {cluster} did).")
    elif "act_low" in result.verdict.details and "effect" in figures:
        text = gettext("For the {n} of 100 who did it because of the nudge: {effect} ({level}: {limits}).")
    else:
        text = gettext("That is {n} of 100 users ({level}: {limits}).")
    yield text.format(**figures)
    first = suspect(row.encouragement.others, row.encouragement.moments.itt) if row.encouragement.moments else None
    if result.verdict.reason == "other_behaviour" and first is not None:
        rivals = sum(each.rivals for each in row.encouragement.others)
        text = gettext("It also moved {other} ({points}).")
        if rivals > 1:
            text = gettext("It also moved {other} ({points}) and {more} more.")
        moved = effect(first.found.take_up, share=True, plus=True)
        yield text.format(other=_other(first), points=moved, more=count(rivals - 1))


def _other(row: OtherRow) -> str:
    return other_words(row.registered.name, row.registered.times)


# ── What would overturn it ────────────────────────────────────────────────────
WEAK: dict[tuple[Code, str], str] = {
    (Code.CAUSES, "nudge"): later("It shows that {variant} works, not why."),
    (Code.HARMS, "nudge"): later("It shows that {variant} harms, not why."),
    (Code.CAUSES, "placebo"): later("Holds as long as the placebo {placebo} was as noticeable as the nudge."),
    (Code.HARMS, "placebo"): later("Holds as long as the placebo {placebo} was as noticeable as the nudge."),
    (Code.CAUSES, WHOLE_CLUSTERS): later("It says nothing about one user alone: each {cluster} was nudged as a whole."),
    (Code.HARMS, WHOLE_CLUSTERS): later("It says nothing about one user alone: each {cluster} was nudged as a whole."),
    (Code.NO_MATERIAL_EFFECT, ""): later("A smaller effect may exist: the plan agreed that it doesn't matter."),
    (Code.NUDGE_FAILED, ""): later("A stronger nudge is needed; this one says nothing about the behaviour."),
    (Code.NUDGE_NOT_BEHAVIOUR, ""): later("What the nudge does to everyone stands; the behaviour needs another nudge."),
    (Code.NUDGE_NOT_BEHAVIOUR, "other_behaviour"): later(
        "A nudge that moves {other} and not {behaviour} would part them, or both in one lab."
    ),
    (Code.INCONCLUSIVE, ""): later("More users are needed."),
    (Code.INCONCLUSIVE, "needed"): later(
        "About {needed} users would find an effect of {margin} in four of five tests."
    ),
    (Code.INCONCLUSIVE, "too_small"): later("Each group needs at least {units} users with a known outcome."),
    (Code.INCONCLUSIVE, "few_clusters"): later("Each group needs at least {clusters} clusters of similar size."),
    (Code.INCONCLUSIVE, "weak_first_stage"): later("A stronger nudge is needed to say what the behaviour does."),
    (Code.INCONCLUSIVE, "multiplicity"): later(
        "Taken alone it would count; among all comparisons of the plan it doesn't."
    ),
    (Code.INVALID, ""): later("No number of this test may be used."),
    (Code.INVALID, "srm"): later("The groups don't have their planned sizes: users were lost or logged unevenly."),
    (Code.INVALID, "multi_exposure"): later("Too many users met several groups."),
    (Code.INVALID, "identity_conflicts"): later("Too many people met several groups before their ids were joined."),
    (Code.INVALID, "bucket_mismatch"): later("Stored groups differ from the draw: somebody chose who is in which."),
    (Code.INVALID, "window_overlap"): later("The days of the behaviour overlap the days of the outcome."),
    (Code.INVALID, "plan_changed"): later("The plan was changed after the start without a logged amendment."),
}


def _weak(result: AnalysisResult) -> str:
    """The weak spot in one sentence."""
    verdict = named_verdict(result)
    if result.maturity.peeked:
        return gettext("Analysed before its time: the plan promises its error rate only for the end.")
    if verdict is None:
        return ""
    if result.plan.is_lab and verdict.code is not Code.INVALID:
        return gettext("Holds if the nudges work only through these behaviours, and if their effects add up.")
    code, reason, details = verdict.code, verdict.reason, verdict.details
    gain_or_harm = code in (Code.CAUSES, Code.HARMS)
    if gain_or_harm and result.plan.claim is None:
        reason = "nudge"
    elif gain_or_harm and result.whole_clusters:
        reason = WHOLE_CLUSTERS
    elif gain_or_harm and "comparator" in details:
        reason = "placebo"
    elif gain_or_harm:
        return _unless(result)
    if code is Code.INCONCLUSIVE and "needed" in details and "margin" in details:
        reason = "needed"
    text = gettext(WEAK.get((code, reason)) or WEAK[code, ""])
    variant = result.report.leading if isinstance(result, Opened) else ""
    share = details.get("kind") == "proportion"
    return text.format(
        variant=variant,
        placebo=details.get("comparator", ""),
        cluster=details.get("cluster", result.whole_clusters),
        other=other_words(str(details.get("other", "")), int(details.get("other_times", 1))),
        behaviour=details.get("behaviour", ""),
        units=count(int(details.get("units", 0))),
        clusters=details.get("clusters", ""),
        needed=_about(int(details.get("needed", 0))),
        margin=effect(float(details["margin"]), share=share) if "margin" in details else "",
    )


def _unless(result: AnalysisResult) -> str:
    """The direct effect of the nudge by itself at which nothing is shown about the behaviour any more."""
    row = leading(result.report) if isinstance(result, Opened) else None
    found = None if row is None or row.encouragement is None else row.encouragement.breakdown
    if found is None or isinstance(found, NotComputable) or not isinstance(result, Opened):
        return gettext("Holds if the nudge works only through the behaviour; how far that may fail isn't known.")
    outcome = result.report.outcomes[0]
    if outcome.kind is not Kind.PROPORTION:
        text = gettext("Holds unless the nudge by itself changes {outcome} by more than {size}.")
        return text.format(outcome=metric_words(outcome.name), size=significant(toward_zero(found, share=False)))
    if row is not None and row.encouragement is not None:
        through = _unless_through(row.encouragement)
        if through:
            return through
    keeps = gettext("Holds unless the nudge by itself keeps more than {n} of 100 users.")
    loses = gettext("Holds unless the nudge by itself loses more than {n} of 100 users.")
    return (keeps if found > 0 else loses).format(n=_not_above(found))


NAMED = 2  # other behaviours in one sentence


def _unless_through(found: Encouragement) -> str:
    """The same where it is another behaviour by which the nudge may work; "" where none is in question.

    A consequence that would take the answer back if it were none comes first, then a behaviour that was moved, then
    those of which this isn't clear.
    """
    if not computable(found.breakdown):
        return ""
    gains = found.breakdown > 0
    assumed = [row for row in found.others if row.moved and row.registered.consequence and row.alone]
    if assumed:
        names = ", ".join(_other(row) for row in assumed[:NAMED])
        return gettext("Holds if this is a consequence of it, as the plan assumes: {names}.").format(names=names)
    nearest = _nearest(found)
    rivals = sum(row.rivals for row in found.others)
    if nearest is not None and rivals > 1:  # each alone would need more than all together
        text = gettext("Holds unless {other} and {more} more, moved too, do more than assumed.")
        return text.format(other=_other(nearest[0]), more=count(rivals - 1))
    if nearest is not None:
        row, most = nearest
        keeps = gettext("Holds unless {other}, moved too ({points}), keeps more than {n} of 100 who do it.")
        loses = gettext("Holds unless {other}, moved too ({points}), loses more than {n} of 100 who do it.")
        moved = effect(row.found.take_up, share=True, plus=True)
        return (keeps if gains else loses).format(other=_other(row), points=moved, n=_not_above(most))
    unclear = [_other(row) for row in found.others if row.found.moved is Moved.CANNOT_TELL]
    if not unclear:
        return ""
    names = ", ".join(unclear) if len(unclear) <= NAMED else gettext("other behaviours")
    keeps = gettext("Holds unless the nudge keeps more than {n} of 100 users by itself or through {names}.")
    loses = gettext("Holds unless the nudge loses more than {n} of 100 users by itself or through {names}.")
    return (keeps if gains else loses).format(n=_not_above(found.breakdown), names=names)


def _nearest(found: Encouragement) -> tuple[OtherRow, float] | None:
    """The moved other behaviour whose smallest effect, a share of the nudge's sign, would explain the nudge's."""
    gains = computable(found.breakdown) and found.breakdown > 0
    rivals = [
        (row, row.found.most)
        for row in found.others
        if row.rivals and computable(row.found.most) and 0 < (row.found.most if gains else -row.found.most) <= 1
    ]
    return min(rivals, key=lambda pair: abs(pair[1]), default=None)


# ── Under which circumstances ─────────────────────────────────────────────────
def _quality(result: AnalysisResult) -> Iterator[str]:
    """When, how many users, how many analyses, how good the data are."""
    yield gettext("Data to {day}").format(day=day_text(_last_day(result)))
    exposed, planned = sum(result.maturity.exposed.values()), result.plan.planned_units
    if planned and planned != exposed:
        yield gettext("{n} of {planned} users").format(n=count(exposed), planned=count(planned))
    else:
        yield gettext("{n} users").format(n=count(exposed))
    if result.maturity.peeked:
        yield gettext("analysed too early")
    elif isinstance(result, Opened):
        looks = max(len({(look.on, look.fraction) for look in result.path}), 1)  # each look has a row for each variant
        yield gettext("one analysis, as planned") if looks == 1 else gettext("{n} analyses, as planned").format(n=looks)
    errors = sum(one.severity is Severity.ERROR for one in result.health)
    warnings = sum(one.severity is Severity.WARNING for one in result.health)
    if errors:
        yield gettext("data broken")
    elif warnings:
        text = gettext("1 warning about the data") if warnings == 1 else gettext("{n} warnings about the data")
        yield text.format(n=warnings)
    else:
        yield gettext("data quality good")


def _last_day(result: AnalysisResult) -> date:
    """Local date of the data's end."""
    return datetime.fromisoformat(result.data_end).astimezone(ZoneInfo(result.time_zone)).date()


def _facts(result: AnalysisResult) -> Iterator[Fact]:
    yield Fact(gettext("Guardrails"), _guardrails(result), "numbers")
    if isinstance(result, Opened) and result.verdict.code is not Code.INVALID and not result.plan.is_lab:
        for title, sentence, tab in (
            (gettext("Segments"), _segments(leading(result.report)), "segments"),
            (gettext("Over time"), _time(result), "time"),
        ):
            if sentence:
                yield Fact(title, sentence, tab)
    yield Fact(gettext("Next"), _next(result), "plan")


def _guardrails(result: AnalysisResult) -> str:
    decision = result.decision
    if not result.plan.guardrails:
        return gettext("None set.")
    lab = result.plan.is_lab
    leads = decision.variant if decision is not None and not lab else ""
    states = () if decision is None else tuple(row for row in decision.guardrails if not leads or row.variant == leads)
    if not states:
        return gettext("Watched: {names}.").format(names=_names(result.plan.guardrails))
    harmed = [row.outcome for row in states if row.safety is Safety.HARM]
    open_ones = [row.outcome for row in states if row.safety is Safety.UNKNOWN]
    if harmed and lab:
        by = [f"{metric_words(row.outcome)} ({row.variant})" for row in states if row.safety is Safety.HARM]
        return gettext("Harmed: {names}.").format(names=", ".join(by))
    if harmed:
        return gettext("Harmed: {names}.").format(names=_names(harmed))
    if open_ones:
        return gettext("Not clear yet: {names}.").format(names=_names(open_ones))
    return gettext("No harm beyond the margin: {names}.").format(names=_names([row.outcome for row in states]))


def _names(metrics: Any) -> str:
    return ", ".join(dict.fromkeys(metric_words(name) for name in metrics))


def _segments(row: Comparison) -> str:
    """Whether segments differ in the effect; "" where that couldn't be tested."""
    test = None if row.stratified is None else row.stratified.heterogeneity
    if test is None or not computable(test):
        return ""
    if test.p_value < SEGMENTS_DIFFER:
        return gettext("The effect differs between segments.")
    return gettext("No difference.")


TIME: dict[Change, str] = {
    Change.FADES: later("Weaker for users who joined later."),
    Change.GROWS: later("Stronger for users who joined later."),
    Change.TURNS: later("Reversed for users who joined later."),
    Change.NONE_DETECTED: later("No fading."),
}


def _time(opened: Opened) -> str:
    """Whether the effect fades with later enrolment; "" where that couldn't be tested."""
    row = next((one for one in opened.over_time if one.variant == opened.report.leading), None)
    if row is None or isinstance(row.novelty.trend, NotComputable):
        return ""
    return gettext(TIME[row.novelty.trend.change])


def _next(result: AnalysisResult) -> str:
    verdict, decision = result.verdict, result.decision
    if verdict is not None and verdict.code is Code.INVALID:
        return gettext("Find the cause, mend it, and start a new test.")
    if result.plan.is_lab and result.maturity.final:
        return gettext("End the lab, and ship what is proved.")
    ruling = None if decision is None else decision.ruling
    if ruling is Ruling.SHIP:
        return gettext("Roll it out in steps.")
    if ruling is Ruling.DONT:
        return gettext("End the test.")
    if ruling is Ruling.ASK:
        return gettext("Decide and note why.")
    if result.maturity.final:
        return gettext("End the test.")
    return gettext("Wait for the next planned analysis.")


# ── To copy ───────────────────────────────────────────────────────────────────
def as_text(found: Summary, title: str, *, markdown: bool = False) -> str:
    """The summary as plain text, or as Markdown, for a message to others.

    Args:
        found: the summary.
        title: of the experiment.
        markdown: with emphasis and a list.
    """
    strong = "**" if markdown else ""
    bullet = "- " if markdown else ""
    lines = [f"{strong}{title}{strong}", f"{strong}{found.decision}{strong} {found.finding}".strip()]
    if found.sides:
        levels = " → ".join(f"{side.text} ({side.group})" for side in found.sides)
        lines.append(f"{bullet}{levels}: {found.difference} ({found.limits}). {found.whom}.")
    lines += [f"{bullet}{sentence}" for sentence in found.nudges]
    lines.append(f"{bullet}{found.question} {' '.join((found.answer, *found.because))}")
    if found.promise is not None:
        lines.append(f"{bullet}{gettext('Dashboard promised')}: {found.promise.promised}")
    if found.weak:
        lines.append(f"{bullet}{gettext('Weak spot')}: {found.weak}")
    lines += [f"{bullet}{fact.title}: {fact.sentence}" for fact in found.facts]
    return "\n".join([*lines, " · ".join(found.quality)])
