"""What the report of a stored experiment says first: state, verdict, estimand, promise. Pure; sentences alone."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from aha.report.words import cell_words
from events.metrics import Active, MinDays, display_name, parse_metric
from experiments.analyse.codes import LIGHTS, SIGNS, Code, code_words
from experiments.analyse.effects import Report
from experiments.analyse.health.findings import Finding
from experiments.analyse.result import LookTaken, Readout, State
from experiments.analyse.verdict import Verdict
from experiments.plan.planned import Planned
from experiments.report.health import finding_sentence
from experiments.report.outcome_lock import state_sentence
from experiments.report.words import verdict_sentence
from reporting.numbers import between, count, percent
from reporting.words import gettext, reason_words
from runs.refusals import Refused
from stats.instrument.encouragement import TakeUp
from stats.results import NotComputable, computable

PENDING = "PENDING"


@dataclass(frozen=True)
class Opening:
    """The first lines of a report.

    Attributes:
        alarms: what must be read before anything else: broken data, a peek.
        code: of the verdict, or ``PENDING``.
        sign: a mark with the code's meaning, so that colour is never the only one.
        heading: the verdict in a few words.
        light: good, warn, bad or "".
        sentence: the verdict in one sentence, or why there is none yet.
        estimand: what is estimated, among whom.
        known: what may be known while the outcome is locked.
    """

    alarms: tuple[str, ...]
    code: str
    sign: str
    heading: str
    light: str
    sentence: str
    estimand: str
    known: tuple[str, ...]


def opening(readout: Readout) -> Opening:
    """Verdict first; when the data are broken or were peeked at, that comes before it."""
    verdict = named_verdict(readout)
    alarms = []
    if verdict is not None and verdict.code is Code.INVALID:
        alarms.append(gettext("These data are broken. Nothing below may be read as an effect."))
    if readout.standing.peeked:
        alarms.append(peek_sentence(readout))
    pending = readout.standing.state is State.PENDING
    known = tuple(_known(readout)) if pending else ()
    what = estimand(readout)
    if verdict is None:
        lock = state_sentence(readout.standing.why)
        return Opening(tuple(alarms), PENDING, "…", gettext("No verdict yet"), "", lock, what, known)
    return Opening(
        alarms=tuple(alarms),
        code=str(verdict.code),
        sign=SIGNS[verdict.code],
        heading=code_words(verdict.code),
        light=LIGHTS[verdict.code],
        sentence=verdict_sentence(verdict),
        estimand=what,
        known=known,
    )


def named_verdict(readout: Readout) -> Verdict | None:
    """The verdict with its outcome in words."""
    verdict = readout.verdict
    if verdict is None or "outcome" not in verdict.details:
        return verdict
    name = metric_words(str(verdict.details["outcome"]))
    return replace(verdict, details={**verdict.details, "outcome": name})


def health_sentence(finding: Finding) -> str:
    """What a check found, its outcome in words."""
    if "outcome" not in finding.details:
        return finding_sentence(finding)
    name = metric_words(str(finding.details["outcome"]))
    return finding_sentence(replace(finding, details={**finding.details, "outcome": name}))


def peek_sentence(readout: Readout) -> str:
    """That a fixed plan was read before its end, and what this costs."""
    text = gettext(
        "Peeked: a person asked to see the outcome when {share} of the planned units were mature. The plan promises "
        "its error rate for one look at the end, so nothing here may be decided on."
    )
    return text.format(share=percent(readout.standing.fraction))


def _known(readout: Readout) -> Iterator[str]:
    """What may be said without the outcome."""
    standing, plan = readout.standing, readout.plan
    exposed, mature = sum(standing.exposed.values()), sum(standing.mature.values())
    text = gettext("{exposed} units have met their variant; the outcome of {mature} is known, of {planned} planned.")
    yield text.format(exposed=count(exposed), mature=count(mature), planned=count(plan.planned_units))
    if standing.opens_on is not None:
        yield gettext("As planned it opens on {day}.").format(day=standing.opens_on)
    yield from take_up_sentences(readout)
    if plan.guardrails:
        alarms = sum(finding.check == "guardrail" for finding in readout.health)
        quiet = gettext("None of the {n} guardrails alarms.")
        text = (
            quiet
            if alarms == 0
            else gettext("{alarms} guardrail alarms among {n} guardrails: see the health of the data.")
        )
        yield text.format(n=len(plan.guardrails), alarms=alarms)


def take_up_sentences(readout: Readout) -> Iterator[str]:
    """How many units each variant moves to the behaviour, against what it is compared with."""
    compared = {} if readout.report is None else {row.variant: row for row in readout.report.outcomes[0].comparisons}
    for stage in readout.first_stage:
        row = compared.get(stage.variant)
        if stage.variant == readout.plan.placebo:
            text = gettext(
                "The placebo moves {moved} of the units to the behaviour ({limits}): {with_nudge} do it with the "
                "placebo, {without} in control."
            )
            yield _take_up(stage.variant, stage.take_up, text)
        elif row is not None and row.compared_with and row.encouragement is not None:
            text = gettext(
                "{variant} moves {moved} of the units to the behaviour ({limits}): {with_nudge} do it with the nudge, "
                "{without} with the placebo."
            )
            yield _take_up(stage.variant, row.encouragement.take_up, text)
        else:
            text = gettext(
                "{variant} moves {moved} of the units to the behaviour ({limits}): {with_nudge} do it with the nudge, "
                "{without} without."
            )
            yield _take_up(stage.variant, stage.take_up, text)


def _take_up(variant: str, found: TakeUp | NotComputable, text: str) -> str:
    if not computable(found):
        return f"{variant}: {reason_words(found)}"
    limits = between(percent(found.low), percent(found.high))
    return text.format(
        variant=variant, moved=percent(found.difference), limits=limits,
        with_nudge=percent(found.variant), without=percent(found.control),
    )  # fmt: skip


def estimand(readout: Readout) -> str:
    """What is estimated, among whom, counted from when."""
    plan = readout.plan
    outcome = metric_words(plan.primary[0])
    from_when = clock_words(plan)
    if plan.claim is None:
        text = gettext(
            "Asked: what does being given {variants} rather than {control} do to {outcome}? Of all units that met "
            "their variant, days counted from {clock}."
        )
        return text.format(variants=_nudges(plan), control=plan.variants[0], outcome=outcome, clock=from_when)
    text = gettext(
        "Asked: what does reaching “{claim}” ({behaviour}) do to {outcome}, among units that reach it only if nudged? "
        "Days are counted from {clock}."
    )
    claim = plan.claim
    behaviour = cell_words(claim.behaviour, claim.times, claim.days)
    asked = text.format(claim=display_name(claim.name), behaviour=behaviour, outcome=outcome, clock=from_when)
    if plan.placebo is None:
        return asked
    against = gettext("The nudge is compared with the placebo, where that leaves the behaviour alone.")
    return f"{asked} {against}"


def _nudges(plan: Planned) -> str:
    return ", ".join(plan.variants[1:])


def clock_words(plan: Planned) -> str:
    """What starts a unit's day 0."""
    return gettext("the signup") if plan.clock == "signup" else gettext("the first exposure")


def metric_words(text: str) -> str:
    """A metric's short name for headings and sentences; what has none keeps its text."""
    try:
        definition = parse_metric(text)
    except Refused:
        return display_name(text)
    if isinstance(definition, MinDays):
        name = gettext("retention ({n} days of {first}–{last})")
        return name.format(n=definition.days, first=definition.window.start_day, last=definition.window.end_day)
    if not isinstance(definition, Active):
        return display_name(text)
    first, last = definition.window.start_day, definition.window.end_day
    if last is None:
        return gettext("retention from day {first} on").format(first=first)
    if first == last:
        return gettext("retention on day {first}").format(first=first)
    return gettext("retention on days {first}–{last}").format(first=first, last=last)


def worded(report: Report) -> Report:
    """The same report with its outcomes in words; where two would be called alike, both keep their text."""
    names = [metric_words(outcome.name) for outcome in report.outcomes]
    behaviour = report.design.behaviour
    return replace(
        report,
        design=replace(report.design, behaviour=None if behaviour is None else display_name(behaviour)),
        outcomes=tuple(
            replace(outcome, name=name if names.count(name) == 1 else display_name(outcome.name))
            for outcome, name in zip(report.outcomes, names, strict=True)
        ),
    )


def rule_words(rule: str) -> str:
    """What the last look of a plan with planned looks could spend, and why; "" for any other look."""
    rest = gettext("The last look spends all of the error rate that is left: {why}.")
    return {
        "complete": rest.format(why=gettext("the planned units are in")),
        "planned_end": rest.format(why=gettext("enrolment ran to its planned end")),
        "blind": rest.format(why=gettext("enrolment was closed before any outcome was shown")),
        "early": gettext(
            "Enrolment was closed early, after an outcome had been shown. So the last look spends only what the plan "
            "allows at its share of the planned units; all that was left would give false alarms."
        ),
    }.get(rule, "")


def look_words(look: LookTaken) -> str:
    """How a look came about, in a few words."""
    if look.peeked:
        return gettext("peeked")
    return {
        "complete": gettext("the last: planned units in"),
        "planned_end": gettext("the last: planned end"),
        "blind": gettext("the last: closed unseen"),
        "early": gettext("the last: closed early, after a look"),
    }.get(look.rule, gettext("as planned"))
