"""The order of the checks, stickiness, exposures, and what happens without the database."""

import json
import time
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError

from events.models import OutboxEvent, UnitTraits
from events.outbox import circuit_breaker
from experiments.draw.bucketing import unit_hash
from experiments.draw.evaluation import Evaluation, Failed
from experiments.models import Assignment, ConfigVersion, Experiment, Holdout, Layer
from experiments.plan import amend
from experiments.plan.fields import Enrolment
from experiments.serve import assign, config, overrides, store_assignment
from runs.refusals import Refused
from tests.experiments.make import IOS, cut_off, do, draft, running

pytestmark = pytest.mark.django_db


def ask(key: str = "exp", unit: str = "u1", *, expose: bool = True, **context: Any) -> Evaluation:
    answer = assign.evaluate(key, unit, context, expose=expose)
    assert isinstance(answer, Evaluation)
    return answer


def said(answer: Evaluation) -> tuple[str, str, str | None]:
    extra = {"excludedBy", "state", "reasonDetail"}
    return answer.reason, answer.variant, next((str(v) for k, v in answer.metadata.items() if k in extra), None)


def test_new_unit__single__is_assigned_and_exposed_once() -> None:
    running(seed="9f2c41d07ab3")

    first, second = ask(unit="user-1"), ask(unit="user-1")

    row, event = Assignment.objects.get(), OutboxEvent.objects.get()
    assert (first.reason, first.variant, first.metadata) == ("SPLIT", "banner", {"bucket": 0.6863, "sticky": False})
    assert (second.variant, second.metadata["sticky"]) == ("banner", True)
    assert (row.bucket, row.exposed_at, row.segment_key) == (6863, event.time, None)
    assert (event.user_id, event.event) == ("user-1", "Experiment Viewed")
    assert json.loads(event.properties) == {
        "experiment_id": "exp",
        "variation_id": "banner",
        "experiment_name": "exp",
        "variation_name": "banner",
        "bucket": 0.6863,
        "source": "ofrep",
    }


def test_bulk__assigns_without_exposing__and_the_first_single_call_exposes() -> None:
    running("a")
    running("b")

    answers = assign.evaluate_all("u1", {})

    assert [answer.flag.flag for answer in answers] == ["a", "b"]
    assert (Assignment.objects.count(), OutboxEvent.objects.count()) == (2, 0)
    ask("a", expose=False)
    assert OutboxEvent.objects.count() == 0
    assert ask("a").metadata["sticky"] is True
    assert ask("a").variant == answers[0].variant  # type: ignore[union-attr]
    assert OutboxEvent.objects.count() == 1
    assert Assignment.objects.exclude(exposed_at=None).get().experiment.key == "a"


def test_states__that_are_not_running__answer_as_the_table_says() -> None:
    draft()
    assert assign.evaluate("exp", "u1", {}) is None
    do("exp", "start")
    ask()
    for action, state in (("pause", "paused"), ("stop", "stopped"), ("conclude", "concluded")):
        do("exp", action)
        assert said(ask()) == ("DISABLED", "default", state)
    do("exp", "archive")
    assert assign.evaluate("exp", "u1", {}) is None
    assert OutboxEvent.objects.count() == 1


def test_flag__used_again__serves_the_live_experiment() -> None:
    running("old", flag_key="flag")
    do("old", "stop")
    assert said(ask("flag"))[0] == "DISABLED"

    running("new", flag_key="flag")

    assert ask("flag").flag.key == "new"
    do("new", "stop")
    assert (ask("flag").flag.key, ask("flag").reason) == ("new", "DISABLED")


def test_override__comes_before_the_stored_arm__and_never_exposes() -> None:
    running()
    stored = ask(unit="qa").variant
    other = "control" if stored == "banner" else "banner"
    overrides.set_override(key="exp", unit="qa", variant=other)
    overrides.set_override(key="exp", rule={"all": [{"trait": "staff", "is": True}]}, variant="banner")
    config.forget()

    assert said(ask(unit="qa")) == ("TARGETING_MATCH", other, "override")
    assert said(ask(unit="new", staff=True)) == ("TARGETING_MATCH", "banner", "rule")
    assert ask(unit="new2", staff=1).reason == "SPLIT"  # as in the SDKs, the number 1 is not true
    assert Assignment.objects.count() == OutboxEvent.objects.count() == 2  # qa at first, and new2


def test_enrolment__closed__keeps_who_is_in_and_takes_nobody_new() -> None:
    running()
    arm = ask(unit="known").variant

    do("exp", "close_enrolment")

    assert said(ask(unit="known")) == ("SPLIT", arm, None)
    assert said(ask(unit="new")) == ("STATIC", "default", "enrolment")


def test_anchor__takes_only_who_signed_up_after_the_start() -> None:
    running(enrolment=Enrolment.NEW_UNITS)
    start = Experiment.objects.get().started_at
    assert start is not None
    for unit, created in (("old", -timedelta(seconds=1)), ("edge", timedelta())):
        UnitTraits.objects.create(user_id=unit, traits={"createdAt": (start + created).isoformat()})
    early = (start - timedelta(days=1)).isoformat()
    UnitTraits.objects.create(user_id="heard", traits={"plan": "pro"}, times={"plan": early})
    UnitTraits.objects.create(user_id="odd", traits={"createdAt": "yesterday"}, times={"createdAt": early})

    found = {unit: said(ask(unit=unit))[2] for unit in ("old", "edge", "heard", "odd", "nobody")}

    assert found == {"old": "anchor", "edge": None, "heard": "anchor", "odd": "anchor", "nobody": None}
    assert said(ask(unit="sent", createdAt=early))[2] == "anchor"
    assert said(ask(unit="epoch", createdAt=start.timestamp() - 1))[2] == "anchor"


@pytest.mark.slow
def test_layers__of_two_experiments__exclude_each_other_and_the_holdout_is_out_of_both() -> None:
    layer = Layer.objects.create(key="onboarding")
    Holdout.objects.create(key="2026h2", share=2_000)
    running("a", layer=layer, layer_low=0, layer_high=5_000)
    running("b", layer=layer, layer_low=5_000, layer_high=10_000)

    for number in range(200):
        unit = f"u{number}"
        got = {name: said(ask(name, unit)) for name in ("a", "b")}
        if unit_hash("holdout:2026h2", unit) < 0.2:
            assert {one[2] for one in got.values()} == {"holdout"}
        else:
            inside = "a" if unit_hash("layer:onboarding", unit) < 0.5 else "b"
            assert {name: one[2] for name, one in got.items()} == {
                inside: None,
                ("b" if inside == "a" else "a"): "layer",
            }


def test_segment__by_traits__is_live_over_stored_traits_and_context() -> None:
    rows = [
        {"segment_key": "ios", "rule": IOS, "coverage": 10_000, "weights": [1, 9_999]},
        {"segment_key": "paying", "rule": {"all": [{"trait": "spent", "at_least": 1}]}, "weights": [9_999, 1]},
    ]
    running(audience=rows)
    UnitTraits.objects.create(user_id="stored", traits={"platform": "ios", "spent": 5})

    assert said(ask(unit="stored")) == ("SPLIT", "banner", None)
    assert said(ask(unit="sent", platform="ios")) == ("SPLIT", "banner", None)
    assert said(ask(unit="stored2", spent=1)) == ("SPLIT", "control", None)
    assert said(ask(unit="out", platform="android", spent=0)) == ("STATIC", "default", "segment")
    assert said(ask(unit="liar", segments=["ios"])) == ("STATIC", "default", "segment")
    assert set(Assignment.objects.values_list("unit", "segment_key")) == {
        ("stored", "ios"),
        ("sent", "ios"),
        ("stored2", "paying"),
    }


def test_assigned_unit__is_not_moved_by_its_segment_or_by_coverage() -> None:
    running(audience=[{"segment_key": "ios", "rule": IOS, "coverage": 5_000}])
    units = [f"u{number}" for number in range(60)]
    before = {unit: said(ask(unit=unit, platform="ios")) for unit in units}

    left = {unit: said(ask(unit=unit, platform="android")) for unit in units}
    amend.raise_coverage(key="exp", position=0, coverage=9_000, why="more")
    config.forget()
    after = {unit: said(ask(unit=unit, platform="ios")) for unit in units}

    inside = [unit for unit in units if before[unit][0] == "SPLIT"]
    assert 15 < len(inside) < 45
    assert all(left[unit] == before[unit] == after[unit] for unit in inside)
    assert sum(one[0] == "SPLIT" for one in after.values()) > len(inside)


def test_known_unit__costs_one_select(django_assert_num_queries: Any) -> None:
    running(audience=[{"segment_key": "ios", "rule": IOS}])
    ask(platform="ios")

    with django_assert_num_queries(1):
        ask(platform="android")


def test_config__changed_by_another_process__is_seen_within_two_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    running()
    clock = [1000.0]
    monkeypatch.setattr("experiments.serve.config.time.monotonic", lambda: clock[0])
    assert ask().reason == "SPLIT"
    Experiment.objects.update(status="paused")  # as another process would: the row and the number
    ConfigVersion.touch()

    clock[0] += 0.99
    remembered = ask().reason
    clock[0] += 0.01

    assert (remembered, ask().reason) == ("SPLIT", "DISABLED")


def away(*_: Any, **__: Any) -> Any:
    raise OperationalError


def test_database__away__answers_by_hash_where_the_hash_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"segment_key": "ios", "rule": IOS}]
    for name, fields in (
        ("all", {}),
        ("segment", {"audience": rows}),
        ("new", {"enrolment": "new_units"}),
        ("shut", {}),
    ):
        running(name, **fields)
    do("shut", "close_enrolment")
    overrides.set_override(key="segment", unit="qa", variant="banner")
    config.forget()
    expected = ask("all").variant
    cut_off(monkeypatch, away)
    before = assign.UNSTICKY._value.get()

    answers = {name: assign.evaluate(name, "u1", {"platform": "ios"}) for name in ("all", "segment", "new", "shut")}

    hashed = answers.pop("all")
    assert isinstance(hashed, Evaluation)
    assert (hashed.variant, hashed.metadata["sticky"]) == (expected, False)
    assert all(isinstance(answer, Failed) for answer in answers.values())
    assert said(ask("segment", "qa")) == ("TARGETING_MATCH", "banner", "override")
    assert assign.UNSTICKY._value.get() == before + 4


def test_database__that_cannot_be_written__still_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    running()
    monkeypatch.setattr(store_assignment, "add_to_outbox", away)
    monkeypatch.setattr(assign, "keep_first", away)

    answer = ask()

    assert (answer.reason, answer.metadata["sticky"]) == ("SPLIT", False)
    assert Assignment.objects.count() == 0  # the row and its exposure are kept together or not at all
    monkeypatch.setattr(assign, "keep_draws", away)
    with pytest.raises(OperationalError):
        list(assign.assign_units(experiment_key="exp", units=["u1"]))


def test_values__of_each_type__are_served_as_declared() -> None:
    for kind, value, default in (
        ("string", "x", ""),
        ("integer", 3, 0),
        ("number", 1, 0),
        ("boolean", False, True),
        ("json", {"a": [1]}, {}),
    ):
        arms = [{"key": key, "value": value, "weight": 5_000} for key in ("control", "t")]
        running(kind, value_type=kind, variants=arms, default_value=default)

    assert json.dumps(ask("number").document()["value"]) == "1.0"
    assert json.dumps(ask("integer").document()["value"]) == "3"
    assert ask("boolean").document()["value"] is False
    assert ask("json").document()["value"] == {"a": [1]}
    do("number", "pause")
    assert json.dumps(ask("number").document()["value"]) == "0.0"


def test_assign_command__for_a_file__prints_one_line_each_and_never_exposes(tmp_path: Any, capsys: Any) -> None:
    running(seed="9f2c41d07ab3")
    file = tmp_path / "units.txt"
    file.write_text("user-1\n한글\nuser-1\n", encoding="utf-8")

    call_command("assign", "exp", "--file", str(file))

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["unit"], line["variant"], line["metadata"]["sticky"]) for line in lines] == [
        ("user-1", "banner", False),
        ("한글", lines[1]["variant"], False),
        ("user-1", "banner", False),
    ]
    assert ask(unit="한글", expose=False).variant == lines[1]["variant"]
    assert (Assignment.objects.count(), OutboxEvent.objects.count()) == (2, 0)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("none", "--unit", "a"), "no started experiment 'none'"),
        (("exp", "--unit", "a", "x" * 257), "User 2"),
        (("exp", "--file", "/nowhere"), "--file: /nowhere"),
    ],
)
def test_assign_command__with_bad_input__keeps_nothing(arguments: tuple[str, ...], sentence: str) -> None:
    running()

    with pytest.raises(CommandError, match=sentence) as caught:
        call_command("assign", *arguments)

    assert (caught.value.returncode, Assignment.objects.count()) == (2, 0)


def test_assign_units__of_a_draft__is_refused() -> None:
    draft()

    with pytest.raises(Refused):
        list(assign.assign_units(experiment_key="exp", units=["a"]))


def test_traits__of_the_context__go_over_stored_ones_and_never_claim_a_segment() -> None:
    claim = {"any": [{"trait": "segments", "exists": True}]}
    running(audience=[{"segment_key": "ios", "rule": IOS}, {"segment_key": "claimed", "rule": claim}])
    for unit in ("phone", "tablet"):
        UnitTraits.objects.create(user_id=unit, traits={"platform": "ios"})

    assert said(ask(unit="phone", platform="android", segments=["claimed"])) == ("STATIC", "default", "segment")
    assert ask(unit="tablet", country="KR").reason == "SPLIT"


def test_database__silent_for_the_key__is_not_waited_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    running()
    known = ask(unit="u")
    cut_off(monkeypatch, None)  # would be an error if it were called

    circuit_breaker.note(time.monotonic() - circuit_breaker.SLOW_SECONDS)
    silent = ask(unit="u")

    assert (silent.value, silent.metadata["sticky"]) == (known.value, False)


@pytest.mark.parametrize(("waited", "is_silent"), [(0.4, False), (0.6, True)])
def test_silence__after_a_wait__is_noted_and_a_quick_refusal_is_not(waited: float, is_silent: bool) -> None:
    circuit_breaker.note(time.monotonic() - waited)

    assert circuit_breaker.is_silent() is is_silent
