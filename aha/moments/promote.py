"""Promote candidates to AHA moments with frozen evidence, and set a moment's status from an experiment's verdict."""

import hashlib
import json
from dataclasses import dataclass, replace
from typing import Any

from django.contrib.auth.models import User
from django.db import transaction

from aha import made_names
from aha.evidence.findings import Definition
from aha.evidence.store_findings import past_experiments, state_of_findings
from aha.models import AhaMoment, Study
from aha.moments.claims import ExperimentFinding, read_finding, write_finding
from aha.moments.reach import ask_for_count, refuse_moment_marks
from aha.study.headline import EVIDENCE_LINE, evidence_line
from aha.study.payload_versions import EVIDENCE, FINDING, STUDY
from aha.study.result import Candidate
from events.metrics import parse_behaviour, parse_retention, plain_name, written_out
from events.metrics.facts import refuse_exposures
from reporting.numbers import count
from reporting.words import days_said, gettext, times_said
from runs.models import key_from
from runs.payloads import Unreadable
from runs.refusals import Refused
from stats.instrument.pooled import Answer
from stats.results import computable

Status = AhaMoment.Status
# Status of the moment after each verdict; any other code leaves the claim open.
STATUS_OF_VERDICT = {"CAUSES": Status.CONFIRMED, "HARMS": Status.REFUTED, "NO_MATERIAL_EFFECT": Status.REFUTED}


def promote_candidate(
    *, study: Study, behaviour: str, times: int, days: int, name: str = "", by: User | None = None
) -> AhaMoment:
    """Make an AHA moment of a study's candidate and freeze its current evidence.

    Args:
        study: a finished study.
        behaviour: as the candidate writes it.
        times: Z, at least so often.
        days: Y, within so many days.
        name: display name; empty for one generated from behaviour, times and days.
        by: the user who promotes.

    Raises:
        Refused: the study isn't finished, can't be read, has no such candidate, or it was promoted already.
    """
    if study.status != Study.Status.DONE or study.payload is None:
        raise Refused("This study isn't finished, so nothing can be promoted from it.")
    candidate = _candidate(study, behaviour, times, days)
    if candidate is None:
        raise Refused(
            "The study has no candidate {behaviour} at least {times} within {days}.",
            behaviour=plain_name(behaviour),
            times=times_said(times),
            days=days_said(days),
        )
    inputs, evidence = study.inputs, EVIDENCE.store(candidate)
    with transaction.atomic():
        Study.objects.select_for_update().get(pk=study.pk)
        if AhaMoment.objects.filter(study=study, behaviour=behaviour, times=times, days=days).exists():
            raise Refused("This candidate is an AHA moment already.")
        moment = AhaMoment(
            key=_free_key(f"{behaviour}-{times}-in-{days}"),
            name=name or made_names.new_moment_name(candidate),
            behaviour=behaviour,
            times=times,
            days=days,
            signup_event=inputs["signup_event"],
            retention=inputs["retention"],
            study=study,
            evidence=evidence,
            evidence_hash=_hash(evidence),
            headline=EVIDENCE_LINE.store(evidence_line(candidate)),
            created_by=by,
        )
        moment.full_clean()
        moment.save()
        ask_for_count(moment)
    return moment


def create_moment(
    *, name: str, behaviour: str, times: int, days: int, signup_event: str, retention: str, by: User | None = None
) -> AhaMoment:
    """Create an AHA moment without a study and without evidence.

    Raises:
        Refused: a definition that can't be parsed, or a claim that exists already.
    """
    parse_behaviour(behaviour)
    parse_retention(retention)
    retention = written_out(retention)
    refuse_exposures(behaviour, signup_event, retention)
    if times < 1 or days < 1:
        raise Refused("Times and days are whole numbers of 1 or more.")
    equal = equal_moment(behaviour=behaviour, times=times, days=days, signup_event=signup_event, retention=retention)
    if equal is not None:
        raise Refused("“{name}” says the same already.", name=str(equal))
    moment = AhaMoment(
        key=_free_key(f"{behaviour}-{times}-in-{days}"),
        name=name,
        behaviour=behaviour,
        times=times,
        days=days,
        signup_event=signup_event,
        retention=retention,
        created_by=by,
    )
    refuse_moment_marks(moment)
    moment.full_clean()
    moment.save()
    ask_for_count(moment)
    return moment


def equal_moment(*, behaviour: str, times: int, days: int, signup_event: str, retention: str) -> AhaMoment | None:
    """The newest moment with the same claim, promoted or made by hand."""
    rows = AhaMoment.objects.light().filter(behaviour=behaviour, times=times, days=days)
    return rows.filter(signup_event=signup_event, retention=retention).first()


def begin_test(*, moment: AhaMoment) -> AhaMoment:
    """Mark the moment as under test, when an experiment on it starts."""
    return _set(moment, Status.TESTING, moment.finding)


def record_verdict(*, moment: AhaMoment, code: str, finding: ExperimentFinding) -> AhaMoment:
    """Store an experiment's final verdict on its moment and set the status.

    If whole clusters were nudged the claim stays open: the effect of a member's own behaviour is unknown.

    Args:
        moment: the claim that was tested.
        code: one of the seven verdict codes.
        finding: of the final analysis.
    """
    document = write_finding(replace(finding, code=code))
    status = Status.INCONCLUSIVE if finding.cluster else STATUS_OF_VERDICT.get(code, Status.INCONCLUSIVE)
    return _set(moment, status, FINDING.store(document))


def say_of_clusters(*, moment: AhaMoment, cluster: str) -> AhaMoment:
    """Reopen a claim whose verdict, set by version 0.4, came from nudging whole clusters.

    Args:
        moment: a moment with the finding of such an experiment.
        cluster: attribute whose clusters were nudged.
    """
    document = write_finding(replace(read_finding(moment.finding or {}), cluster=cluster))
    status = moment.status if moment.status == Status.TESTING else Status.INCONCLUSIVE
    return _set(moment, status, FINDING.store(document))


def is_intact(moment: AhaMoment) -> bool:
    """True when the evidence is unchanged since promotion."""
    return moment.evidence_hash in ("", _hash(moment.evidence))


def _set(moment: AhaMoment, status: str, finding: dict[str, Any] | None) -> AhaMoment:
    with transaction.atomic():
        row = AhaMoment.objects.select_for_update().get(pk=moment.pk)
        row.status, row.finding = status, finding
        row.save(update_fields=["status", "finding"])
    return row


def _candidate(study: Study, behaviour: str, times: int, days: int) -> Candidate | None:
    """Raise Refused for a study whose result can't be read."""
    report = STUDY.of(study)
    if isinstance(report, Unreadable):
        raise Refused(report.sentence())
    rows = () if report is None else report.candidates
    wanted = (behaviour, times, days)
    return next((row for row in rows if (row.behaviour, row.times, row.days) == wanted), None)


def _free_key(text: str) -> str:
    base = key_from(text, "moment")[:50]
    taken = set(AhaMoment.objects.filter(key__startswith=base).values_list("key", flat=True))
    return base if base not in taken else next(f"{base}-{n}" for n in range(2, 10_000) if f"{base}-{n}" not in taken)


def _hash(evidence: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(evidence, sort_keys=True).encode()).hexdigest()


# The badge of a moment: its verdict, or that its experiments disagree.
#
# Where the experiments of a behaviour disagree there is no pooled effect (docs/methods/pooling.md, "Agreement of
# nudges"), so the badge doesn't show the verdict of a single one.
DECIDED = (Status.CONFIRMED, Status.REFUTED, Status.INCONCLUSIVE)


@dataclass(frozen=True)
class Badge:
    """A moment's state in words.

    Attributes:
        words: text of the badge.
        tag: CSS class of the badge.
        disagree: True where its experiments disagree.
    """

    words: str
    tag: str
    disagree: bool = False


def badge(moment: AhaMoment, state: str | None = None) -> Badge:
    """The badge of a moment; where its experiments disagree, how many of them found the effect.

    Args:
        moment: the row.
        state: `state_of_findings`, for callers that make many badges.
    """
    plain = Badge(moment.get_status_display(), f"state-{moment.status}")
    if moment.status not in DECIDED:
        return plain
    past = past_experiments(Definition(moment.behaviour, moment.times, moment.days, moment.retention), state)
    pool = past.pooled
    if not computable(pool) or pool.answer is not Answer.NUDGES_DISAGREE:
        return plain
    like_it = {(row.origin, row.source) for row in past.used if STATUS_OF_VERDICT.get(row.verdict) == moment.status}
    texts = {
        Status.CONFIRMED.value: gettext("confirmed by {k} of {n} experiments, which disagree"),
        Status.REFUTED.value: gettext("refuted by {k} of {n} experiments, which disagree"),
    }
    text = texts.get(moment.status, "") if like_it else ""
    text = text or gettext("{n} experiments disagree")
    return Badge(text.format(k=count(len(like_it)), n=count(pool.experiments)), "warn", disagree=True)


def confirmed_moments() -> int:
    """How many moments are confirmed, without those whose experiments disagree."""
    rows = AhaMoment.objects.light().filter(status=Status.CONFIRMED)
    state = state_of_findings() if rows else None
    return sum(not badge(row, state).disagree for row in rows)
