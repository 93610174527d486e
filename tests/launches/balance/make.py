"""Blocks of past days from lists, and those of a simulated world."""

from datetime import timedelta
from typing import Any

import numpy as np

from events.simulation.event_worlds import BEHAVIOURS, EVENT_DAYS, EVENT_FIRST, RULES, EventWorld
from launches.balance.gather import LOOK
from launches.balance.rules import Rules, read
from launches.balance.simulation import Block, Group, Ints, Past

type Acts = tuple[Ints, Ints, Ints, Ints]


def rules(**given: Any) -> Rules:
    """The rules of the worlds; `given` replaces some of them."""
    return read({**RULES, **given})


def block_of(rows: list[tuple[int, int, int, int]], users: int, day: int = 0) -> Block:
    """A block from rows of user, day, battles and crafts; every user takes part."""
    ordered = np.array(sorted(rows), dtype=np.int64).reshape(len(rows), 4)
    first = EVENT_FIRST + timedelta(days=day)
    return Block(first, np.zeros(users, dtype=np.int64), ordered[:, 0], ordered[:, 1], ordered[:, 2:])


def past_of(*blocks: Block) -> Past:
    """A past of such blocks, with as many users now as in the first one."""
    users = np.array([blocks[0].group.size], dtype=np.int64)
    return Past(BEHAVIOURS, (Group("", ""),), users, blocks, 1, EVENT_FIRST - timedelta(days=1))


def world_past(world: EventWorld, seed: int, users: int = 4_000) -> tuple[Past, Past, Past]:
    """What a world's past holds, its event of users who were known, and that of newcomers."""
    acts = world.acts(seed, users)
    blocks = tuple(_cut(acts, -EVENT_DAYS * place) for place in range(1, 7))
    now = _active(acts, 0)
    whole = Past(BEHAVIOURS, (Group("", ""),), np.array([now.size]), blocks, 1, EVENT_FIRST - timedelta(days=1))
    known, new = _cut(acts, 0), _cut(acts, 0, newcomers=True)
    return whole, past_of(known), past_of(new)


def _active(acts: Acts, day: int) -> Ints:
    return np.unique(acts[0][(acts[1] >= day - LOOK) & (acts[1] < day)])


def _cut(acts: Acts, day: int, *, newcomers: bool = False) -> Block:
    user, on, behaviour, times = acts
    inside = (on >= day) & (on < day + EVENT_DAYS)
    users = np.setdiff1d(user[inside], _active(acts, day)) if newcomers else _active(acts, day)
    inside &= np.isin(user, users)
    place = np.searchsorted(users, user[inside])
    cells, at = np.unique(place * EVENT_DAYS + on[inside] - day, return_inverse=True)
    counts = np.zeros((cells.size, len(BEHAVIOURS)), dtype=np.int64)
    np.add.at(counts, (at, behaviour[inside]), times[inside])
    first = EVENT_FIRST + timedelta(days=day)
    group = np.zeros(users.size, dtype=np.int64)
    return Block(first, group, cells // EVENT_DAYS, cells % EVENT_DAYS, counts)
