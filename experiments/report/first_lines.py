"""First lines of a stored experiment's report: state, verdict, estimand, health. Pure; sentences only."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from aha.made_names import moment_name
from aha.report.claim import cell_words
from experiments.analyse.codes import LIGHTS, SIGNS, Code, Finding
from experiments.analyse.effects import leading
from experiments.analyse.payload_versions import Changed, changed_rules
from experiments.analyse.result import AnalysisResult, Locked, Opened
from experiments.analyse.verdict import Verdict
from experiments.report.behaviour import take_up_sentences
from experiments.report.health import finding_sentence, severity_words
from experiments.report.names import clock_words, metric_words
from experiments.report.verdict import verdict_sentence
from reporting.numbers import count, day_text, percent
from reporting.words import gettext

# What today's rules would judge otherwise about a result of an older version, a sentence each. Pure.


def older_rules(readout: AnalysisResult) -> tuple[str, ...]:
    """Sentences on the changed rules; empty where none affects the result."""
    changed = changed_rules(readout)
    if not changed:
        return ()
    first = gettext(
        "This result was made by the rules of version 0.4 and stays as it is. Today it could come out differently:"
    )
    texts = {
        Changed.PLACEBO: gettext(
            "the nudge was compared with the control group, since the placebo was not shown to leave the behaviour "
            "alone; today it is always compared with the placebo."
        ),
        Changed.TIES: gettext(
            "quantiles are no longer computed where many users have exactly the same value, as with whole numbers."
        ),
        Changed.CLUSTERS: gettext(
            "clusters were assigned, so the effect holds what the others in the cluster did as well; it is no "
            "longer called the effect of one's own behaviour."
        ),
        Changed.ARMS: gettext(
            "with several nudges the interval and the breakdown value of the leading one are wider now."
        ),
        Changed.TWO_ARMS_MET: gettext(
            "users who met two groups were left out; today they count in the group they met first."
        ),
        Changed.MIX: gettext("the interval of a ratio over segments is wider now, since it is about all users."),
    }
    return (first, *(texts[rule] for rule in changed))


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


def opening(readout: AnalysisResult) -> Opening:
    """First lines with the verdict first, after alarms about broken data or a peek."""
    verdict = named_verdict(readout)
    alarms = []
    if verdict is not None and verdict.code is Code.INVALID:
        alarms.append(gettext("These data are broken. Nothing below may be read as an effect."))
    if readout.maturity.peeked:
        alarms.append(peek_sentence(readout))
    known = tuple(_known(readout)) if isinstance(readout, Locked) else ()
    what = estimand(readout)
    if verdict is None:
        lock = state_sentence(readout.maturity.why)
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


def named_verdict(readout: AnalysisResult) -> Verdict | None:
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


def health(readout: AnalysisResult) -> tuple[tuple[str, str, str], ...]:
    """Light, word and sentence of every finding, most severe first."""
    lights = {"error": "bad", "warning": "warn", "info": ""}
    return tuple(
        (lights[str(finding.severity)], severity_words(finding.severity), health_sentence(finding))
        for finding in readout.health
    )


def peek_sentence(readout: AnalysisResult) -> str:
    """Sentence on a peek at a fixed plan, and its cost."""
    text = gettext(
        "Opened early: a person read the outcome when {share} of the planned users had a known outcome. The plan's "
        "error rate holds for one analysis at the end, so nothing here may decide anything."
    )
    return text.format(share=percent(readout.maturity.fraction))


def _known(locked: Locked) -> Iterator[str]:
    """What may be shown without the outcome."""
    maturity, plan = locked.maturity, locked.plan
    exposed, mature = sum(maturity.exposed.values()), sum(maturity.mature.values())
    text = gettext("{exposed} of {planned} planned users exposed; {mature} have a final outcome so far.")
    yield text.format(exposed=count(exposed), mature=count(mature), planned=count(plan.planned_units or 0))
    if maturity.opens_on is not None:
        yield gettext("As planned it opens on {day}.").format(day=day_text(maturity.opens_on))
    yield from take_up_sentences(locked)
    if plan.guardrails:
        alarms = sum(finding.check == "guardrail" for finding in locked.health)
        quiet = gettext("None of the {n} guardrails alarms.")
        text = (
            quiet if alarms == 0 else gettext("{alarms} guardrail alarms among {n} guardrails: see the data quality.")
        )
        yield text.format(n=len(plan.guardrails), alarms=alarms)


def estimand(readout: AnalysisResult) -> str:
    """What is estimated, in which units, counted from when."""
    plan = readout.plan
    outcome = metric_words(plan.primary[0])
    from_when = clock_words(plan)
    if plan.is_lab:
        text = gettext(
            "Question: what does each nudge ({nudges}) change in {outcome}, and what does each behaviour that they "
            "move? All exposed users; each nudge is compared over all of them. Days count from {clock}."
        )
        return text.format(nudges=", ".join(plan.arms[1:]), outcome=outcome, clock=from_when)
    if plan.claim is None:
        text = gettext(
            "Question: does {variants} instead of {control} change {outcome}? All exposed users; days count from "
            "{clock}."
        )
        return text.format(variants=", ".join(plan.arms[1:]), control=plan.arms[0], outcome=outcome, clock=from_when)
    text = gettext(
        "Question: does “{claim}” ({behaviour}) change {outcome} for users who do it only if nudged? Days count from "
        "{clock}."
    )
    if plan.inside_clusters:
        text = gettext(
            "Question: does doing “{claim}” ({behaviour}) oneself change {outcome} for users who do it only if "
            "nudged? Nudged users are compared with others of partly nudged clusters. Days count from {clock}."
        )
    elif plan.cluster:
        text = gettext(
            "Question: does nudging whole clusters to “{claim}” ({behaviour}) change {outcome}, per user who did it "
            "because of the nudge, including these users' friends in the cluster? Days count from {clock}."
        )
    claim = plan.claim
    behaviour = cell_words(claim.behaviour, claim.times, claim.days)
    question = text.format(claim=moment_name(claim.name, claim), behaviour=behaviour, outcome=outcome, clock=from_when)
    # An analysis of version 0.4 or before may have compared with control nonetheless.
    if plan.placebo_arm is None or (isinstance(readout, Opened) and not leading(readout.report).compared_with):
        return question
    return f"{question} {gettext('The nudge is compared with the placebo.')}"


def state_sentence(why: str) -> str:
    """Why the outcome is open or locked; codes of `experiments.analyse.result.Maturity`."""
    sentences = {
        "enrolling": gettext(
            "Results unlock when enrolment ends and outcomes are final. Reading them earlier would raise the "
            "false-positive rate."
        ),
        "maturing": gettext(
            "Results unlock when every user's outcome is final: enrolment has ended, and the last users' days "
            "aren't over yet."
        ),
        "next_look": gettext(
            "Results unlock at the next planned analysis. Reading them in between would raise the false-positive rate."
        ),
        "too_few": gettext(
            "The outcome is locked: intervals that hold at any time need at least 100 users with a "
            "known outcome per group."
        ),
        "ended": gettext("Enrolment has ended and every outcome is known: this is what the experiment can say."),
        "look": gettext("This is one of the planned analyses; its bounds allow for all of them."),
        "any_time": gettext("The plan allows reading at any time; its intervals allow for all readings together."),
        "peek": gettext("A person asked to see the outcome before the plan allows it."),
    }
    return sentences[why]
