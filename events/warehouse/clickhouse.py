"""ClickHouse as the warehouse: settings of each query, and Ibis' SQL for it where it counts otherwise than elsewhere.

Ibis 12 estimates the number of different values, keeps whole seconds of a time, and counts bytes of a text. Missing
values are ClickHouse's own matter: without these settings a join, an aggregate of nothing and a missing property give
0, "" or 1970.
"""

from functools import cache
from typing import TYPE_CHECKING, Any

from runs.refusals import Refused

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pyarrow as pa

SETTINGS = {
    "session_timezone": "UTC",
    "join_use_nulls": 1,
    "aggregate_functions_null_for_empty": 1,
    "max_query_size": 2**24,  # bytes: the offsets of a time zone alone are 18,000, and a query may name them often
}
MICROSECONDS = 6


@cache
def exact_compiler() -> Any:
    """Ibis' compiler for ClickHouse, with exact functions."""
    import ibis.expr.operations as ops
    from ibis.backends.sql.compilers.base import NULL
    from ibis.backends.sql.compilers.clickhouse import ClickHouseCompiler
    from ibis.backends.sql.datatypes import ClickHouseType

    class Types(ClickHouseType):  # type: ignore[misc]
        # A time without a scale has microseconds, as on all other engines: Ibis makes it DateTime, of whole seconds.
        @classmethod
        def _from_ibis_Timestamp(cls, dtype: Any) -> Any:  # noqa: N802
            return super()._from_ibis_Timestamp(dtype if dtype.scale is not None else dtype.copy(scale=MICROSECONDS))

    class Compiler(ClickHouseCompiler):  # type: ignore[misc]
        __slots__ = ()
        type_mapper = Types
        SIMPLE_OPS = {ops.CountDistinct: "uniqExact", ops.StringLength: "lengthUTF8"}

        def visit_Substring(self, op: Any, *, arg: Any, start: Any, length: Any) -> Any:  # noqa: N802
            # By characters, from 0; a negative start counts from the end.
            start = self.if_(start >= 0, start + 1, start + 1 + self.f.anon.lengthUTF8(arg))
            return self.f.anon.substringUTF8(arg, start, *([] if length is None else [length]))

        def visit_Cast(self, op: Any, *, arg: Any, to: Any) -> Any:  # noqa: N802
            # A cast alone keeps the zone of a column that has one, and with it the zone's dates and hours.
            found, zoned = super().visit_Cast(op, arg=arg, to=to), getattr(op.arg.dtype, "timezone", None)
            return self.f.toTimeZone(found, "UTC") if zoned and to.is_timestamp() and to.timezone is None else found

        def visit_TryCast(self, op: Any, *, arg: Any, to: Any) -> Any:  # noqa: N802
            # A text may have white space around its number.
            if op.arg.dtype.is_string() and to.is_numeric():
                arg = self.f.replaceRegexpAll(arg, r"^\s+|\s+$", "")
            return super().visit_TryCast(op, arg=arg, to=to)

        def visit_StandardDevVariance(self, op: Any, *, how: str, where: Any, **columns: Any) -> Any:  # noqa: N802
            # By the algorithm that loses no digits where the mean is large beside the deviation. One value has no
            # deviation, and not an infinite one.
            name = {ops.StandardDev: "stddev", ops.Variance: "var", ops.Covariance: "covar"}[type(op)]
            found = self.agg[f"{name}{'Samp' if how == 'sample' else 'Pop'}Stable"](*columns.values(), where=where)
            return self.if_(self.f.isFinite(found), found, NULL)

        visit_StandardDev = visit_Variance = visit_Covariance = visit_StandardDevVariance  # noqa: N815

    return Compiler()


def connect(address: str) -> Any:
    """An Ibis backend whose every query has `SETTINGS` and is written by `exact_compiler`.

    Args:
        address: ``clickhouse://user:password@host:8123/database``.

    Raises:
        Refused: when the client isn't installed.
    """
    import ibis

    try:
        backend = ibis.connect(address)
    except ImportError as error:
        raise Refused(
            "ClickHouse needs one more package: pip install --require-hashes -r requirements-clickhouse.txt."
        ) from error
    backend.compiler = exact_compiler()
    for name, value in SETTINGS.items():
        backend.con.set_client_setting(name, value)
    return backend


def create_temporary(backend: Any, name: str, question: "ir.Table") -> "ir.Table":
    """The query's result as a table of this session; its columns have the query's types."""
    scaled = {
        column: kind.copy(scale=MICROSECONDS)
        for column, kind in question.schema().items()
        if kind.is_timestamp() and kind.scale is None
    }
    table = backend.create_table(name, question.cast(scaled) if scaled else question, temp=True)
    return table.cast(question.schema())


def to_arrow(backend: Any, question: "ir.Table") -> "pa.Table":
    """The result by way of pandas: Ibis' own way takes no 0 and 1 for false and true, which comparisons give here."""
    import pyarrow as pa

    frame = backend.to_pandas(question)
    return pa.Table.from_pandas(frame, schema=question.schema().to_pyarrow(), preserve_index=False)
