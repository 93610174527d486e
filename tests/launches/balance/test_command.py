"""An event's balance from a real store and from the command line: the same as from the world itself."""

import json
from datetime import date, timedelta
from io import StringIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from pytest_django import Settings

from events.simulation.event_worlds import EVENT_WORLDS, RULES, write_event
from events.store import event_table
from events.warehouse.session import questions
from launches.balance import gather as gathering
from launches.balance.gather import gather, gather_event
from launches.balance.simulation import Past, balance
from runs.refusals import Refused
from segments.models import Membership, Segment, SegmentModel, SegmentVersion
from tests.launches.balance.make import rules, world_past

pytestmark = pytest.mark.django_db
USERS, SEED = 300, 3


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_event(EVENT_WORLDS["event_response"], SEED, USERS, tmp_path_factory.mktemp("event"))[1]


@pytest.fixture
def store(files: dict[str, Path], tmp_path: Path, settings: Settings) -> Settings:
    settings.EVENTS_URL = str(tmp_path / "events")
    events = pq.read_table(files["events.parquet"])
    ids = pa.array([f"m{place}" for place in range(len(events))])
    events = events.append_column("message_id", ids).append_column("received_at", events["time"])
    event_table.append(events, app_id="test", version=1)
    return settings


def asked(**given: Any) -> Past:
    with questions() as session:
        return gather(session, rules(**given))


def said(*options: str) -> dict[str, Any]:
    out = StringIO()
    call_command("balance", *options, "--json", stdout=out)
    document: dict[str, Any] = json.loads(out.getvalue())
    return document


@pytest.mark.usefixtures("store")
def test_past__from_the_store__is_that_of_the_world_itself() -> None:
    whole, known, new = world_past(EVENT_WORLDS["event_response"], SEED, USERS)
    found = asked()
    assert found.users.tolist() == whole.users.tolist()
    assert [block.first for block in found.blocks] == [block.first for block in whole.blocks]
    # Each user's total of each behaviour: ids have another order, so sorted.
    for mine, theirs in zip(found.blocks, whole.blocks, strict=True):
        assert mine.group.size == theirs.group.size
        assert sorted(map(tuple, mine.times.tolist())) == sorted(map(tuple, theirs.times.tolist()))
    assert balance(found, rules()).steps[0].share.estimate == pytest.approx(
        balance(whole, rules()).steps[0].share.estimate
    )
    with questions() as session:
        here, others = gather_event(session, rules())
    assert here.blocks[0].group.size == known.blocks[0].group.size
    assert others.blocks[0].times.sum() == new.blocks[0].times.sum()


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("first", "days", "step"), [("2025-06-20", 14, 14), ("2025-06-21", 5, 7), ("2025-07-01", 9, 14)]
)
def test_blocks__of_an_event_to_come__have_its_weekdays_and_share_no_day(first: str, days: int, step: int) -> None:
    found = asked(first=first, days=days)
    firsts = [block.first for block in found.blocks]
    assert {day.weekday() for day in firsts} == {date.fromisoformat(first).weekday()}
    assert {(later - earlier).days for later, earlier in pairwise(firsts)} == {step}
    assert firsts[0] + timedelta(days=days) <= date(2025, 6, 18)  # the data's last whole day is the 17th


@pytest.mark.usefixtures("store")
def test_segments__side_by_side__have_their_own_shares() -> None:
    model = SegmentModel.objects.create(key="halves", name="Halves", kind="cluster")
    version = SegmentVersion.objects.create(model=model, number=1, refreshed_at=timezone.now())
    rows = [Segment.objects.create(version=version, key=key, name=key, number=at) for at, key in enumerate("ab", 1)]
    Membership.objects.bulk_create(
        Membership(version=version, segment=rows[number % 2], unit=f"user-{number:07d}") for number in range(200)
    )
    with pytest.raises(Refused) as refusal:
        asked(segment="thirds")
    assert refusal.value.at == "segment"
    found = asked(segment="a")
    assert [group.key for group in found.groups] == ["a"]
    assert 0 < found.users.sum() < asked().users.sum() / 2
    both = balance(asked(segment="halves"), rules())
    assert [group.key for group in both.groups] == ["a", "b"]
    weights = [group.users / both.users for group in both.groups]
    shares = [band.estimate for band in both.steps[0].by_group if band is not None]
    assert both.steps[0].share.estimate == pytest.approx(np.dot(weights, shares))


@pytest.mark.usefixtures("store")
def test_command__before_and_after__prints_one_document(files: dict[str, Path], tmp_path: Path) -> None:
    document = said(str(files["rules.json"]), "--after")
    steps = document["balance"]["steps"]
    assert [step["share"]["estimate"] for step in steps] == sorted(
        (step["share"]["estimate"] for step in steps), reverse=True
    )
    assert document["happened"]["response"]["middle"] == pytest.approx(0.25, abs=0.12)
    with_response = tmp_path / "rules.json"
    with_response.write_text(json.dumps({**RULES, "response": {"middle": 0.25}}))
    again = said(str(with_response), "--after")
    for promised, came in zip(again["balance"]["steps"], again["happened"]["steps"], strict=True):
        assert promised["share"]["estimate"] == pytest.approx(came["share"], abs=0.08)
    assert said(str(files["rules.json"]))["balance"] == document["balance"]  # the same seed, the same answer
    out = StringIO()
    call_command("balance", str(files["rules.json"]), "--after", "--language", "ko", stdout=out)
    assert "보상" in out.getvalue()


@pytest.mark.usefixtures("store")
def test_command__search__sets_the_step_where_so_many_reach_it(files: dict[str, Path]) -> None:
    document = said(str(files["rules.json"]), "--step", "Silver", "--reach", "0.3")
    assert document["found"]["share"] == pytest.approx(0.3, abs=0.02)
    assert document["balance"]["steps"][1]["share"]["estimate"] == pytest.approx(document["found"]["share"])
    for options, why in (
        (("--step", "Iron", "--reach", "0.3"), "--step: There is no step"),
        (("--step", "Gold", "--reach", "3"), "--reach: A share between 0 and 1"),
        (("--step", "Gold"), "--reach: A share between 0 and 1"),
        (("--step", "Gold", "--reach", "0.9"), "isn't between the steps"),
    ):
        with pytest.raises(CommandError, match=why) as refused:
            said(str(files["rules.json"]), *options)
        assert refused.value.returncode == 2


@pytest.mark.usefixtures("store")
def test_many_users__are_sampled_and_the_shares_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = balance(asked(), rules())
    monkeypatch.setattr(gathering, "MOST_USERS", 150)
    some = asked()
    assert some.one_in >= 2
    sampled = balance(some, rules())
    assert sampled.users == pytest.approx(whole.users, rel=0.2)
    assert sampled.steps[0].share.estimate == pytest.approx(whole.steps[0].share.estimate, abs=0.1)


@pytest.mark.usefixtures("store")
def test_log__that_is_too_short_or_lacks_an_event__is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="too few days"):
        asked(first="2025-03-26", rules=[{"behaviour": "battle", "points": 1}])
    with pytest.raises(Refused, match="there is no event 'dance'"):
        asked(rules=[{"behaviour": "dance", "points": 1}])
    with questions() as session, pytest.raises(Refused, match="isn't over"):
        gather_event(session, rules(first="2025-06-05"))
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    with pytest.raises(CommandError, match="is no JSON: line 1"):
        said(str(broken))
