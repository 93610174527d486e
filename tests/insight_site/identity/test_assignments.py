"""What a visitor was assigned holds after the login: through the doors, on one device and on two."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from events.models import IdLink, OutboxEvent, Source
from experiments.models import Assignment, DrawnAs, Holdout
from experiments.serve import assign, config, store_assignment
from insight_site.access import keys
from tests.experiments.make import running
from tests.insight_site.identity.world import a_key, post

pytestmark = pytest.mark.django_db
VISITOR = "3f0c9c54-5f0e-4a4e-9c0e-7c7a3b6f1a11"


@pytest.fixture(autouse=True)
def _fresh(tmp_path: Path, settings: Any) -> None:
    settings.EVENTS_URL = str(tmp_path / "events")
    for forget in (keys.forget_cached_keys, config.forget, store_assignment.forget):
        forget()


def ids_of(arm: str, number: int = 1, prefix: str = "u", key: str = "exp") -> list[str]:
    """Ids that draw this arm when they are new."""
    flag = config.current().flags[key]
    found = [name for n in range(200) if draws(flag, name := f"{prefix}{n}") == arm]
    return found[:number]


def draws(flag: Any, name: str) -> str | None:
    from experiments.draw import evaluation

    found = evaluation.draw(flag, name, is_new=True, row=flag.rows[0])
    return None if found.arm is None else str(flag.arms[found.arm].key)


def ask(unit: str, key: str, flag: str = "exp", **context: Any) -> Any:
    config.forget()  # as two seconds later
    return post(f"/ofrep/v1/evaluate/flags/{flag}", {"context": {"targetingKey": unit, **context}}, key)["variant"]


def login(visitor: str, user: str, key: str) -> None:
    post("/v1/identify", {"userId": user, "anonymousId": visitor, "traits": {"plan": "pro"}}, key)


@pytest.fixture
def key() -> str:
    return a_key("server", "events:write", "assign:read")


@pytest.fixture
def client_key() -> str:
    return a_key("client", "events:write", "assign:read")


def test_login__keeps_the_visitors_arm__and_exposes_once(key: str) -> None:
    running()
    visitor, user = ids_of("banner", prefix="v")[0], ids_of("control")[0]
    assert ask(visitor, key) == "banner"

    login(visitor, user, key)

    assert [ask(user, key), ask(visitor, key)] == ["banner", "banner"]
    assert OutboxEvent.objects.filter(event="Experiment Viewed").count() == 1
    copy = Assignment.objects.get(unit=user)
    assert (copy.drawn_by, copy.former_variant, copy.exposed_at is None) == (visitor, None, False)


def test_call__with_both_ids__keeps_the_arm_before_any_event_arrives(key: str) -> None:
    running()
    visitor, user = ids_of("banner", prefix="v")[0], ids_of("control")[0]
    ask(visitor, key)

    assert ask(user, key, anonymousId=visitor) == "banner"
    assert ask(user, key) == "banner"
    assert IdLink.objects.get().state == IdLink.State.HOLDS


def test_second_device__of_a_user__has_the_users_arm(key: str) -> None:
    running()
    user, second = ids_of("banner")[0], ids_of("control", prefix="v")[0]
    ask(user, key)

    login(second, user, key)

    assert [ask(second, key), ask(user, key)] == ["banner", "banner"]


@pytest.mark.parametrize(("first", "kept"), [("visitor", "banner"), ("user", "control")])
def test_conflict__the_first_exposure_wins_for_both(key: str, first: str, kept: str) -> None:
    running()
    visitor, user = ids_of("banner", prefix="v")[0], ids_of("control")[0]
    for name in (visitor, user) if first == "visitor" else (user, visitor):
        ask(name, key)

    login(visitor, user, key)

    assert {ask(visitor, key), ask(user, key)} == {kept}
    former = Assignment.objects.get(former_variant__isnull=False)
    assert former.unit == (user if first == "visitor" else visitor)


def test_arm__that_was_assigned_and_not_seen__gives_way_to_one_that_was(key: str) -> None:
    running()
    visitor, user = ids_of("banner", prefix="v")[0], ids_of("control")[0]
    post("/ofrep/v1/evaluate/flags", {"context": {"targetingKey": visitor}}, key)  # all flags: nobody is exposed
    ask(user, key)

    login(visitor, user, key)

    assert {ask(visitor, key), ask(user, key)} == {"control"}


def test_shared_device__the_second_user__draws_for_themselves(key: str) -> None:
    running()
    visitor, (first, second) = ids_of("banner", prefix="v")[0], ids_of("control", 2)
    ask(visitor, key)
    login(visitor, first, key)

    login(visitor, second, key)

    assert [ask(first, key), ask(second, key)] == ["banner", "control"]


@pytest.mark.slow
def test_client_key__moves_no_arm_of_a_victim(key: str, client_key: str) -> None:
    """As docs/security.md has it: own visitor, victim's user id; and the reverse; by event and by call."""
    running()
    own, (victim, fresh) = ids_of("banner", prefix="v")[0], ids_of("control", 2)
    ask(own, client_key)
    ask(victim, key)

    for user in (victim, fresh):
        login(own, user, client_key)
        ask(user, client_key, anonymousId=own)
    login(victim, "thief", client_key)

    assert [ask(victim, key), ask(fresh, key), ask(own, key)] == ["control", "control", "banner"]
    assert set(IdLink.objects.values_list("state", flat=True)) == {IdLink.State.PUBLIC_KEY}


def test_client_key__of_a_source_that_is_trusted__joins_but_takes_no_arm_from_a_user(client_key: str) -> None:
    running()
    flag = config.current().flags["exp"]
    visitor = next(name for n in range(16) if draws(flag, name := VISITOR.replace("3f", f"{n:x}f", 1)) == "banner")
    user, fresh = ids_of("control", 2)
    Source.objects.update(trusts_logins=True)
    ask(visitor, client_key)  # before the user was asked for
    ask(user, client_key)

    login(visitor, user, client_key)
    assert {ask(user, client_key), ask(visitor, client_key)} == {"control"}

    other = next(name for n in range(99) if draws(flag, name := f"{VISITOR[:-2]}{n:02}") == "banner")
    ask(other, client_key)
    login(other, fresh, client_key)
    assert ask(fresh, client_key) == "banner"


def test_visitor__who_was_held_out__stays_out_as_the_user_they_become(key: str) -> None:
    half = Holdout.objects.create(key="half", share=5_000)
    running(holdout=half)
    flag = config.current().flags["exp"]
    visitor = next(name for n in range(99) if draws(flag, name := f"v{n}") is None)
    user = next(name for n in range(99) if draws(flag, name := f"u{n}") is not None)
    assert ask(visitor, key) == "default"

    login(visitor, user, key)

    assert ask(user, key) == "default"
    assert DrawnAs.objects.get().drawn_as == visitor
    inside = next(name for n in range(99) if draws(flag, name := f"v{n}") is not None)
    later = next(name for n in range(99) if draws(flag, name := f"w{n}") is None)
    login(inside, later, key)
    assert ask(later, key) == draws(flag, inside)
    assert Assignment.objects.get(unit=later).drawn_by == inside


def test_caller__without_joins__asks_the_database_nothing_of_them(key: str) -> None:
    running()
    ask("warm", key)

    with CaptureQueriesContext(connection) as asked:
        assign.evaluate("exp", "someone", {})
        post("/v1/batch", {"batch": [{"type": "track", "event": "buy", "userId": "someone"}]}, key)

    tables = (IdLink._meta.db_table, DrawnAs._meta.db_table)
    assert asked.captured_queries
    assert not [one for one in asked.captured_queries if any(f'FROM "{name}"' in one["sql"] for name in tables)]


@pytest.mark.slow
def test_conflicts__count_in_the_arm_met_first(key: str) -> None:
    """By hand: 24 persons alone (12 in each arm), 10 joined with one arm, 11 with two, all of these banner first."""
    from experiments.analyse.analyses import create_analysis, run_analysis
    from experiments.analyse.payload_versions import READOUT
    from experiments.analyse.result import AnalysisResult
    from tests.experiments.stored import backdate

    experiment = running(primary_metrics=["window:0-0"])
    backdate(experiment, timezone.now() - timedelta(days=2))
    banner, control = ids_of("banner", 44), ids_of("control", 44)
    for name in (*banner[:12], *control[:12]):
        ask(name, key)
    same = [(f"s{n}", name) for n, name in enumerate(banner[12:22])]
    flag = config.current().flags["exp"]
    for visitor, user in same:
        ask(user, key)
        login(visitor, user, key)
        ask(visitor, key)
    for visitor, user in zip(banner[22:33], control[22:33], strict=True):
        ask(visitor, key)
        ask(user, key)
        login(visitor, user, key)
    assert flag.state == "running"

    analysis = create_analysis(experiment=experiment, peek=False)
    run_analysis(analysis.pk)

    analysis.refresh_from_db()
    readout = READOUT.read(analysis.payload or {})
    assert isinstance(readout, AnalysisResult)
    assert (readout.flow.exposed, readout.flow.identity_conflicts, readout.flow.several_variants) == (
        {"control": 12, "banner": 33},
        11,
        0,
    )
    (finding,) = [one for one in readout.health if one.check == "joined_several"]
    assert (finding.details["n"], finding.details["share"], finding.invalid) == (11, 11 / 45, "multi_exposure")
    assert not [one for one in readout.health if one.check in ("bucket_mismatch", "met_several")]
