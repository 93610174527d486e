"""A lab as served: a flag for each nudge, one draw and one exposure, whichever is asked for, and one nudge shipped."""

import json
from typing import Any

import pytest
from django.utils import timezone

from events.models import OutboxEvent
from experiments.draw.bucketing import unit_hash
from experiments.draw.evaluation import Evaluation, draw
from experiments.models import Assignment, Experiment
from experiments.plan.lab import nudges_in
from experiments.plan.record import WHOLE
from experiments.serve import assign, config, payload, shipping
from experiments.serve.shipping import Asked
from tests.experiments.make import a_lab, do

pytestmark = pytest.mark.django_db
UNITS = [f"unit-{n}" for n in range(300)]
FLAGS = ["lab", "lab.chat", "lab.pals", "lab.quest"]


def ask(key: str, unit: str, *, expose: bool = True, **context: Any) -> Evaluation:
    answer = assign.evaluate(key, unit, context, expose=expose)
    assert isinstance(answer, Evaluation)
    return answer


def started(**fields: Any) -> Experiment:
    a_lab("lab", **fields)
    return do("lab", "start")


def test_flags__of_a_lab__are_one_for_each_nudge_beside_its_own() -> None:
    started()

    assert sorted(config.current().flags) == FLAGS
    assert assign.evaluate("lab.other", "u1", {}) is None


def test_any_flag__asked_first__draws_all_nudges_and_exposes_once() -> None:
    started()

    first = ask("lab.pals", "u1")
    rest = {key: ask(key, "u1") for key in FLAGS}

    assert first.metadata["sticky"] is False
    assert all(answer.metadata["sticky"] is True and answer.variant == first.variant for answer in rest.values())
    row, event = Assignment.objects.get(), OutboxEvent.objects.get()
    assert row.exposed_at == event.time
    told = json.loads(event.properties)
    assert (told["experiment_id"], told["variation_id"]) == ("lab", first.variant)
    has = nudges_in(first.variant)
    values = {key.removeprefix("lab."): rest[key].value for key in FLAGS[1:]}
    assert values == rest["lab"].value == {nudge: nudge in has for nudge in ("pals", "chat", "quest")}


def test_all_at_once__gives_each_flag_its_own_value__and_exposes_nothing() -> None:
    started()

    for unit in UNITS[:40]:
        answers = {answer.flag.flag: answer for answer in assign.evaluate_all(unit, {})}
        assert sorted(answers) == FLAGS
        has = nudges_in(ask("lab.chat", unit, expose=False).variant)
        for nudge in ("pals", "chat", "quest"):
            answer = answers[f"lab.{nudge}"]
            assert isinstance(answer, Evaluation)
            assert answer.value is (nudge in has)
    assert OutboxEvent.objects.count() == 0


def test_nudges__are_drawn_by_themselves__with_their_shares() -> None:
    lab = started()
    flag = config.current().flags["lab"]
    drawn = [draw(flag, f"u{n}", is_new=True, row=flag.rows[0]).arm for n in range(40_000)]

    sets = [nudges_in(flag.arms[arm or 0].key) for arm in drawn]
    share = {nudge["key"]: sum(nudge["key"] in has for has in sets) / len(sets) for nudge in lab.nudges}
    both = sum({"pals", "chat"} <= has for has in sets) / len(sets)

    # Five binomial errors of 40,000 draws: .0125.
    assert abs(share["pals"] - 0.5) < 0.0125
    assert abs(share["chat"] - 0.3) < 0.0125
    assert abs(both - share["pals"] * share["chat"]) < 0.0125


def test_at_most_one__never_gives_two() -> None:
    started(most=1)

    assert {len(nudges_in(ask("lab.pals", unit).variant)) for unit in UNITS} == {0, 1}


def test_payload__has_a_feature_for_each_nudge__with_the_same_draw() -> None:
    started()
    found = payload.features(config.current().flags.values(), timezone.now())

    rules = {key: found[key]["rules"][0] for key in FLAGS}
    assert {key: found[key]["defaultValue"] for key in FLAGS[1:]} == dict.fromkeys(FLAGS[1:], False)
    same = ("key", "seed", "weights", "coverage", "meta", "hashAttribute", "hashVersion")
    assert all(rules[key][name] == rules["lab"][name] for key in FLAGS for name in same)
    for place, entry in enumerate(rules["lab"]["meta"]):
        assert [rules[f"lab.{nudge}"]["variations"][place] for nudge in ("pals", "chat")] == [
            nudge in nudges_in(entry["key"]) for nudge in ("pals", "chat")
        ]


def test_states__of_a_lab__hold_for_each_flag() -> None:
    started()
    ask("lab.pals", "u1")

    do("lab", "pause")

    assert {ask(key, "u1").reason for key in FLAGS} == {"DISABLED"}
    assert {ask(key, "u1").value for key in FLAGS[1:]} == {False}


def test_one_nudge_shipped__stays_with_all_who_had_it__and_reaches_its_share_of_the_others() -> None:
    started()
    before = {unit: nudges_in(ask("lab.pals", unit).variant) for unit in UNITS}
    do("lab", "stop")

    steps = [{"segment": None, "steps": [{"share": 2_000}]}]
    shipping.ship(key="lab", arm="pals", rows=steps, proved=False, asked=Asked(why="we like it"))
    config.forget()

    rollout = config.current().flags["lab"].rollout
    assert rollout is not None
    for unit, has in before.items():
        expected = "pals" in has or unit_hash(rollout.seed, unit) < 0.2
        assert ask("lab.pals", unit).value is expected, unit
        assert ask("lab.chat", unit).value is False
        assert ask("lab", unit).value == (
            {"pals": True, "chat": False, "quest": False}
            if expected
            else dict.fromkeys(("pals", "chat", "quest"), False)
        )
    assert {answer.reason for answer in (ask("lab.pals", unit) for unit in UNITS)} <= {"TARGETING_MATCH", "STATIC"}


def test_one_nudge_shipped__in_the_payload__keeps_the_draws_of_all_sets_with_it() -> None:
    started()
    do("lab", "stop")
    steps = [{"segment": None, "steps": [{"share": 2_000}]}]
    shipping.ship(key="lab", arm="pals", rows=steps, proved=False, asked=Asked(why="we like it"))
    config.forget()
    flag = config.current().flags["lab"]

    rules = payload.features(config.current().flags.values(), timezone.now())["lab.pals"]["rules"]

    kept = rules[0]["filters"][-1]["ranges"]
    assert rules[0]["force"] is True
    for unit in UNITS:
        arm = draw(flag, unit, is_new=True, row=flag.rows[0]).arm
        had = arm is not None and "pals" in nudges_in(flag.arms[arm].key)
        assert any(low <= unit_hash(flag.seed, unit) < high for low, high in kept) is had


def test_weights__of_a_lab__are_those_of_all_sets() -> None:
    lab = started()

    assert sum(lab.variants.values_list("weight", flat=True)) == WHOLE
    assert lab.variants.count() == 8
