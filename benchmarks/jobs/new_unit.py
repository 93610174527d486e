"""A unit that nobody asked for before: a durable assignment and exposure, beside Unleash, which keeps nothing."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Any

from benchmarks.harness.job import Aim, Figures, Job, Side
from benchmarks.harness.peers import unleash
from benchmarks.harness.room import Room
from benchmarks.harness.site import ofrep_call
from benchmarks.jobs.known_unit import OTHER, ask, doors

A_ROUND = 1_000_000  # more units than a round can ask for


@contextmanager
def opened(room: Room, options: Mapping[str, Any]) -> Iterator[Sequence[Side]]:
    """Both sides; each round asks for units of its own."""
    (site, key), peer = room.get("site", doors), room.get("unleash", unleash)
    rounds = count(1)

    def ours(_turn: int) -> Figures:
        return ask(site.port, ofrep_call(key), options, next(rounds) * A_ROUND, None)

    def theirs(_turn: int) -> Figures:
        return ask(peer.port, peer.call(), options, next(rounds) * A_ROUND, None)

    yield Side("Insight, OFREP", ours), Side(OTHER, theirs)


JOBS = (
    Job(
        "new_unit",
        "new unit with durable row and exposure",
        """The same doors and driver as for known units, each call with an id that was never asked for. Ours answers
        after the assignment and its exposure are committed in one transaction; Unleash computes its answer and
        keeps nothing.""",
        OTHER,
        {"tiny": {"seconds": 0.3, "rounds": 2}, "quick": {"seconds": 2.0}, "full": {"seconds": 3.0, "rounds": 9}},
        opened,
        (Aim("answers/s", at_least=0.6),),
        "doors",
    ),
)
