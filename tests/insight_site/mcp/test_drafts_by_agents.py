"""What an agent drafts carries its name, and a person approves it before it starts, whatever the site's rule is."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from experiments.models import Experiment, ReviewAnswer, ReviewPolicy
from experiments.plan import moves
from experiments.plan.lifecycle import Action, Status
from experiments.plan.review import answer_review, ask_for_review, is_required
from insight_site.agents.agent_server import TOOLS
from insight_site.models import AuditEntry
from runs.refusals import Refused
from tests.experiments.api.make import PLAN, Api
from tests.experiments.plan.review.people import SAYS_NONE, logged_in, somebody
from tests.insight_site.mcp.agents import agent, told

pytestmark = pytest.mark.django_db
MODES = ReviewPolicy.Mode
DRAFT = "plans:draft"


def drafted(**more: Any) -> Experiment:
    """A plan that could start, by an agent."""
    answer = told(agent(DRAFT, **more), "draft_experiment", **{**PLAN, "key": "exp", "value_type": "string"})
    assert "code" not in answer, answer
    return Experiment.objects.get(key="exp")


def start() -> Experiment:
    return moves.move(key="exp", action=Action.START)


@pytest.mark.parametrize("mode", [None, MODES.AUTOMATIC, MODES.ALWAYS, MODES.NEVER])
def test_draft_of_an_agent__under_every_rule__starts_only_after_a_persons_approval(mode: str | None) -> None:
    reviewer = somebody("ben")
    if mode is not None:
        ReviewPolicy.objects.create(pk=1, mode=mode)
    drafted()

    with pytest.raises(Refused, match=SAYS_NONE):
        start()
    ask_for_review(key="exp", by=reviewer)
    answer_review(key="exp", by=reviewer, kind=ReviewAnswer.Kind.APPROVED)

    assert start().status == Status.RUNNING


def test_draft_of_an_agent__names_it__in_rest_the_log_and_the_history() -> None:
    row = drafted(name="Planner 7")

    assert row.drafted_by_agent == "Planner 7"
    assert Api().ok("GET", "exp")["drafted_by_agent"] == "Planner 7"
    entry = AuditEntry.objects.get(object_type="experiments.Experiment", action="created")
    assert entry.actor.startswith("Planner 7 (sk_")
    assert entry.route == "agent draft_experiment: POST experiments_api:experiment-list"
    assert "Planner 7" in row.history.earliest().history_change_reason


def test_draft_of_a_program__by_the_same_words_over_rest__is_no_agents() -> None:
    made = Api().ok("POST", "", {**PLAN, "drafted_by_agent": "somebody"})

    assert made["drafted_by_agent"] == ""


def test_approval__of_a_team_of_one__may_come_from_who_made_the_agents_key() -> None:
    only = somebody("ann")
    drafted(made_by=only)
    ask_for_review(key="exp", by=only)

    answer_review(key="exp", by=only, kind=ReviewAnswer.Kind.APPROVED)

    assert not is_required()
    assert start().status == Status.RUNNING


def test_approval__where_two_could_approve__never_comes_from_who_made_the_agents_key() -> None:
    maker, other = somebody("ann"), somebody("ben")
    drafted(made_by=maker)
    ask_for_review(key="exp", by=maker)

    with pytest.raises(Refused, match="somebody else has to approve it"):
        answer_review(key="exp", by=maker, kind=ReviewAnswer.Kind.APPROVED)
    answer_review(key="exp", by=other, kind=ReviewAnswer.Kind.APPROVED)

    assert start().status == Status.RUNNING


def test_approval__with_a_key_of_somebody_who_may__is_refused() -> None:
    reviewer = somebody("ben")
    drafted()
    ask_for_review(key="exp", by=reviewer)
    api = Api()

    answer = api("POST", "exp/review/answers", {"kind": "approved"})

    assert answer.status_code == 409
    assert "signed in, not with a key" in answer.json()["detail"]
    assert not ReviewAnswer.objects.exists()


@pytest.mark.parametrize("tool", sorted(name for name, one in TOOLS.items() if one.changes))
def test_tools_that_change_something__without_their_scope__change_nothing(tool: str) -> None:
    given = dict.fromkeys(TOOLS[tool].needs, "x")

    answer = told(agent(), tool, **given)

    assert answer["code"] == "missing_scope"
    assert not Experiment.objects.exists()


def test_page_of_the_draft__says_who_drafted_it(client: Client) -> None:
    row = drafted(name="Planner 7")
    person = logged_in(somebody("ben"))

    page = person.get(reverse("experiments:plan", args=[row.key])).content.decode()

    assert "The agent “Planner 7” drafted this plan." in page
    assert "A person has to approve it before it starts." in page
