"""The loop from the first event to the verdict, step by step, with the duration of each."""

import base64
import gzip
import http.client
import os
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import batched
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from django.utils import timezone

from aha.models import AhaMoment, Study
from events.catalogue.refresh import refresh_if_due
from events.outbox.flush import flush_events
from events.simulation import LAB as WORLD_OF_LAB
from events.simulation import simulate
from events.simulation.people import Ints
from experiments.models import Analysis, Experiment
from insight_site.demo import insight_week, made_up_users, team, whose_site
from insight_site.demo.made_up_users import Population, TimeLine, import_earlier_tests
from insight_site.demo.team import served, wait_for_others
from insight_site.demo.whose_site import Keys
from insight_site.pages import landing
from insight_site.tidying import untidy
from runs.refusals import Refused

# A client of the site's machine endpoints, as a service would write one: keep-alive, gzip, retries on a busy site.

EVENTS_AT_A_TIME = 1_800  # well below the endpoint's limits of 2,500 events and 500 KiB
UNITS_AT_A_TIME = 100
THREADS = 4
TRIES = 20
AGAIN = (408, 429, 500, 503)  # statuses that are retried, as by the event libraries


class Client:
    """One keep-alive connection with one key."""

    def __init__(self, port: int, key: str) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.headers = {
            "Authorization": "Basic " + base64.b64encode(f"{key}:".encode()).decode(),
            "Content-Type": "application/json",
        }

    def post(self, path: str, body: bytes, headers: dict[str, str]) -> Any:
        """POST, with retries; returns the response's JSON.

        Raises:
            Refused: the site refuses, or all retries failed.
        """
        why = ""
        for attempt in range(TRIES):
            try:
                self.connection.request("POST", path, body, {**self.headers, **headers})
                answer = self.connection.getresponse()
                content = answer.read()
            except (OSError, http.client.HTTPException) as trouble:
                self.connection.close()
                why = type(trouble).__name__
            else:
                if answer.status == 200:
                    return orjson.loads(content)
                why = f"{answer.status} {content[:200].decode(errors='replace')}"
                if answer.status not in AGAIN:
                    break
            time.sleep(min(0.05 * 2**attempt, 2.0))
        raise Refused("The site refused {path}: {why}", path=path, why=why)

    def close(self) -> None:
        """End the connection."""
        self.connection.close()


def client_send(port: int, key: str, calls: Iterable[dict[str, Any]], path: str = "/v1/batch") -> Counter[str]:
    """Send Segment calls in gzip batches over several connections.

    Returns:
        Numbers of `accepted`, `duplicates` and `rejected` events, from the responses.

    Raises:
        Refused: see `Client.post`.
    """
    counts: Counter[str] = Counter()

    def one(client: Client, batch: tuple[dict[str, Any], ...]) -> None:
        body = orjson.dumps({"batch": batch})
        answer = client.post(path, gzip.compress(body, 1), {"Content-Encoding": "gzip"})
        with lock:
            counts.update(
                accepted=answer["accepted"], duplicates=answer["duplicates"], rejected=answer["rejectedCount"]
            )

    lock = threading.Lock()
    _share(port, key, batched(calls, EVENTS_AT_A_TIME), one)
    return counts


def client_evaluate(port: int, key: str, flag: str, contexts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Evaluate a flag for each unit by OpenFeature, one call each, without exposures; results in the same order.

    Raises:
        Refused: see `Client.post`.
    """
    answers: list[dict[str, Any]] = [{}] * len(contexts)

    def some(client: Client, places: tuple[int, ...]) -> None:
        for place in places:
            body = orjson.dumps({"context": contexts[place]})
            answers[place] = client.post(f"/ofrep/v1/evaluate/flags/{flag}?exposure=0", body, {})

    _share(port, key, batched(range(len(contexts)), UNITS_AT_A_TIME), some)
    return answers


def _share[T](port: int, key: str, work: Iterator[T], handle: Callable[[Client, T], None]) -> None:
    """Process work with several threads, each with its own connection."""
    lock = threading.Lock()
    failed = threading.Event()

    def run() -> None:
        with closing(Client(port, key)) as client:
            while not failed.is_set():
                with lock:
                    piece = next(work, None)
                if piece is None:
                    return
                try:
                    handle(client, piece)
                except BaseException:
                    failed.set()
                    raise

    with ThreadPoolExecutor(THREADS) as pool:
        for done in [pool.submit(run) for _ in range(THREADS)]:
            done.result()


EARLIER_SHARE, FEWEST_EARLIER = 0.25, 1_500
RECENT_SHARE = 0.15
LAB_SHARE = 0.45  # of whom two in five sign up in the weeks of the lab
NEXT_SHARE = 0.16  # enough users for 80 % power at the effect of the next plan
SECOND_DAYS = timedelta(days=14)
SEEN_SECONDS = 2.1  # a changed experiment reaches every process of the site within two seconds


@dataclass
class Told:
    """Prints one progress line per step, with its duration."""

    write: Callable[[str], object]
    began: float = field(default_factory=time.monotonic)
    number: int = 0

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        """Run a step; print its line at the end."""
        started = time.monotonic()
        yield
        self.number += 1
        now = time.monotonic()
        self.write(f"demo: {self.number:2d}. {text} ({now - started:.1f} s, {now - self.began:.0f} s in all)")


@dataclass(frozen=True)
class Site:
    """Where the demo sends its calls: the port and its two keys."""

    port: int
    keys: Keys

    def send(self, calls: Iterator[dict[str, Any]], path: str = "/v1/batch", *, in_time: bool = False) -> None:
        """Send events through the ingest endpoint and flush them to the store.

        Args:
            calls: Segment calls.
            path: of the endpoint.
            in_time: set the receipt times back to when the app sent the events. The demo sends the events of weeks in
                one minute; with today's receipt a running experiment would report that nearly all of them came late.
        """
        late: dict[str, datetime] = {}
        counts = client_send(self.port, self.keys.events, team.noting_late(calls, late) if in_time else calls, path)
        if not counts["accepted"] or counts["rejected"]:
            raise Refused(
                "The ingest door took {accepted} events and refused {rejected}.",
                accepted=counts["accepted"],
                rejected=counts["rejected"],
            )
        if in_time:
            team.receive_when_sent(late)
        flush_events()

    def evaluate(self, flag: str, contexts: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Assign users to arms through the OpenFeature endpoint."""
        return client_evaluate(self.port, self.keys.evaluation, flag, contexts)


@dataclass(frozen=True)
class Made:
    """The rows that the loop created.

    Attributes:
        study, moment: what was found; `experiment` and `analysis` test it.
        new: the experiment's users in their assigned arms.
        lab: two nudges at once, over and analysed.
        second: the experiment that still runs.
        draft: a draft of a further one; None when the study had only one candidate.
        notes: sentences about what could not be created.
    """

    study: Study
    moment: AhaMoment
    experiment: Experiment
    analysis: Analysis
    new: Population
    lab: Experiment
    second: Experiment
    draft: Experiment | None
    notes: tuple[str, ...]


def run(*, units: int, seed: int, write: Callable[[str], object]) -> Made:
    """Run the whole loop on a site that `whose_site.prepare` has found empty.

    Args:
        units: users of the experiment.
        seed: random seed; the same seed gives the same users and the same assignment.
        write: takes one line for each step.

    Raises:
        Refused: where a step can't go on, with the reason.
    """
    progress, line = Told(write), made_up_users.line_of(timezone.now())
    # Study and segmentation share the cores: busy-waiting threads of OpenMP would slow both.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    wait_for_others()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="insight-demo-")))
        with progress.step("A source, its keys, and the site under gunicorn on a loopback port"):
            site = Site(stack.enter_context(served(folder)), whose_site.open_doors())
        stack.callback(whose_site.close_doors)
        earlier = _bring_earlier(progress, site, line, units, seed)
        team.agree_on_a_metric()
        with progress.step("Three past tests of other tools, imported as evidence about the behaviour"):
            import_earlier_tests(folder, seed, line.today.date())
        segmentation = team.Segmentation(folder, seed)
        stack.callback(segmentation.close)
        with progress.step(f"A study of the {earlier.world.units:,} earlier users (segment_units runs beside it)"):
            study, moment, other = team.find_moment(seed)
        experiment, draft = _plan(progress, moment, other, line, units, seed)
        new = _experiment(progress, site, experiment, line, units, seed)
        analysis = _judge(progress, experiment, line)
        # Before events of the last weeks: its questions would move them to the store before their receipt is set back.
        notes = _segments(progress, segmentation)
        few = max(round(units * RECENT_SHARE), 200)
        lab = _lab(progress, site, experiment, line, max(round(units * LAB_SHARE), 200), seed)
        second = _second(progress, site, line, few, seed)
    with progress.step("Every user placed in the published segments"):
        team.refresh_segments()
    with progress.step("What else a team does: a calendar, a launch that nobody drew, an event, a year's forecast"):
        insight_week.write_the_calendar(line)
        insight_week.judge_a_launch(line)
        insight_week.balance_an_event(line.today.date(), seed)
        insight_week.forecast_growth()
    with progress.step("The figures of the first page"):
        refresh_if_due()  # here, since whoever opens the site next would wait for the night of a worker
        untidy.count_hygiene()
        landing.count_retention()
    return Made(study, _again(moment), _again(experiment), analysis, new, _again(lab), _again(second), draft, notes)


def _bring_earlier(progress: Told, site: Site, line: TimeLine, units: int, seed: int) -> Population:
    """Import users from before the experiment, with their traits and events, as history through the import endpoint."""
    number = max(round(units * EARLIER_SHARE), FEWEST_EARLIER)
    earlier = made_up_users.population("earlier", number, seed + 1, line.earlier)
    text = f"{earlier.world.log.user.size:,} events of {number:,} earlier users to /v1/import"
    with progress.step(text):
        site.send(made_up_users.identities(earlier), "/v1/import")
        # An export of history ends with its day, so events from a phone whose clock is ahead don't extend the data.
        everyone = np.ones(number, dtype=np.bool_)
        site.send(made_up_users.calls_until(earlier, seed + 1, {}, line.experiment, everyone), "/v1/import")
    return earlier


def _plan(
    progress: Told, moment: AhaMoment, other: AhaMoment | None, line: TimeLine, units: int, seed: int
) -> tuple[Experiment, Experiment | None]:
    with progress.step(
        f"'{moment}' promoted; its experiment planned, started, and moved back to {line.experiment:%Y-%m-%d}"
    ):
        team.name_players_in_korea()
        experiment = team.start(team.plan_experiment(moment, units, seed), line.experiment)
        return experiment, None if other is None else team.draft_next(other, round(units * NEXT_SHARE))


def _experiment(
    progress: Told, site: Site, experiment: Experiment, line: TimeLine, units: int, seed: int
) -> Population:
    """Assign each new user at the signup, then send the events that they produce in their arm."""
    new = made_up_users.population("new", units, seed, line.experiment)
    with progress.step(f"{units:,} arms, one OFREP call for each new user"):
        new, exposures = _assigned(site, experiment, new, np.arange(units))
    with progress.step(f"{new.world.log.user.size:,} events of the new users to /v1/batch, mishaps included"):
        site.send(made_up_users.calls(new, seed, exposures))
    return new


def _lab(progress: Told, site: Site, tested: Experiment, line: TimeLine, units: int, seed: int) -> Experiment:
    """A lab on the users of the weeks after the experiment, which is over: which of two behaviours keeps players?"""
    between = made_up_users.population("between", units, seed + 3, line.enrolled, world=WORLD_OF_LAB)
    seen = between.signups < made_up_users.microseconds(line.recent)
    inside = np.flatnonzero(seen)
    with progress.step(f"A lab with two nudges on the {inside.size:,} users of the weeks after, its result read"):
        lab = team.start(team.plan_lab(tested, inside.size, line.recent - line.enrolled, seed), line.enrolled)
        between, exposures = _assigned(site, lab, between, inside)
        calls = made_up_users.calls_until(between, seed + 3, exposures, line.today, seen)
        site.send(calls, "/v1/import", in_time=True)
        team.stop(lab, line.recent)
        team.analyse(lab)
    return lab


def _second(progress: Told, site: Site, line: TimeLine, units: int, seed: int) -> Experiment:
    """Send users of the last weeks, and start an experiment on the latest of them that still runs."""
    recent = made_up_users.population("recent", units, seed + 2, line.recent)
    signups, began = recent.signups, line.today - SECOND_DAYS
    seen = np.ones(units, dtype=np.bool_)
    inside = np.flatnonzero(signups >= made_up_users.microseconds(began))
    with progress.step(
        f"A second experiment on the {inside.size:,} users of the last {SECOND_DAYS.days} days, still running"
    ):
        second = team.start(team.plan_second(inside.size, seed), began)
        recent, exposures = _assigned(site, second, recent, inside)
        calls = made_up_users.calls_until(recent, seed + 2, exposures, line.today, seen)
        site.send(calls, "/v1/import", in_time=True)
        team.analyse(second)
    return second


def _assigned(
    site: Site, experiment: Experiment, who: Population, inside: Ints
) -> tuple[Population, dict[str, dict[str, Any]]]:
    """The same users in their assigned arms (those `inside` the experiment), and the content of each exposure event."""
    time.sleep(SEEN_SECONDS)
    contexts, world = who.contexts(), who.world.world
    answers = site.evaluate(experiment.flag_key, [contexts[place] for place in inside])
    arms = np.full(who.world.units, -1, dtype=np.int64)
    exposures = {}
    for place, answer in zip(inside, answers, strict=True):
        if answer["reason"] != "SPLIT":
            continue
        arms[place] = world.arms.index(answer["variant"])
        exposures[contexts[place]["targetingKey"]] = made_up_users.exposure(answer)
    if not exposures:
        raise Refused("The door enrolled nobody into {key}.", key=experiment.key)
    return replace(who, world=simulate(world, who.world.units, who.world.seed, arms)), exposures


def _judge(progress: Told, experiment: Experiment, line: TimeLine) -> Analysis:
    with progress.step("The experiment stopped and analysed, its verdict written back to the moment"):
        team.stop(experiment, line.enrolled)
        analysis = team.analyse(experiment)
    if team.roll_out(experiment):
        progress.write(
            "demo:     The decision table says to ship the nudge: a tenth of users get it now, half in a week"
        )
    return analysis


def _segments(progress: Told, segmentation: team.Segmentation) -> tuple[str, ...]:
    with progress.step("segment_units finished"):
        try:
            segmentation.finish()
        except Refused as refusal:
            return (f"No segments were published: {refusal}",)
    return ()


def _again[T: (AhaMoment, Experiment)](row: T) -> T:
    row.refresh_from_db()
    return row
