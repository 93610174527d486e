"""The life of a rollout: every state × move, the log, what is refused, and that all of it is served."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import IntegrityError
from django.utils import timezone

from events.models import OutboxEvent
from experiments import webhooks
from experiments.draw.evaluation import Evaluation
from experiments.models import Assignment, ConfigVersion, Experiment, Rollout, RolloutMove, WebhookDelivery
from experiments.serve import assign, config, shipping
from experiments.serve.rollout_lifecycle import MOVES, Killed, Move, RolloutState
from experiments.serve.shipping import Asked
from experiments.status import rollout_moves
from runs.refusals import Refused
from tests.experiments.clock import set_to
from tests.experiments.make import do, draft, running

pytestmark = pytest.mark.django_db
ALL = [{"segment": None, "steps": [{"share": 10_000}]}]
WHY = Asked(why="we like it")


def rows(*shares: int, segment: str | None = None, start: datetime | None = None) -> list[dict[str, Any]]:
    """Shares a day apart from now on."""
    first = start or timezone.now()
    steps = [{"share": share, "at": first + timedelta(days=day)} for day, share in enumerate(shares)]
    return [{"segment": segment, "steps": steps}]


def stopped(key: str = "exp", **fields: Any) -> Experiment:
    running(key, **fields)
    return do(key, "stop")


def shipped(*shares: int, key: str = "exp", arm: str = "banner") -> Rollout:
    row = shipping.ship(key=key, arm=arm, rows=rows(*(shares or (10_000,))), proved=False, asked=WHY)
    config.forget()
    return row


def move(what: Move, key: str = "exp") -> Rollout:
    row = shipping.move_rollout(key=key, move=what, asked=Asked())
    config.forget()
    return row


def ask(unit: str = "u1", key: str = "exp", **context: Any) -> Evaluation:
    answer = assign.evaluate(key, unit, context)
    assert isinstance(answer, Evaluation)
    return answer


PATHS = {
    RolloutState.NONE: (),
    RolloutState.ROLLING: (Move.SHIP,),
    RolloutState.HELD: (Move.SHIP, Move.HOLD),
    RolloutState.KILLED: (Move.SHIP, Move.KILL),
    RolloutState.BACK: (Move.SHIP, Move.BACK),
}


def perform(what: Move) -> None:
    if what is Move.SHIP:
        shipped(1_000, 5_000)
    elif what is Move.CHANGE:
        shipping.change(key="exp", rows=rows(10_000), asked=Asked())
    else:
        move(what)


@pytest.mark.parametrize("state", RolloutState, ids=str)
@pytest.mark.parametrize("what", Move, ids=str)
def test_moves__in_every_state__are_done_or_refused_as_the_table_says(state: RolloutState, what: Move) -> None:
    stopped()
    for step in PATHS[state]:
        perform(step)
    log, version = RolloutMove.objects.count(), ConfigVersion.objects.get().version

    if (state, what) in MOVES:
        perform(what)
        assert Rollout.objects.get().state == MOVES[state, what]
        assert RolloutMove.objects.count() == log + 1
        assert ConfigVersion.objects.get().version > version
    else:
        with pytest.raises(Refused):
            perform(what)
        assert RolloutMove.objects.count() == log


@pytest.mark.parametrize("status", ["draft", "running", "paused", "archived"])
def test_ship__of_an_experiment_that_has_not_just_ended__is_refused(status: str) -> None:
    draft()
    for action in {
        "draft": (),
        "running": ("start",),
        "paused": ("start", "pause"),
        "archived": ("start", "stop", "conclude", "archive"),
    }[status]:
        do("exp", action)

    with pytest.raises(Refused, match="stop it first"):
        shipped()


def test_ship__without_a_verdict__needs_a_reason_that_is_logged() -> None:
    stopped()

    with pytest.raises(Refused, match="say why"):
        shipping.ship(key="exp", arm="banner", rows=ALL, proved=False, asked=Asked(why="  "))
    shipping.ship(key="exp", arm="banner", rows=ALL, proved=False, asked=Asked(why="The board wants it."))

    assert RolloutMove.objects.get().why == "The board wants it."


def test_ship__as_the_table_says__needs_none() -> None:
    stopped()

    shipping.ship(key="exp", arm="banner", rows=ALL, proved=True, asked=Asked())

    assert RolloutMove.objects.get().why == ""


def test_log__of_every_move__says_who_when_from_what_to_what_and_why() -> None:
    stopped()
    who = User.objects.create(username="pm")
    with set_to("2026-11-27T09:00:00Z"):
        first = shipping.ship(
            key="exp", arm="banner", rows=rows(1_000, 5_000), proved=False, asked=Asked(who, "go", "")
        )
    with set_to("2026-11-28T10:00:00Z"):
        shipping.move_rollout(key="exp", move=Move.HOLD, asked=Asked(None, "", "ak_12345"))

    newest, oldest = RolloutMove.objects.all()
    assert (oldest.by, oldest.why, oldest.kind, oldest.before) == (who, "go", "ship", None)
    assert oldest.at == datetime.fromisoformat("2026-11-27T09:00:00Z") == first.first_at
    assert oldest.after["state"] == "rolling"
    assert oldest.after["variant"] == "banner"
    assert [row["share"] for row in oldest.after["rows"]] == [1_000]
    assert (newest.by, newest.key_prefix, newest.kind) == (None, "ak_12345", "hold")
    assert newest.before is not None
    assert [row["share"] for row in newest.before["rows"]] == [5_000]
    assert (newest.before["state"], newest.after["state"]) == ("rolling", "held")


def test_webhook__of_each_move__tells_it() -> None:
    webhooks.create_endpoint(name="a", url="https://example.com/hook")
    stopped()
    WebhookDelivery.objects.all().delete()

    shipped()
    move(Move.BACK)

    bodies = [row.body for row in WebhookDelivery.objects.order_by("id")]
    assert [row.type for row in WebhookDelivery.objects.all()] == ["experiment.rollout"] * 2
    assert '"move":"ship"' in bodies[0]
    assert '"move":"back"' in bodies[1]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ([], "at least one step"),
        ([{"segment": None, "steps": []}], "share above 0"),
        ([{"segment": None, "steps": [{"share": 0}]}], "share above 0"),
        ([{"segment": None, "steps": [{"share": 10_001}]}], "share above 0"),
        ([{"segment": None, "steps": [{"share": 5}, {"share": 6}]}], "later than"),
        ([*ALL, *ALL], "one row of steps"),
        ([*ALL, {"segment": "ios", "steps": [{"share": 5}]}], "Everyone must be the last"),
        ([{"segment": "nowhere", "steps": [{"share": 5}]}], "no published segment"),
        (rows(50, 40, start=datetime.fromisoformat("2026-11-27T09:00:00Z")), "only grows"),
    ],
    ids=str,
)
def test_ship__with_rows_that_cant_be_served__is_refused(given: list[dict[str, Any]], sentence: str) -> None:
    stopped()

    with pytest.raises(Refused, match=sentence):
        shipping.ship(key="exp", arm="banner", rows=given, proved=False, asked=WHY)


def test_change__that_would_put_somebody_out__is_refused() -> None:
    stopped()
    shipped(5_000)

    for fewer in (rows(4_999), rows(10_000, segment=None, start=timezone.now() + timedelta(days=1))):
        with pytest.raises(Refused, match="take it from users"):
            shipping.change(key="exp", rows=fewer, asked=Asked())
    shipping.change(key="exp", rows=rows(5_000, 10_000), asked=Asked())
    move(Move.HOLD)
    shipping.change(key="exp", rows=rows(6_000), asked=Asked())

    assert Rollout.objects.get().state == "held"


def test_steps__take_effect_at_their_date_without_a_change() -> None:
    with set_to("2026-11-27T09:00:00Z") as clock:
        stopped()
        shipped(1, 10_000)
        units = [f"u{n}" for n in range(200)]
        before = {unit: ask(unit).variant for unit in units}
        config.current()
        clock.move_to("2026-11-28T08:59:59Z")
        same = {unit: ask(unit).variant for unit in units}
        clock.move_to("2026-11-28T09:00:00Z")
        after = {unit: ask(unit).variant for unit in units}

    assert before == same
    assert set(before.values()) == {"banner", "default"}
    assert set(after.values()) == {"banner"}


def test_note_steps__logs_and_tells_each_step_once() -> None:
    with set_to("2026-11-27T09:00:00Z") as clock:
        stopped()
        shipped(1_000, 5_000, 10_000)
        assert shipping.note_steps() == 0
        clock.move_to("2026-11-28T09:00:30Z")
        assert [shipping.note_steps(), shipping.note_steps()] == [1, 0]
        move(Move.HOLD)
        clock.move_to("2026-12-05T09:00:30Z")
        assert shipping.note_steps() == 0

    _hold, step, _ship = RolloutMove.objects.all()
    assert (step.kind, step.by, step.why) == ("step", None, "")
    assert step.before is not None
    assert [step.before["rows"][0]["share"], step.after["rows"][0]["share"]] == [1_000, 5_000]


def test_pause_kill_and_resume__give_what_they_say() -> None:
    with set_to("2026-11-27T09:00:00Z") as clock:
        stopped()
        shipped(1_000, 10_000)
        units = [f"u{n}" for n in range(100)]
        tenth = {unit for unit in units if ask(unit).arm is not None}
        move(Move.HOLD)
        clock.move_to("2026-11-29T09:00:00Z")
        held = {unit for unit in units if ask(unit).arm is not None}
        move(Move.KILL)
        killed = {(one.reason, one.variant) for one in map(ask, units)}
        resumed = move(Move.GO_ON)  # it was held before the kill switch
        again = {unit for unit in units if ask(unit).arm is not None}
        move(Move.GO_ON)
        whole = {unit for unit in units if ask(unit).arm is not None}

    assert tenth == held == again
    assert killed == {("DISABLED", "default")}
    assert resumed.state == "held"
    assert whole == set(units)


def test_kill__of_a_running_experiment__is_the_pause_and_says_so() -> None:
    running()

    stopped_what = rollout_moves.kill(key="exp", asked=Asked(why="it burns"))
    config.forget()

    row = Experiment.objects.get()
    assert (stopped_what, row.status, ask().reason) == (Killed.EXPERIMENT, "paused", "DISABLED")
    assert row.history.first().history_change_reason == "kill switch: it burns"
    with pytest.raises(Refused, match="already"):
        rollout_moves.kill(key="exp", asked=Asked())


def test_flag__is_shipped_by_one_experiment_at_a_time() -> None:
    stopped("one", flag_key="f")
    stopped("two", flag_key="f")
    shipped(key="one")
    draft("three", flag_key="f")

    with pytest.raises(Refused, match="rolled out already"):
        shipped(key="two")
    with pytest.raises(Refused, match="already served by the experiment 'one'"):
        do("three", "start")
    move(Move.BACK, "one")
    do("three", "start")
    with pytest.raises(Refused, match="already served by the experiment 'three'"):
        shipped(key="two")


def test_flag__of_two_that_have_ended__is_answered_by_the_one_that_is_rolled_out() -> None:
    stopped("one", flag_key="f")
    stopped("two", flag_key="f")
    assert ask(key="f").flag.key == "two"

    shipped(key="one")

    assert (ask(key="f").flag.key, ask(key="f").variant) == ("one", "banner")


def test_constraint__lets_no_second_rollout_hold_a_flag() -> None:
    stopped("one", flag_key="f")
    shipped(key="one")
    other = stopped("two", flag_key="f2")
    row = Rollout.objects.get()

    with pytest.raises(IntegrityError):
        Rollout.objects.create(
            experiment=other,
            variant=other.variants.get(key="banner"),
            flag_key="f",
            state="held",
            rows=row.rows,
            noted_at=row.noted_at,
            first_at=row.first_at,
        )


def test_archive__while_a_variant_is_rolled_out__is_refused() -> None:
    stopped()
    shipped()
    do("exp", "conclude")

    with pytest.raises(Refused, match="Take it back first"):
        do("exp", "archive")
    move(Move.BACK)

    assert do("exp", "archive").status == "archived"


def test_rollout__makes_no_assignment_and_no_exposure() -> None:
    running()
    for unit in ("a", "b", "c"):
        ask(unit)
    do("exp", "stop")
    kept = list(Assignment.objects.order_by("unit").values()), OutboxEvent.objects.count()
    shipped(5_000)

    for unit in ("a", "b", "c", *(f"n{n}" for n in range(50))):
        ask(unit)
        assign.evaluate_all(unit, {})
        list(assign.assign_units(experiment_key="exp", units=[unit]))

    assert (list(Assignment.objects.order_by("unit").values()), OutboxEvent.objects.count()) == kept


def test_unit__that_has_a_row_with_the_arm__keeps_it_whatever_its_draw_and_segment() -> None:
    audience = [{"segment_key": "ios", "rule": {"all": [{"trait": "platform", "is": "ios"}]}, "coverage": 10_000}]
    running(audience=audience)
    units = [f"u{n}" for n in range(60)]
    arms = {unit: ask(unit, platform="ios").variant for unit in units}
    do("exp", "stop")
    shipped(1)

    for unit, arm in arms.items():  # none of them is in the segment any more
        assert ask(unit, platform="android").variant == ("banner" if arm == "banner" else "default")


def test_database_away__answers_what_the_hash_can_say(monkeypatch: pytest.MonkeyPatch) -> None:
    from django.db import OperationalError

    from experiments.draw.evaluation import Failed
    from experiments.serve import assign

    def gone(*_: Any) -> Any:
        raise OperationalError

    stopped("one")
    stopped("two", audience=[{"segment_key": "ios", "rule": {"all": [{"trait": "p", "is": "i"}]}, "coverage": 10_000}])
    shipped(1, key="one")
    shipped(1, key="two")
    config.current()
    monkeypatch.setattr(assign, "stored_rows", gone)

    assert isinstance(assign.evaluate("one", "u1", {}), Evaluation)
    assert isinstance(assign.evaluate("two", "u1", {}), Failed)
    with pytest.raises(OperationalError):
        list(assign.assign_units(experiment_key="two", units=["u1"]))
