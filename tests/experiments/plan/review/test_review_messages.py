"""Whom a message concerns, and what webhooks are told: never anything of an outcome."""

import json
from typing import Any

import pytest

from experiments.models import Experiment, PlanComment, WebhookDelivery
from experiments.plan import moves
from experiments.plan.lifecycle import Action
from experiments.plan.review import (
    ANSWERED,
    COMMENT,
    REQUESTED,
    add_comment,
    answer_review,
    ask_for_review,
    people_concerned,
)
from experiments.webhooks import create_endpoint
from tests.experiments.make import draft
from tests.experiments.plan.review.people import asked, somebody, two

pytestmark = pytest.mark.django_db


def told() -> list[dict[str, Any]]:
    return [json.loads(one.body) for one in WebhookDelivery.objects.order_by("id")]


def names(kind: str, **options: Any) -> list[str]:
    return [one.username for one in people_concerned(kind, Experiment.objects.get(), **options)]


def test_request__to_anyone__concerns_all_who_could_approve() -> None:
    author, _ = two()
    somebody("gone", is_active=False)
    somebody("reader", "Analyst")
    somebody("cleo", "Admin")
    asked(author)

    assert names(REQUESTED) == ["ben", "cleo"]


def test_request__to_somebody__concerns_that_one() -> None:
    author, _ = two()
    cleo = somebody("cleo")
    draft(by=author)
    ask_for_review(key="exp", by=author, reviewers=[cleo])

    assert names(REQUESTED) == ["cleo"]
    assert names(ANSWERED) == ["ann"]
    assert names(COMMENT) == ["ann", "cleo"]
    assert names(COMMENT, but=author) == ["cleo"]


def test_comment__concerns_those_who_spoke_before() -> None:
    author, _ = two()
    row = draft(by=author)
    reader = somebody("reader", "Analyst")
    PlanComment.objects.create(experiment=row, section="arms", text="Why?", by=reader)

    assert names(COMMENT) == ["ann", "reader"]


def test_whole_review__tells_each_step_with_whom_it_concerns() -> None:
    author, reviewer = two()
    create_endpoint(name="w", url="https://93.184.216.34/")
    row = draft(by=author)
    ask_for_review(key="exp", by=author, note="Please look.")
    answer_review(key="exp", by=reviewer, kind="changes", text="Why so small?")
    add_comment(experiment=row, section="size", text="It is.", by=author)
    ask_for_review(key="exp", by=author)
    answer_review(key="exp", by=reviewer, kind="approved")
    moves.move(key="exp", action=Action.START, by=author)

    kinds = [one["type"] for one in told()]
    assert kinds == [REQUESTED, ANSWERED, COMMENT, REQUESTED, ANSWERED, "experiment.started"]
    first, second, third = [one["data"] for one in told()[:3]]
    assert first == {
        "experiment": "exp",
        "flag": "exp",
        "status": "draft",
        "version": 1,
        "by": "ann",
        "people": ["ben"],
        "note": "Please look.",
    }
    assert (second["by"], second["people"], second["answer"], second["text"]) == (
        "ben",
        ["ann"],
        "changes",
        "Why so small?",
    )
    assert (third["section"], third["text"], third["people"]) == ("size", "It is.", ["ben"])


def test_emergency__is_told_as_an_answer() -> None:
    author, _ = two()
    root = somebody("root", "Admin")
    draft(by=author)
    create_endpoint(name="w", url="https://93.184.216.34/")

    moves.move(key="exp", action=Action.START, by=root, why="The shop is down.", without_review=True)

    assert [one["type"] for one in told()] == [ANSWERED, "experiment.started"]
    assert told()[0]["data"] | {"version": 0} == {
        "experiment": "exp",
        "flag": "exp",
        "status": "draft",
        "version": 0,
        "by": "root",
        "people": ["ann"],
        "answer": "skipped",
        "text": "The shop is down.",
    }


def test_unknown_kind__is_the_callers_mistake() -> None:
    with pytest.raises(ValueError, match="there is no message"):
        people_concerned("experiment.verdict", draft())
