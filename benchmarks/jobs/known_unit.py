"""A unit that was asked for before: OFREP beside Unleash's front-end API, on a quiet machine and with one core
busy."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any

from benchmarks.harness.clock import BusyCore
from benchmarks.harness.job import Aim, Figures, Job, Side
from benchmarks.harness.load import drive, figures, name_of
from benchmarks.harness.peers import unleash
from benchmarks.harness.room import Room
from benchmarks.harness.site import BenchSite, add_flag, bench_site, ofrep_call

CONNECTIONS = 8
OTHER = "Unleash 8.2, front-end API"
TEXT = """POST `/ofrep/v1/evaluate/flags/bench` with a server key on PostgreSQL, served as `gunicorn
insight_site.wsgi` does by itself; {units} units in turn whose assignments were stored before. Unleash (npm package,
PostgreSQL, one flag with two variants, half each) answers `/api/frontend?userId=…` from memory and stores nothing;
its limits on calls are raised. One load driver for both: 8 keep-alive connections from one process on the same
machine. {more}"""


@contextmanager
def doors(server: str = "", workers: int = 2, threads: int = 1) -> Iterator[tuple[BenchSite, str]]:
    """A served site with a flag, and a key for it."""
    with bench_site() as site:
        key = add_flag(site)
        site.serve(server, workers, threads)
        yield site, key


def ask(port: int, call: Mapping[str, Any], options: Mapping[str, Any], first: int, cycle: int | None) -> Figures:
    """One round of load on a door."""
    units = {"first": first, "cycle": cycle}
    load = {"port": port, "calls": [call], "connections": CONNECTIONS, "seconds": options["seconds"], "units": units}
    return figures(drive(load))


@contextmanager
def opened(room: Room, options: Mapping[str, Any], *, busy: bool) -> Iterator[Sequence[Side]]:
    """Both sides, each asked for every unit once before."""
    (site, key), peer = room.get("site", doors), room.get("unleash", unleash)
    calls = {site.port: ofrep_call(key), peer.port: peer.call()}
    for port, call in calls.items():
        warm(port, call, options["units"])

    def run(port: int, _turn: int) -> Figures:
        with BusyCore() if busy else nullcontext():
            return ask(port, calls[port], options, 0, options["units"])

    yield Side("Insight, OFREP", partial(run, site.port)), Side(OTHER, partial(run, peer.port))


def warm(port: int, call: Mapping[str, Any], units: int) -> None:
    """Each unit asked for once, so that it is known."""
    arrivals = [[0.0, 0, name_of(number)] for number in range(units)]
    figures(drive({"port": port, "calls": [call], "connections": CONNECTIONS, "arrivals": arrivals}))


SIZES = {
    "tiny": {"units": 50, "seconds": 0.3, "rounds": 2},
    "quick": {"units": 2_000, "seconds": 2.0},
    "full": {"units": 2_000, "seconds": 3.0, "rounds": 9},
}
JOBS = (
    Job(
        "known_unit",
        "known unit, OFREP over HTTP",
        TEXT.format(units="2,000", more=""),
        OTHER,
        SIZES,
        partial(opened, busy=False),
        (Aim("answers/s", at_least=1.5), Aim("p99 ms", at_most=1.0)),
        "doors",
    ),
    Job(
        "known_unit_busy",
        "known unit, one core kept busy",
        TEXT.format(units="2,000", more="Another process spins on one of the cores meanwhile."),
        OTHER,
        SIZES,
        partial(opened, busy=True),
        (Aim("answers/s", at_least=1.0), Aim("p99 ms", at_most=1.0)),
        "doors",
    ),
)
