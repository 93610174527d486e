"""Validate an SQL metric: one SELECT over `events`, rebuilt from a list of allowed nodes. Pure; sqlglot loads late.

The contract: ``SELECT user_id, <number> AS value FROM events … GROUP BY user_id``, where `events` may also be a SELECT
of the same kind in brackets. `statement.EVENT_COLUMNS` and `FUNCTIONS` list all that is allowed.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from events.expressions.one_line import refuse_text
from events.expressions.statement import Checked
from runs.refusals import Refused

if TYPE_CHECKING:
    from sqlglot import exp


@lru_cache(maxsize=256)
def checked(sql: str) -> Checked:
    """Parse the statement, check it and rebuild it.

    Args:
        sql: on one line, as `one_line` has it.

    Raises:
        Refused: with one sentence that names the piece and where it stands.
    """
    refuse_text(sql)
    # Imported late: sqlglot costs a third of a second and 40 MB, only in processes that meet an SQL metric.
    from events.expressions.rebuilt import Rebuilding

    try:
        return Rebuilding().checked(_parsed(sql))
    except RecursionError:
        raise Refused("This SQL metric is nested too deeply.") from None


def _parsed(sql: str) -> exp.Select:
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    first = (sql.split() or [""])[0]
    if first.upper() != "SELECT":  # the parser then never meets another kind of statement
        raise Refused("An SQL metric begins with SELECT, not with '{piece}'.", piece=first[:40])
    try:
        statements = sqlglot.parse(sql, read="duckdb")
    except SqlglotError as error:
        found = (getattr(error, "errors", None) or [{}])[0]
        piece, end = str(found.get("highlight") or ""), int(found.get("col") or 0)
        raise Refused(
            "This is no SQL that can be read: see '{piece}' at character {place}.",
            piece=piece[:40] or sql[:40],
            place=max(end - len(piece) + 1, 1),
        ) from None
    if len(statements) != 1 or not isinstance(statements[0], exp.Select):
        kind = "nothing" if not statements or statements[0] is None else statements[0].key.upper()
        raise Refused("An SQL metric is one SELECT, not {piece}.", piece=kind)
    return statements[0]
