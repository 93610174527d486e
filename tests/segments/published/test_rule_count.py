"""A rule is counted while it is picked: as publishing would, at once for what is known, on a sample of large stores."""

from typing import Any

import pytest

from events.models import UnitTraits
from events.simulation import Simulation
from events.warehouse.explore_session import Stop
from runs.progress import Cancelled
from runs.refusals import Refused
from segments.models import Membership
from segments.published import publish, rule_members
from segments.published.rule_members import count_rule, read_quickly
from segments.rules import parse_rule
from tests.segments.published.test_publish import MANY_FRIENDS, UNITS, folder, store, truth, world

pytestmark = pytest.mark.django_db
__all__ = ["folder", "store", "world"]  # fixtures


@pytest.mark.slow
def test_preview__of_a_count__is_the_truth_of_the_world(store: None, world: Simulation) -> None:
    found = count_rule(parse_rule(MANY_FRIENDS), "signup")

    assert (found.units, found.members, found.live) == (UNITS, len(truth(world)), False)
    assert not Membership.objects.exists()


@pytest.mark.slow
def test_rule_on_traits__takes_units_that_have_no_event_yet(store: None) -> None:
    UnitTraits.objects.create(user_id="brand-new", traits={"platform": "ios"})
    UnitTraits.objects.create(user_id="u0000001", traits={"platform": "web"})

    found = count_rule(parse_rule({"all": [{"trait": "platform", "is": "ios"}]}), "signup")

    assert (found.units, found.members, found.live) == (UNITS + 1, 1, True)


@pytest.mark.slow
@pytest.mark.parametrize(
    "rule",
    [
        {"any": [{"trait": "platform", "is": "ios"}, {"behaviour": "friend_add", "days": 3, "at_least": 1}]},
        {"none": [{"behaviour": "friend_add", "days": 3, "at_least": 1}, {"feature": "sessions", "at_most": 20}]},
        {"all": [{"none": [{"trait": "platform", "exists": True}]}, {"feature": "recency", "at_most": 10}]},
    ],
)
def test_count__of_any_rule__is_what_publishing_takes(store: None, rule: dict[str, Any]) -> None:
    UnitTraits.objects.create(user_id="brand-new", traits={"platform": "ios"})
    UnitTraits.objects.create(user_id="u0000001", traits={"platform": "web"})

    found = count_rule(parse_rule(rule), "signup")
    version = publish.publish_rule(key="x", name="X", signup_event="signup", rule=rule)

    assert (found.members, found.units, found.one_in) == (version.segments.get().size, version.units, 1)
    assert 0 < found.members < found.units


@pytest.mark.slow
def test_count__another_threshold__asks_the_warehouse_nothing(
    store: None, world: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    count_rule(parse_rule(MANY_FRIENDS), "signup")
    monkeypatch.setattr(rule_members, "prepared", None)

    found = count_rule(parse_rule({"all": [{"behaviour": "friend_add", "days": 7, "at_least": 5}]}), "signup")

    assert found.members == int((world.target_count >= 5).sum())


def test_count__large_store__a_sample_with_its_interval_near_the_truth(
    store: None, world: Simulation, monkeypatch: pytest.MonkeyPatch
) -> None:
    UnitTraits.objects.bulk_create(UnitTraits(user_id=f"u{i + 1:07d}", traits={"a": 1}) for i in range(UNITS))
    monkeypatch.setattr(rule_members, "USERS_COUNTED", 300)

    found = count_rule(parse_rule({"all": [*MANY_FRIENDS["all"], {"trait": "a", "is": 1}]}), "signup")

    assert found.one_in == 5
    assert UNITS / 8 < found.units < UNITS / 3
    assert found.share is not None
    share, true = found.share, len(truth(world)) / UNITS
    assert share.low < share.estimate < share.high
    # Who is in the sample differs from run to run: 95 of 100 intervals hold the truth, nearly all of twice the width.
    assert abs(share.estimate - true) < 2.3 * (share.high - share.low) / 2


def test_count__newer_question_of_the_same_person__ends_the_older(store: None, monkeypatch: pytest.MonkeyPatch) -> None:
    real = rule_members.read_quickly

    def asked_anew_meanwhile(*args: Any, stop: Stop, **kwargs: Any) -> Any:
        stop.now()  # as the newer question does
        return real(*args, stop=stop, **kwargs)

    monkeypatch.setattr(rule_members, "read_quickly", asked_anew_meanwhile)
    with pytest.raises(Cancelled):
        count_rule(parse_rule(MANY_FRIENDS), "signup", asker="ann")
    monkeypatch.setattr(rule_members, "read_quickly", real)

    assert count_rule(parse_rule(MANY_FRIENDS), "signup", asker="ann").units == UNITS


def test_count__second_question__asks_the_first_to_stop(store: None, monkeypatch: pytest.MonkeyPatch) -> None:
    stops: list[Stop] = []

    def nested(facts: Any, wanted: Any, *, stop: Stop) -> Any:
        stops.append(stop)
        if len(stops) == 1:
            rule_members._lock.release()  # the second comes while the first waits for the engine
            count_rule(parse_rule(MANY_FRIENDS), "signup", asker="ann")
            rule_members._lock.acquire()
        return read_quickly(facts, wanted, stop=stop)

    monkeypatch.setattr(rule_members, "read_quickly", nested)

    with pytest.raises(Cancelled):
        count_rule(parse_rule(MANY_FRIENDS), "signup", asker="ann")
    assert [stop.asked for stop in stops] == [True, False]


def test_count__unknown_event__refused_by_name(store: None) -> None:
    rule = parse_rule({"all": [{"behaviour": "nope", "days": 3, "at_least": 1}]})

    with pytest.raises(Refused, match="there is no event 'nope'"):
        count_rule(rule, "signup")


def test_rule_on_features__counts_the_whole_life(store: None) -> None:
    everybody = count_rule(parse_rule({"all": [{"feature": "active_days", "at_least": 1}]}), "signup")
    nobody = count_rule(parse_rule({"all": [{"feature": "tenure", "at_most": 5}]}), "signup")

    assert everybody.members == UNITS
    assert nobody.members == 0


def test_count__rule_changed_meanwhile__ended(store: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def changed(facts: Any, wanted: Any, *, stop: Stop) -> Any:
        rule_members.end_count("bob")
        assert not stop.asked
        rule_members.end_count("ann")
        return read_quickly(facts, wanted, stop=stop)

    monkeypatch.setattr(rule_members, "read_quickly", changed)

    with pytest.raises(Cancelled):
        count_rule(parse_rule(MANY_FRIENDS), "signup", asker="ann")
