"""What of the experiments waits for one person, on both sides of each border."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission, User

from experiments.models import Analysis, Experiment, ReadResult
from experiments.plan.review import answer_review, ask_for_review
from experiments.status import waiting
from tests.experiments.make import do, draft, running

pytestmark = pytest.mark.django_db


def a_person(name: str, *permissions: str) -> User:
    user = User.objects.create_user(name)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return user


def owned(row: Experiment, by: User) -> Experiment:
    Experiment.objects.filter(pk=row.pk).update(owner=by)
    row.refresh_from_db()
    return row


def an_analysis(row: Experiment, verdict: str = "CAUSES", *, final: bool = False, **more: Any) -> Analysis:
    return Analysis.objects.create(experiment=row, status="done", verdict=verdict, final=final, **more)


def test_reviews__named_or_anybodys__wait_for_who_may_answer() -> None:
    author, _lead = a_person("author", "add_reviewanswer"), a_person("lead", "add_reviewanswer")
    _reader, named = a_person("reader"), a_person("named", "add_reviewanswer")
    for key, reviewers in (("anybodys", ()), ("theirs", (named,))):
        draft(key, by=author)
        ask_for_review(key=key, by=author, reviewers=reviewers)

    found = {user.username: [row.experiment.key for row in waiting.reviews_for(user)] for user in User.objects.all()}

    assert found == {"author": [], "lead": ["anybodys"], "reader": [], "named": ["theirs", "anybodys"]}


def test_unread__until_the_verdict_was_seen_and_again_when_it_changes() -> None:
    ann, bob = a_person("ann"), a_person("bob")
    row = owned(running("hint"), ann)
    first = an_analysis(row)

    assert [found.verdict for found in waiting.unread(ann)] == ["CAUSES"]
    assert waiting.unread(bob) == []

    waiting.note_read(ann, first)
    an_analysis(row)  # of the next night, with the same verdict
    assert waiting.unread(ann) == []

    an_analysis(row, final=True)
    assert [found.final for found in waiting.unread(ann)] == [True]


def test_unread__locked_outcome_or_closed_with_a_note__is_no_result() -> None:
    ann = a_person("ann")
    locked, closed = owned(running("locked"), ann), owned(running("closed"), ann)
    waiting.note_read(ann, an_analysis(locked, verdict=""))
    an_analysis(closed)
    Experiment.objects.filter(pk=closed.pk).update(status="concluded")

    assert waiting.unread(ann) == []
    assert not ReadResult.objects.exists()


def test_drafts__each_step_of_a_review__says_what_is_missing() -> None:
    ann, lead = a_person("ann", "change_experiment", "add_reviewanswer"), a_person("lead", "add_reviewanswer")
    draft("idea", by=ann)

    def why() -> str:
        (state,) = waiting.drafts(ann, [])
        return state.why

    assert why() == "The plan needs an approval by somebody who didn't write it: ask for a review."
    ask_for_review(key="idea", by=ann)
    assert why() == "The plan waits for its review."
    answer_review(key="idea", by=lead, kind="approved")
    assert why() == ""
    Experiment.objects.filter(key="idea").update(version=9)
    assert why().startswith("The plan was changed after its approval")


def test_drafts__flag_of_a_live_experiment__is_the_reason() -> None:
    ann = a_person("ann", "change_experiment")
    running("live", flag_key="same")
    draft("idea", by=ann, flag_key="same")

    (state,) = waiting.drafts(ann, [])

    assert "live" in state.why


def test_stopped__is_left_out_where_its_result_is_unread() -> None:
    ann = a_person("ann")
    row = owned(running("over"), ann)
    do("over", "stop")

    assert [found.key for found in waiting.stopped(ann, [])] == ["over"]
    assert waiting.stopped(ann, [row]) == []
