"""Read tables that are already there as the event log: which columns they have, and one log of them all.

`WAREHOUSE_MAPPING` names a YAML file with the sections `events`, `users` and `exposures` (docs/queries.md). A site with
one table of events needs no file: `WAREHOUSE_TABLE` and `WAREHOUSE_COLUMNS` say the same. Nothing runs here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from events.schema import EXPOSURE, RESERVED
from events.warehouse.columns import COLUMNS, PART_DATE, PART_TIME, quoted_json
from runs.refusals import Refused

if TYPE_CHECKING:
    import ibis.expr.types as ir

    type OpenTable = Callable[[str], ir.Table]

DATE = "date"  # a warehouse's own column of dates, by which its table may be parted
SIGNUP = "signup"  # the event of a table of users that names no other
EVENTS, USERS, EXPOSURES = "events", "users", "exposures"
# section: (columns that a table must have, columns that it may have, keys that hold no column's name)
SECTIONS = {
    EVENTS: (("user_id", "time"), ("event", "message_id", "received_at", DATE), ("table", "event_name", "properties")),
    USERS: (("user_id", "time"), (DATE,), ("table", "event_name", "traits")),
    EXPOSURES: (("user_id", "time", "experiment", "variant"), ("message_id", "received_at", DATE), ("table",)),
}
EXPOSED = {"experiment": "experiment_id", "variant": "variation_id"}  # properties of an exposure


@dataclass(frozen=True)
class MappedTable:
    """One table of the warehouse and what its columns mean.

    Attributes:
        where: the setting, or file and section, that names it: refusals begin with it.
        table: its name, with schema and database before dots.
        columns: our column = its column, for the columns that were named.
        event: the name of every row's event; "" where a column holds it.
        properties: property = the column with its value; empty where one column holds JSON text, or none.
    """

    where: str
    table: str
    columns: Mapping[str, str]
    event: str = ""
    properties: Mapping[str, str] = field(default_factory=dict)


def mapped_by(setting_table: str, setting_columns: str, path: str) -> tuple[MappedTable, ...]:
    """The tables that the settings name.

    Args:
        setting_table: WAREHOUSE_TABLE.
        setting_columns: WAREHOUSE_COLUMNS, for example ``user_id=uid,event=name,time=ts``.
        path: WAREHOUSE_MAPPING; "" without a file, else it alone counts.

    Raises:
        Refused: naming the setting, or file, section, table and column.
    """
    if not path:
        return (MappedTable("WAREHOUSE_COLUMNS", setting_table, _columns(setting_columns)),)
    if setting_columns:
        raise Refused("Set either WAREHOUSE_MAPPING or WAREHOUSE_COLUMNS, not both.")
    return read_mapping(Path(path))


def digest(tables: tuple[MappedTable, ...]) -> str:
    """Twenty digits that are others when another table or column is read as the log."""
    said = [[one.table, sorted(one.columns.items()), one.event, sorted(one.properties.items())] for one in tables]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:20]


def _columns(text: str) -> dict[str, str]:
    pairs = [pair.partition("=") for pair in text.split(",") if pair.strip()]
    columns = {ours.strip(): theirs.strip() for ours, _, theirs in pairs}
    unknown = [ours for ours, theirs in columns.items() if ours not in (*COLUMNS, DATE) or not theirs]
    if unknown or len(columns) != len(pairs):
        raise Refused(
            "WAREHOUSE_COLUMNS: write our column = your column, each once, separated by commas; our columns are "
            "{names}.",
            names=", ".join((*COLUMNS, DATE)),
        )
    return columns


def read_mapping(path: Path) -> tuple[MappedTable, ...]:
    """The tables of a mapping file, in its order.

    Raises:
        Refused: the file can't be read, or says something that isn't known.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise Refused(
            "WAREHOUSE_MAPPING: {file} can't be read as YAML ({error}).", file=str(path), error=type(error).__name__
        ) from error
    unknown = sorted(set(map(str, document)) - set(SECTIONS)) if isinstance(document, dict) else []
    if not isinstance(document, dict) or unknown or EVENTS not in document:
        raise Refused(
            "{file}: the sections are {names}, and events must be there{unknown}.",
            file=str(path),
            names=", ".join(SECTIONS),
            unknown=f" ({', '.join(unknown)}?)" if unknown else "",
        )
    return tuple(
        _table(f"{path}, {section}", section, entry)
        for section in SECTIONS
        if section in document
        for entry in _entries(f"{path}, {section}", document[section])
    )


def _entries(where: str, found: Any) -> list[dict[str, Any]]:
    entries = found if isinstance(found, list) else [found]
    if not entries or not all(isinstance(entry, dict) and isinstance(entry.get("table"), str) for entry in entries):
        raise Refused("{where}: write a table, or a list of tables, each with `table: its name`.", where=where)
    return entries


def _table(where: str, section: str, entry: dict[str, Any]) -> MappedTable:
    must, may, others = SECTIONS[section]
    table = entry["table"]
    if unknown := [str(name) for name in entry if name not in (*must, *may, *others)]:
        raise Refused(
            "{where}, {table}: {unknown} is not known; known are {names}.",
            where=where,
            table=table,
            unknown=", ".join(unknown),
            names=", ".join((*others, *must, *may)),
        )
    columns = {ours: entry[ours] for ours in (*must, *may) if ours in entry}
    event = entry.get("event_name", {USERS: SIGNUP, EXPOSURES: EXPOSURE}.get(section, ""))
    values = entry.get({USERS: "traits"}.get(section, "properties"), {})
    if section == EVENTS and isinstance(values, str):
        columns["properties"], values = values, {}
    values = {name: name for name in values} if _is_texts(values) else values
    given = [
        *columns.items(),
        ("event_name", event or "-"),
        *(values.items() if isinstance(values, dict) else [(0, 0)]),
    ]
    if wrong := [
        str(name) for name, value in given if not (isinstance(name, str) and isinstance(value, str) and value)
    ]:
        raise Refused(
            "{where}, {table}: {names} must be the name of a column, or a list of names.",
            where=where,
            table=table,
            names=", ".join(name if name != "0" else "traits" if section == USERS else "properties" for name in wrong),
        )
    if event in RESERVED or (event and "event" in columns):
        raise Refused(
            "{where}, {table}: an event has either a column with its name (event) or one name (event_name), and "
            "{reserved} are the event store's own names.",
            where=where,
            table=table,
            reserved=", ".join(RESERVED),
        )
    if section == EXPOSURES:
        values = {theirs: columns.pop(ours, ours) for ours, theirs in EXPOSED.items()}
    return MappedTable(where, table, columns, event, values)


def _is_texts(values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(value, str) for value in values)


def one_log(tables: tuple[MappedTable, ...], open_table: OpenTable, dialect: str) -> ir.Table:
    """The event log of all these tables: the columns of `COLUMNS`, and of a single table those that it is parted by.

    `columns.bounded` bounds each of several tables by its own column.

    Args:
        tables: from `mapped_by`.
        open_table: the table of a name.
        dialect: the engine's name.

    Raises:
        Refused: there is no such table or column.
    """
    import ibis

    logs = [_log(mapped, open_table, dialect, parted=len(tables) == 1) for mapped in tables]
    return logs[0] if len(logs) == 1 else ibis.union(*logs, distinct=False)


def _log(mapped: MappedTable, open_table: OpenTable, dialect: str, *, parted: bool) -> ir.Table:
    """One table as a log; `parted` with the columns that it is parted by, else those lie below the last projection."""
    import ibis

    table = _opened(mapped, open_table)
    columns = {ours: ours for ours in COLUMNS} | dict(mapped.columns)
    parts = _parts(table, columns)
    fields: dict[str, Any] = {ours: _column(table, columns[ours], kind) for ours, kind in COLUMNS.items()}
    # In a step of its own, so that a bound stands beside the table itself and not above what is computed of its rows.
    raw = {f"value_{at}": table[column] for at, column in enumerate(mapped.properties.values())}
    log = table.select(**fields, **raw, **parts)
    if mapped.event:  # a user without a signup, and an exposure of nobody, are no events
        log = log.filter(log.user_id.notnull(), log.time.notnull())
    else:  # if the table is an Insight store, it also contains the dictionary of users
        log = log.filter(~log.event.isin(RESERVED).fill_null(False))
    if parted and not mapped.event and not raw:
        return log
    made: dict[str, Any] = {name: log[name] for name in COLUMNS}
    if mapped.event:
        made["event"] = ibis.literal(mapped.event)
    if raw:
        made["properties"] = _json(log, [*mapped.properties], dialect)
    return log.select(**made, **({name: log[name] for name in parts} if parted else {}))


def _opened(mapped: MappedTable, open_table: OpenTable) -> ir.Table:
    try:
        table = open_table(mapped.table)
    except Refused:
        raise
    except Exception as error:  # every driver has its own exceptions, and the reader needs one sentence
        raise Refused(
            "{where}: there is no table {table} ({error}).",
            where=mapped.where.replace("_COLUMNS", "_TABLE"),
            table=mapped.table,
            error=type(error).__name__,
        ) from error
    columns = {ours: ours for ours in COLUMNS} | dict(mapped.columns)
    if missing := [name for name in _needed(mapped, columns) if name not in table.columns]:
        raise Refused(
            "{where}: the table {table} has no column {missing}; its columns are {names}.",
            where=mapped.where,
            table=mapped.table,
            missing=", ".join(missing),
            names=", ".join(table.columns),
        )
    return table


def _needed(mapped: MappedTable, columns: Mapping[str, str]) -> Iterator[str]:
    """The columns that must be there: the required ones, and in a mapping file whatever it names."""
    named = mapped.columns if mapped.where != "WAREHOUSE_COLUMNS" else ()
    for ours in (*COLUMNS, DATE):
        if ours in ("user_id", "time") or (ours == "event" and not mapped.event) or ours in named:
            yield columns[ours]
        elif ours == DATE and DATE in columns:
            yield columns[DATE]
    yield from mapped.properties.values()


def _parts(table: ir.Table, columns: Mapping[str, str]) -> dict[str, Any]:
    parts = {PART_DATE: table[columns[DATE]]} if DATE in columns else {}
    at = table[columns["time"]]
    if (at.type().is_timestamp() or at.type().is_date()) and not at.cast(COLUMNS["time"]).equals(at):
        parts[PART_TIME] = at
    return parts


def _column(table: ir.Table, name: str, kind: str) -> Any:
    import ibis

    if name not in table.columns:
        return ibis.null(kind)
    return table[name].cast(kind)


def _json(log: ir.Table, names: Sequence[str], dialect: str) -> Any:
    """The values of these properties, from the columns ``value_0, value_1, …``, as the JSON text of an object."""
    import ibis

    text: Any = ibis.literal("")
    for at, name in enumerate(names):
        key = json.dumps(name, ensure_ascii=False)
        text = text + ibis.literal(f"{',' if at else '{'}{key}:") + quoted_json(log[f"value_{at}"], dialect)
    return text + ibis.literal("}")
