"""A team's work on the pages, done by services: segments, study, plan, start, end, analysis.

One thing bypasses the services, and the output says so: the made-up users lived in the past, so the dates of the demo's
experiments are moved back to match (`backdate`).
"""

import json
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils import timezone

from aha.models import AhaMoment, Study
from aha.moments.promote import promote_candidate
from aha.study.question import Inputs
from aha.study.studies import create_study, run_study
from events.simulation.worlds import RETENTION
from experiments.analyse.analyses import create_analysis, run_analysis
from experiments.models import Analysis, ConfigVersion, Experiment, Registration
from experiments.plan.drafts import create_draft, draft_from_moment, update_draft
from experiments.plan.lifecycle import Action
from experiments.plan.moves import move
from experiments.plan.register import register
from insight_site.demo.made_up_users import SIGNUPS, WORLD
from insight_site.demo.running_site import environment
from insight_site.demo.whose_site import SECOND, SEGMENTS, STUDY
from runs.refusals import Refused
from segments.models import SegmentVersion
from segments.published.publish import publish_rule, refresh

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
        said = self.log.read().strip().splitlines()
        if self.process.returncode:
            if said:
                raise Refused(said[-1])
            raise Refused("segment_units ended with status {number}.", number=self.process.returncode)
        found: dict[str, Any] = json.loads(out)
        return found

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
    study = create_study(inputs=inputs, title=STUDY, seed=seed)
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
    return publish_rule(key=KOREA, name="Players in Korea", signup_event=SIGNUP, rule=KOREANS)


def plan_experiment(moment: AhaMoment, units: int, seed: int) -> Experiment:
    """The draft of the moment's experiment, completed by the team: the nudge, strata and covariates."""
    draft = draft_from_moment(moment=moment, take_up=TAKE_UP)
    return update_draft(
        key=draft.key,
        nudge="A step of the tutorial that shows three players to befriend.",
        covariates=COVARIATES,
        # Size and end as a team plans them from its signup rate; one seed, one draw.
        planned_end=timezone.localdate() + SIGNUPS,
        planned_units=units,
        smallest_effect=SMALLEST_EFFECT,
        seed=f"demo-{seed}",
        audience=[{"segment_key": f"{KOREA}.v1"}, {"segment_key": None}],
    )


def plan_second(units: int, seed: int) -> Experiment:
    """A plain A/B test that is still enrolling when the demo ends."""
    return create_draft(
        key=SECOND,
        name="Banner that invites to a guild",
        hypothesis="A banner in the lobby makes more players stay.",
        nudge="A banner in the lobby.",
        value_type=Experiment.ValueType.BOOLEAN,
        default_value=False,
        variants=[{"key": CONTROL, "value": False, "weight": 5_000}, {"key": NUDGE, "value": True, "weight": 5_000}],
        primary_metrics=["window:14-20"],
        enrolment=Experiment.Enrolment.NEW_UNITS,
        smallest_effect=0.03,
        planned_units=max(3 * units, 100),
        planned_end=timezone.localdate() + timedelta(days=28),
        covariates=COVARIATES,
        seed=f"demo-second-{seed}",
    )


def draft_next(moment: AhaMoment, units: int) -> Experiment:
    """A draft that waits for review."""
    draft = draft_from_moment(moment=moment, take_up=TAKE_UP)
    return update_draft(
        key=draft.key,
        nudge="The lobby opens with a page of things to try next.",
        smallest_effect=NEXT_EFFECT,
        planned_effect=NEXT_EFFECT,
        planned_units=units,
        planned_end=timezone.localdate() + SIGNUPS,
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
    kept = row.history.filter(started_at__isnull=False)
    if "stopped_at" in dates:
        kept = kept.filter(stopped_at__isnull=False)
    kept.update(**values, history_date=next(iter(dates.values())))
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
