"""Ask finished experiments again what their nudges did to behaviours that nobody measured then.

A map of causes reads experiments together where each measured the same behaviours; those before 0.5 measured one. While
the events of such an experiment are kept, they still hold the answer. The verdict and the finding's own numbers stay.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import structlog
from django.core.cache import cache
from django.db import transaction

from aha.evidence.findings import Definition, OutcomeMoments, PastFinding
from aha.evidence.joint_findings import sort_findings
from aha.evidence.store_findings import all_findings, replace_outcomes
from events.warehouse.arm_marks import refuse_arm_marks
from events.warehouse.session import questions
from experiments.analyse.analyses import audit_of, looks_before, readout_of
from experiments.analyse.export_findings import every_outcome
from experiments.analyse.gather.admitting import rule_of
from experiments.analyse.result import Opened
from experiments.models import Analysis, Experiment
from experiments.plan import derived
from experiments.plan.fields import Origin
from experiments.plan.moves import asks_of
from experiments.plan.record import MOST_OTHERS, PlannedOther
from experiments.plan.stored import analysed_of
from reporting.document import sha256_of
from runs.progress import silent
from runs.refusals import Refused
from runs.site_zone import site_date

log = structlog.get_logger()
AT_ONCE = 5  # experiments a night: each reads its events once
REST = 7 * 24 * 3600  # seconds until one that can't be asked is tried again
LOST = 0.01  # of the users counted then: when more aren't found again, their events are gone, and so is the answer


def ask_again() -> int:
    """Nightly: ask experiments for behaviours that others on the same outcome were about; returns how many answered."""
    findings = all_findings()
    answered = tried = 0
    for source, arms in _by_experiment(findings).items():
        lacking = lacks(arms[0], findings)
        key = f"experiments.asked_again:{sha256_of([source, [list(one) for one in lacking]])}"
        if not lacking or tried == AT_ONCE or cache.get(key) is not None:
            continue
        tried += 1
        cache.set(key, 1, REST)
        try:
            _ask(arms, lacking)
            answered += 1
        except Refused as refusal:
            log.info("finding.not_asked_again", experiment=source, why=refusal.sentence)
        except Exception:  # one broken experiment must not stop the others
            log.exception("finding.not_asked_again", experiment=source)
    return answered


def _by_experiment(findings: Iterable[PastFinding]) -> dict[str, list[PastFinding]]:
    """Findings of this site's tests, one for each arm. A lab isn't among them: it measured all that it is about."""
    found: dict[str, list[PastFinding]] = {}
    for row in findings:
        if row.origin == "experiment":
            found.setdefault(row.source, []).append(row)
    tests = set(Experiment.objects.filter(key__in=found).values_list("key", flat=True))
    return {key: arms for key, arms in found.items() if key in tests}


def lacks(row: PastFinding, findings: Iterable[PastFinding]) -> tuple[tuple[str, int], ...]:
    """Behaviours, with their times, that experiments on the same outcome and days were about, and this one didn't
    measure; at most 12 with those that it did."""
    if row.origin != "experiment" or row.whole_clusters:
        return ()
    definition = row.definition
    known = {definition.same[0]}
    for moments in row.outcomes[:1]:
        known |= {Definition(name, 1, 1, definition.outcome).same[0] for name in moments.behaviours}
    claims = sort_findings(findings, definition.outcome).claims
    wanted = [(one.behaviour, one.times) for one in claims if one.days == definition.days and one.same[0] not in known]
    return tuple(wanted[: max(MOST_OTHERS + 1 - len(known), 0)])


def _ask(arms: Sequence[PastFinding], lacking: tuple[tuple[str, int], ...]) -> None:
    """Measure these behaviours beside those of the plan, and keep them with the findings of all its arms.

    Raises:
        Refused: the question can't be asked, would show who is in which group of an experiment whose outcome is locked,
            or the events of the users counted then are gone.
    """
    experiment = Experiment.objects.get(key=arms[0].source)
    final = Analysis.objects.filter(experiment=experiment, status=Analysis.Status.DONE, final=True).latest("pk")
    analysed = analysed_of(experiment)
    more = tuple(PlannedOther(behaviour, times, 0.0, 0.0, Origin.COHORT.value) for behaviour, times in lacking)
    analysed = replace(analysed, plan=replace(analysed.plan, others=(*analysed.plan.others, *more)))
    question = derived.asked(analysed.plan)
    with questions(day_mode=analysed.plan.day_mode, time_zone=experiment.zone) as store:
        refuse_arm_marks({"": asks_of(analysed.plan)}, store=store, day_mode=analysed.plan.day_mode)
        readout = readout_of(
            store,
            question,
            analysed,
            rule=rule_of(experiment),
            audit=audit_of(experiment),
            earlier=looks_before(experiment, pk=final.pk),
            peek=False,
            today=site_date(zone=experiment.zone),
            seed=final.seed,
            progress=silent,
        )
    found = []
    for row in arms:
        own = (row.definition.behaviour, row.definition.times)
        outcomes = every_outcome(readout, row.variant, own) if isinstance(readout, Opened) else ()
        if not outcomes or _units(outcomes[0]) < (1 - LOST) * row.units:
            raise Refused("The events of this experiment are no longer kept, so that it can't be asked again.")
        found.append((row, outcomes))
    with transaction.atomic():  # all arms or none: what the first one lacks decides what is asked
        for row, outcomes in found:
            replace_outcomes(row, outcomes)


def _units(moments: OutcomeMoments) -> int:
    return moments.n_control + moments.n_variant
