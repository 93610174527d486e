"""The units of a study as rows: who is eligible, and how they are handed back to the warehouse."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from aha.study.population import Restriction
from reporting.words import say
from runs.refusals import Refused

if TYPE_CHECKING:
    import ibis.expr.types as ir

KEY = "user_key"  # what a unit is inside the warehouse, beside the id that samples are drawn by


def eligible_units(everyone: pa.Table, restriction: Restriction) -> tuple[pa.Table, Any, dict[str, int]]:
    """Eligible rows, their segment names, and the number excluded by reason; they add up to all signups.

    Raises:
        Refused: when no unit is eligible.
    """
    kept = np.asarray(everyone["mature"].to_pylist(), dtype=np.bool_)
    excluded, names = {"too_young": int((~kept).sum())}, None
    if restriction.members is not None:
        ids = everyone["user_id"].to_pylist()
        inside = np.fromiter((unit in restriction.members for unit in ids), dtype=np.bool_, count=len(ids))
        excluded["outside_segment"] = int((kept & ~inside).sum())
        kept &= inside
        if restriction.compare:
            names = np.asarray([restriction.members[ids[place]] for place in np.flatnonzero(kept)], dtype=np.object_)
    if not kept.any():
        raise _nobody(excluded)
    return everyone.filter(pa.array(kept)), names, excluded


def _nobody(excluded: dict[str, int]) -> Refused:
    if excluded.get("outside_segment"):
        return Refused("none of its units is in the cohort with a complete retention window.", at="segment")
    if excluded["too_young"]:
        text = say("none of the {count:,} signups has completed the retention window yet.", count=excluded["too_young"])
        return Refused(text, at="retention")
    return Refused("nobody signed up in these dates.", at="from to")


def users_table(rows: pa.Table, names: Any) -> ir.Table:
    """Units as a table of the warehouse; an Arrow table, since a pandas frame would lose the type of dates."""
    import ibis

    columns = {"user_id": rows[KEY]} | {name: rows[name] for name in ("anchor", "anchor_date", "complete_days")}
    columns["unit"] = pa.array(np.arange(rows.num_rows, dtype=np.int32))
    columns["retained"] = pa.array((np.asarray(rows["retained"]) > 0).astype(np.int32))
    columns["segment"] = pa.array([""] * rows.num_rows if names is None else [str(name) for name in names])
    return ibis.memtable(pa.table(columns))
