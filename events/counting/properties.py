"""Read one property from the JSON text of an event, as text, on each engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ibis.expr.types as ir


# engine: (function of text and path, how the path is written). All give scalars as text, and null if absent.
READERS = {
    "duckdb": ("json_extract_string", '$."{}"'),
    "pyspark": ("get_json_object", "$['{}']"),
    "databricks": ("get_json_object", "$['{}']"),
    "clickhouse": ("JSON_VALUE", '$."{}"'),
    "bigquery": ("JSON_VALUE", '$."{}"'),
    "snowflake": ("JSON_EXTRACT_PATH_TEXT", '"{}"'),
    "trino": ("json_extract_scalar", '$["{}"]'),
    "postgres": ("json_extract_path_text", "{}"),
}


def property_text(properties: ir.StringValue, name: str, dialect: str) -> ir.StringValue:
    """The property `name` as text; null when the event doesn't carry it or has no properties.

    Raises:
        ValueError: for an unknown engine, or a name with a quote, backslash or control character: engines
            disagree about how those are written inside a path.
    """
    import ibis

    if dialect not in READERS:
        raise ValueError(f"no way is known to read JSON in {dialect}")
    if any(character in "\"'\\" or ord(character) < 32 for character in name):
        raise ValueError(f"a property name may not contain quotes or backslashes: {name!r}")
    function, path = READERS[dialect]
    kind = "json" if dialect == "postgres" else "string"
    reader = ibis.udf.scalar.builtin(_signature, name=function, signature=((kind, "string"), "string"))
    text = properties.cast("json") if dialect == "postgres" else properties
    return reader(text, path.format(name))


def _signature(text: str, path: str) -> str:  # the body of a builtin is never called
    raise NotImplementedError
