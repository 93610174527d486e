"""A stored lab from its events to its signed result and what it hands on: plan, question, store, analysis, findings."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.cache import cache

from aha.evidence.store_findings import all_findings
from aha.models import AhaMoment
from experiments.analyse.analyses import create_analysis, run_analysis
from experiments.analyse.codes import Code
from experiments.analyse.payload_versions import READOUT
from experiments.analyse.result import Opened
from experiments.models import Analysis, Experiment
from experiments.plan.lab import nudges_in
from experiments.plan.record import PlannedNudge
from reporting.document import dump
from stats.instrument.causes import State
from tests.experiments.log_store import stored_log
from tests.experiments.make import do, draft
from tests.experiments.stored import backdate

pytestmark = [pytest.mark.slow, pytest.mark.django_db]
NUDGES = (PlannedNudge("pals", 5_000, "add"), PlannedNudge("talk", 5_000, "chat"))
USERS, START = 1_600, datetime(2026, 3, 2, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


def lab() -> Experiment:
    """A stopped lab of two nudges, about the claim that adding keeps users."""
    moment = AhaMoment.objects.create(
        key="adds", name="adds", behaviour="add", times=1, days=2, signup_event="signup", retention="window:2-3"
    )
    draft(
        "lab",
        kind="lab",
        nudges=[dump(nudge) for nudge in NUDGES],
        variants=None,
        primary_metrics=["window:2-3"],
        planned_units=USERS,
        moment=moment,
    )
    row = do("lab", "start")
    backdate(row, START - timedelta(hours=1))
    do("lab", "stop")
    Experiment.objects.filter(pk=row.pk).update(stopped_at=START + timedelta(days=1))
    return Experiment.objects.get(pk=row.pk)


def rows_of(experiment: Experiment) -> list[tuple[Any, ...]]:
    """Exposures of sets of nudges; adding keeps users, chatting doesn't, and each nudge moves its own."""
    rng = np.random.default_rng(1)
    arms = [variant.key for variant in experiment.variants.all()]
    rows: list[tuple[Any, ...]] = []

    def at(user: str, event: str, hours: float, said: str = "{}") -> None:
        rows.append((user, event, (START + timedelta(hours=hours)).replace(tzinfo=None), said))

    for place in range(USERS):
        user, arm = f"u{place}", arms[place % 4]
        has = np.array([nudge.key in nudges_in(arm) for nudge in NUDGES])
        adds, chats = rng.random(2) < 0.15 + 0.5 * has
        at(user, "Experiment Viewed", 0.5, f'{{"experiment_id": "lab", "variation_id": "{arm}"}}')
        for happened, event, hours in (
            (adds, "add", 2),
            (chats, "chat", 3),
            (rng.random() < 0.2 + 0.5 * adds, "play", 50),
        ):
            if happened:
                at(user, event, hours)
    at("later", "play", 24 * 20)
    return rows


def test_lab__from_the_store__is_analysed_stored_and_handed_on(tmp_path: Path) -> None:
    experiment = lab()
    with stored_log(rows_of(experiment), tmp_path):
        row = create_analysis(experiment=experiment)
        assert run_analysis(row.pk), Analysis.objects.get(pk=row.pk).reason

    kept = Analysis.objects.get(pk=row.pk)
    result = READOUT.of(kept)
    assert isinstance(result, Opened)
    assert result.verdict.code is Code.CAUSES
    assert result.lab is not None
    assert sum(result.flow.exposed.values()) == USERS
    assert [(one.behaviour, one.place.state) for one in result.lab.behaviours] == [
        ("add", State.CAUSES),
        ("chat", State.INCONCLUSIVE),
    ]
    assert [finding.source for finding in sorted(all_findings(), key=lambda one: one.source)] == [
        "lab.pals",
        "lab.talk",
    ]
    figures, moment = kept.figures, AhaMoment.objects.get(key="adds")
    assert figures is not None
    assert figures["variant"] == "pals"
    assert "off" not in figures["levels"]  # each nudge has other users without it
    assert moment.finding is not None
    assert moment.finding["code"] == "CAUSES"
