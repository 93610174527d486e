"""Hand the findings of final analyses on to the behaviour that they tested, today and from before this was kept."""

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
READ_AT_ONCE = 20  # a payload has a hundred kilobytes


def hand_on(analysis: Analysis, readout: Readout) -> None:
    """Keep what a final analysis says of its behaviour, whatever its verdict: pools take all, not the successes."""
    moment = analysis.experiment.moment
    evidence = None if moment is None else moment.evidence
    keep_findings(findings_of(readout, promised(evidence)), analysis=str(analysis.pk))


def hand_on_missing(**_signal: Any) -> int:
    """After migrate: findings of final analyses that an earlier version made; returns for how many of them.

    Not a step of a migration: which numbers of a result are corrected for its looks is a rule of this code, and what
    was kept once is never changed. What version 0.4 kept corrected gets the moments as measured beside it.
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
            continue  # its own page says so
        try:
            hand_on(analysis, readout)
            count += 1
        except Exception:  # one broken result must not stop a migration
            log.exception("finding.not_kept", experiment=analysis.experiment.key)
    return count


def _add_plain() -> None:
    """Where the analysis is there no more, or can't be read, the finding stays corrected, and its pool says so."""
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
    """What version 0.4 wrote back to moments of experiments that had moved whole clusters."""
    waiting = rows.exclude(experiment__cluster="").exclude(experiment__moment__finding__has_key="cluster")
    for analysis in waiting.select_related("experiment__moment").iterator(chunk_size=READ_AT_ONCE):
        moment = analysis.experiment.moment
        readout = payload_versions.read(analysis.payload or {})
        if moment is None or isinstance(readout, Unreadable) or (moment.finding or {}).get("analysis") != analysis.pk:
            continue
        if readout.whole_clusters:
            say_of_clusters(moment=moment, cluster=readout.whole_clusters)
