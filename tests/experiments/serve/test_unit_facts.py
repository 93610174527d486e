"""Published segments in an audience: looked up at the start, frozen, answered live or from membership."""

from typing import Any

import pytest

from aha.models import AhaMoment
from experiments.draw.evaluation import Evaluation
from experiments.models import AudienceRow, WebhookDelivery, WebhookEndpoint
from experiments.serve import assign, config
from runs.refusals import Refused
from segments.models import Membership, Segment, SegmentModel, SegmentVersion
from tests.experiments.make import IOS, do, draft

pytestmark = pytest.mark.django_db


def publish(key: str, kind: str, *, rule: object = None, number: int = 1, targetable: bool = True) -> Segment:
    model, _ = SegmentModel.objects.get_or_create(key=key, defaults={"name": key, "kind": kind})
    version = SegmentVersion.objects.create(refreshed_at="2026-03-01T00:00:00Z", model=model, number=number, rule=rule)
    name = "g1" if kind == "cluster" else "members"
    return Segment.objects.create(version=version, key=name, targetable=targetable)


def join(segment: Segment, unit: str) -> None:
    Membership.objects.create(version=segment.version, unit=unit, segment=segment)


def reason(unit: str, **context: object) -> str:
    config.forget()
    answer = assign.evaluate("exp", unit, context)
    assert isinstance(answer, Evaluation)
    return str(answer.metadata.get("excludedBy", answer.reason))


def test_slug__names_model_version_and_group() -> None:
    assert publish("style", "cluster").slug == "style.v1.g1"
    assert publish("ios", "rule", rule=IOS, number=3).slug == "ios.v3"


@pytest.mark.parametrize("key", ["style.v2.g1", "style.v1.g9", "nothing", "style.vx", "style"])
def test_start__segment_that_is_not_published__is_refused_and_stays_a_draft(key: str) -> None:
    publish("style", "cluster")
    draft(audience=[{"segment_key": key}])

    with pytest.raises(Refused, match="no published segment"):
        do("exp", "start")


def test_start__unstable_group__is_refused() -> None:
    publish("style", "cluster", targetable=False)
    draft(audience=[{"segment_key": "style.v1.g1"}])

    with pytest.raises(Refused, match="too unstable"):
        do("exp", "start")


def test_start__rule_on_traits__is_copied_and_answered_live() -> None:
    version = publish("ios", "rule", rule=IOS).version
    draft(audience=[{"segment_key": "ios.v1"}])

    do("exp", "start")

    row = AudienceRow.objects.get()
    assert row.rule == IOS
    SegmentVersion.objects.filter(pk=version.pk).update(rule={"all": [{"trait": "platform", "is": "web"}]})
    assert reason("a", platform="ios") == "SPLIT"
    assert reason("b", platform="web") == "segment"


def test_start__cluster__is_answered_from_membership_and_its_version_kept_fresh() -> None:
    segment = publish("style", "cluster")
    other = publish("style", "cluster", number=2)
    join(segment, "in")
    join(other, "later")
    draft(audience=[{"segment_key": "style.v1.g1"}])

    do("exp", "start")

    segment.version.refresh_from_db()
    other.version.refresh_from_db()
    assert (segment.version.pinned, other.version.pinned) == (True, False)
    assert reason("in") == "SPLIT"
    assert reason("later") == "segment"
    assert reason("nobody") == "segment"


def test_membership_that_changes__never_moves_an_assigned_unit() -> None:
    segment = publish("style", "cluster")
    join(segment, "in")
    draft(audience=[{"segment_key": "style.v1.g1"}])
    do("exp", "start")
    assert reason("in") == "SPLIT"

    Membership.objects.all().delete()

    assert reason("in") == "SPLIT"


def test_start__of_a_test_of_a_moment__marks_it_and_tells_who_listens() -> None:
    moment = AhaMoment.objects.create(
        key="m", name="m", behaviour="a", times=3, days=7, signup_event="s", retention="window:21-27"
    )
    WebhookEndpoint.objects.create(name="x", url="https://example.com/", secret="whsec_x")
    draft(moment=moment)

    do("exp", "start")
    do("exp", "stop")

    moment.refresh_from_db()
    assert moment.status == "testing"
    assert sorted(WebhookDelivery.objects.values_list("type", flat=True)) == [
        "experiment.started",
        "experiment.stopped",
    ]


def test_start__refused__tells_nobody() -> None:
    WebhookEndpoint.objects.create(name="x", url="https://example.com/", secret="whsec_x")
    draft(audience=[{"segment_key": "nothing"}])

    with pytest.raises(Refused):
        do("exp", "start")

    assert not WebhookDelivery.objects.exists()


def test_new_unit__many_flags_and_rows__its_segments_are_looked_up_once_and_lightly(
    django_assert_max_num_queries: Any,
) -> None:
    groups = [publish(f"style{n}", "cluster") for n in range(6)]
    join(groups[5], "u1")
    for key in ("exp", "other", "third"):
        draft(key, flag_key=key, audience=[{"segment_key": group.slug, "coverage": 10_000} for group in groups])
        do(key, "start")

    with django_assert_max_num_queries(12) as asked:
        answers = assign.evaluate_all("u1", {})

    assert [answer.reason for answer in answers if isinstance(answer, Evaluation)] == ["SPLIT"] * 3
    look_ups = [row["sql"] for row in asked if "segments_membership" in row["sql"]]
    assert len(look_ups) == 1
    assert not any(name in look_ups[0] for name in ("fitted", "baseline", "drift", "profile", "inputs"))
