"""A lab from the event log: exposures of sets of nudges, behaviours and outcome, through the real questions."""

import numpy as np
import pytest

from experiments.analyse.analyse_experiment import analyse_answers
from experiments.plan import derived
from experiments.plan.lab import nudges_in
from experiments.plan.record import Claim, PlannedNudge
from stats.instrument.causes import State
from tests.experiments.analyse.labs.lab_world import lab_plan
from tests.experiments.ask import ask
from tests.experiments.log import END, did, met
from tests.experiments.make_readout import CLEAN, TODAY, opened
from tests.stats.make import computed

NUDGES = (PlannedNudge("pals", 5_000, "add"), PlannedNudge("talk", 5_000, "chat", 2))


@pytest.mark.slow
def test_lab__from_the_log__finds_the_behaviour_that_keeps_users() -> None:
    planned = lab_plan(
        nudges=NUDGES,
        key="x",
        primary=("window:2-3",),
        claim=Claim("add", "an add", "add", 1, 2, "window:2-3", 0.4, 0.3, 0.5),
        planned_units=1_600,
    )
    rng = np.random.default_rng(1)
    rows, on, acts, kept = [], [], [], []
    for place in range(1_600):
        user, variant = f"u{place}", planned.plan.arms[place % 4]
        has = [nudge.key in nudges_in(variant) for nudge in NUDGES]
        adds, chats = rng.random(2) < 0.15 + 0.5 * np.array(has)
        stays = bool(rng.random() < 0.2 + 0.5 * adds)
        rows.append(met(user, variant, 0))
        rows += [did(user, "add", 1)] if adds else []
        rows += [did(user, "chat", 2), did(user, "chat", 3)] if chats else [did(user, "chat", 2)]  # once isn't enough
        rows += [did(user, "play", 50)] if stays else []
        on.append(has)
        acts.append([adds, chats])
        kept.append(stays)

    answers = ask(rows, derived.asked(planned.plan), END)
    result = opened(analyse_answers(planned, answers, CLEAN, today=TODAY))

    assert dict(result.flow.exposed) == dict.fromkeys(("none", "pals", "talk", "pals.talk"), 400)
    design = np.column_stack([np.ones(1_600), np.array(on, float)])
    direct = np.linalg.lstsq(design, np.array(acts, float))[0][1:]
    assert [computed(row.difference).estimate for row in result.take_ups] == pytest.approx(direct.ravel())
    assert [(row.behaviour, row.times) for row in result.take_ups[:2]] == [("add", 1), ("chat", 2)]
    pals = computed(result.report.outcomes[0].comparisons[0].difference).estimate
    with_it, without = (np.array(kept)[np.array(on)[:, 0] == has].mean() for has in (True, False))
    assert pals == pytest.approx(with_it - without)
    assert result.lab is not None
    assert [row.place.state for row in result.lab.behaviours] == [State.CAUSES, State.INCONCLUSIVE]
