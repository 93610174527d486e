"""No door starts a plan that somebody else hasn't approved as it stands."""

from datetime import date
from typing import Any

import pytest
from django.contrib.auth.models import User

from experiments.models import AudienceRow, Experiment, ReviewAnswer, ReviewPolicy
from experiments.plan import drafts, moves
from experiments.plan.lifecycle import Action, Status
from experiments.plan.review import (
    ReviewCode,
    answer_review,
    ask_for_review,
    authors_of,
    is_required,
    standing_of,
    withdraw_request,
)
from experiments.serve import overrides
from runs.refusals import Refused
from tests.experiments.make import draft
from tests.experiments.plan.review.people import SAYS_NONE, approved, asked, somebody, two

pytestmark = pytest.mark.django_db
MODES = ReviewPolicy.Mode


def start(key: str = "exp", **options: Any) -> Experiment:
    return moves.move(key=key, action=Action.START, **options)


def code(key: str = "exp") -> ReviewCode:
    return standing_of(Experiment.objects.get(key=key)).code


# ── When a review is needed ───────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("mode", "people", "needed"),
    [
        (None, 0, False),
        (None, 1, False),
        (None, 2, True),
        (MODES.AUTOMATIC, 1, False),
        (MODES.AUTOMATIC, 2, True),
        (MODES.ALWAYS, 0, True),
        (MODES.NEVER, 2, False),
    ],
)
def test_rule__by_mode_and_people__decides_whether_a_draft_may_start(
    mode: str | None, people: int, needed: bool
) -> None:
    for number in range(people):
        somebody(f"pm{number}")
    if mode is not None:
        ReviewPolicy.objects.create(pk=1, mode=mode)
    draft()

    assert is_required() is needed
    if needed:
        with pytest.raises(Refused, match=SAYS_NONE):
            start()
        assert Experiment.objects.get().status == Status.DRAFT
    else:
        assert start().status == Status.RUNNING


def test_rule__automatic__counts_neither_the_inactive_nor_those_who_only_read() -> None:
    somebody("pm")
    somebody("gone", is_active=False)
    somebody("ann", "Analyst")
    somebody("sam", "Service owner")
    somebody("none", "")
    assert not is_required()

    User.objects.create_superuser("root")
    assert is_required()


def test_running__when_a_second_approver_comes__is_paused_resumed_and_stopped_as_before() -> None:
    author = somebody("ann")
    draft(by=author)
    start(by=author)
    somebody("ben")

    for action in (Action.PAUSE, Action.RESUME, Action.CLOSE_ENROLMENT, Action.STOP, Action.CONCLUDE):
        moves.move(key="exp", action=action, by=author)

    assert Experiment.objects.get().status == Status.CONCLUDED


# ── What approves ─────────────────────────────────────────────────────────────
def test_approved__by_somebody_else__starts() -> None:
    author, reviewer = two()
    asked(author)
    with pytest.raises(Refused, match="waits for its review"):
        start(by=author)

    answer_review(key="exp", by=reviewer, kind="approved")

    assert start(by=author).status == Status.RUNNING
    assert standing_of(Experiment.objects.get()).answer.by == reviewer  # type: ignore[union-attr]


def test_author__who_made_it__cant_approve() -> None:
    author, _reviewer = two()
    asked(author)

    with pytest.raises(Refused, match="somebody else has to approve it"):
        answer_review(key="exp", by=author, kind="approved")
    assert not ReviewAnswer.objects.exists()


def test_author__who_only_changed_a_word__cant_approve() -> None:
    author, second = two()
    draft(by=author)
    drafts.update_draft(key="exp", by=second, hypothesis="It helps more.")
    ask_for_review(key="exp", by=author)

    assert authors_of(Experiment.objects.get()) == {author.pk, second.pk}
    with pytest.raises(Refused, match="somebody else has to approve it"):
        answer_review(key="exp", by=second, kind="approved")
    answer_review(key="exp", by=somebody("cleo"), kind="approved")
    assert code() is ReviewCode.APPROVED


def test_reader__who_saved_a_step_unchanged__is_no_author() -> None:
    author, reviewer = two()
    draft(by=author)
    drafts.update_draft(key="exp", by=reviewer, why="step:outcomes", primary_metrics=["window:14-20"])

    assert authors_of(Experiment.objects.get()) == {author.pk}


@pytest.mark.parametrize(("role", "allowed"), [("PM", True), ("Admin", True), ("Analyst", False), ("", False)])
def test_answer__by_role__is_taken_or_refused(role: str, allowed: bool) -> None:
    author, _ = two()
    asked(author)
    other = somebody("other", role)

    if allowed:
        answer_review(key="exp", by=other, kind="approved")
    else:
        with pytest.raises(Refused, match="may approve plans"):
            answer_review(key="exp", by=other, kind="approved")
    assert ReviewAnswer.objects.exists() is allowed


def test_answer__without_a_request__is_refused() -> None:
    author, reviewer = two()
    draft(by=author)
    with pytest.raises(Refused, match="Nobody has asked"):
        answer_review(key="exp", by=reviewer, kind="approved")

    ask_for_review(key="exp", by=author)
    withdraw_request(key="exp")
    with pytest.raises(Refused, match="Nobody has asked"):
        answer_review(key="exp", by=reviewer, kind="approved")


def test_answer__of_somebody_who_wasnt_named__is_refused() -> None:
    author, reviewer = two()
    named = somebody("cleo")
    draft(by=author)
    ask_for_review(key="exp", by=author, reviewers=[named])

    with pytest.raises(Refused, match="Other people were asked"):
        answer_review(key="exp", by=reviewer, kind="approved")
    answer_review(key="exp", by=named, kind="approved")
    assert code() is ReviewCode.APPROVED


def test_request__to_an_author__is_refused() -> None:
    author, _ = two()
    draft(by=author)

    with pytest.raises(Refused, match="ann can't approve this plan"):
        ask_for_review(key="exp", by=author, reviewers=[author])


def test_answer__to_a_plan_that_was_changed_meanwhile__is_refused() -> None:
    author, reviewer = two()
    asked(author)
    seen = standing_of(Experiment.objects.get()).fingerprint
    drafts.update_draft(key="exp", by=author, alpha=0.2)
    assert standing_of(Experiment.objects.get()).moved_on

    with pytest.raises(Refused, match="changed while you read it"):
        answer_review(key="exp", by=reviewer, kind="approved", seen=seen)


def test_changes__need_words_and_are_asked_again() -> None:
    author, reviewer = two()
    asked(author)
    with pytest.raises(Refused, match="Say what should be changed"):
        answer_review(key="exp", by=reviewer, kind="changes", text=" ")
    answer_review(key="exp", by=reviewer, kind="changes", text="No guardrail.")
    assert code() is ReviewCode.CHANGES
    with pytest.raises(Refused, match="asks for changes"):
        start(by=author)

    drafts.update_draft(key="exp", by=author, guardrail_metrics=["min_events:crash:0-6:1"])
    assert code() is ReviewCode.REVISED
    ask_for_review(key="exp", by=author)
    answer_review(key="exp", by=reviewer, kind="approved")
    assert start(by=author).status == Status.RUNNING


def test_second_thoughts__after_an_approval__count() -> None:
    author, reviewer = two()
    approved(author, reviewer)

    answer_review(key="exp", by=reviewer, kind="changes", text="Wait.")

    with pytest.raises(Refused, match="asks for changes"):
        start(by=author)


# ── What voids an approval ────────────────────────────────────────────────────
CHANGES: list[dict[str, Any]] = [
    {"name": "Another name"},
    {"hypothesis": "It helps them."},
    {"nudge": "A louder banner."},
    {"alpha": 0.1},
    {"power": 0.9},
    {"smallest_effect": 0.03},
    {"planned_units": 999},
    {"planned_end": date(2099, 1, 1)},
    {"primary_metrics": ["window:7-13"]},
    {"guardrail_metrics": ["min_events:crash:0-6:1"]},
    {"otherwise": "ship"},
    {"method": "always_valid"},
    {"flag_key": "other-flag"},
    {"seed": "abc"},
    {"remote_only": True},
    {"enrolment": "new_units"},
    {"variants": [{"key": "control", "value": "none", "weight": 9_000}, {"key": "b", "value": "b", "weight": 1_000}]},
    {"audience": [{"segment_key": None, "coverage": 5_000}]},
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: next(iter(change)))
def test_approval__after_any_edit__is_void(change: dict[str, Any]) -> None:
    author, reviewer = two()
    approved(author, reviewer)

    drafts.update_draft(key="exp", by=author, **change)

    assert code() is ReviewCode.VOID
    with pytest.raises(Refused, match="changed after its approval"):
        start(by=author)


def test_approval__after_an_edit_past_the_services__is_void_too() -> None:
    author, reviewer = two()
    row = approved(author, reviewer)

    AudienceRow.objects.create(experiment=row, position=0, coverage=100)

    assert code() is ReviewCode.VOID


def test_approval__when_the_approver_edits_and_takes_it_back__is_no_approval_by_somebody_else() -> None:
    author, reviewer = two()
    approved(author, reviewer)
    drafts.update_draft(key="exp", by=reviewer, alpha=0.2)
    drafts.update_draft(key="exp", by=author, alpha=0.05)

    assert code() is ReviewCode.OWN
    with pytest.raises(Refused, match="has written a part of it"):
        start(by=author)


def test_approval__of_an_account_that_is_deleted__counts_no_more() -> None:
    author, reviewer = two()
    approved(author, reviewer)
    somebody("cleo")
    reviewer.delete()

    with pytest.raises(Refused, match="has written a part of it"):
        start(by=author)


def test_approval__after_an_override_of_a_tester__stands() -> None:
    author, reviewer = two()
    approved(author, reviewer)

    overrides.set_override(key="exp", variant="banner", unit="qa")

    assert start(by=author).status == Status.RUNNING
