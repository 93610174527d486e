"""The first counts of a segmentation: who is looked at, and how active a sample of them is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from events.asking import Questions
from runs.progress import Early
from segments.search import queries as own
from segments.search.features import least_days
from segments.search.question import Inputs
from segments.search.so_far.told import STARTED, TIERS, Started, TierSizes, tier_sizes

if TYPE_CHECKING:
    import ibis.expr.types as ir

ALL_AT_ONCE = 200_000  # so many users are counted without a sample
SAMPLE = 20_000


def first_counts(asked: Questions, inputs: Inputs, users: ir.Table, *, signed_up: int, seed: int, early: Early) -> None:
    """Tell who counts, and the activity tiers of a sample where counting everybody takes long.

    Args:
        asked: the open warehouse.
        inputs: the question.
        users: the eligible units with their clocks, numbered.
        signed_up: units of the cohort.
        seed: of the sample.
        early: the listener.
    """
    import ibis
    import pyarrow as pa

    eligible = int(asked.run(users.aggregate(n=users.count())).n.iloc[0])
    early(STARTED, Started(signed_up, eligible))
    if eligible <= ALL_AT_ONCE:
        return
    rows = asked.warehouse.arrow(users).sort_by("user_id")
    chosen = np.sort(np.random.default_rng(seed).permutation(rows.num_rows)[:SAMPLE])
    some = ibis.memtable(rows.take(pa.array(chosen)))
    log = asked.log.semi_join(some.select("user_id"), "user_id")
    found = asked.warehouse.arrow(own.activity(own.days(log, some, asked.basis, inputs.window)))
    active_days = np.zeros(len(chosen))  # quiet users have no row
    active_days[: len(found)] = found["active_days"].to_numpy()
    early(TIERS, tiers_of(active_days, inputs, eligible=eligible, seed=seed))


def tiers_of(active_days: Any, inputs: Inputs, *, eligible: int, seed: int) -> TierSizes:
    """The tiers of the users counted, as the run would cut them."""
    return tier_sizes(active_days.astype(np.int64), eligible=eligible, seed=seed, least=least_days(len(inputs.window)))
