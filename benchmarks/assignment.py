"""OFREP against a bare view under the same server, and evaluations in process against growthbook-python.

    .venv/bin/python benchmarks/assignment.py --seconds 5          # needs `make clients` for growthbook-python

The bare views stand in the same gunicorn and the same Django: one indexed SELECT, and that SELECT with one INSERT in a
transaction. Both are measured twice: behind the site's middlewares with a key (what a hand-written door of this site
would cost), and without any middleware (the floor). SQLite runs once with synchronous=FULL, as the site does, and once
with NORMAL, to show what surviving a power cut costs. The rounds alternate, so that other work on the machine hits all.
"""

import argparse
import http.client
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
CONNECTIONS = 8
SHIM = """
import json, os, re
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bench_settings")
from django.core.handlers.wsgi import WSGIRequest
from django.core.wsgi import get_wsgi_application
from django.db import transaction
from django.http import JsonResponse
from django.utils import timezone
application = get_wsgi_application()
from experiments.models import Assignment
from insight_site.access.permissions import Rule
from insight_site.machine import dispatch
from insight_site.machine.doors import Door

def answer(request, new):
    unit = json.loads(request.read())["context"]["targetingKey"]
    row = Assignment.objects.filter(unit=unit, experiment_id=1).values_list("variant_id", "bucket").first()
    if new:
        with transaction.atomic():
            Assignment.objects.create(unit=unit, experiment_id=1, variant_id=1, bucket=1, assigned_at=timezone.now())
    return JsonResponse({"value": row and row[0]})

rule = Rule("evaluation", "assign:read", ("POST",))
dispatch.DOORS += (
    Door(re.compile("/ofrep/bench/known"), rule, lambda request: answer(request, False)),
    Door(re.compile("/ofrep/bench/new"), rule, lambda request: answer(request, True)),
)
site = application

def application(environ, start_response):
    place = environ["PATH_INFO"]
    if not place.startswith("/bare/"):
        return site(environ, start_response)
    from django.db import close_old_connections
    close_old_connections()
    response = answer(WSGIRequest(environ), place.endswith("new"))
    start_response("200 OK", list(response.items()))
    return [response.content]
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=5.0, help="for each round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=("doors", "process"))
    options = parser.parse_args()
    if options.only != "process":
        bench_doors("sqlite, synchronous=FULL", {}, options)
        bench_doors("sqlite, synchronous=NORMAL", {"BENCH_SYNCHRONOUS": "NORMAL"}, options)
        if os.environ.get("BENCH_POSTGRES"):
            bench_doors("PostgreSQL", {"DATABASE_URL": os.environ["BENCH_POSTGRES"]}, options)
    if options.only != "doors":
        bench_process()


def bench_doors(name: str, extra: dict[str, str], options: argparse.Namespace) -> None:
    from tests.clients.flags import arms, create, issue
    from tests.clients.server import Site, fresh_database

    with tempfile.TemporaryDirectory(prefix="insight-bench-") as folder_name:
        folder = Path(folder_name)
        (folder / "bench_wsgi.py").write_text(SHIM)
        (folder / "bench_settings.py").write_text(
            "from insight_site.settings import *\nimport os\n"
            "if os.environ.get('BENCH_SYNCHRONOUS'):\n    DATABASES['default']['OPTIONS']['init_command'] = "
            "'PRAGMA journal_mode=WAL; PRAGMA synchronous=' + os.environ['BENCH_SYNCHRONOUS']\n"
        )
        if "DATABASE_URL" in extra:
            os.environ["DATABASE_URL"] = extra["DATABASE_URL"]
        with fresh_database(folder) as url:
            site = Site(folder, url, LOG_LEVEL="INFO", **{k: v for k, v in extra.items() if k != "DATABASE_URL"})
            site.environment["PYTHONPATH"] = f"{folder}:{ROOT}"
            site.manage("migrate", "-v0")
            create(site, {"key": "bench", "variants": arms(5_000, 5_000)})
            key = issue(site, ("server", 100_000_000, []))[0]
            site.environment["DJANGO_SETTINGS_MODULE"] = "bench_settings"
            with (folder / "log").open("wb") as log:
                command = [sys.executable, "-m", "gunicorn", "bench_wsgi", "--bind", f"127.0.0.1:{site.port}"]
                server = subprocess.Popen(
                    command, cwd=ROOT, env=site.environment, stdout=log, stderr=log, start_new_session=True
                )
            try:
                wait(site.port)
                report(name, site.port, key, options)
            finally:
                os.killpg(server.pid, signal.SIGTERM)
                server.wait()


def wait(port: int) -> None:
    for _ in range(200):
        try:
            http.client.HTTPConnection("127.0.0.1", port, timeout=2).request("GET", "/healthz")
            return
        except OSError:
            time.sleep(0.1)
    raise SystemExit("the server did not start")


def report(name: str, port: int, key: str, options: argparse.Namespace) -> None:
    flag = "/ofrep/v1/evaluate/flags/bench"
    paths = {
        "OFREP known": (flag, False),
        "bare SELECT, with middleware and key": ("/ofrep/bench/known", False),
        "bare SELECT": ("/bare/known", False),
        "OFREP new": (flag, True),
        "bare SELECT + INSERT, with middleware and key": ("/ofrep/bench/new", True),
        "bare SELECT + INSERT": ("/bare/new", True),
    }
    for unit in range(100):
        send(port, flag, key, f"known-{unit}")
    rates: dict[str, list[float]] = {label: [] for label in paths}
    times: dict[str, list[float]] = {label: [] for label in paths}
    for turn in range(options.rounds):
        for label, (path, new) in paths.items():
            rate, seconds = load(port, path, key, new, options.seconds, f"{turn}-{label[:9]}-{path}")
            rates[label].append(rate)
            times[label] += seconds
    print(f"\n{name}, 2 gunicorn workers, {CONNECTIONS} connections, load {os.getloadavg()[0]:.1f}")
    for label in paths:
        cuts = statistics.quantiles(times[label], n=100)
        speed, middle, slow = statistics.median(rates[label]), cuts[49] * 1e3, cuts[98] * 1e3
        print(f"{label:48} {speed:8,.0f}/s  p50 {middle:6.2f} ms  p99 {slow:6.2f} ms")
    for kind, needed in (("known", "bare SELECT"), ("new", "bare SELECT + INSERT")):
        for base in (needed + ", with middleware and key", needed):
            ratio = statistics.median(rates[f"OFREP {kind}"]) / statistics.median(rates[base])
            print(f"  {kind} against {base}: {ratio:.2f}")


def load(port: int, path: str, key: str, new: bool, seconds: float, salt: str) -> tuple[float, list[float]]:
    """Requests a second and the time of each, from so many connections at once."""
    end, times, lock = time.perf_counter() + seconds, [], threading.Lock()

    def run(number: int) -> None:
        mine, count = [], 0
        while (began := time.perf_counter()) < end:
            count += 1
            send(port, path, key, f"{salt}-{number}-{count}" if new else f"known-{count % 100}")
            mine.append(time.perf_counter() - began)
        with lock:
            times.extend(mine)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(CONNECTIONS)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(times) / (time.perf_counter() - started), times


def send(port: int, path: str, key: str, unit: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    body = json.dumps({"context": {"targetingKey": unit}})
    connection.request("POST", path, body, {"X-API-Key": key, "Content-Type": "application/json"})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    if answer.status != 200:
        raise SystemExit(f"{path}: {answer.status} {content[:300]!r}")


THEIRS = """
import json, sys, time
from growthbook import GrowthBook
features, ids = json.load(sys.stdin)
started = time.process_time()
for unit in ids:
    book = GrowthBook(attributes={"id": unit}, features=features)
    book.eval_feature("bench")
fresh = len(ids) / (time.process_time() - started)
book = GrowthBook(attributes={"id": "x"}, features=features)
started = time.process_time()
for unit in ids:
    book.set_attributes({"id": unit})
    book.eval_feature("bench")
print(json.dumps([fresh, len(ids) / (time.process_time() - started)]))
"""


def bench_process() -> None:
    from experiments.draw.bucketing import choose_all, read_units, unit_hashes
    from experiments.draw.evaluation import Arm, Flag, Row, draw
    from experiments.serve.payload import features

    row = Row(None, None, 0.8, (0.34, 0.33, 0.33))
    arms = tuple(Arm(n, f"arm{n}", f"arm{n}", f"arm{n}") for n in range(3))
    flag = Flag(1, "bench", "bench", "bench", 1, "running", "none", arms, (row,), "9f2c41d07ab3")
    ids = [f"{n * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128:032x}" for n in range(1_000_000)]
    print(f"\nin process, one core of processor time, load {os.getloadavg()[0]:.1f}")
    ours = timed(
        "ours, one unit at a time", 100_000, lambda: [draw(flag, u, is_new=True, row=row) for u in ids[:100_000]]
    )
    read = timed("read a million ids", len(ids), lambda: read_units(ids))
    units = read_units(ids)
    timed("hash them, once read", len(ids), lambda: unit_hashes("seed", units))
    drawn = timed("draw the arms, once read", len(ids), lambda: choose_all(unit_hashes(flag.seed, units), row.ranges))
    both = 1 / (1 / read + 1 / drawn)
    print(f"{'read and draw':28} {both:14,.0f}/s")
    python = ROOT / ".venv-clients" / "bin" / "python"
    if not python.exists():
        print("growthbook-python is not installed: make clients")
        return
    given = json.dumps([features([flag]), ids[:50_000]]).encode()
    done = subprocess.run([python, "-c", THEIRS], input=given, capture_output=True, check=True)
    fresh, kept = json.loads(done.stdout)
    print(f"{'growthbook-python, new object':28} {fresh:14,.0f}/s\n{'growthbook-python, kept':28} {kept:14,.0f}/s")
    print(f"against growthbook-python (kept): one at a time {ours / kept:.1f}, read and draw {both / kept:.0f} times")


def timed(name: str, count: int, job: object) -> float:
    best = 0.0
    for _ in range(3):
        started = time.process_time()
        job()  # type: ignore[operator]
        best = max(best, count / (time.process_time() - started))
    print(f"{name:28} {best:14,.0f}/s")
    return best


if __name__ == "__main__":
    main()
