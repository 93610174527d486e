"""Every door of a start obeys the review; an emergency is for administrators, with a reason."""

from typing import Any

import pytest
from django.contrib.auth.models import User

from events.models import Source
from experiments.models import Experiment, ReviewAnswer
from experiments.plan import moves
from experiments.plan.lifecycle import Action, Status
from insight_site.access.keys import issue_key
from runs.refusals import Refused
from tests.experiments.make import draft
from tests.experiments.plan.review.people import approved, asked, logged_in, somebody, two
from tests.experiments.plan.review.test_guard import start

pytestmark = pytest.mark.django_db


# ── An emergency ──────────────────────────────────────────────────────────────
def test_emergency__of_an_admin_with_a_reason__starts_and_is_kept() -> None:
    author, _ = two()
    draft(by=author)
    admin = somebody("root", "Admin")

    with pytest.raises(Refused, match="Say why it starts without a review"):
        start(by=admin, without_review=True)
    assert start(by=admin, without_review=True, why="The shop is down.").status == Status.RUNNING

    kept = ReviewAnswer.objects.get()
    assert (kept.kind, kept.by, kept.text) == ("skipped", admin, "The shop is down.")


@pytest.mark.parametrize("role", ["PM", "Analyst", "Service owner", ""])
def test_emergency__of_anybody_else__is_refused_and_leaves_nothing(role: str) -> None:
    author, _ = two()
    draft(by=author)

    with pytest.raises(Refused, match="Only a signed-in administrator"):
        start(by=somebody("other", role), without_review=True, why="Please.")

    assert not ReviewAnswer.objects.exists()
    assert Experiment.objects.get().status == Status.DRAFT


def test_emergency__where_nothing_is_missing__is_no_emergency() -> None:
    author, reviewer = two()
    approved(author, reviewer)

    start(by=author, without_review=True)

    assert not ReviewAnswer.objects.filter(kind="skipped").exists()


def test_emergency__with_a_plan_that_is_wrong__is_refused_for_that() -> None:
    author, _ = two()
    draft(by=author, hypothesis="")

    with pytest.raises(Refused, match="hypothesis"):
        start(by=somebody("root", "Admin"), without_review=True, why="Now.")


# ── Doors ─────────────────────────────────────────────────────────────────────
def rest_by_person(author: User) -> Any:
    return logged_in(author).post("/api/v1/experiments/exp/start", {}, content_type="application/json")


def rest_by_key(author: User) -> Any:
    source, _ = Source.objects.get_or_create(name="app")
    key = issue_key(name="ci", source=source, kind="admin", scopes=["admin:*"], created_by=author)[1]
    return logged_in(author).post(
        "/api/v1/experiments/exp/start", {}, content_type="application/json", headers={"Authorization": f"Bearer {key}"}
    )


def step_page(author: User) -> Any:
    return logged_in(author).post("/experiments/exp/plan/review/", {"sure": "1", "why": ""})


def question_page(author: User) -> Any:
    return logged_in(author).post("/experiments/exp/do/start/", {"why": ""})


def question_of_several(author: User) -> Any:
    return logged_in(author).post("/experiments/-/do/start/?key=exp", {"why": ""})


def admin_action(author: User) -> Any:
    author.is_staff = True
    author.save()
    client = logged_in(author)
    row = Experiment.objects.get(key="exp")
    asked_there = client.post(
        "/admin/experiments/experiment/", {"action": "start", "_selected_action": [str(row.pk)]}, follow=False
    )
    assert "/do/start/" in asked_there["Location"]
    return client.post(asked_there["Location"], {"why": ""})


def service(author: User) -> Any:
    """What commands and the demo call."""
    try:
        moves.move(key="exp", action=Action.START, by=author)
    except Refused as refused:
        return refused
    return None


DOORS = (rest_by_person, rest_by_key, step_page, question_page, question_of_several, admin_action, service)


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.__name__)
def test_door__with_a_plan_that_isnt_approved__starts_nothing(door: Any) -> None:
    author, _reviewer = two()
    asked(author)

    answer = door(author)

    assert Experiment.objects.get().status == Status.DRAFT
    said = str(answer) if isinstance(answer, Refused) else answer.content.decode()
    assert "waits for its review" in said


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.__name__)
def test_door__with_a_plan_that_is_approved__starts_it(door: Any) -> None:
    author, reviewer = two()
    approved(author, reviewer)

    door(author)

    assert Experiment.objects.get().status == Status.RUNNING
