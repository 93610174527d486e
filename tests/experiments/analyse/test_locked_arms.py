"""Whose outcome is locked; and every door that opens the log passes the gate or says why it needn't."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from events.metrics import Behaviour
from events.warehouse.arm_marks import Did, arm_marks
from experiments.analyse.gather.admitting import locked_arms
from experiments.models import Experiment
from tests.experiments.log import START
from tests.experiments.log_store import stored_log
from tests.experiments.make import a_lab, do, draft, running
from tests.experiments.make_readout import RUNNING, make_readout, make_result, stored
from tests.experiments.stored import backdate

ROOT = Path(__file__).parents[3]
OPENS = re.compile(r"with (?:questions|prepared)\(")
PASSES = re.compile(r"refuse_(?:\w+_)?marks\(")
# Modules that open the log for what says nothing of chosen users, or for what passes the gate elsewhere.
WITHOUT = {
    "events/pickers/known_names.py": "whether an event is there at all",
    "events/catalogue/refresh.py": "how often each event is there",
    "aha/explore/groups.py": "the arms of finished experiments; answering passes the gate with each of them",
    "experiments/analyse/analyses.py": "the experiment itself, under its own lock; its plan passed at the start",
    "experiments/analyse/across/overlaps.py": "who is in two experiments, without outcomes",
    "experiments/plan/caps.py": "at the start, behind the gate of the plan",
    "insight_site/selftest/self_tests.py": "by the gate of a study, whose questions it asks",
    "insight_site/demo/whose_site.py": "how many events there are",
    "segments/published/publish.py": "places users by a model",
    "segments/published/rule_members.py": "counts a rule that has passed the gate",
}


@pytest.mark.django_db
def test_locked__are_those_that_have_started_and_show_no_outcome() -> None:
    draft("planned")
    running("running")
    stored("locked", make_result(**RUNNING))
    stored("peeked", make_readout(peek=True, **RUNNING))
    stored("final")
    stored("over", make_result(**RUNNING))
    Experiment.objects.filter(key="over").update(status="concluded")
    Experiment.objects.filter(key="final").update(status="stopped")

    assert {one.key for one in locked_arms()} == {"running", "locked", "peeked"}


@pytest.mark.django_db
def test_locked__tells_the_planned_shares_of_each_arm() -> None:
    row = running("uneven", variants=[{"key": k, "value": k, "weight": w} for k, w in (("a", 9_000), ("b", 1_000))])

    (one,) = locked_arms()

    assert (one.key, one.version, one.planned) == ("uneven", row.version, ((0.9, 0.1),))


@pytest.mark.django_db
def test_locked_lab__tells_which_sets_have_each_nudge() -> None:
    a_lab("lab")
    do("lab", "start")

    (one,) = locked_arms()

    assert (one.key, len(one.planned[0])) == ("lab", 8)
    share = [sum(part for part, has in zip(one.planned[0], group, strict=True) if has) for group in one.groups]
    assert share == pytest.approx([0.5, 0.3, 0.5])


@pytest.mark.slow
@pytest.mark.django_db
def test_locked_lab__an_event_of_all_with_one_nudge__is_refused_and_a_moved_behaviour_is_not(tmp_path: Path) -> None:
    """120 users in 8 sets of three nudges: no set has so many that an event of half of them would tell it apart."""
    a_lab("lab")
    lab = do("lab", "start")
    sets = [arm.key for arm in lab.variants.all()]
    backdate(lab, START - timedelta(hours=1))
    start = START.replace(tzinfo=None)
    rows: list[tuple[Any, ...]] = [("later", "play", start + timedelta(days=9), "{}")]
    for place in range(120):
        arm, user = sets[place % 8], f"u{place}"
        said = f'{{"experiment_id": "lab", "variation_id": "{arm}"}}'
        rows.append((user, "Experiment Viewed", start, said))
        rows += [(user, "panel_open", start + timedelta(hours=1), "{}")] if "pals" in arm.split(".") else []
        often = 0.6 if "chat" in arm.split(".") else 0.4
        rows += [(user, "chat", start + timedelta(hours=1), "{}")] if (place // 8) % 10 < 10 * often else []

    with stored_log(rows, tmp_path):
        marks = arm_marks([Did(Behaviour("panel_open")), Did(Behaviour("chat"))])

    assert {str(condition): key for condition, key in marks.items()} == {"panel_open": "lab"}


def test_doors__that_open_the_log__pass_the_gate_or_say_why_not() -> None:
    opening = {}
    for app in ("events", "segments", "aha", "experiments", "insight_site"):
        for path in (ROOT / app).rglob("*.py"):
            text = path.read_text()
            if OPENS.search(text):
                opening[str(path.relative_to(ROOT))] = bool(PASSES.search(text))

    passing = {name for name, passes in opening.items() if passes}
    assert (
        opening.keys() - passing - {"events/warehouse/session.py", "events/warehouse/explore_session.py"}
        <= WITHOUT.keys()
    )
    assert WITHOUT.keys() <= opening.keys()
