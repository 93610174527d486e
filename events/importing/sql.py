"""SQL text that turns one file's fields into events: user, name, moment, properties, message id, and errors.

Nothing runs here; `events.importing.import_file` runs it. Names and texts enter through `literal` and `identifier`
only.
"""

from events.importing.options import NUMBER, ImportOptions
from events.importing.source_files import SourceFile
from events.schema import RESERVED
from events.warehouse import literal

UNIX = {"unix_s": 1_000_000, "unix_ms": 1_000, "unix_us": 1}
LONGEST_NAME = 256  # characters of a user id and an event name, as for events that are sent (`events.schema`)
EARLIEST, LATEST = -2_208_988_800_000_000, 7_258_118_400_000_000  # 1900-01-01 and 2200-01-01 in microseconds
# Length prefixes distinguish rows whose concatenated fields are equal. `strlen` counts bytes, which is cheap.
CONTENT = "concat(strlen(user_id), ':', user_id, strlen(event), ':', event, us, ':', properties)"


def fields(source: SourceFile, options: ImportOptions) -> str:
    """Rows of ``user_id, event, raw_time, us, properties, given, bad, shown``; `bad` is an error code, or null.

    `us` is the moment in microseconds since 1970, `given` the message id from the file, `shown` the offending text.
    """

    def guarded(sql: str) -> str:  # fields of a malformed line must not be read
        return sql if source.broken == "false" else f"CASE WHEN NOT ({source.broken}) THEN {sql} END"

    user = f"CAST({source.field(options.user)} AS VARCHAR)"
    event = literal(str(options.event_name))
    if options.event is not None:
        event = f"CAST({source.field(options.event)} AS VARCHAR)"
    given = "NULL" if options.message_id is None else f"CAST({source.field(options.message_id)} AS VARCHAR)"
    moment = source.field(options.time)
    line = "line, " if source.kind == "lines" else ""
    return f"""SELECT *, CASE WHEN bad IS NOT NULL THEN
            left(coalesce(CASE WHEN bad LIKE '%time%' THEN raw_time END, user_id, ''), 80) END AS shown
        FROM (SELECT *, {_bad(source, options)} AS bad
        FROM (SELECT {line}{source.broken} AS broken, {guarded(user)} AS user_id,
            {guarded(event)} AS event, CAST({guarded(moment)} AS VARCHAR) AS raw_time,
            {guarded(microseconds(source, options.time, options.time_format, options.time_zone))} AS us,
            {guarded(_properties(source, options))} AS properties,
            {guarded(given)} AS given FROM {source.relation}))"""


def users_of(source: SourceFile, options: ImportOptions) -> str:
    """Rows of ``user_id``, bad rows included; for files whose lines all have the same shape."""
    return f"SELECT CAST({source.field(options.user)} AS VARCHAR) AS user_id FROM {source.relation}"


def signup_dates(source: SourceFile, options: ImportOptions, column: str, time_format: str) -> str:
    """Rows of ``user_id, us``: the time in a column of each good row, in microseconds since 1970."""
    moment = microseconds(source, column, time_format, options.time_zone)
    moment = moment if source.broken == "false" else f"CASE WHEN NOT ({source.broken}) THEN {moment} END"
    user = f"CAST({source.field(options.user)} AS VARCHAR)"
    return f"""SELECT user_id, us FROM (SELECT {user} AS user_id, {moment} AS us FROM {source.relation})
        WHERE us >= {EARLIEST} AND us < {LATEST} AND NOT {_empty("user_id")}"""


def stored_columns(source: SourceFile, options: ImportOptions, *, received_us: int) -> str:
    """The columns of the store; a bad row has no `event_date`.

    The message id is the content's digest, the same for identical rows: `events.importing.import_file` numbers those
    later.
    """
    message_id = f"md5({CONTENT})" if options.message_id is None else "given"
    return f"""SELECT user_id, event, make_timestamptz(us) AS "time", properties, {message_id} AS message_id,
        make_timestamptz({received_us}) AS received_at,
        CASE WHEN bad IS NULL THEN CAST(make_timestamp(us) AS DATE) END AS event_date
        FROM ({fields(source, options)})"""


def _bad(source: SourceFile, options: ImportOptions) -> str:
    blank = "line IS NULL OR trim(line, ' \t\r') = ''" if source.kind == "lines" else "false"
    nameless = f"WHEN {_empty('given')} THEN 'missing_message_id'" if options.message_id else ""
    return f"""CASE WHEN {blank} THEN 'blank' WHEN broken THEN 'fields'
        WHEN {_empty("user_id")} THEN 'missing_user'
        WHEN {_empty("event")} THEN 'missing_event'
        WHEN {_unkept("user_id")} OR {_unkept("event")} THEN 'bad_text'
        WHEN event IN ({", ".join(map(literal, RESERVED))}) THEN 'reserved_event'
        WHEN {_empty("raw_time")} THEN 'missing_time'
        WHEN us IS NULL THEN 'bad_time' WHEN us < {EARLIEST} OR us >= {LATEST} THEN 'time_out_of_range'
        {nameless} END"""


def _empty(name: str) -> str:
    """SQL that is true for a missing or blank text; the comparison avoids the costly `trim` for nearly every row."""
    return f"({name} IS NULL OR ({name} < '!' AND trim({name}) = ''))"


def _unkept(name: str) -> str:
    """SQL that is true for a name that no table of users could store."""
    return f"(length({name}) > {LONGEST_NAME} OR contains({name}, chr(0)))"


def _properties(source: SourceFile, options: ImportOptions) -> str:
    names, types = options.properties, dict(options.types)
    for name in names:
        source.require(name)
    if not names:
        return "'{}'"
    pairs = ", ".join(f"{literal(name)}, {_typed(source.json_field(name), types.get(name, ''))}" for name in names)
    made = f"CAST(json_object({pairs}) AS VARCHAR)"
    if len(names) > 1:
        return made
    whole = f"CAST({source.json_field(names[0])} AS VARCHAR)"
    return f"CASE WHEN starts_with(ltrim({whole}), '{{') AND json_valid({whole}) THEN {whole} ELSE {made} END"


def _typed(value: str, kind: str) -> str:
    """SQL of a property's value as JSON of its type; a cell of another type stays text."""
    text = f"CAST({value} AS VARCHAR)"
    if kind == "number":
        return f"CASE WHEN regexp_full_match({text}, '{NUMBER}') THEN CAST({text} AS JSON) ELSE to_json({text}) END"
    if kind == "flag":
        return (
            f"CASE WHEN lower({text}) IN ('true', 'yes', 'y', 't', '1') THEN to_json(true) "
            f"WHEN lower({text}) IN ('false', 'no', 'n', 'f', '0') THEN to_json(false) ELSE to_json({text}) END"
        )
    return value


def microseconds(source: SourceFile, column: str, time_format: str, zone: str) -> str:
    """SQL for microseconds since 1970 in UTC, null where the time can't be read."""
    moment = source.field(column)
    kind = source.types.get(column, "VARCHAR")
    if kind == "TIMESTAMP WITH TIME ZONE":
        return f"epoch_us({moment})"
    if kind == "DATE" or kind.startswith("TIMESTAMP"):
        return _in_zone(f"CAST({moment} AS TIMESTAMP)", zone)
    text = f"CAST({moment} AS VARCHAR)"
    trimmed = f"trim({text})"
    if time_format in UNIX:
        factor = UNIX[time_format]
        return f"TRY_CAST(round(TRY_CAST({trimmed} AS DECIMAL(24, 6)) * {factor}) AS BIGINT)"
    if time_format == "iso":
        # Casting to a zoned type honours the row's own offset; a plain TIMESTAMP would drop it silently. The
        # first digit excludes words such as 'infinity' and 'epoch', and avoids the costly `trim` for nearly every row.
        return (
            "CASE "
            + " ".join(
                f"WHEN {value} BETWEEN '0' AND ':' THEN epoch_us(TRY_CAST({value} AS TIMESTAMPTZ))"
                for value in (text, trimmed)
            )
            + " END"
        )
    if "%p" in time_format:  # Excel's AM and PM in Korean
        trimmed = f"replace(replace({trimmed}, '오전', 'AM'), '오후', 'PM')"
    parsed = f"try_strptime({trimmed}, {literal(time_format)})"
    if "%z" in time_format or "%Z" in time_format:
        return f"epoch_us({parsed})"
    return _in_zone(parsed, zone)


def _in_zone(wall: str, zone: str) -> str:
    return f"epoch_us({wall})" if zone == "UTC" else f"epoch_us(timezone({literal(zone)}, {wall}))"
