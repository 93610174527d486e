"""A team's work on the pages, done by services: segments, study, plan, start, end, analysis.

Two things bypass the services, since the made-up users lived in the past: the dates of the demo's experiments are moved
back to match, and the output says so (`backdate`); and so are the receipt times of events (`receive_when_sent`).
"""

import json
import os
import random
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext, gettext_noop

from aha.models import AhaMoment, Study
from aha.moments.promote import promote_candidate
from aha.study.question import Inputs
from aha.study.studies import create_study, run_study
from events.catalogue.save_metrics import certify, create_metric
from events.metrics.facts import About, Facts
from events.models import OutboxEvent
from events.simulation.worlds import OTHER, RETENTION
from experiments.analyse.analyses import create_analysis, run_analysis
from experiments.models import Analysis, ConfigVersion, Experiment, Registration, ReviewAnswer
from experiments.plan.drafts import create_draft, draft_from_moment, update_draft
from experiments.plan.fields import Enrolment, ExperimentKind, ValueType
from experiments.plan.lifecycle import Action
from experiments.plan.moves import move
from experiments.plan.record import WHOLE, PlannedNudge
from experiments.plan.registration import register
from experiments.plan.review import answer_review, ask_for_review
from experiments.serve.shipping import Asked
from experiments.status.rollout_moves import advice, ship_winner
from insight_site.demo import texts
from insight_site.demo.made_up_users import SIGNUPS, WORLD
from insight_site.demo.whose_site import LAB, METRIC, SECOND, SEGMENTS
from reporting.document import dump
from runs.refusals import Refused
from runs.site_zone import site_date
from segments.models import SegmentVersion
from segments.published.publish import publish_rule, refresh

# Runs the site as in production while the demo needs it: gunicorn on a loopback port over our own data.

WORKERS = 2
# Server, segment_units and the command write to one SQLite file: each waits longer for the lock than a request may.
LOCK_SECONDS = 20
START_SECONDS = 90


@contextmanager
def served(folder: Path) -> Iterator[int]:
    """Start the server and yield its port; stop it afterwards.

    Args:
        folder: for its log.

    Raises:
        Refused: when it doesn't start, with the end of its log.
    """
    port = _free_port()
    log = folder / "gunicorn.log"
    command = [
        sys.executable,
        "-m",
        "gunicorn",
        "insight_site.wsgi",
        "--bind",
        f"127.0.0.1:{port}",
        "--workers",
        str(WORKERS),
        "--threads",
        "2",
    ]
    with log.open("ab") as out:
        process = subprocess.Popen(
            command, cwd=settings.BASE_DIR, env=environment(), stdout=out, stderr=out, start_new_session=True
        )
    try:
        _wait(process, port, log)
        yield port
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def environment() -> dict[str, str]:
    """This process's settings for the server; plain HTTP, which never leaves the machine."""
    # A starting server empties the metrics folder, which may belong to a running site.
    given = {name: value for name, value in os.environ.items() if name != "PROMETHEUS_MULTIPROC_DIR"}
    return {
        # On a small machine busy-waiting threads of OpenMP would slow everything.
        "OMP_NUM_THREADS": "1",
        **given,
        **_places(),
        "ALLOWED_HOSTS": "127.0.0.1",
        "HTTPS": "0",
        "LOG_LEVEL": "WARNING",
        "DATABASE_LOCK_SECONDS": str(LOCK_SECONDS),
        "DATABASE_SYNCHRONOUS": "NORMAL",  # no fsync: after a power cut the demo is made again
        "DJANGO_SETTINGS_MODULE": "insight_site.settings",
    }


def wait_for_others() -> None:
    """Make this process wait for SQLite's lock like the server, and skip fsync."""
    if connection.vendor == "sqlite":
        options = connection.settings_dict["OPTIONS"]
        options["timeout"] = LOCK_SECONDS
        options["init_command"] = options["init_command"].replace("=FULL", "=NORMAL")
        connection.close()


def _places() -> dict[str, str]:
    """Absolute paths of database and store, since the server starts in another folder; URLs are inherited."""
    places: dict[str, str] = {}
    if connection.vendor == "sqlite":
        places["DATABASE_URL"] = f"sqlite:///{Path(connection.settings_dict['NAME']).absolute()}"
    if "://" not in settings.EVENTS_URL:
        places["EVENTS_URL"] = str(Path(settings.EVENTS_URL).absolute())
    return places


def _wait(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5):
            return
        time.sleep(0.05)
    raise Refused("The site did not start: {said}", said=log.read_text(errors="replace")[-500:].strip())


def _free_port() -> int:
    """A port below the system's ephemeral range, so that no outgoing connection takes it meanwhile."""
    for port in random.sample(range(20_000, 32_000), 100):
        with closing(socket.socket()) as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise Refused("There is no free port between 20000 and 32000 on this machine.")


# Work around the demo's experiments: certify a metric, roll the winner out, review a plan before its start.

_CONTROL, AFTER_THE_VERDICT_NUDGE = WORLD.arms
ABOUT = About(
    name_en="Active in week four",
    name_ko="4주차 잔존",
    description=gettext_noop("Users who come back in their fourth week. The team decides by it."),
    owner="demo team",
    tags=("core",),
)
ANSWER = gettext_noop("The size fits what you hope for. A first test may go without a placebo.")
TENTH, HALF = 1_000, 5_000  # shares, in steps of 0.01 %


def agree_on_a_metric() -> None:
    """Add the retention metric that all decisions use to the catalogue, and certify it."""
    create_metric(key=METRIC, about=replace(ABOUT, description=gettext(ABOUT.description)), facts=Facts(RETENTION))
    certify(key=METRIC, version=1)


def roll_out(experiment: Experiment) -> bool:
    """Ship the nudge to a tenth of users now, to half in a week; False if the decision table doesn't say to ship."""
    if AFTER_THE_VERDICT_NUDGE not in advice(experiment).proved:
        return False
    steps = [{"share": TENTH}, {"share": HALF, "at": timezone.now() + timedelta(days=7)}]
    ship_winner(
        experiment=experiment, arm=AFTER_THE_VERDICT_NUDGE, rows=[{"segment": None, "steps": steps}], asked=Asked()
    )
    return True


def review(draft: Experiment, asks: User, approves: User) -> None:
    """One person requests a review of a draft, another approves it.

    Raises:
        Refused: the draft can't be reviewed, or the second person may not approve it.
    """
    ask_for_review(key=draft.key, by=asks, reviewers=[approves], note=gettext("May this start next week?"))
    answer_review(key=draft.key, by=approves, kind=ReviewAnswer.Kind.APPROVED, text=gettext(ANSWER))


# Receipt times of events that the demo sends today on behalf of past weeks.

PROMPT = timedelta(hours=1)  # sent within: received when it happened
ROWS_AT_ONCE = 500


def noting_late(calls: Iterable[dict[str, Any]], late: dict[str, datetime]) -> Iterator[dict[str, Any]]:
    """The same calls; of those sent over an hour late the time of sending is noted, by message id."""
    for call in calls:
        happened, sent = (datetime.fromisoformat(call[name]) for name in ("timestamp", "sentAt"))
        if sent - happened > PROMPT:
            late[call["messageId"]] = sent
        yield call


def receive_when_sent(late: Mapping[str, datetime]) -> None:
    """Set the receipt times of all waiting events: when each happened, or when it was sent if that was late."""
    OutboxEvent.objects.update(received_at=F("time"))
    rows = []
    for row in OutboxEvent.objects.only("message_id", "received_at").iterator():
        if (sent := late.get(row.message_id.rpartition(":")[2])) is not None:
            row.received_at = sent
            rows.append(row)
    OutboxEvent.objects.bulk_update(rows, ["received_at"], batch_size=ROWS_AT_ONCE)


SIGNUP = "signup"
STYLE, KOREA = SEGMENTS
COVARIATES = ["platform", "channel", "country"]
# What this made-up team expects of its nudge: it moves a fifth of new users to the moment.
TAKE_UP = 0.2
# Smallest effect: five points of retention among users whom the nudge moves is what this team would act on; the draft
# proposes a tenth of the study's adjusted difference.
SMALLEST_EFFECT = 0.05
# Smallest effect of the next experiment: with the few users still signing up, a smaller one would take years.
NEXT_EFFECT = 0.25
KOREANS = {"all": [{"trait": "country", "is": "KR"}]}
CONTROL, NUDGE = WORLD.arms
# Nudges of the lab, as the simulated world calls them.
TO_FRIENDS, TO_CHAT = "friends", "chat"
LAB_TAKE_UP = 0.3  # what the team expects of either


class Segmentation:
    """`segment_units` in a separate process, as a scheduled job would run it, so that the study needn't wait."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.log = (folder / "segment_units.log").open("w+")
        command = [
            sys.executable,
            "manage.py",
            "segment_units",
            "--signup-event",
            SIGNUP,
            "--window",
            "0",
            "13",
            "--retention",
            RETENTION,
            "--publish",
            STYLE,
            "--seed",
            str(seed),
            "--json",
        ]
        self.process = subprocess.Popen(
            command, cwd=settings.BASE_DIR, env=environment(), stdout=subprocess.PIPE, stderr=self.log
        )

    def finish(self) -> dict[str, Any]:
        """Wait for it; returns its JSON document.

        Raises:
            Refused: it found nothing to publish, or failed; with its last line of output.
        """
        out, _ = self.process.communicate()
        self.log.seek(0)
        lines = self.log.read().strip().splitlines()
        if self.process.returncode:
            if lines:
                raise Refused(lines[-1])
            raise Refused("segment_units ended with status {number}.", number=self.process.returncode)
        document: dict[str, Any] = json.loads(out)
        return document

    def close(self) -> None:
        """Kill it if it still runs."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()
        self.log.close()


def find_moment(seed: int) -> tuple[Study, AhaMoment, AhaMoment | None]:
    """Run a study of all events, and promote its first two candidates (or the only one) to AHA moments.

    Raises:
        Refused: the study failed or has no candidate.
    """
    inputs = Inputs(signup_event=SIGNUP, days=(1, 3, 7), max_times=20, retention=RETENTION)
    study = create_study(inputs=inputs, title=gettext(texts.STUDY), seed=seed)
    run_study(study.pk)
    study.refresh_from_db()
    if study.payload is None:
        raise Refused("The study failed: {reason}", reason=study.reason)
    rows = study.payload["candidates"][:2]
    if not rows:
        raise Refused("The study has no candidate: try more --units.")
    made = [
        promote_candidate(study=study, behaviour=row["behaviour"], times=row["times"], days=row["days"]) for row in rows
    ]
    return study, made[0], made[1] if len(made) > 1 else None


def name_players_in_korea() -> SegmentVersion:
    """A segment by rule on a trait that the app sends at the signup."""
    return publish_rule(key=KOREA, name=gettext("Players in Korea"), signup_event=SIGNUP, rule=KOREANS)


def plan_experiment(moment: AhaMoment, units: int, seed: int) -> Experiment:
    """The draft of the moment's experiment, completed by the team: the nudge, strata and covariates."""
    draft = draft_from_moment(moment=moment, take_up=TAKE_UP)
    return update_draft(
        key=draft.key,
        nudge=gettext("A step of the tutorial that shows three players to befriend."),
        covariates=COVARIATES,
        # Size and end as a team plans them from its signup rate; one seed, one draw.
        planned_end=site_date() + SIGNUPS,
        planned_units=units,
        smallest_effect=SMALLEST_EFFECT,
        seed=f"demo-{seed}",
        audience=[{"segment_key": f"{KOREA}.v1"}, {"segment_key": None}],
    )


def plan_second(units: int, seed: int) -> Experiment:
    """A plain A/B test that is still enrolling when the demo ends."""
    return create_draft(
        key=SECOND,
        name=gettext("Banner that invites to a guild"),
        hypothesis=gettext("A banner in the lobby makes more players stay."),
        nudge=gettext("A banner in the lobby."),
        value_type=ValueType.BOOLEAN,
        default_value=False,
        variants=[{"key": CONTROL, "value": False, "weight": 5_000}, {"key": NUDGE, "value": True, "weight": 5_000}],
        primary_metrics=["window:14-20"],
        enrolment=Enrolment.NEW_UNITS,
        smallest_effect=0.03,
        planned_units=max(3 * units, 100),
        planned_end=site_date() + timedelta(days=28),
        covariates=COVARIATES,
        seed=f"demo-second-{seed}",
    )


def plan_lab(tested: Experiment, units: int, length: timedelta, seed: int) -> Experiment:
    """A lab of two nudges: which of two behaviours is it, the moment's or one that goes with it?

    It measures what the moment's own test has measured, so that the map of causes reads both together.

    Args:
        tested: the moment's experiment.
        units: of the lab; `length` of its enrolment.
        seed: of the draw.
    """
    moment: Any = tested.moment
    listed = {row["behaviour"]: row for row in tested.other_behaviours}
    chat = listed.pop(OTHER, {"times": moment.times})
    nudges = (
        PlannedNudge(
            TO_FRIENDS,
            WHOLE // 2,
            moment.behaviour,
            moment.times,
            LAB_TAKE_UP,
            name=gettext("Three players to befriend"),
            words=gettext("A step of the tutorial that shows three players to befriend."),
        ),
        PlannedNudge(
            TO_CHAT,
            WHOLE // 2,
            OTHER,
            chat["times"],
            LAB_TAKE_UP,
            name=gettext("The chat opens by itself"),
            words=gettext("The chat opens at the end of the tutorial."),
        ),
    )
    return create_draft(
        key=LAB,
        kind=ExperimentKind.LAB,
        name=gettext("Friends or chat?"),
        hypothesis=gettext("Friends keep players. Chatting only goes with it: whoever has friends chats."),
        moment=moment,
        nudges=[dump(nudge) for nudge in nudges],
        other_behaviours=list(listed.values()),
        primary_metrics=[moment.retention],
        enrolment=Enrolment.NEW_UNITS,
        smallest_effect=SMALLEST_EFFECT,
        planned_units=units,
        planned_end=site_date() + length,
        seed=f"demo-lab-{seed}",
    )


def draft_next(moment: AhaMoment, units: int) -> Experiment:
    """A draft that waits for review."""
    draft = draft_from_moment(moment=moment, take_up=TAKE_UP)
    return update_draft(
        key=draft.key,
        nudge=gettext("The lobby opens with a page of things to try next."),
        smallest_effect=NEXT_EFFECT,
        planned_effect=NEXT_EFFECT,
        planned_units=units,
        planned_end=site_date() + SIGNUPS,
    )


def start(experiment: Experiment, at: datetime) -> Experiment:
    """Start it, and move its start date back to `at`."""
    move(key=experiment.key, action=Action.START, why="demo")
    return backdate(experiment, started_at=at)


def stop(experiment: Experiment, at: datetime) -> Experiment:
    """Stop it, and move its stop date back to `at`."""
    move(key=experiment.key, action=Action.STOP, why="demo")
    return backdate(experiment, stopped_at=at)


def backdate(experiment: Experiment, **dates: datetime) -> Experiment:
    """Move the dates of a demo experiment back to its users' time, in its row and its history.

    The planned end moves by the same amount as the start, so the planned duration is unchanged.
    """
    row = Experiment.objects.get(pk=experiment.pk)
    values: dict[str, Any] = dict(dates)
    if (began := dates.get("started_at")) is not None and row.started_at is not None:
        values["created_at"] = began - timedelta(days=1)
        if row.planned_end is not None and row.moment is not None:
            values["planned_end"] = row.planned_end - (row.started_at - began)
    Experiment.objects.filter(pk=row.pk).update(**values)
    if "created_at" in values:
        row.history.filter(started_at__isnull=True).update(history_date=values["created_at"])
    versions = row.history.filter(started_at__isnull=False)
    if "stopped_at" in dates:
        versions = versions.filter(stopped_at__isnull=False)
    versions.update(**values, history_date=next(iter(dates.values())))
    if "planned_end" in values and Registration.objects.filter(experiment=row).delete()[0]:
        register(row)  # its text contains the planned end
    ConfigVersion.touch()
    return Experiment.objects.get(pk=row.pk)


def analyse(experiment: Experiment) -> Analysis:
    """Request an analysis and compute it here, as a worker would.

    Raises:
        Refused: it failed, with its reason.
    """
    analysis = create_analysis(experiment=experiment)
    run_analysis(analysis.pk)
    analysis.refresh_from_db()
    if analysis.payload is None:
        raise Refused("The analysis of {key} failed: {reason}", key=experiment.key, reason=analysis.reason)
    return analysis


def refresh_segments() -> None:
    """Assign users who came since to the published segments."""
    for version in SegmentVersion.objects.filter(model__key__in=SEGMENTS):
        refresh(version=version)
