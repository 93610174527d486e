"""Validate plans that draw whole clusters. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from experiments.plan.record import WHOLE, Plan
from reporting.words import gettext

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")
# Callers don't send these attributes, or they hold the unit itself.
RESERVED = ("id", "targetingKey", "segments")
MOST_SATURATIONS = 10


@dataclass(frozen=True)
class Problem:
    """One problem of a plan: a code that `mistakes.words` knows, and details for its sentence."""

    code: str
    details: dict[str, str | int] = field(default_factory=dict)


def cluster_problems(plan: Plan, _: object) -> Iterator[Problem]:
    """Problems of the cluster attribute, of the saturations, and of their combination with other fields."""
    if plan.cluster and (not NAME.fullmatch(plan.cluster) or plan.cluster in RESERVED):
        yield Problem("bad_cluster", {"name": plan.cluster})
    if plan.saturations and not plan.cluster:
        yield Problem("saturations_without_cluster")
    if plan.cluster and any(row.weights is not None for row in plan.audience):
        yield Problem("cluster_row_weights")
    if plan.saturations:
        yield from _saturations(plan)


def _saturations(plan: Plan) -> Iterator[Problem]:
    shares, weights = [pair[0] for pair in plan.saturations], [pair[1] for pair in plan.saturations]
    rising = all(low < high for low, high in pairwise(shares))
    sound = len(shares) <= MOST_SATURATIONS and rising and min(weights) > 0 and sum(weights) == WHOLE
    if not sound or shares[0] != 0 or not 0 < shares[-1] <= WHOLE:
        yield Problem("bad_saturations")
        return
    if len(plan.variants) != 2 or plan.placebo is not None:
        yield Problem("saturation_variants")
        return
    nudged = nudged_share(plan.saturations)
    if abs(plan.variants[1].weight - nudged) > 1:
        yield Problem("saturation_weights", {"share": f"{nudged / 100:g}", "key": plan.variants[1].key})


def nudged_share(saturations: tuple[tuple[int, int], ...]) -> int:
    """Share of all units that the saturations nudge, in steps of 0.01 %."""
    return round(sum(share * weight for share, weight in saturations) / WHOLE)


def cluster_sentences() -> dict[str, str]:
    """Sentences by problem code."""
    return {
        "bad_cluster": gettext("'{name}' can't be the attribute of a cluster: it begins with a letter, and is no id."),
        "saturations_without_cluster": gettext("Saturations are drawn by clusters: name the attribute of a cluster."),
        "cluster_row_weights": gettext(
            "Where whole clusters are drawn, rows of the audience can't have weights of their own: a cluster may reach "
            "into several rows."
        ),
        "bad_saturations": gettext(
            "Saturations are rising shares, the first 0%, each with a weight above 0; the weights add up to 100%."
        ),
        "saturation_variants": gettext("A plan with saturations has two variants: the control and one nudge."),
        "saturation_weights": gettext(
            "The share nudged by these saturations is {share}%, so the weight of '{key}' must be {share}%."
        ),
    }
