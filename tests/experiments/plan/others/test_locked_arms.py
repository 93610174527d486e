"""Another behaviour asks about users of an experiment whose outcome is locked: it can't tell their arms apart."""

from pathlib import Path
from typing import Any

import pytest

from experiments.models import Experiment
from experiments.plan import others
from experiments.plan.others import proposed_others
from experiments.plan.size import measured_inflow
from runs.refusals import Refused
from tests.attacks.arm_world import KEY, two_logs
from tests.experiments.make import do, draft
from tests.experiments.plan.lab_plans import lab_draft, row
from tests.experiments.plan.others.test_proposal import moment

pytestmark = pytest.mark.django_db
OUTCOME = "window:14-20"


def test_proposal__while_an_outcome_is_locked__leaves_out_events_that_tell_the_arm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = moment(behaviour="invite", times=1, days=7, retention=OUTCOME)
    with two_logs(tmp_path) as (turned, _begin):
        found = []
        for world in (0, 1):
            with turned(world):
                found.append({other.behaviour for other in proposed_others(claim, OUTCOME)})
        monkeypatch.setattr(others, "arm_marks", lambda *_conditions, **_options: {})
        with turned(0):
            without = {other.behaviour for other in proposed_others(claim, OUTCOME)}

    assert found[0] == found[1] == {"share", "chat", "buy"}  # what the nudge moves or leaves alone may be asked about
    assert {"shown_control", "shown_nudge", "welcome"} <= without


def test_plan__with_an_other_behaviour_that_tells_the_arm__may_not_start(tmp_path: Path) -> None:
    claim = moment(behaviour="invite", times=1, days=7, retention=OUTCOME)
    said: dict[str, Any] = {"times": 1, "low": 0.0, "high": 0.1, "origin": "cohort", "consequence": ""}
    with two_logs(tmp_path) as (turned, _begin), turned(0):
        for behaviour in ("chat", "shown_nudge"):
            rows = [{"behaviour": behaviour, **said}]
            draft(f"of-{behaviour}", moment=claim, signup_event="signup", other_behaviours=rows)

        assert do("of-chat", "start").status == "running"
        with pytest.raises(
            Refused, match=f"“shown_nudge” can't be asked about while the outcome of .*“{KEY}” is locked"
        ):
            do("of-shown_nudge", "start")


def test_lab__with_a_nudge_to_a_behaviour_that_tells_the_arm__is_neither_sized_nor_started(tmp_path: Path) -> None:
    claim = moment(behaviour="invite", times=1, days=7, retention=OUTCOME)
    with two_logs(tmp_path) as (turned, _begin), turned(0):
        for behaviour in ("chat", "shown_nudge"):
            nudges = [row("invite", "invite"), row("other", behaviour)]
            lab_draft(f"to-{behaviour}", *nudges, moment=claim, signup_event="signup", primary_metrics=[OUTCOME])

        known = measured_inflow(Experiment.objects.get(key="to-chat"), signup_event="signup")
        assert [name for name, _times, _rate in known.rates] == ["invite", "chat"]
        assert do("to-chat", "start").status == "running"
        refused = f"“shown_nudge” can't be asked about while the outcome of .*“{KEY}” is locked"
        with pytest.raises(Refused, match=refused):
            measured_inflow(Experiment.objects.get(key="to-shown_nudge"), signup_event="signup")
        with pytest.raises(Refused, match=refused):
            do("to-shown_nudge", "start")
