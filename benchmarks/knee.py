"""Open load: calls arrive by themselves (Poisson), up to the knee and at twice the knee, on PostgreSQL.

    python -m benchmarks.knee                                  # prints; about six minutes
    python -m benchmarks.knee --write                          # and writes docs/performance.md with its picture
    python -m benchmarks.knee --seconds 2 --shares 0.3 0.6     # a quick look

For assignments (four of five units are known) and for events (batches of 20), each in a run of its own: a closed load
says what the site can do, then calls arrive at shares of that for some seconds each, then at twice the knee. What the
knee is, when callers give up and what recovery means stands in `pages/knee.md`. The exit code is 1 when an answered
variant isn't the bucketing's, or when anything answered is lost or there twice.
"""

import argparse
import json
import signal
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.frame import kept, options_of, where_and_when
from benchmarks.harness.load import drive, figures, name_of, quantile
from benchmarks.harness.page import PAGE, keep_knee, knee_section, page, step_line
from benchmarks.harness.rounds import RECORD
from benchmarks.harness.site import ENDLESS, FLAG, BenchSite, add_flag, bench_site, ofrep_call
from benchmarks.jobs.all_jobs import JOBS
from tests.clients.server import Site, stored

SHARES = (0.2, 0.4, 0.6, 0.7, 0.8, 0.9, 1.0)
CONNECTIONS, PATIENCE, KNEE_MS, PROBES = 256, 2.0, 250.0, 20
KNOWN, NEW_SHARE, EVENTS_A_BATCH = 1_000, 0.2, 20
AFTER_SECONDS = 8.0  # how long the slow calls go on
KINDS = ("assignments", "events")


def main() -> None:
    parser = options_of(__doc__, page=False, processes=False, seed=1)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each step")
    parser.add_argument("--shares", type=float, nargs="+", default=SHARES, help="of what a closed load reaches")
    parser.add_argument("--only", choices=KINDS, nargs="+", default=KINDS)
    parser.add_argument("--write", action="store_true", help="docs/performance.md and its picture")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_told: sys.exit(143))  # servers are stopped and databases dropped on the way
    record: dict[str, Any] = {**where_and_when(), "seconds": options.seconds, "kinds": {}}
    for kind in options.only:
        record["kinds"][kind] = measure(kind, options)
    if options.write:
        keep_knee(record)
        PAGE.write_text(page(JOBS, kept(RECORD), knee_section()), encoding="utf-8")
    wrong = [row for rows in record["kinds"].values() for row in rows["steps"] if any(row["wrong"].values())]
    for row in wrong:
        print(f"wrong at {row['offered']:.0f}/s: {row['wrong']}", file=sys.stderr)
    sys.exit(bool(wrong))


def measure(kind: str, options: argparse.Namespace) -> dict[str, Any]:
    """The steps up to the knee and at twice the knee, on a site of their own."""
    rng = np.random.default_rng(options.seed)
    with bench_site() as site:
        server_key = add_flag(site)
        events_key = site.issue_keys(1, ENDLESS)[0]
        calls = [ofrep_call(server_key), batch_call(events_key)]
        site.serve()
        reached = capacity(site, calls[KINDS.index(kind)], kind)
        print(f"{kind}: a closed load reaches {reached:,.0f} calls/s", flush=True)
        steps: list[dict[str, Any]] = []
        first = KNOWN
        for share in (*options.shares, None):
            rate = reached * share if share is not None else 2 * knee_of(steps)
            arrivals, first = arrivals_of(kind, rate, options.seconds, first, rng)
            steps.append(step(site, kind, calls, rate, arrivals, options.seconds))
            print("  " + step_line(steps[-1]), flush=True)
        return {"reached": reached, "knee": knee_of(steps[:-1]), "steps": steps}


def capacity(site: BenchSite, call: Mapping[str, Any], kind: str) -> float:
    """Calls a second of eight connections that wait for their answers; assignments of known units."""
    every = [[0.0, 0, name_of(number)] for number in range(KNOWN)]
    load = {"port": site.port, "calls": [call], "connections": 8}
    if kind == "assignments":
        figures(drive({**load, "arrivals": every}))
        return figures(drive({**load, "seconds": 2.0, "units": {"first": 0, "cycle": KNOWN}}))["answers/s"]
    return figures(drive({**load, "seconds": 2.0, "units": {"first": 10**9, "cycle": None}}))["answers/s"]


def arrivals_of(
    kind: str, rate: float, seconds: float, first: int, rng: np.random.Generator
) -> tuple[list[list[Any]], int]:
    """Poisson arrivals, then the slow calls of known units. Returns them and the first number that is still unused."""
    moments = poisson(rate, seconds, rng)
    fresh = rng.random(moments.size) < (NEW_SHARE if kind == "assignments" else 1.0)
    numbers = np.where(fresh, first + np.cumsum(fresh) - 1, rng.integers(0, KNOWN, moments.size))
    made = [[float(at), KINDS.index(kind), name_of(int(n))] for at, n in zip(moments, numbers, strict=True)]
    probes = np.arange(seconds, seconds + AFTER_SECONDS, 1 / PROBES)
    made += [[float(at), 0, name_of(int(n))] for at, n in zip(probes, rng.integers(0, KNOWN, probes.size), strict=True)]
    return made, first + int(fresh.sum())


def poisson(rate: float, seconds: float, rng: np.random.Generator) -> np.ndarray:
    """Moments of calls that know nothing of each other."""
    gaps = rng.exponential(1 / rate, int(rate * seconds * 1.5) + 100)
    moments = np.cumsum(gaps)
    return moments[moments < seconds]


def step(
    site: BenchSite,
    kind: str,
    calls: Sequence[Mapping[str, Any]],
    rate: float,
    arrivals: list[list[Any]],
    seconds: float,
) -> dict[str, Any]:
    """One offered rate: what came back, how soon the site was itself again, and whether all is right."""
    load = {"port": site.port, "calls": calls, "connections": CONNECTIONS, "patience": PATIENCE, "arrivals": arrivals}
    log = drive(load)["log"]
    loaded = [row for row in log if row[0] < seconds]
    answered = sorted(row[1] for row in loaded if 200 <= row[2] < 300)
    count = {
        "given_up": sum(row[2] == 0 for row in loaded),
        "refused": sum(row[2] in (429, 503) for row in loaded),
        "failed": sum(row[2] not in (0, 200, 429, 503) for row in loaded),
    }
    ended = max([row[0] + row[1] for row in loaded if row[2]], default=seconds)
    return {
        "offered": rate,
        "answered": len(answered) / max(seconds, ended),
        "p50_ms": 1e3 * quantile(answered, 0.5) if answered else None,
        "p99_ms": 1e3 * quantile(answered, 0.99) if answered else None,
        "calls": len(loaded),
        **count,
        "recovery_s": recovery([row for row in log if row[0] >= seconds], seconds),
        "wrong": wrong_answers(site, kind, log, EVENTS_A_BATCH),
    }


def recovery(probes: Iterable[Sequence[Any]], end: float) -> float | None:
    """Seconds from the end of the load until every later slow call is answered within KNEE_MS; None when never."""
    slow = [row[0] + row[1] - end for row in probes if row[2] != 200 or row[1] * 1e3 > KNEE_MS]
    last = max(slow, default=0.0)
    return last if last < AFTER_SECONDS else None


def knee_of(steps: Sequence[Mapping[str, Any]]) -> float:
    """The highest offered rate that the site kept up with; the lowest one when it kept up with none."""
    kept: list[float] = [one["offered"] for one in steps if keeps_up(one)]
    return max(kept) if kept else float(steps[0]["offered"])


def keeps_up(one: Mapping[str, Any]) -> bool:
    unanswered = one["given_up"] + one["refused"] + one["failed"]
    return not unanswered and one["p99_ms"] is not None and one["p99_ms"] <= KNEE_MS


def batch_call(key: str) -> dict[str, Any]:
    """A batch of events of one unit; their ids carry the unit's, so that each is known afterwards."""
    event = {"type": "track", "userId": "{unit}", "event": "load", "timestamp": "2026-11-01T12:00:00Z"}
    batch = [
        {**event, "messageId": f"{{unit}}-{number}", "properties": {"n": number}} for number in range(EVENTS_A_BATCH)
    ]
    headers = {"X-API-Key": key, "Content-Type": "application/json"}
    return {"method": "POST", "path": "/v1/batch", "headers": headers, "body": json.dumps({"batch": batch})}


if __name__ == "__main__":
    main()


TRUTH = """
import json, sys
from django.conf import settings
from events.store import event_table as store
from events.outbox.flush import flush_events
from experiments.draw.evaluation import draw
from experiments.models import Assignment
from experiments.serve import config
flush_events()
seen = store.look("")
units = json.load(open(UNITS))
flag = config.current().flags[FLAG]
drawn = {unit: flag.arms[draw(flag, unit, is_new=True, row=flag.rows[0]).arm].key for unit in units}
rows = list(Assignment.objects.filter(unit__in=units).values_list("unit", "variant__key"))
print(json.dumps([drawn, rows, seen.files() if seen else []]))
"""


def wrong_answers(site: Site, kind: str, log: Sequence[Sequence[Any]], events_a_batch: int) -> dict[str, int]:
    """How many answers, rows, exposures and events of a load are not as they must be, by what is wrong.

    Args:
        site: where the load went; its outbox is flushed.
        kind: "assignments" or "events": what the calls with numbers 0 and 1 of the load were.
        log: of `load.drive`.
        events_a_batch: how many events each batch had, with ids "unit-number".
    """
    asked = [row for row in log if row[3] == 0]
    drawn, rows, files = _truth(site, sorted({row[4] for row in asked}))
    events = stored(files)
    found = assignments_wrong(asked, drawn, rows, Counter(row[1] for row in events if row[2] == "Experiment Viewed"))
    if kind == "events":
        found |= events_wrong([row for row in log if row[3] == 1], Counter(row[0] for row in events), events_a_batch)
    return found


def assignments_wrong(
    asked: Sequence[Sequence[Any]], drawn: dict[str, str], rows: Sequence[Sequence[str]], exposures: Counter[str]
) -> dict[str, int]:
    """Of assignments: wrong variants; answered units without a row or exposure (lost), or with two (doubled)."""
    answered = {(row[4], json.loads(row[5])["variant"]) for row in asked if row[2] == 200}
    units, kept = {unit for unit, _ in answered}, Counter(unit for unit, _ in rows)
    stored_variant = {unit: variant for unit, variant in rows}  # noqa: C416 - rows are lists
    return {
        "wrong variants": sum(
            drawn[unit] != variant or stored_variant.get(unit) != variant for unit, variant in answered
        ),
        "lost assignments": sum(kept[unit] == 0 for unit in units),
        "doubled assignments": sum(number > 1 for number in kept.values()),
        "lost exposures": sum(exposures[unit] == 0 for unit in units),
        "doubled exposures": sum(number > 1 for number in exposures.values()),
    }


def events_wrong(sent: Sequence[Sequence[Any]], kept: Counter[str], events_a_batch: int) -> dict[str, int]:
    """Of batches: events that were accepted and aren't there (lost), and any event that is there twice (doubled)."""
    accepted = [f"{row[4]}-{number}" for row in sent if row[2] == 200 for number in range(events_a_batch)]
    possible = [f"{row[4]}-{number}" for row in sent for number in range(events_a_batch)]
    return {
        "lost events": sum(kept[name] == 0 for name in accepted),
        "doubled events": sum(kept[name] > 1 for name in possible),
    }


def _truth(site: Site, units: Sequence[str]) -> tuple[dict[str, str], list[list[str]], list[str]]:
    path = site.folder / "units.json"
    path.write_text(json.dumps(units))
    drawn, rows, files = site.run(TRUTH.replace("UNITS", repr(str(path))).replace("FLAG", repr(FLAG)))
    return drawn, rows, files
