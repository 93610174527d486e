"""SQL metrics under attack: what the gate lets through is one SELECT over one table for each engine, and runs."""

from functools import lru_cache

import duckdb
import ibis.backends.sql.dialects  # noqa: F401 - registers "pyspark"
import sqlglot
from sqlglot import exp

from events.metrics.sql_gate import checked, one_line
from events.metrics.sql_statement import Checked
from events.windows import Window
from runs.refusals import Refused
from tests.events.expressions.hostile import HOSTILE
from tests.events.expressions.test_gate import GOOD

SEEDS = tuple(sql.encode() for sql in GOOD.values())
HOSTILE_SEEDS = tuple(sql.encode() for sql in HOSTILE.values())
WORDS = (
    *("SELECT ", " FROM events ", " AS ", "CASE WHEN ", " GROUP BY user_id", " OVER ()", ", ", "sum(", ")", "'", "''"),
    *("WITH RECURSIVE ", " UNION ALL ", " JOIN events ", "--", "/*", "*/", ";", "$$", "\\", '"', "::", " NOT ", " - "),
    *("read_csv('/etc/passwd')", "pg_sleep(9)", "range(1000000000)", "property('a')", "number('a')", "number_0"),
    *(
        "user_id",
        "first_day",
        "DISTINCT ",
        "FILTER (WHERE ",
        " LIKE ",
        " IN (",
        " BETWEEN ",
        "NULL",
        "1e308",
        "COLUMNS(*)",
    ),
)
TABLE = "seen_by_the_fuzzer"
# Written down apart from the gate's own lists: what may be in a tree that passed.
NAMES = """
    Select From Where Group Having Subquery TableAlias Table Identifier Column Alias Literal Boolean Null Star Paren
    Cast TryCast DataType Count Sum Avg Min Max Filter Distinct Abs Floor Ceil Coalesce Nullif Least Greatest Case If
    Add Sub Mul Div Neg And Or Not EQ NEQ LT LTE GT GTE Between In Is Like
"""
NODES = set(NAMES.split())


def sql_metric(data: bytes) -> None:
    """Read the bytes as an SQL metric.

    Raises:
        AssertionError: what passed is not one SELECT over one table, or doesn't run.
    """
    text = data.decode("utf-8", "replace")
    try:
        found = checked(one_line(text))
    except Refused as refusal:
        str(refusal)
        return
    for dialect in ("duckdb", "postgres", "pyspark"):
        sql = found.sql(dialect=dialect, table=TABLE, window=Window(0, 6))
        (tree,) = sqlglot.parse(sql, read=dialect)
        assert isinstance(tree, exp.Select), sql
        assert {table.sql(dialect=dialect).strip('"`') for table in tree.find_all(exp.Table)} == {TABLE}, sql
        assert {type(node).__name__ for node in tree.walk()} <= NODES, sql
    runs(found)


def runs(found: Checked) -> None:
    """The SELECT gives at most one row per unit of three."""
    columns = ["'u' || i AS user_id", "'e' || i AS event", "i::DOUBLE AS day", "i::DOUBLE AS seconds"]
    columns += [f"'a' AS property_{at}" for at in range(len(found.properties))]
    columns += [f"i::DOUBLE AS number_{at}" for at in range(len(found.numbers))]
    connection = _connection()
    connection.execute(
        f"CREATE OR REPLACE TEMP VIEW {TABLE} AS SELECT {', '.join(columns)} FROM (VALUES (1), (2), (3)) AS t(i)"
    )
    rows = connection.execute(found.sql(dialect="duckdb", table=TABLE, window=Window(0, 6))).fetchall()
    assert len({row[0] for row in rows}) == len(rows) <= 3
    assert all(row[1] is None or isinstance(row[1], float) for row in rows)


@lru_cache
def _connection() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection
