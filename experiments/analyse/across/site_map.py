"""The map of causes of a site: all findings on one outcome, beside what the latest study promised."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from itertools import combinations

from django.core.cache import cache
from django.db.models import Exists, OuterRef

from aha.evidence.findings import Definition, PastFinding, same_behaviour
from aha.evidence.joint_findings import Sorted, Together, alone, sort_findings, together, usual_outcome
from aha.evidence.store_findings import all_findings
from aha.models import Study
from aha.study.payload_versions import STUDY
from aha.study.result import Candidate, Report
from events.metrics import parse_behaviour, parse_metric
from experiments.analyse.across.causes_map import CausesMap, Promise, Remark, ToKnow, users_to_know, weeks_until
from experiments.analyse.across.causes_map import open_places as open_of
from experiments.analyse.across.kept_maps import changes_of
from experiments.models import Assignment
from experiments.plan.design import Kind, kind_of
from reporting.document import dump, sha256_of
from runs.payloads import Unreadable
from runs.refusals import Refused
from stats.instrument.causes import Measured, Place, State, map_of_causes, measured_jointly
from stats.instrument.joint import JointReading, read_jointly
from stats.power.family_and_looks import Plan
from stats.power.sample_size import sample_size
from stats.results import Interval, NotComputable, Reason, computable

FEWEST_TOGETHER = 2
SECONDS = 3600
LATEST_STUDIES = 10  # among which the newest of the outcome is looked for


def site_map(
    *, outcome: str | None = None, behaviours: Sequence[str] = (), margin: float | None = None, alpha: float = 0.05
) -> CausesMap:
    """Read all findings on one outcome together.

    Findings are of final analyses alone, so that nothing of a locked plan is in them.

    Args:
        outcome: metric text; None for the one on which most experiments have findings.
        behaviours: only these; none for all that experiments or the latest study have.
        margin: smallest effect that matters, in the outcome's unit per user who does it.
        alpha: error rate of the map.

    Raises:
        Refused: an outcome or behaviour that can't be read, or there is nothing to show.
    """
    refuse_choices(behaviours, margin, alpha)
    findings = all_findings()
    wanted = outcome or usual_outcome(findings)
    report = latest_report(wanted)
    if wanted is None and report is not None:
        wanted = report.asked.inputs.retention
    if wanted is None:
        raise Refused("No finished experiment and no finished study says anything about a behaviour yet.")
    wanted = str(parse_metric(wanted))
    found = sort_findings(findings, wanted)
    jointly = together(found)
    measured, reading = _measured(found, jointly, margin, alpha)
    candidates = {} if report is None else {str(parse_behaviour(row.behaviour)): row for row in report.candidates}
    known = {row.behaviour for row in measured}
    places = map_of_causes(measured, [name for name in candidates if name not in known], alpha=alpha)
    shown = [place for place in places if not behaviours or any(same_behaviour(place.behaviour, b) for b in behaviours)]
    if not shown:
        raise Refused("No finished experiment and no study says anything about this.", at="behaviours")
    daily = None if report is None else daily_users(report)
    users = _users(found, jointly)
    return CausesMap(
        outcome=wanted,
        share=kind_of(wanted) is Kind.PROPORTION,
        users=sum(row.finding.units for row in found.nudges),
        experiments=() if jointly is None else jointly.moments().nudges,
        places=tuple(shown),
        promises={name: _promise(row) for name, row in candidates.items()},
        to_know={
            place.behaviour: _to_know(
                place, candidates.get(place.behaviour), report, users, jointly, len(measured), margin, alpha, daily
            )
            for place in open_of(shown)
        },
        agreement=NotComputable(Reason.TOO_FEW_EXPERIMENTS, {"n": len(found.nudges), "needed": FEWEST_TOGETHER})
        if reading is None
        else reading.agreement,
        direct_effect=NotComputable(Reason.NO_EXPERIMENT_YET) if reading is None else reading.direct_effect,
        pairs=(),
        remarks=(*_left_out(found), *shared_users([row.finding for row in found.nudges])),
        alpha=alpha,
        changes=changes_of(wanted, behaviours),
    )


def refuse_choices(behaviours: Sequence[str], margin: float | None, alpha: float) -> None:
    """Refuse what can't be read.

    Raises:
        Refused: the sentence names the option.
    """
    for behaviour in behaviours:
        parse_behaviour(behaviour)
    if not 0 < alpha < 0.5:
        raise Refused("--alpha must lie between 0 and 0.5, not {given:g}", given=alpha)
    if margin is not None and not 0 < margin < float("inf"):
        raise Refused("--margin must be above 0 and finite, not {given:g}", given=margin)


def latest_report(outcome: str | None) -> Report | None:
    """The report of the latest finished study of this outcome; of any where none is asked for."""
    wanted = None if outcome is None else Definition("any", 1, 1, outcome).same
    for study in Study.objects.filter(status=Study.Status.DONE).order_by("-pk")[:LATEST_STUDIES]:
        report = STUDY.of(study)
        if report is None or isinstance(report, Unreadable):
            continue
        if wanted is None or Definition("any", 1, 1, report.asked.inputs.retention).same == wanted:
            return report
    return None


def daily_users(report: Report) -> float | None:
    """Users of a study's cohort a day."""
    first, last = report.population.first_signup, report.population.last_signup
    if first is None or last is None:
        return None
    return report.population.eligible / ((date.fromisoformat(last) - date.fromisoformat(first)).days + 1)


type Known = tuple[list[Measured], JointReading | None]


def _measured(found: Sorted, jointly: Together | None, margin: float | None, alpha: float) -> Known:
    """What is known of each behaviour; cached by the moments that it comes from, since ten behaviours take seconds."""
    parts = [[nudge.finding.name, dump(nudge.moments), dump(nudge.claims)] for nudge in found.nudges]
    key = f"experiments.map_of_causes:{sha256_of([parts, margin, alpha])}"
    known: Known | None = cache.get(key)
    if known is None:
        known = _read(found, jointly, margin, alpha)
        cache.set(key, known, SECONDS)
    return known


def _read(found: Sorted, jointly: Together | None, margin: float | None, alpha: float) -> Known:
    """Read together with the others where that can be done, else alone."""
    rows: list[Measured] = []
    reading: JointReading | None = None
    if jointly is not None:
        moments = jointly.moments()
        reading = read_jointly(moments, alpha)
        rows += measured_jointly(reading, margin)
    for claim in found.claims:
        if jointly is not None and claim in jointly.claims:
            continue
        own, moved = alone(found, claim)
        moments = own.moments()
        [row] = measured_jointly(read_jointly(moments, alpha), margin)
        rows.append(_beside(replace(row, joint=False), moved))
    return rows, reading


def places_of(found: Sorted, alpha: float) -> tuple[Place, ...]:
    """The map of what experiments measured, without promises and without a smallest effect that matters."""
    measured, _reading = _measured(found, together(found), None, alpha)
    return map_of_causes(measured, alpha=alpha)


def _beside(row: Measured, moved: tuple[str, ...]) -> Measured:
    """A behaviour read alone has no number where its nudges are known to have moved others."""
    if not moved:
        return row
    apart = NotComputable(Reason.NOT_TOLD_APART)
    return replace(
        row, effect=apart, effect_set=apart, p_zero=apart, p_margin=apart, confused_with=moved, strong_set=None
    )


def _promise(candidate: Candidate) -> Promise:
    headline = candidate.ladder.headline.difference
    if not computable(headline):
        return headline
    return Interval(headline.estimate, headline.low, headline.high, headline.level, "ladder")


def _users(found: Sorted, jointly: Together | None) -> Mapping[str, int]:
    """Users behind each behaviour's number."""
    users = {claim.behaviour: sum(row.finding.units for row in alone(found, claim)[0].nudges) for claim in found.claims}
    if jointly is not None:
        behind = sum(row.finding.units for row in jointly.nudges)
        users |= {claim.behaviour: behind for claim in jointly.claims}
    return users


def _to_know(
    place: Place,
    candidate: Candidate | None,
    report: Report | None,
    users: Mapping[str, int],
    jointly: Together | None,
    measured: int,
    margin: float | None,
    alpha: float,
    daily: float | None,
) -> ToKnow | NotComputable:
    if place.state is State.NEVER_NUDGED:
        needed = _first_experiment(candidate, report, margin, alpha)
        return ToKnow(needed, weeks_until(needed, 0, daily)) if computable(needed) else needed
    behind = users[place.behaviour]
    freedom = 1
    if jointly is not None and place.measured is not None and place.measured.joint:
        freedom = len(jointly.nudges) - len(jointly.claims) + 1
    needed = users_to_know(place, behind, margin=margin, freedom=freedom, measured=measured, alpha=alpha)
    return ToKnow(needed, weeks_until(needed, behind, daily)) if computable(needed) else needed


def _first_experiment(
    candidate: Candidate | None, report: Report | None, margin: float | None, alpha: float
) -> int | NotComputable:
    """Users of a first experiment on a behaviour: an effect of the margin, or else of what is left of its promise."""
    if candidate is None or report is None or not computable(candidate.expected):
        return NotComputable(Reason.NO_EXPERIMENT_YET)
    gain, rate = candidate.expected, report.population.rate
    effect = margin or gain.promise * gain.ratio.estimate
    take_up = gain.headroom * gain.take_up
    if not computable(rate) or not 0 < rate.estimate < 1 or effect <= 0 or not 0 < take_up <= 1:
        return NotComputable(Reason.NO_DETECTABLE_EFFECT)
    try:
        size = sample_size(Plan(baseline=rate.estimate, alpha=alpha, take_up=take_up), effect)
    except ValueError:
        return NotComputable(Reason.NO_DETECTABLE_EFFECT)
    return sum(size.units) if computable(size) else size


def _left_out(found: Sorted) -> tuple[Remark, ...]:
    return tuple(
        Remark(f"left_{why.value}", {"name": row.name, "variant": row.variant})
        for row, why in found.left_out
        if why.value != "other_outcome"
    )


def shared_users(findings: Sequence[PastFinding]) -> tuple[Remark, ...]:
    """Pairs of this site's experiments that had users in common: they are read as if these were different users.

    Where two draws are independent and effects add up, the errors of both effects don't covary, shared users or not
    (docs/methods/joint.md, "Experiments that share users").
    """
    rows = {row.source: row for row in findings if row.origin == "experiment"}
    remarks = []
    for first, second in combinations(sorted(rows), 2):
        one, other = rows[first], rows[second]
        if max(one.started, other.started) > min(one.ended, other.ended):
            continue
        both = units_in_both(first, second)
        if both:
            remarks.append(Remark("shared_users", {"n": both, "first": one.name, "second": other.name}))
    return tuple(remarks)


def units_in_both(first: str, second: str) -> int:
    """Users assigned in both of two experiments; cached, since finished ones change no more."""
    key = f"experiments.units_in_both:{sha256_of([first, second])}"
    known: int | None = cache.get(key)
    if known is None:
        others = Assignment.objects.filter(experiment__key=second, unit=OuterRef("unit"))
        known = Assignment.objects.filter(Exists(others), experiment__key=first).count()
        cache.set(key, known, SECONDS)
    return known
