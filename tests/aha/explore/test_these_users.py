"""The users behind a point of an answer: the right ones, as many as the answer says, and as a segment."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from aha.explore import answering, these_users
from aha.explore.answering import answer
from aha.explore.question import Question
from aha.study.population import last_day_of, segments_named
from events.warehouse.explore_session import Stop
from runs.progress import silent
from runs.refusals import Refused
from segments.models import Membership, SegmentModel
from segments.published import predict_churn, publish

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("fingers")]
RETENTION = "/explore/retention/users/?signup_event=signup&retention=on_day%3A7&day_mode=rolling"


def found(view: str, point: dict[str, str], **more: Any) -> these_users.Found:
    """The users of a point, whose other values are those that the page would take."""
    question = Question(view, **{"signup": "signup", **more})
    payload = answer(question, stop=Stop(), progress=silent)
    choice = these_users.picks(question, payload)
    assert set(point) <= {pick.name for pick in choice}
    return these_users.find(question, {pick.name: pick.of(point) for pick in choice})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("view", "more", "point", "who", "last_day"),
    [
        ("retention", {"retention": "on_day:7"}, {"at": "2024-03-04"}, "ab", 7),
        ("retention", {"retention": "on_day:7"}, {"at": "2024-03-04", "kind": "left"}, "e", 7),
        ("retention", {"retention": "on_day:7"}, {"column": "1-1"}, "a", 1),
        ("retention", {"retention": "unbounded:7"}, {}, "abce", None),
        ("retention", {"retention": "min_events:play:0-6:1"}, {"column": "0-6"}, "ac", 6),
        ("times", {"behaviour": "shop"}, {}, "ac", 6),
        ("times", {"behaviour": "shop"}, {"kind": "fewer"}, "be", 6),
        ("times", {"behaviour": "play", "days": 8}, {"column": "2"}, "a", 7),
        ("funnel", {"steps": ("play", "shop")}, {"column": "0"}, "ac", 6),
        ("funnel", {"steps": ("play", "shop")}, {}, "a", 6),
        ("funnel", {"steps": ("play", "shop")}, {"column": "0", "kind": "stopped"}, "c", 6),
        ("activity", {"behaviour": "play"}, {"at": "2024-03-19"}, "ce", None),
        ("activity", {"behaviour": "play", "by": "week"}, {"at": "2024-03-11"}, "abc", None),
        ("lifecycle", {}, {"at": "2024-03-11", "kind": "dormant"}, "e", None),
        ("lifecycle", {}, {"at": "2024-03-18", "kind": "returning"}, "e", None),
    ],
)
def test_users__of_a_point__are_those_that_one_counts_on_fingers(
    view: str, more: dict[str, Any], point: dict[str, str], who: str, last_day: int | None
) -> None:
    users = found(view, point, **more)

    assert ("".join(users.ids), users.last_day) == (who, last_day)


@pytest.mark.slow
@pytest.mark.parametrize("day_mode", ["rolling", "calendar"])
def test_users__of_every_cell__are_as_many_as_the_answer_says(day_mode: str) -> None:
    question = Question("retention", "signup", retention="on_day:7", day_mode=day_mode)
    payload = answer(question, stop=Stop(), progress=silent)

    for row in payload["weeks"]:
        for column, (eligible, retained) in zip(payload["columns"], row["cells"], strict=True):
            cell = {"at": row["week"], "column": f"{column[0]}-{column[1]}"}
            stayed = these_users.find(question, {**cell, "kind": "stayed"})
            left = these_users.find(question, {**cell, "kind": "left"})
            assert (len(stayed.ids), len(left.ids)) == (retained, eligible - retained), cell
            assert not set(stayed.ids) & set(left.ids)
            assert stayed.of == left.of == eligible  # not those, too, whose days aren't over


@pytest.fixture
def analyst(client: Client, monkeypatch: pytest.MonkeyPatch) -> Client:
    monkeypatch.setattr(answering.ask, "__kwdefaults__", {"patience": 60.0})
    person = User.objects.create_user("ann")
    names = ["add_segmentversion", "view_membership"]
    person.user_permissions.set(Permission.objects.filter(codename__in=names))
    client.force_login(person)
    return client


def test_page__of_a_cell__says_how_many_and_who(analyst: Client) -> None:
    text = analyst.get(f"{RETENTION}&at=2024-03-04&column=7-7").content.decode()

    assert "2 users of 3." in text
    assert "<code>a</code> <code>b</code>" in text
    assert '<option value="2024-03-04" selected>' in text


def test_page__for_who_may_not_see_members__holds_no_id_and_saves_nothing(analyst: Client) -> None:
    User.objects.get().user_permissions.clear()

    text = analyst.get(RETENTION).content.decode()

    assert "2 users of 4." in text
    assert "<code>a</code>" not in text
    assert analyst.post(RETENTION, {"name": "Back", "key": "back"}).status_code == 403
    assert not SegmentModel.objects.exists()


def test_list__saved__is_a_segment_that_stays_as_it_was(analyst: Client) -> None:
    answered = analyst.post(f"{RETENTION}&at=2024-03-04", {"name": "Back on day 7", "key": ""})

    assert answered["Location"] == "/segments/models/back-on-day-7/"
    version, (segment,) = segments_named("back-on-day-7")
    assert set(Membership.objects.filter(segment=segment).values_list("unit", flat=True)) == {"a", "b"}
    assert (segment.size, version.units, last_day_of(version)) == (2, 3, 7)
    assert segment.slug == "back-on-day-7.v1"
    with pytest.raises(Refused, match="stays as it was counted"):
        publish.refresh(version=version)
    with pytest.raises(Refused, match="in this list"):
        predict_churn.start_churn(segment=segment, retention="window:21-27", seed=1, by=None)
    assert analyst.get("/segments/models/back-on-day-7/").status_code == 200
    assert analyst.get("/segments/").status_code == 200


def test_list__under_a_key_of_a_rule__is_refused_and_nothing_is_written(analyst: Client) -> None:
    SegmentModel.objects.create(key="vip", name="VIP", kind="rule")

    answered = analyst.post(RETENTION, {"name": "VIP", "key": "vip"})

    assert answered.status_code == 422
    assert "belongs to a model of another kind" in answered.content.decode()
    assert not Membership.objects.exists()


def test_list__of_nobody__is_refused(analyst: Client) -> None:
    answered = analyst.post(f"{RETENTION}&at=2024-03-11", {"name": "None", "key": "none"})

    assert answered.status_code == 422
    assert not SegmentModel.objects.exists()
