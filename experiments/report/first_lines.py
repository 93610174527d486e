"""First lines of a stored experiment's report: state, verdict, estimand, health. Pure; sentences only."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from aha.made_names import moment_name
from aha.report.claim import cell_words
from experiments.analyse.codes import LIGHTS, SIGNS, Code
from experiments.analyse.effects import leading
from experiments.analyse.findings import Finding
from experiments.analyse.result import Readout, State
from experiments.analyse.verdict import Verdict
from experiments.report.behaviour.take_up import take_up_sentences
from experiments.report.health import finding_sentence, severity_words
from experiments.report.names import clock_words, metric_words
from experiments.report.older_rules import older_rules
from experiments.report.verdict import verdict_sentence
from reporting.numbers import count, percent
from reporting.words import gettext

PENDING = "PENDING"


@dataclass(frozen=True)
class Opening:
    """The first lines of a report.

    Attributes:
        alarms: to be read before anything else: broken data, a peek.
        code: of the verdict, or ``PENDING``.
        sign: symbol with the code's meaning, so that colour is never the only signal.
        heading: the verdict in a few words.
        light: good, warn, bad or "".
        sentence: the verdict in one sentence, or why there is none yet.
        estimand: what is estimated, in which units.
        known: what may be shown while the outcome is locked.
        older: what later rules would judge otherwise; empty for results by today's rules.
    """

    alarms: tuple[str, ...]
    code: str
    sign: str
    heading: str
    light: str
    sentence: str
    estimand: str
    known: tuple[str, ...]
    older: tuple[str, ...] = ()


def opening(readout: Readout) -> Opening:
    """First lines with the verdict first, after alarms about broken data or a peek."""
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
        heading=verdict.heading,
        light=LIGHTS[verdict.code],
        sentence=verdict_sentence(verdict),
        estimand=what,
        known=known,
        older=older_rules(readout),
    )


def named_verdict(readout: Readout) -> Verdict | None:
    """The verdict with the outcome and the behaviour by the names that this reader is shown."""
    verdict, claim = readout.verdict, readout.plan.claim
    if verdict is None:
        return None
    details = dict(verdict.details)
    if "outcome" in details:
        details["outcome"] = metric_words(str(details["outcome"]))
    if "behaviour" in details and claim is not None:
        details["behaviour"] = moment_name(str(details["behaviour"]), claim)
    return replace(verdict, details=details)


def health_sentence(finding: Finding) -> str:
    """Sentence of a health finding, with its outcome in words."""
    if "outcome" not in finding.details:
        return finding_sentence(finding)
    name = metric_words(str(finding.details["outcome"]))
    return finding_sentence(replace(finding, details={**finding.details, "outcome": name}))


def health(readout: Readout) -> tuple[tuple[str, str, str], ...]:
    """Light, word and sentence of every finding, most severe first."""
    lights = {"error": "bad", "warning": "warn", "info": ""}
    return tuple(
        (lights[str(found.severity)], severity_words(found.severity), health_sentence(found))
        for found in readout.health
    )


def peek_sentence(readout: Readout) -> str:
    """Sentence on a peek at a fixed plan, and its cost."""
    text = gettext(
        "Peeked: a person asked to see the outcome when {share} of the planned units were mature. The plan promises "
        "its error rate for one look at the end, so nothing here may be decided on."
    )
    return text.format(share=percent(readout.standing.fraction))


def _known(readout: Readout) -> Iterator[str]:
    """What may be shown without the outcome."""
    standing, plan = readout.standing, readout.plan
    exposed, mature = sum(standing.exposed.values()), sum(standing.mature.values())
    text = gettext("{exposed} of {planned} planned users exposed; {mature} have a final outcome so far.")
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


def estimand(readout: Readout) -> str:
    """What is estimated, in which units, counted from when."""
    plan = readout.plan
    outcome = metric_words(plan.primary[0])
    from_when = clock_words(plan)
    if plan.claim is None:
        text = gettext(
            "Question: does {variants} rather than {control} change {outcome}? All exposed users; days count from"
            " {clock}."
        )
        return text.format(
            variants=", ".join(plan.variants[1:]), control=plan.variants[0], outcome=outcome, clock=from_when
        )
    text = gettext(
        "Question: does reaching “{claim}” ({behaviour}) change {outcome}, among users who reach it only if "
        "nudged? Days count from {clock}."
    )
    if plan.inside_clusters:
        text = gettext(
            "Question: does reaching “{claim}” ({behaviour}) oneself change {outcome}, among users who reach it only "
            "if nudged? Nudged users are compared with the others of clusters of which a part is nudged. Days count "
            "from {clock}."
        )
    elif plan.cluster:
        text = gettext(
            "Question: does moving whole clusters towards “{claim}” ({behaviour}) change {outcome}, per user moved, "
            "with what the moved friends did for all in the cluster? Days count from {clock}."
        )
    claim = plan.claim
    behaviour = cell_words(claim.behaviour, claim.times, claim.days)
    asked = text.format(claim=moment_name(claim.name, claim), behaviour=behaviour, outcome=outcome, clock=from_when)
    # An analysis of version 0.4 or before may have compared with control nonetheless.
    if plan.placebo is None or (readout.report is not None and not leading(readout.report).compared_with):
        return asked
    return f"{asked} {gettext('The nudge is compared with the placebo.')}"


def state_sentence(why: str) -> str:
    """Why the outcome is open or locked; codes of `experiments.analyse.result.Standing`."""
    sentences = {
        "enrolling": gettext(
            "Results unlock when enrolment ends and outcomes are final. Looking earlier would raise the "
            "false-positive rate."
        ),
        "maturing": gettext(
            "Results unlock when every user's outcome is final: enrolment has ended, and the last users' days "
            "aren't over yet."
        ),
        "next_look": gettext(
            "Results unlock at the next planned look. Looking in between would raise the false-positive rate."
        ),
        "too_few": gettext("The outcome is locked: intervals for any look need at least 100 mature units per group."),
        "ended": gettext("Enrolment has ended and every outcome is known: this is what the experiment can say."),
        "look": gettext("This is one of the planned looks; its bounds allow for all of them."),
        "any_time": gettext("The plan allows looking at any time; its intervals allow for all looks together."),
        "peek": gettext("A person asked to see the outcome before the plan allows it."),
    }
    return sentences[why]
