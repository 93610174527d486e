"""The main pages with something on them, for tests that look at all of them."""

from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from django.core.cache import cache
from django.utils import timezone

from aha.models import AhaMoment, Study
from events.simulation.event_worlds import EVENT_WORLDS
from events.upkeep.tags_and_owners import set_tags
from experiments.analyse.analyse_experiment import analyse_answers
from experiments.analyse.gather.answers import Audit
from experiments.analyse.payload_versions import READOUT
from experiments.files.analyze import analyze_file
from experiments.files.judge import FILE_REPORT
from experiments.models import Analysis, FinishedTest, HoldoutReading
from experiments.plan.audience import create_holdout
from experiments.plan.design import Design
from insight_site.exports import pictures
from insight_site.models import Audience, AudienceMember, Picture
from launches.balance import kept
from launches.balance.rules import write
from launches.balance.simulation import BALANCE, BalanceReport, balance
from launches.growth.model import GROWTH
from launches.judge import LAUNCH
from launches.models import BalanceRun, GrowthForecast, LaunchReading
from launches.readings import register
from reporting.document import dump
from segments.models import Segment, SegmentationRun, SegmentModel, SegmentVersion
from tests.aha.make_report import INPUTS, result
from tests.aha.make_report import report as study_report
from tests.experiments.analyse.labs.lab_world import draw_users, lab_plan, read
from tests.experiments.make import do, running
from tests.experiments.make_answers import draw_units, make_analysed, make_answers
from tests.experiments.make_holdout import a_plan, a_reading, an_overlap
from tests.experiments.plan.lab_plans import lab_draft, row
from tests.launches.balance.make import rules as balance_rules
from tests.launches.balance.make import world_past
from tests.launches.growth.make import growth_report
from tests.launches.make import read as launch_report
from tests.make import csv_file
from tests.segments.make_report import report as segment_report


@dataclass(frozen=True)
class World:
    """Rows behind the pages."""

    study: Study
    search: SegmentationRun
    analysis: Analysis
    holdout: HoldoutReading
    judged: FinishedTest
    balance: BalanceRun


# Name and address; a later page is one line.
PAGES = {
    "home": "/",
    "data": "/data/",
    "events": "/data/events/",
    "event label": "/data/event/label/?name=signup",
    "live": "/data/live/",
    "what happened": "/data/calendar/",
    "new calendar entry": "/data/calendar/new/",
    "connect": "/data/connect/",
    "segments": "/segments/",
    "new search": "/segments/runs/new/",
    "new rule": "/segments/rules/new/",
    "segmentation": "/segments/runs/{search}/",
    "segment model": "/segments/models/style/",
    "audiences": "/audiences/",
    "new audience": "/audiences/new/",
    "audience": "/audiences/talkers/",
    "environments": "/environments/",
    "time zone": "/settings/time-zone/",
    "another time zone": "/settings/time-zone/?zone=Asia/Seoul",
    "account": "/account/",
    "import": "/data/import/",
    "studies": "/aha/studies/",
    "new study": "/aha/studies/new/",
    "study": "/aha/studies/{study}/",
    "method of a study": "/aha/studies/{study}/?tab=method",
    "candidate": "/aha/studies/{study}/candidates/1/",
    "evidence of a candidate": "/aha/studies/{study}/candidates/1/?tab=evidence",
    "moments": "/aha/moments/",
    "moment": "/aha/moments/friends/",
    "evidence of a moment": "/aha/moments/friends/?tab=evidence",
    "experiments": "/experiments/",
    "calendar": "/experiments/-/calendar/",
    "six weeks": "/experiments/-/six-weeks/",
    "calibration": "/experiments/-/calibration/",
    "map of causes": "/experiments/-/map/",
    "experiment": "/experiments/hint/",
    "experiment over time": "/experiments/hint/results/time/",
    "experiment segments": "/experiments/hint/results/segments/",
    "experiment assumptions": "/experiments/hint/results/assumptions/",
    "experiment numbers": "/experiments/hint/results/numbers/",
    "memo": "/experiments/hint/memo/",
    "lab": "/experiments/players/",
    "lab set-up": "/experiments/players/setup/",
    "lab nudges": "/experiments/next-players/plan/variants/",
    "preview": "/experiments/hint/preview/",
    "explore": "/explore/retention/",
    "experiment health": "/experiments/hint/health/",
    "balances": "/launches/balances/",
    "new balance": "/launches/balances/new/?from={balance}",
    "balance": "/launches/balances/{balance}/",
    "launches": "/launches/",
    "new launch": "/launches/new/",
    "launch": "/launches/autumn-onboarding/",
    "growth": "/growth/",
    "experiment plan": "/experiments/hint/plan/",
    "experiment set-up": "/experiments/hint/setup/",
    "experiment history": "/experiments/hint/history/",
    "stop": "/experiments/hint/do/stop/",
    "amend": "/experiments/hint/amend/",
    "board": "/experiments/?view=board",
    "compare": "/experiments/-/compare/",
    "reviews": "/experiments/-/reviews/",
    "templates": "/experiments/-/templates/",
    "holdouts": "/experiments/-/holdouts/",
    "new holdout plan": "/experiments/-/holdouts/new/",
    "holdout": "/experiments/-/holdouts/{holdout}/",
    "shared users": "/experiments/-/overlap/",
    "finished tests": "/experiments/-/judge/",
    "judged test": "/experiments/-/judge/tests/{judged}/",
    "add a judged test": "/experiments/-/judge/tests/{judged}/add/",
    "search": "/search/?q=fr",
    "nothing found": "/search/?q=nothing",
    "to tidy up": "/upkeep/",
    "tags": "/upkeep/tags/",
    "archived studies": "/aha/studies/?archived=1",
    "glossary": "/glossary/",
    "spent": "/spent/",
    "whats new": "/whats-new/",
    "methods": "/methods/",
    "method": "/methods/discovery/",
}


STEPS = ("hypothesis", "variants", "audience", "outcomes", "plan", "review")
ADMIN_PAGES = {
    "dashboard": "/admin/",
    "experiments": "/admin/experiments/experiment/",
    "change page": "/admin/experiments/experiment/{running}/change/",
    **{f"step {step}": f"/experiments/guild/plan/{step}/" for step in STEPS},
    "keys": "/admin/insight_site/apikey/",
    "quarantine": "/admin/events/rejected/",
}


def path(name: str, world: World) -> str:
    keys = {"study": world.study.pk, "search": world.search.pk, "holdout": world.holdout.plan_id}
    return PAGES[name].format(**keys, judged=world.judged.pk, balance=world.balance.pk)


_drawn: dict[tuple[str, str], list[dict[str, Any]]] = {}


def _draw(label: str, pk: int, name: str = "") -> None:
    """The pictures of a report are the same in every test, and rendering them takes many seconds: once is enough."""
    if (label, name) not in _drawn:
        pictures.draw_run(label, pk)
        _drawn[label, name] = [dict(row) for row in Picture.objects.filter(run_label=label, run_pk=pk).values()]
        return
    Picture.objects.bulk_create(Picture(**{**row, "id": None, "run_pk": pk}) for row in _drawn[label, name])


def make_world() -> World:
    cache.clear()
    study = Study.objects.create(title="Spring", status="done", inputs=dump(INPUTS), **result(study_report()))
    long_ago = timezone.now() - timedelta(days=40)
    Study.objects.create(
        title="Autumn", status="failed", reason="Nobody signed up.", inputs=dump(INPUTS), finished_at=long_ago
    )
    Study.objects.create(title="Put away", status="done", inputs=dump(INPUTS), archived_at=long_ago)
    set_tags(thing=study, names=["onboarding", "q4"])
    made = segment_report()
    search = SegmentationRun.objects.create(
        title="Groups", status="done", inputs=dump(made.inputs), payload=dump(made), share=1.0
    )
    _draw("aha.Study", study.pk)
    _draw("segments.SegmentationRun", search.pk)
    model = SegmentModel.objects.create(key="style", name="Style", kind="cluster")
    version = SegmentVersion.objects.create(refreshed_at="2026-03-01T00:00:00Z", model=model, number=1, run=search)
    for key, name in (("g1", "Fighters"), ("g2", "Builders")):
        Segment.objects.create(version=version, key=key, name=name, stability=0.9, size=1_234)
    moment = AhaMoment.objects.create(
        key="friends",
        name="Three friends",
        behaviour="friend_add",
        times=3,
        days=7,
        signup_event="signup",
        retention="window:14-20",
        status="candidate",
    )
    talkers = Audience.objects.create(key="talkers", name="Talkers", who="not_yet", moment=moment, way="fetched")
    AudienceMember.objects.create(audience=talkers, unit="u1", is_in=True, change=1, changed_at=talkers.created_at)
    analysis = _analysis()
    _draw("experiments.Analysis", analysis.pk)
    _draw("experiments.Analysis", _lab().pk, "lab")
    holdout = a_reading(a_plan(create_holdout(key="2026h2", share=5_000)))
    _draw("experiments.HoldoutReading", holdout.pk)
    an_overlap(locked=False)
    judged = _judged()
    _draw("experiments.FinishedTest", judged.pk)
    _draw("launches.LaunchReading", _reading().pk)
    _draw("launches.GrowthForecast", _growth().pk)
    return World(study, search, analysis, holdout, judged, _balance())


def _reading() -> LaunchReading:
    report = launch_report("launch_step", 1, 60)
    return LaunchReading.objects.create(
        launch=register(answers=report.answers),
        status="done",
        payload=LAUNCH.store(report),
        share=1.0,
        suggestion=report.suggestion,
        finished_at=timezone.now(),
    )


def _balance() -> BalanceRun:
    """A balance whose past is kept, so that its page has thresholds to move."""
    past = world_past(EVENT_WORLDS["event"], 1, users=400)[0]
    rules = balance_rules()
    made = BalanceReport(balance(past, rules))
    run = BalanceRun.objects.create(
        title=rules.title,
        inputs=write(rules),
        status="done",
        payload=BALANCE.store(made),
        share=1.0,
        finished_at=timezone.now(),
    )
    kept.keep(run.pk, past)
    return run


def _growth() -> GrowthForecast:
    return GrowthForecast.objects.create(
        inputs={"weeks": 52},
        status="done",
        payload=GROWTH.store(growth_report()),
        share=1.0,
        finished_at=timezone.now(),
    )


def _judged() -> FinishedTest:
    rng = np.random.default_rng(7)
    nudge = np.arange(2_000) % 2
    did = (rng.random(2_000) < 0.2 + 0.3 * nudge).astype(int)
    columns = {
        "group": np.where(nudge, "nudge", "control").tolist(),
        "did_it": did.tolist(),
        "retained": (rng.random(2_000) < 0.3 + 0.2 * did).astype(int).tolist(),
    }
    with TemporaryDirectory() as folder:
        report = analyze_file(
            csv_file(Path(folder), columns), Design("group", "control", ("retained",), behaviour="did_it")
        )
    return FinishedTest.objects.create(
        name="banner.csv",
        status="done",
        payload=FILE_REPORT.store(report),
        share=1.0,
        verdict=report.verdict.code,
        finished_at=timezone.now(),
    )


def _analysis() -> Analysis:
    readout = analyse_answers(make_analysed(), make_answers(draw_units(6_000)), Audit(0, 0, {}), today=date(2026, 4, 1))
    if readout.verdict is None:
        raise AssertionError("the example is final")
    return Analysis.objects.create(
        experiment=running("hint", name="Hint: add friends"),
        status="done",
        payload=READOUT.store(readout),
        share=1.0,
        verdict=readout.verdict.code,
        final=True,
    )


@lru_cache
def _lab_readout() -> Any:
    planned = lab_plan()
    return read(planned, draw_users(planned, 6_000, 1, moves=[[0.2, 0.04], [0.04, 0.2]], effects=[0.4, 0.0]))


def _lab() -> Analysis:
    """A lab's result, and the draft of another lab."""
    nudges = [row("a", "friend_add", 3, name="Friends banner"), row("b", "chat", name="Chat hint")]
    lab_draft("next-players", *nudges)
    lab_draft("players", *nudges)
    lab, readout = do("players", "start"), _lab_readout()
    return Analysis.objects.create(
        experiment=lab,
        status="done",
        payload=READOUT.store(readout),
        share=1.0,
        verdict=readout.verdict.code,
        final=True,
    )


@pytest.fixture
def world(transactional_db: None) -> World:
    return make_world()
