"""Whose site the demo may fill, and the made-up users that it fills it with."""

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from aha.models import Study
from events.catalogue.save_metrics import create_metric
from events.metrics.facts import About, Facts
from events.models import Metric, OutboxEvent, Source
from events.outbox.accept import add_to_outbox
from events.outbox.flush import flush_events
from events.schema import EXPOSURE, EventRecord
from events.store import event_table
from experiments.models import Experiment, Rollout
from experiments.plan.review import ReviewCode, approvers, standing_of
from experiments.serve.shipping import Asked, ship
from insight_site.access.keys import find_caller
from insight_site.demo import made_up_users, team, whose_site
from runs.refusals import Refused
from segments.models import SegmentModel
from tests.experiments.make import do, draft, running

NOW = datetime(2026, 11, 24, 15, 30, tzinfo=UTC)


@pytest.fixture
def site(settings: Any, tmp_path: Path) -> Path:
    settings.EVENTS_URL, settings.WAREHOUSE_URL = str(tmp_path / "events"), ""
    return tmp_path


def add_event(user: str) -> None:
    record = EventRecord(user_id=user, event="signup", time=NOW, properties="{}", message_id=f"m-{user}")
    add_to_outbox([record], prefix="1", received_at=timezone.now())


def in_store(message_id: str) -> int:
    """A look at the site's log flushes what waits."""
    seen = event_table.look("test")
    return 0 if seen is None else seen.handle.to_pyarrow_table(columns=["message_id"])[0].to_pylist().count(message_id)


@pytest.mark.django_db
def test_prepare__empty_site__is_taken(site: Path) -> None:
    whose_site.prepare(fresh=False)
    whose_site.prepare(fresh=True)

    assert Source.objects.count() == 0


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Experiment.objects.create(key="own", flag_key="own", name="own"), "1 experiments"),
        (lambda: Study.objects.create(title="ours"), "1 studies"),
        (lambda: SegmentModel.objects.create(key="vip", name="VIP", kind="rule"), "1 segment models"),
        (lambda: add_event("anna"), "1 events"),
    ],
)
@pytest.mark.parametrize("fresh", [False, True])
@pytest.mark.parametrize("after_demo", [False, True])
def test_prepare__something_of_a_team__refuses_and_keeps_it(
    site: Path, make: Any, words: str, fresh: bool, after_demo: bool
) -> None:
    if after_demo:
        Source.objects.create(name=whose_site.SOURCE)
        add_event("demo-new-u0000001")
    make()

    with pytest.raises(Refused, match=words):
        whose_site.prepare(fresh=fresh)

    kept = Experiment.objects.count() + Study.objects.count() + SegmentModel.objects.count()
    assert kept + OutboxEvent.objects.filter(message_id="1:m-anna").count() + in_store("1:m-anna") == 1


@pytest.mark.django_db
def test_prepare__an_earlier_demo__is_removed_only_when_asked(site: Path) -> None:
    keys = whose_site.open_doors()
    add_event("demo-new-u0000001")
    flush_events()
    User.objects.create(username="boss")

    with pytest.raises(Refused, match="--fresh"):
        whose_site.prepare(fresh=False)
    assert event_table.exists()
    whose_site.prepare(fresh=True)

    assert not event_table.exists()
    assert not OutboxEvent.objects.exists()
    assert not Source.objects.exists()
    assert User.objects.filter(username="boss").exists()
    assert find_caller(keys.events) is None
    add_event("demo-new-u0000001")
    assert flush_events() == 1


@pytest.mark.django_db
def test_check_demo__only_what_a_demo_made__may_be_shown_to_everybody(site: Path) -> None:
    with pytest.raises(Refused, match="There is no demo on this site"):
        whose_site.check_demo()
    Source.objects.create(name=whose_site.SOURCE)
    add_event("demo-new-u0000001")
    whose_site.check_demo()
    Study.objects.create(title="ours")

    with pytest.raises(Refused, match="1 studies that no demo made, so its pages"):
        whose_site.check_demo()
    Study.objects.all().delete()
    create_metric(key="ours", about=About("Ours"), facts=Facts("window:14-20"))
    with pytest.raises(Refused, match="1 metrics that no demo made"):
        whose_site.check_demo()


@pytest.mark.django_db
def test_prepare__what_a_team_does_around_the_demo__goes_and_its_own_metric_stays(site: Path) -> None:
    whose_site.open_doors()
    team.agree_on_a_metric()
    create_metric(key="ours", about=About("Ours"), facts=Facts("window:14-20"))
    experiment = running("demo-invite-banner")
    do(experiment.key, "stop")
    ship(
        key=experiment.key, arm="control", rows=[{"segment": None, "steps": [{"share": 1}]}], proved=True, asked=Asked()
    )

    whose_site.prepare(fresh=True)

    assert not Rollout.objects.exists()
    assert not Experiment.objects.exists()
    assert [metric.key for metric in Metric.objects.all()] == ["ours"]


@pytest.mark.django_db
def test_review__of_the_draft__is_approved_by_the_other_person() -> None:
    whose_site.make_users()
    pm, lead = (User.objects.get(username=name) for name in (whose_site.PM, whose_site.LEAD))
    row = draft("next")

    team.review(row, asks=pm, approves=lead)

    standing = standing_of(row)
    assert standing.code is ReviewCode.APPROVED
    assert standing.answer is not None
    assert standing.answer.by == lead


@pytest.mark.django_db
def test_prepare__a_warehouse_of_the_team__refuses(site: Path, settings: Any) -> None:
    settings.WAREHOUSE_URL = "postgres://somewhere/else"

    with pytest.raises(Refused, match="WAREHOUSE_URL"):
        whose_site.prepare(fresh=True)


@pytest.mark.django_db
def test_prepare__events_in_an_object_store__fresh_refuses(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Source.objects.create(name=whose_site.SOURCE)
    monkeypatch.setattr(whose_site, "events_folder", lambda: None)

    with pytest.raises(Refused, match="EVENTS_URL"):
        whose_site.prepare(fresh=True)

    assert Source.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(("option", "value"), [("--units", "0"), ("--seed", "-1")])
def test_demo__number_out_of_range__ends_with_2_and_one_sentence(site: Path, option: str, value: str) -> None:
    with pytest.raises(CommandError, match="must lie between") as refused:
        call_command("demo", option, value, stderr=io.StringIO())

    assert refused.value.returncode == 2
    assert Source.objects.count() == 0


@pytest.mark.django_db
def test_make_users__twice__gives_new_passwords_and_no_power_over_others() -> None:
    first, second = whose_site.make_users(), whose_site.make_users()

    assert set(first) == {"demo-pm", "demo-lead", "demo-analyst"}
    pm, lead, analyst = (User.objects.get(username=name) for name in first)
    assert pm.check_password(second["demo-pm"])
    assert not pm.check_password(first["demo-pm"])
    assert pm.has_perm("experiments.change_experiment")
    assert not analyst.has_perm("experiments.change_experiment")
    assert not pm.has_perm("auth.change_user")
    assert not pm.is_superuser
    assert set(approvers()) == {pm, lead}  # one reviews what the other drafts


@pytest.mark.django_db(transaction=True)
def test_wait_for_others__on_sqlite__waits_for_writers_and_not_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    if connection.vendor != "sqlite":
        return
    options = dict(connection.settings_dict["OPTIONS"]) | {"timeout": 4, "init_command": "PRAGMA synchronous=FULL;"}
    monkeypatch.setitem(connection.settings_dict, "OPTIONS", options)
    found = []
    for prepare in (connection.close, team.wait_for_others):
        prepare()
        with connection.cursor() as cursor:
            for name in ("synchronous", "busy_timeout"):
                found += cursor.execute(f"PRAGMA {name}").fetchone()
    connection.close()

    assert found == [2, 4_000, 1, 20_000]


def test_time_line__any_now__the_groups_follow_each_other_and_end_today() -> None:
    line = made_up_users.line_of(NOW)

    assert line.earlier + made_up_users.LENGTH == line.experiment
    assert line.enrolled < line.today == datetime(2026, 11, 24, tzinfo=UTC)
    assert line.experiment + made_up_users.LENGTH + made_up_users.QUIET == line.today


def test_calls__two_populations__share_no_id_and_lie_where_they_should() -> None:
    line = made_up_users.line_of(NOW)
    earlier = made_up_users.population("earlier", 40, 1, line.earlier)
    recent = made_up_users.population("recent", 40, 1, line.recent)

    calls = {who.name: list(made_up_users.calls(who, 1, {})) for who in (earlier, recent)}

    ids = {name: {call["messageId"] for call in found} for name, found in calls.items()}
    users = {name: {call["userId"] for call in found} for name, found in calls.items()}
    assert not ids["earlier"] & ids["recent"]
    assert not users["earlier"] & users["recent"]
    assert all(user.startswith(made_up_users.OURS) for found in users.values() for user in found)
    signups = {call["userId"]: call["timestamp"] for call in calls["earlier"] if call["event"] == "signup"}
    first, last = (
        made_up_users.stamp(made_up_users.microseconds(line.earlier)),
        made_up_users.stamp(made_up_users.microseconds(line.experiment)),
    )
    on_time = [at for at in signups.values() if first <= at < last]
    assert len(on_time) >= 39  # one in a thousand clocks is wrong
    assert signups["demo-earlier-u0000001"] == made_up_users.stamp(int(earlier.signups[0]))


def test_calls__exposed_users__carry_what_the_door_said_one_second_after_the_signup() -> None:
    arms = np.array([0, 1] * 20)
    who = made_up_users.population("new", 40, 1, made_up_users.line_of(NOW).experiment, arms)
    answer = {
        "variant": "nudge",
        "reason": "SPLIT",
        "metadata": {"experiment": "x", "bucket": 0.25, "segment": "korea.v1"},
    }
    said = {unit: made_up_users.exposure(answer) for unit in who.ids}

    calls = [call for call in made_up_users.calls(who, 1, said) if call["event"] == EXPOSURE]

    assert {call["userId"] for call in calls} == set(who.ids)
    expected = {unit: made_up_users.stamp(int(at) + 1_000_000) for unit, at in zip(who.ids, who.signups, strict=True)}
    assert all(call["timestamp"] == expected[call["userId"]] for call in calls)
    assert calls[0]["properties"] == {
        "experiment_id": "x",
        "variation_id": "nudge",
        "bucket": 0.25,
        "segment": "korea.v1",
        "source": "demo",
    }


def test_calls_until__an_end__holds_back_what_is_still_to_come() -> None:
    line = made_up_users.line_of(NOW)
    who = made_up_users.population("recent", 200, 1, line.recent)
    seen = who.signups >= made_up_users.microseconds(line.today - timedelta(days=14))

    calls = list(made_up_users.calls_until(who, 1, {}, line.today, seen))

    last = made_up_users.stamp(made_up_users.microseconds(line.today))
    allowed = {unit for unit, here in zip(who.ids, seen, strict=True) if here}
    assert calls
    assert {call["userId"] for call in calls} <= allowed
    assert max(call["sentAt"] for call in calls) < last
    assert max(call["timestamp"] for call in calls) < last
