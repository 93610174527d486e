"""Archive and restore: what runs holds a thing back and is named; the rest goes out of lists and fields."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from aha.models import AhaMoment
from aha.pickers import moments
from events.upkeep import archive, tags_and_owners
from events.upkeep.archive import all_uses
from events.upkeep.thing_kinds import kind_of
from experiments.plan import audience, moves
from experiments.plan.lifecycle import Action
from runs.refusals import Refused
from segments.models import ChurnRun, ComparisonRun, Segment, SegmentModel
from segments.pickers import SegmentField, segments
from segments.published import publish
from tests.events.upkeep.make import INPUTS, account, moment, segment, study
from tests.experiments.make import draft, running

pytestmark = pytest.mark.django_db
IN_STYLE: dict[str, Any] = {"audience": [{"segment_key": "style.v1.g1", "coverage": 10_000}]}


def refusal(thing: Any) -> str:
    with pytest.raises(Refused) as refused:
        archive.archive(thing=thing)
    thing.refresh_from_db()
    assert thing.archived_at is None
    return refused.value.sentence


def test_archive__twice_and_back__keeps_the_first_time() -> None:
    thing = study()
    first = archive.archive(thing=thing).archived_at

    assert archive.archive(thing=thing).archived_at == first
    assert archive.restore(thing=thing).archived_at is None
    assert archive.restore(thing=thing).archived_at is None


@pytest.mark.parametrize(("status", "may"), [("queued", False), ("running", False), ("failed", True), ("done", True)])
def test_archive__a_study__not_while_it_is_computed(status: str, may: bool) -> None:
    thing = study(status=status)
    if may:
        assert archive.archive(thing=thing).archived_at is not None
    else:
        assert "still being computed" in refusal(thing)


def test_archive__a_moment__not_while_its_experiment_runs_or_pauses() -> None:
    claim = moment()
    draft("idea", moment=claim)
    assert archive.archive(thing=claim).archived_at is not None  # a draft holds nothing back
    archive.restore(thing=claim)
    running("hint", name="Hint", moment=claim)
    assert "“Hint” (running)" in refusal(claim)
    moves.move(key="hint", action=Action.PAUSE)
    assert "“Hint” (paused)" in refusal(claim)

    moves.move(key="hint", action=Action.STOP)

    archived = archive.archive(thing=claim, by=User.objects.create_user("ann"))
    assert archived.archived_at is not None
    last = archived.history.first()
    assert (last.history_change_reason, last.history_user.username) == ("archived", "ann")


def test_archive__a_segment__not_while_an_experiment_targets_any_of_its_versions() -> None:
    model, other = segment(), segment("other", "Other")
    running("hint", name="Hint", **IN_STYLE)

    assert "“Hint” (running)" in refusal(model)
    assert archive.archive(thing=other).archived_at is not None
    moves.move(key="hint", action=Action.STOP)
    assert archive.archive(thing=model).archived_at is not None


def test_archive__a_segment__not_while_something_is_computed_of_it() -> None:
    model = segment()
    first, second = Segment.objects.order_by("key")
    churn = ChurnRun.objects.create(segment=first, status="running")
    assert "Churn of Fighters" in refusal(model)
    churn.delete()
    run = ComparisonRun.objects.create(first=first, second=second, status="queued")
    assert "Fighters : Builders" in refusal(model)
    run.delete()
    asked = study("By style", status="running", inputs={**INPUTS, "segment": "style"})
    assert "By style" in refusal(model)
    asked.inputs = {**INPUTS, "segment": "g2"}  # one group of it
    asked.save()
    assert "By style" in refusal(model)

    assert {use.key for use in all_uses() if use.by.startswith("study")} == {"style", "g2"}
    asked.status = "done"
    asked.save()
    assert [use for use in all_uses() if use.by.startswith("study")] == []
    assert archive.archive(thing=model).archived_at is not None


def test_archived__is_in_no_list_and_in_no_field_to_choose_from__until_it_is_asked_for(admin_client: Client) -> None:
    things = [study("Spring"), moment(), segment()]
    pages = ["/aha/studies/", "/aha/moments/", "/segments/"]
    titles = ["Spring", "Three friends", "Style"]
    for page, title in zip(pages, titles, strict=True):
        assert f">{title}</a>" in admin_client.get(page).content.decode()

    for thing in things:
        archive.archive(thing=thing)

    for page, title in zip(pages, titles, strict=True):
        assert f">{title}</a>" not in admin_client.get(page).content.decode()
        assert f">{title}</a>" in admin_client.get(page, {"archived": "1"}).content.decode()
    assert (moments("", ""), segments("", ""), audience.choices()) == ([], [], [])
    assert SegmentField().clean("style") == "style"  # an older question can still be asked again
    assert "Spring" not in admin_client.get("/aha/compare/").content.decode()
    assert "Three friends" not in admin_client.get("/experiments/-/new/").content.decode()
    for thing in things:
        assert "Archived on" in admin_client.get(kind_of(thing).url_of(thing)).content.decode()


def test_archived_segment__in_a_draft__forbids_its_start() -> None:
    model = segment()
    plan = draft("hint", **IN_STYLE)
    archive.archive(thing=model)

    assert [trouble.step for trouble in audience.troubles(plan)] == ["audience"]
    with pytest.raises(Refused, match="archived"):
        moves.move(key="hint", action=Action.START)
    archive.restore(thing=model)
    assert moves.move(key="hint", action=Action.START).status == "running"


def test_refresh__of_an_archived_segment__only_where_it_is_used_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    model = segment(refresh_days=1)
    refreshed: list[str] = []
    monkeypatch.setattr(publish, "refresh", lambda version: refreshed.append(version.model.key))
    archive.archive(thing=model)
    assert publish.refresh_due() == 0

    SegmentModel.objects.update(archived_at=None)
    running("hint", **IN_STYLE)
    SegmentModel.objects.update(archived_at=timezone.now())  # archived in the moment in which the experiment started

    assert publish.refresh_due() == 1
    assert refreshed == ["style"]


def test_owner__is_who_made_it__until_it_is_handed_over() -> None:
    ann, ben = account("ann"), account("ben")
    hers, nobodys = study("A", created_by=ann), study("B")
    assert (tags_and_owners.owner_of(hers), tags_and_owners.owner_of(nobodys)) == (ann, None)

    tags_and_owners.set_owner(thing=hers, owner=ben)
    tags_and_owners.set_owner(thing=nobodys, owner=ann)

    rows = type(hers).objects
    assert list(rows.filter(tags_and_owners.owned_by(ben))) == [hers]
    assert list(rows.filter(tags_and_owners.owned_by(ann))) == [nobodys]
    ben.is_active = False
    ben.save()
    with pytest.raises(Refused, match="deactivated"):
        tags_and_owners.set_owner(thing=nobodys, owner=ben)


def test_owner__of_an_experiment__is_no_new_version_of_its_plan() -> None:
    plan = draft("exp")
    before, version = plan.history.count(), plan.version

    tags_and_owners.set_owner(thing=plan, owner=account("ann"))

    plan.refresh_from_db()
    assert (plan.history.count(), plan.version) == (before, version)


def test_moment_of_a_draft__when_archived__stays_in_the_form_of_that_draft() -> None:
    from experiments.pages.step_forms import HypothesisForm

    claim = moment()
    plan = draft("exp", moment=claim)
    AhaMoment.objects.update(archived_at=timezone.now() - timedelta(days=1))

    of_draft: Any = HypothesisForm(experiment=plan).fields["moment"]
    of_a_new_one: Any = HypothesisForm().fields["moment"]
    assert (list(of_draft.queryset), list(of_a_new_one.queryset)) == ([claim], [])
