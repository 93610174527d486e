"""A planted copy as an event log: the customer's events, with some removed and some added, as a warehouse expression.

Nothing is written: the store is only read, and the copy exists only during the query.
"""

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

from aha.study.discover import Answers
from aha.study.grid import Flags, Names
from aha.study.question import Inputs
from events.asking import Questions
from events.metrics import MinDays, MinEvents, parse_behaviour

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pyarrow as pa

DAY = np.timedelta64(86_400_000_000, "us")


def planted_log(asked: Questions, answers: Answers, inputs: Inputs, behaviour: str, retained: Flags) -> Questions:
    """Open the warehouse on a log in which other users are retained.

    Args:
        asked: the open warehouse connection.
        answers: its answers for the real log.
        inputs: the study's inputs, with rolling days.
        behaviour: the event added for retained users if the retention definition names none.
        retained: planted retention of each sampled unit.
    """
    import ibis

    ids, anchors = answers.unit_ids[answers.sample], answers.anchors
    window, before = inputs.window, answers.retained[answers.sample]
    gone = _units(asked, ids[~retained], anchors[~retained])
    log = asked.log
    first, last = timedelta(days=window.start_day), timedelta(days=window.days_needed)
    met = log.left_join(gone, log.user_id == gone.gone_id)
    inside = (met.time >= met.gone_anchor + ibis.literal(first)) & (met.time < met.gone_anchor + ibis.literal(last))
    kept = met.filter(~inside.fill_null(False)).select(*log.columns)
    new = retained & ~before
    added = asked.warehouse.keyed(ibis.memtable(_added(ids[new], anchors[new], inputs, behaviour)))
    columns = {
        name: added[name].cast(kind) if name in added.columns else ibis.null().cast(kind)
        for name, kind in log.schema().items()
    }
    planted = kept.union(added.select(**columns))
    return Questions(replace(asked.warehouse, events=planted), asked.basis, asked.events)


def _units(asked: Questions, ids: Names, anchors: np.ndarray[tuple[int], np.dtype[np.datetime64]]) -> "ir.Table":
    import ibis
    import pyarrow as pa

    table = pa.table({"user_id": pa.array([str(one) for one in ids], pa.string()), "gone_anchor": pa.array(anchors)})
    return asked.warehouse.keyed(ibis.memtable(table)).select(gone_id="user_id", gone_anchor="gone_anchor")


def _added(
    ids: Names, anchors: np.ndarray[tuple[int], np.dtype[np.datetime64]], inputs: Inputs, behaviour: str
) -> "pa.Table":
    """The fewest events that make a user retained, in the middle of the window's first days."""
    import pyarrow as pa

    definition = inputs.definition
    event, days, times = parse_behaviour(behaviour).event, 1, 1
    if isinstance(definition, MinDays):
        days = definition.days
    elif isinstance(definition, MinEvents):
        event, times = definition.event, definition.times
    start = inputs.window.start_day
    offsets = np.repeat(np.arange(start, start + days), times) * DAY + DAY // 2
    number = len(offsets)
    return pa.table(
        {
            "user_id": pa.array(np.repeat([str(one) for one in ids], number).tolist(), pa.string()),
            "event": pa.array([event] * (len(ids) * number), pa.string()),
            "time": pa.array((anchors[:, None] + offsets[None, :]).reshape(-1)),
            "properties": pa.array(["{}"] * (len(ids) * number), pa.string()),
        }
    )
