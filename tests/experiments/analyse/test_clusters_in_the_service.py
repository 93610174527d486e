"""A world of guilds as a stored experiment, from draw to readout, says what a file of the same users says."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from benchmarks.causes.saturation import flag_of, log_of
from events.simulation import WORLDS, simulate
from events.simulation.people import draw_people
from events.windows import Clock
from experiments.analyse.analyse_experiment import analyse_answers
from experiments.analyse.gather.answers import Audit
from experiments.analyse.gather.gather import gather
from experiments.analyse.result import Opened
from experiments.draw.many_units import arms_drawn
from experiments.files.analyze import analyze_file
from experiments.plan.derived import Question
from experiments.plan.design import Design
from tests.experiments.analyse.stored_world import plan_of
from tests.experiments.ask import opened
from tests.simulated import experiment_table

UNITS = 3_000


@pytest.mark.slow
def test_guilds__through_the_service__equal_the_file_of_the_same_users(tmp_path: Path) -> None:
    world, flag = WORLDS["guilds"], flag_of("guilds-in-the-service")
    guilds = [f"guild-{place + 1:05d}" for place in draw_people(world, UNITS, 3).guild]
    arm = arms_drawn(flag, flag.rows[0], [""] * UNITS, guilds).astype(np.int64)
    seen = simulate(world, UNITS, 3, arm)
    log, end = log_of(seen, guilds)
    asked = Question("aha-nudge", world.arms, ("window:21-27",), "friend_add", 3, 7, clustered=True)
    with opened(log, end, Clock()) as questions:
        answers = gather(questions, asked, primary=("window:21-27",))
    stored = analyse_answers(plan_of(world.arms, UNITS, cluster="guild"), answers, Audit(0, 0, {}), today=end.date())
    pq.write_table(experiment_table(seen), tmp_path / "guilds.parquet")
    design = Design("variant", "control", ("retained",), unit="unit", behaviour="reached", cluster="guild")

    file = analyze_file(tmp_path / "guilds.parquet", design)

    assert isinstance(stored, Opened)
    assert stored.report.clusters == file.clusters
    ours, theirs = (report.outcomes[0].comparisons[0] for report in (stored.report, file))
    assert vars(ours.difference) == pytest.approx(vars(theirs.difference))
    assert ours.encouragement is not None
    assert theirs.encouragement is not None
    for name in ("take_up", "effect"):
        one, other = (vars(getattr(found.encouragement, name)) for found in (ours, theirs))
        assert {key: value for key, value in one.items() if isinstance(value, float)} == pytest.approx(
            {key: value for key, value in other.items() if isinstance(value, float)}
        )
    assert stored.report.verdict.code == file.verdict.code
