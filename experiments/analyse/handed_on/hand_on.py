"""Store the findings of final analyses with the behaviour that they tested, also for analyses of earlier versions."""

from typing import Any

import structlog
from django.db.models import CharField, Exists, OuterRef, QuerySet
from django.db.models.functions import Cast

from aha.evidence.store_findings import add_plain, keep_findings, lacking_plain
from aha.models import Finding
from aha.moments.claims import Promised, promised
from aha.moments.promote import say_of_clusters
from experiments.analyse import payload_versions
from experiments.analyse.handed_on.kept_moments import findings_of
from experiments.analyse.result import Readout
from experiments.models import Analysis
from runs.payloads import Unreadable

log = structlog.get_logger()
READ_AT_ONCE = 20  # payloads per query; one has about 100 kB


def hand_on(analysis: Analysis, readout: Readout) -> None:
    """Store a final analysis's finding on its behaviour, whatever its verdict: pools need failures too."""
    moment = analysis.experiment.moment
    evidence = None if moment is None else moment.evidence
    keep_findings(findings_of(readout, promised(evidence)), analysis=str(analysis.pk))


def hand_on_missing(**_signal: Any) -> int:
    """After migrate: store the findings of final analyses of earlier versions; returns for how many.

    Not a migration step: which numbers are corrected for looks is a rule of this code, and a stored finding is never
    changed. Corrected findings of version 0.4 get the measured moments added.
    """
    _add_plain()
    kept = Finding.objects.filter(origin=Finding.Origin.EXPERIMENT, analysis=Cast(OuterRef("pk"), CharField()))
    rows = Analysis.objects.filter(status=Analysis.Status.DONE, final=True, experiment__moment__isnull=False)
    _say_of_clusters(rows)
    count = 0
    waiting = rows.filter(~Exists(kept)).select_related("experiment__moment").order_by("pk")
    for analysis in waiting.iterator(chunk_size=READ_AT_ONCE):
        readout = payload_versions.read(analysis.payload or {})
        if isinstance(readout, Unreadable):
            continue  # the analysis's own page reports it
        try:
            hand_on(analysis, readout)
            count += 1
        except Exception:  # one broken result must not stop a migration
            log.exception("finding.not_kept", experiment=analysis.experiment.key)
    return count


def _add_plain() -> None:
    """Add measured moments to findings that lack them; without a readable analysis a finding stays corrected."""
    for key, variant in lacking_plain():
        analysis = Analysis.objects.filter(pk=key).first() if key.isdecimal() else None
        readout = None if analysis is None else payload_versions.read(analysis.payload or {})
        if readout is None or isinstance(readout, Unreadable):
            continue
        try:
            for one in findings_of(readout, Promised()):
                if one.variant == variant and one.corrected is not None:
                    add_plain(one, key)
        except Exception:  # one broken result must not stop a migration
            log.exception("finding.not_plain", analysis=key)


def _say_of_clusters(rows: QuerySet[Analysis]) -> None:
    """Mark the moments whose findings by version 0.4 came from experiments that assigned whole clusters."""
    waiting = rows.exclude(experiment__cluster="").exclude(experiment__moment__finding__has_key="cluster")
    for analysis in waiting.select_related("experiment__moment").iterator(chunk_size=READ_AT_ONCE):
        moment = analysis.experiment.moment
        readout = payload_versions.read(analysis.payload or {})
        if moment is None or isinstance(readout, Unreadable) or (moment.finding or {}).get("analysis") != analysis.pk:
            continue
        if readout.whole_clusters:
            say_of_clusters(moment=moment, cluster=readout.whole_clusters)
