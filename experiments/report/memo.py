"""The decision memo: one page to sign, and what the dashboard's promise would have cost. Pure.

It is made from the plan, the verdict and the registered rule, in the words of the first screen
(`experiments.report.summary`), so that both say the same.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from aha.report.claim import cell_words
from experiments.analyse.codes import NOT_THE_BEHAVIOUR, Code
from experiments.analyse.effects import leading
from experiments.analyse.result import AnalysisResult, Opened
from experiments.plan.design import Kind
from experiments.report.names import metric_words, table_words
from experiments.report.plan import decision_sentence
from experiments.report.summary import Summary, effect
from reporting.numbers import between, count, effect_text
from reporting.words import gettext
from stats.results import computable

QUARTER_DAYS = 91


@dataclass(frozen=True)
class Entry:
    """One heading of the memo with its sentences."""

    title: str
    sentences: tuple[str, ...]


@dataclass(frozen=True)
class Quarter:
    """What the next 91 days would bring if every new user got the nudge: promised by the dashboard, and found.

    Attributes:
        users: new users in these days at today's inflow.
        promised: users who would stay more if each user whom the nudge brings to the behaviour stayed as the dashboard
            says: users x share that did it because of the nudge x the difference between doers and others.
        found, found_low, found_high: the same from the experiment's own difference between the groups, with its
            interval.
    """

    users: int
    promised: float
    found: float
    found_low: float
    found_high: float

    def rows(self, value: Decimal | None) -> Iterator[tuple[str, str, str]]:
        """Name, users and, with the value of one retained user, money."""
        low, high = self.found_low, self.found_high
        named = (
            (gettext("The dashboard promised"), self.promised, ()),
            (gettext("The experiment found"), self.found, (low, high)),
            (
                gettext("Believed and not there"),
                self.promised - self.found,
                (self.promised - high, self.promised - low),
            ),
        )
        for name, users, limits in named:
            interval = f" ({between(*map(_whole, limits))})" if limits else ""
            yield name, f"{_whole(users)}{interval}", "" if value is None else _whole(float(value) * users)


def _whole(value: float) -> str:
    """A whole number with its sign and two significant digits beyond a hundred: the inflow is no better known."""
    size = abs(value)
    step = 10 ** max(len(str(int(size))) - 2, 0)
    rounded = round(size / step) * step
    sign = "+" if value > 0 and rounded else "\u2212" if rounded else ""
    return f"{sign}{count(rounded)}"


def entries(result: AnalysisResult, found: Summary, hypothesis: str) -> tuple[Entry, ...]:
    """The memo from question to what would change it; parts that this result doesn't have are left out."""
    made = (
        Entry(gettext("Question"), tuple(text for text in (found.question, hypothesis) if text)),
        Entry(gettext("What was promised"), tuple(_promised(result))),
        Entry(gettext("What was found"), tuple(_found(found))),
        Entry(gettext("Decision"), tuple(_decision(result, found))),
        Entry(gettext("What would change it"), tuple(_would_change(result, found))),
    )
    return tuple(entry for entry in made if entry.sentences)


def _promised(result: AnalysisResult) -> Iterator[str]:
    claim, plan = result.plan.claim, result.plan
    if claim is not None and claim.promised is not None:
        text = gettext("Users who did it ({behaviour}) stayed more often than others: {effect}.")
        yield text.format(
            behaviour=cell_words(claim.behaviour, claim.times, claim.days),
            effect=effect(claim.promised, share=True, plus=True),
        )
    if plan.smallest_effect is not None:
        share = not isinstance(result, Opened) or result.report.outcomes[0].kind is Kind.PROPORTION
        text = gettext("The plan set out to find at least {effect} on {outcome}.")
        size = effect_text(plan.smallest_effect, share=share)
        yield text.format(effect=size, outcome=metric_words(plan.primary[0]))


def _found(found: Summary) -> Iterator[str]:
    if found.sides:
        levels = " → ".join(f"{side.text} ({side.group})" for side in found.sides)
        yield f"{levels}: {found.difference} ({found.limits}). {found.whom}."
    yield " ".join((found.answer, *found.because))


def _decision(result: AnalysisResult, found: Summary) -> Iterator[str]:
    yield f"{found.decision} {found.finding}".strip()
    if result.decision is not None:
        yield decision_sentence(result.decision)
        yield gettext("Registered rule: {rule}").format(rule=table_words(result.decision.otherwise))


def _would_change(result: AnalysisResult, found: Summary) -> Iterator[str]:
    if found.weak:
        yield found.weak
    if isinstance(result, Opened) and result.verdict.code not in (*NOT_THE_BEHAVIOUR, Code.INCONCLUSIVE):
        yield gettext("A later test of the same question that finds otherwise: effects change as a product does.")
    yield from (f"{fact.title}: {fact.sentence}" for fact in found.facts[:-1])


def quarter(result: AnalysisResult, per_day: float) -> Quarter | None:
    """What belief in the dashboard would have meant; None where promise and finding can't be held against each other.

    Args:
        result: of an analysis.
        per_day: new users a day, above 0.
    """
    claim = result.plan.claim
    if not isinstance(result, Opened) or result.verdict.code is Code.INVALID or result.whole_clusters:
        return None
    row = leading(result.report)
    share = result.report.outcomes[0].kind is Kind.PROPORTION
    if claim is None or claim.promised is None or claim.retention != result.plan.primary[0] or not share:
        return None
    take_up = None if row.encouragement is None else row.encouragement.take_up
    if take_up is None or not computable(take_up) or take_up.difference <= 0 or not computable(row.difference):
        return None
    users = round(QUARTER_DAYS * per_day)
    return Quarter(
        users,
        users * take_up.difference * claim.promised,
        users * row.difference.estimate,
        users * row.difference.low,
        users * row.difference.high,
    )
