"""The report as the JSON of `segment_units --json`. Other programs read it: keys are added, never renamed."""

from typing import Any

from reporting.document import dump, outward
from segments.search.gaps import Gap, Shape
from segments.search.result import Cluster, Report
from stats.results import NotComputable


def document(report: Report) -> dict[str, Any]:
    """The JSON document; a number that can't be computed is replaced by its reason in words.

    ``scores`` are the criteria for every number of groups, ``percentile`` the share of null draws that the observed
    silhouette beats, ``stands_out`` the features by standardised difference to the rest, ``gaps`` the
    dip test of each pair of neighbours.
    """
    payload = {
        "units": dump(report.units),
        "retention_rate": dump(report.retention_rate),
        "features": list(report.features),
        "dropped": [dump(row) for row in report.dropped],
        "reductions": [
            {
                "name": str(row.method),
                "trustworthiness": row.faithfulness.trustworthiness,
                "continuity": row.faithfulness.continuity,
                "neighbours_kept": row.faithfulness.overlap,
                "distance_rank_correlation": row.faithfulness.distances,
                "reproducibility": row.reproducibility,
                "stability": row.stability,
                "silhouette": row.silhouette,
                "usefulness": row.usefulness,
                "seconds": row.seconds,
            }
            for row in report.scorecard
        ],
        "reduction": {"chosen": str(report.method), "reason": report.method_reason},
        "k": {
            "chosen": report.choice.k,
            "shown": report.k,
            "reason": str(report.choice.reason),
            "gap_choice": report.choice.gap_k,
            "votes": report.choice.votes,
            "scores": [dump(row) for row in report.k_scores],
        },
        "null": {
            "percentile": report.null.percentile,
            "p_value": report.null.p_value,
            "observed": report.null.observed,
            "clusters_found": report.found,
        },
        "shape": _shape(report),
        "gaps": [_gap(row) for row in report.gaps],
        "stability": report.stability,
        "clusters": [_cluster(cluster) for cluster in report.clusters],
        "association": dump(report.association),
        "half_days_agreement": dump(report.agreement),
        "tiers": dump(report.tiers),
        "fidelity": report.fidelity,
        "seed": report.seed,
        "spent": None if report.spent is None else dump(report.spent),
    }
    answer: dict[str, Any] = outward(payload)
    return answer


def _shape(report: Report) -> str | None:
    """groups, styles or none; null for a run of version 0.3 that found clusters and didn't test for gaps."""
    if report.shape is None:
        return None if report.found else str(Shape.NONE)
    return str(report.shape)


def _gap(row: Gap) -> dict[str, Any]:
    return {
        "between": [f"g{row.first + 1}", f"g{row.second + 1}"],
        "units": row.units,
        "dip": row.dip,
        "p_value": row.p_value,
        "adjusted_p_value": row.adjusted_p,
        "gap": row.found,
    }


def _cluster(cluster: Cluster) -> dict[str, Any]:
    profile = cluster.profile
    features = {} if isinstance(profile.features, NotComputable) else {row.name: row for row in profile.features}
    return {
        "key": cluster.key,
        "name": "",
        "size": profile.size,
        "share": profile.share,
        "retention": dump(profile.retained),
        "churn": dump(profile.left),
        "stability": cluster.stability,
        "standing": str(cluster.standing),
        "stands_out": [
            {"feature": name, "direction": str(direction), "smd": _smd(features.get(name))}
            for name, direction in profile.name
        ],
    }


def _smd(row: Any) -> Any:
    return None if row is None else (dump(row.smd) if isinstance(row.smd, NotComputable) else row.smd)
