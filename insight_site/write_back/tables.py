"""The tables of results: names, columns, types. `docs/write_back.md` says what each column means."""

from typing import Any

import pyarrow as pa

from events.store.result_tables import ResultTable

TEXT, WHOLE, NUMBER, YES, DAY = pa.string(), pa.int64(), pa.float64(), pa.bool_(), pa.date32()
MOMENT = pa.timestamp("us", tz="UTC")


def _schema(**columns: Any) -> pa.Schema:
    return pa.schema(list(columns.items()))


VERDICTS = ResultTable(
    "insight_verdicts",
    _schema(
        experiment=TEXT,
        name=TEXT,
        moment=TEXT,
        analysis=WHOLE,
        data_until=MOMENT,
        state=TEXT,
        opens_on=DAY,
        final=YES,
        verdict=TEXT,
        reason=TEXT,
        decision=TEXT,
        decision_reason=TEXT,
        outcome=TEXT,
        variant=TEXT,
        comparator=TEXT,
        alpha=NUMBER,
        exposed=WHOLE,
        mature=WHOLE,
        written_at=MOMENT,
    ),
    key="experiment",
)
EFFECTS = ResultTable(
    "insight_effects",
    _schema(
        experiment=TEXT,
        analysis=WHOLE,
        final=YES,
        outcome=TEXT,
        role=TEXT,
        measure=TEXT,
        variant=TEXT,
        comparator=TEXT,
        segment=TEXT,
        n=WHOLE,
        n_variant=WHOLE,
        n_comparator=WHOLE,
        unit=TEXT,
        estimate=NUMBER,
        standard_error=NUMBER,
        low=NUMBER,
        high=NUMBER,
        level=NUMBER,
        shape=TEXT,
        p_value=NUMBER,
        adjusted_p_value=NUMBER,
        reason=TEXT,
        written_at=MOMENT,
    ),
    key="experiment",
)
MEMBERSHIPS = ResultTable(
    "insight_memberships",
    _schema(
        segment_model=TEXT, version=WHOLE, user_id=TEXT, segment=TEXT, reason=TEXT, members_of=MOMENT, written_at=MOMENT
    ),
    key="segment_model",
    user="user_id",
)
MAP = ResultTable(
    "insight_map",
    _schema(
        outcome=TEXT,
        behaviour=TEXT,
        state=TEXT,
        n=WHOLE,
        unit=TEXT,
        effect=NUMBER,
        low=NUMBER,
        high=NUMBER,
        level=NUMBER,
        shape=TEXT,
        p_value=NUMBER,
        adjusted_p_value=NUMBER,
        read=TEXT,
        reason=TEXT,
        promise=NUMBER,
        promise_low=NUMBER,
        promise_high=NUMBER,
        promise_level=NUMBER,
        promise_unit=TEXT,
        promise_reason=TEXT,
        written_at=MOMENT,
    ),
    key="outcome",
)
