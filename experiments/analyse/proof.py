"""The proof of a final analysis: a small signed document with its inputs and digests of data and result.

It names no unit. One signature covers the plan, the data and the result, by their digests.
"""

from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.utils.module_loading import import_string

from events.models import MetricVersion
from events.store.snapshot import StoreFiles
from events.store.time_travel import DataDigest, digest_of, keep
from events.warehouse.iceberg import TableSnapshots
from events.warehouse.queries import person_digests
from events.warehouse.session import WarehouseSession
from experiments.analyse.gather import queries
from experiments.analyse.gather.answers import Audit
from experiments.analyse.result import AnalysisResult
from experiments.models import Analysis, Experiment
from experiments.plan.catalogue_metrics import chosen_of
from experiments.plan.derived import Question
from experiments.plan.registration import registration_of
from reporting.document import dump, sha256_of

FORMAT = "insight-final-analysis/1"


@dataclass(frozen=True)
class Sources:
    """Inputs of an analysis beside its plan.

    Attributes:
        files: the store at the version that was read; None in a customer's own warehouse.
        tables: the snapshots of Iceberg tables that were read; None elsewhere.
        digest: of the events of all exposed units; None in a warehouse that keeps no versions.
        audit: of the stored assignments.
        today: local date as ISO text.
        looks_before: number of earlier looks.
    """

    files: StoreFiles | None
    tables: TableSnapshots | None
    digest: DataDigest | None
    audit: Audit
    today: str
    looks_before: int


def digest_read(store: WarehouseSession, question: Question) -> DataDigest | None:
    """Digest of the events of all exposed units; None in a warehouse that keeps no versions."""
    if store.warehouse.files is None and store.warehouse.tables is None:
        return None
    met = queries.exposures(store.log, question, store.basis).select("user_id").distinct()
    return digest_of(store.warehouse.batches(person_digests(store.log, met)))


def prove(analysis: Analysis, readout: AnalysisResult, payload: dict[str, Any], sources: Sources) -> dict[str, Any]:
    """The signed document of a final analysis; the store retains the version that it read from now on.

    Call it in the transaction that makes the analysis final.
    """
    document = {
        "format": FORMAT,
        "experiment": readout.plan.key,
        "analysis": analysis.pk,
        "verdict": "" if readout.verdict is None else str(readout.verdict.code),
        "plan": _plan(analysis.experiment, readout),
        "asked": analysis.inputs["asked"],
        "data": _data(readout, sources),
        "metrics": _metrics(analysis.experiment),
        "assignments": dump(sources.audit),
        "looks_before": sources.looks_before,
        "rules": readout.rules,
        "peek": analysis.peek,
        "seed": str(analysis.seed),  # a text: some JSON readers can't represent so large an integer
        "today": sources.today,
        "result_sha256": sha256_of(payload),
    }
    signed: dict[str, Any] = signer()(document)
    return signed


def _plan(experiment: Experiment, readout: AnalysisResult) -> dict[str, Any]:
    row = registration_of(experiment)
    return {
        "registered_sha256": None if row is None else row.sha256,
        "registered_at": None if row is None else row.made_at.isoformat(),
        "definition": readout.analysed.definition,
    }


def _data(readout: AnalysisResult, sources: Sources) -> dict[str, Any]:
    data: dict[str, Any] = {"end": readout.data_end, "time_zone": readout.time_zone, "events": readout.events}
    if sources.digest is None:
        return {**data, "store_version": None}
    if sources.files is not None:
        data |= {"store_version": sources.files.version, "kept": keep(sources.files).pk}
    elif sources.tables is not None:
        data |= {"store_version": None, "snapshots": dict(sources.tables.of)}
    return {**data, "sha256": sources.digest.sha256, "units": sources.digest.people, "rows": sources.digest.rows}


def _metrics(experiment: Experiment) -> list[dict[str, Any]]:
    def one(definition: str, version: MetricVersion) -> dict[str, Any]:
        return {
            "metric": version.metric.key,
            "version": version.number,
            "definition": definition,
            "sha256": version.hash,
        }

    return sorted(
        (one(definition, version) for definition, version in chosen_of(experiment).items()),
        key=lambda row: (row["metric"], row["definition"]),
    )


def signer() -> Any:
    """The function that the site lists as `signs_proofs`: it adds software versions, time and signature."""
    return next(import_string(app.signs_proofs) for app in apps.get_app_configs() if hasattr(app, "signs_proofs"))
