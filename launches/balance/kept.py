"""The past of an event's balance beside its run, so that a threshold can be moved without reading the log again.

A kept past holds numbers of users and days and no id. It may be deleted at any time: then the rules are played anew.
"""

import json
import time
from collections.abc import Collection
from dataclasses import asdict, replace
from datetime import date
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from django.conf import settings

from launches.balance.rules import Rules
from launches.balance.simulation import Balance, Block, Found, Group, Past, Plays, balance, threshold_for
from reporting.words import say
from runs.refusals import Refused

MOST_KEPT = 20  # files
IDLE_SECONDS = 900  # after which this process lets go of a past, at the next question
GONE = say("The past of this balance isn't kept any more. Play the rules anew.")


def keep(run: int, past: Past) -> None:
    """Write a past to disk; the oldest of too many are deleted.

    Args:
        run: id of the run.
        past: as `gather` read it.
    """
    folder = _folder()
    folder.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, Any] = {"users": past.users}
    for place, block in enumerate(past.blocks):
        arrays |= {
            f"group_{place}": block.group.astype(np.int16),
            f"user_{place}": block.user.astype(np.int32),
            f"day_{place}": block.day.astype(np.int16),
            f"times_{place}": block.times.astype(np.int32),
        }
    about = {
        "behaviours": past.behaviours,
        "groups": [asdict(group) for group in past.groups],
        "firsts": [block.first.isoformat() for block in past.blocks],
        "one_in": past.one_in,
        "last": past.last.isoformat(),
    }
    part = folder / f"{run}.part.npz"
    np.savez_compressed(part, about=np.array(json.dumps(about)), **arrays)
    part.replace(_path(run))
    for old in sorted(folder.glob("*.npz"), key=lambda path: path.stat().st_mtime)[:-MOST_KEPT]:
        old.unlink(missing_ok=True)


def is_kept(run: int) -> bool:
    """Whether the past of a run can be played here."""
    return _path(run).exists()


def read_past(run: int) -> Past:
    """The past of a run.

    Raises:
        Refused: it isn't kept any more.
    """
    try:
        with np.load(_path(run), allow_pickle=False) as file:
            about = json.loads(str(file["about"]))
            blocks = tuple(
                Block(
                    date.fromisoformat(first), *(file[f"{name}_{place}"] for name in ("group", "user", "day", "times"))
                )
                for place, first in enumerate(about["firsts"])
            )
            users = file["users"]
    except (OSError, ValueError, KeyError):
        raise Refused(GONE) from None
    groups = tuple(Group(**group) for group in about["groups"])
    last = date.fromisoformat(about["last"])
    return Past(tuple(about["behaviours"]), groups, users, blocks, about["one_in"], last)


class _Held:
    """The past that this process played last, with the points of its users: a step moves without new points."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.key: tuple[int, int] | None = None
        self.past: Past | None = None
        self.plays: dict[Rules, Plays] = {}
        self.at = 0.0

    def of(self, run: int) -> Past:
        """The past of a run; the lock must be held."""
        key = (run, _path(run).stat().st_mtime_ns) if is_kept(run) else None
        if key is None:
            raise Refused(GONE)
        if key != self.key or self.past is None or time.monotonic() - self.at > IDLE_SECONDS:
            self.key, self.past, self.plays = None, None, {}  # before the next one is read: both would stand in memory
            self.past, self.key = read_past(run), key
        self.at = time.monotonic()
        return self.past

    def plays_of(self, rules: Rules) -> Plays:
        """Points by all of the rules but their steps."""
        bare = replace(rules, steps=(), title="")
        if bare not in self.plays:
            self.plays = {bare: {}}  # of other rules they'd be as large again
        return self.plays[bare]


_held = _Held()


def played(run: int, rules: Rules) -> Balance:
    """Play rules over the kept past of a run, without the rows of one thing changed.

    Args:
        run: its id.
        rules: those of the run with other steps or another response.

    Raises:
        Refused: the past isn't kept any more.
    """
    with _held.lock:
        return balance(_held.of(run), rules, _held.plays_of(rules), sensitive=False)


def searched(run: int, rules: Rules, share: float) -> Found:
    """The threshold that this share of users reaches.

    Raises:
        Refused: the past isn't kept any more.
    """
    with _held.lock:
        return threshold_for(_held.of(run), rules, share, _held.plays_of(rules))


def remove(_ids: Collection[str]) -> int:
    """Delete all kept pasts, when a person is erased: nobody can tell which rows are theirs. Returns how many."""
    files = list(_folder().glob("*.npz"))
    for path in files:
        path.unlink(missing_ok=True)
    return len(files)


def _path(run: int) -> Path:
    return _folder() / f"{run}.npz"


def _folder() -> Path:
    return Path(settings.UPLOADS_DIR) / "balances"  # site and worker share it
