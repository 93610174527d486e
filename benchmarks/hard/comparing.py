"""The end: what the site holds against what it had promised. A miss is written down as one."""

from collections import Counter
from typing import Any

import duckdb

from benchmarks.hard.ledger import Ledger


def compare(ledger: Ledger, testimony: dict[str, Any]) -> dict[str, Any]:
    """Counts of each broken promise, 0 everywhere for a site that kept all; with what was counted."""
    rows = _rows(testimony["files"])
    found = Counter(row[0] for row in rows)
    contents = {row[0]: (row[1], row[2]) for row in rows}
    wrong = [key for key, what in ledger.acknowledged.items() if key in contents and contents[key] != what]
    arms, hashed = testimony["arms"], testimony["hashed"]
    exposed = Counter(row[1] for row in rows if row[2] == "Experiment Viewed")
    return {
        "events acknowledged": len(ledger.acknowledged),
        "events in the store": len(rows),
        "events lost": sum(key not in found for key in ledger.acknowledged),
        "events doubled": sum(found[key] > 1 for key in ledger.sent),
        "events changed": len(wrong),
        "poison not set aside": len(ledger.set_aside - set(testimony["set aside"])),
        "units answered": len(ledger.variants),
        "units with two answers": sum(len(answers) > 1 for answers in ledger.variants.values()),
        "units stored twice": sum(len(rows) > 1 for rows in arms.values()),
        "units answered otherwise than stored": sum(
            unit in arms and answers != {arms[unit][0]} for unit, answers in ledger.variants.items()
        ),
        "units stored otherwise than drawn": sum(rows[0] != hashed[unit] for unit, rows in arms.items()),
        "units exposed twice": sum(number > 1 for number in exposed.values()),
        "units stored": len(arms),
        "units answered by hash alone": sum(unit not in arms for unit in ledger.variants),
        "exposures lost": sum(unit not in exposed for unit in arms),
        "half analyses": len(testimony["half analyses"]),
        "published by half": sum(
            refreshed and members != units for _number, units, members, refreshed in testimony["versions"]
        ),
        "errors of the witness": len(ledger.notes),
    }


def _rows(files: list[str]) -> list[tuple[str, str, str]]:
    """Id as its sender gave it, user and event of every row of the store."""
    if not files:
        return []
    found = duckdb.sql(
        "SELECT message_id, user_id, event FROM read_parquet($files)", params={"files": files}
    ).fetchall()
    return [(row[0].split(":", 2)[-1], row[1], row[2]) for row in found]


PROMISES = (
    "events lost",
    "events doubled",
    "events changed",
    "poison not set aside",
    "units with two answers",
    "units stored twice",
    "units answered otherwise than stored",
    "units stored otherwise than drawn",
    "units exposed twice",
    "exposures lost",
    "half analyses",
    "published by half",
    "errors of the witness",
    "runs stuck",
    "jobs stuck",
    "events stuck",
    "alerts missed",
    "alerts that stayed",
    "parts not well at the end",
    "badly answered at the end",
)
