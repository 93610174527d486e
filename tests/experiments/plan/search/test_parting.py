"""Which nudge would part a behaviour from the one that goes with it: from findings, in words, and as JSON."""

from dataclasses import replace
from typing import Any

import pytest
from django.core.management import call_command

from aha.evidence.findings import Definition, PastFinding
from aha.evidence.joint_findings import sort_findings
from aha.evidence.store_findings import keep_findings
from aha.models import AhaMoment
from experiments.plan.design_search import Given, search_by_name
from experiments.plan.parting import Parting, parting_of
from experiments.report.planning import parting_sentence, search_document
from stats.results import NotComputable, Reason
from tests.aha.evidence.past.test_joint_findings import OUTCOME, nudge
from tests.experiments.make import draft
from tests.experiments.plan.search.test_asked_search import world as world
from tests.stats.make import computed

CLAIM = Definition("friend_add", 3, 7, OUTCOME)


def parting(*rows: PastFinding, effect: float = 0.15, claim: Definition = CLAIM) -> Parting | None:
    return parting_of(sort_findings(rows, OUTCOME), claim, effect=effect, power=0.8, alpha=0.05)


def both(name: str, add: float, chat: float) -> PastFinding:
    return nudge(name, ("friend_add", add), ("chat", chat), itt=0.15 * add)


def chat_first(name: str, add: float, chat: float) -> PastFinding:
    return nudge(name, ("chat", chat), ("friend_add", add), itt=0.15 * add)


def test_parting__of_one_experiment_that_moved_both__asks_for_a_nudge_that_moves_the_other_alone() -> None:
    found = parting(both("one", 0.12, 0.06))

    assert found is not None
    assert (found.behaviour, found.other, found.tried) == ("friend_add", "chat", ())
    assert found.conditional_f == NotComputable(Reason.TOO_FEW_EXPERIMENTS, {"n": 1, "needed": 2})
    assert found.take_up == 0.12
    users = computed(found.users)
    assert parting_sentence(found, share=True) == (
        "The experiments so far can't separate friend_add from chat. No nudge that was tried parts them: it takes one "
        f"that moves chat and not friend_add. If it moves 12.0% of the users, about {users:,} users are enough. "
        f"An effect of 15.0 points is then found in {found.chance:.0%} of cases."
    )


def test_parting__of_nudges_in_one_proportion__asks_for_a_new_nudge() -> None:
    found = parting(both("one", 0.12, 0.06), both("two", 0.08, 0.04), chat_first("three", 0.1, 0.05))

    assert found is not None
    assert found.tried == ()
    assert computed(found.conditional_f) < 4


def test_parting__a_tried_nudge_that_moves_them_in_another_proportion__is_proposed_with_its_users() -> None:
    rows = [both(f"test {place}", 0.1 + 0.005 * place, 0.05 + 0.0025 * place) for place in range(5)]
    found = parting(*rows, chat_first("chatty", 0.06, 0.05))

    assert found is not None
    best = found.tried[0]
    assert best.nudge == "Chatty"
    assert (best.moves, best.moves_other) == (0.06, 0.05)
    text = parting_sentence(found, share=True)
    assert "The nudge of Chatty would part them, as it moved friend_add by +6.0 points and chat by +5.0 points" in text
    assert f"with about {computed(best.users):,} users more." in text


def test_parting__where_they_are_told_apart_or_nothing_goes_with_it__says_nothing() -> None:
    assert parting(both("one", 0.12, 0.0), chat_first("two", 0.0, 0.12), both("three", 0.1, 0.01)) is None
    assert parting(both("one", 0.12, 0.0)) is None
    assert parting(nudge("one", ("friend_add", 0.12))) is None
    assert parting() is None
    assert parting(both("one", 0.12, 0.06), claim=Definition("friend_add", 1, 7, OUTCOME)) is None


def test_parting__a_consequence_of_the_behaviour__is_no_rival() -> None:
    assert parting(nudge("one", ("friend_add", 0.12), ("chat", 0.06), consequences=("chat",))) is None


def test_sentence__where_no_number_of_users_is_enough__says_so() -> None:
    never = NotComputable(Reason.NOT_TOLD_APART)
    text = parting_sentence(Parting("friend_add", "chat", 1.0, (), 0.1, never, 0.0, 0.15), share=True)

    assert "no number of users of a new one is enough" in text


@pytest.mark.django_db
@pytest.mark.usefixtures("world")
def test_search__of_a_moment_that_goes_with_another_behaviour__has_it_in_words_and_json(
    admin_client: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    moment = AhaMoment.objects.create(
        key="two", name="Two", behaviour="add", times=2, days=7, signup_event="signup", retention="window:3-4"
    )
    row = nudge("one", ("add", 0.12), ("play", 0.06), times=2)
    moments = row.outcomes[0]
    keep_findings(
        [
            replace(
                row,
                definition=replace(row.definition, outcome="window:3-4"),
                outcomes=(replace(moments, outcome="window:3-4"),),
            )
        ]
    )
    found = search_by_name(moment.key, Given(effect=0.2, take_ups=(("", 0.3),), segments=False))

    document = search_document({}, found.inputs, found.result, found.parting)["parting"]

    assert (document["behaviour"], document["other"], document["tried"]) == ("add", "play", [])
    assert document["new"]["moves_other"] == 0.12
    assert document["new"]["users"] > 100
    assert "not_computable" in document["conditional_f"]
    call_command("design", "two", "--effect", "0.2", "--take-up", "0.3", "--no-segments")
    said = " ".join(capsys.readouterr().out.split())
    assert "The experiments so far can't separate add from play." in said
    draft("exp", moment=moment, smallest_effect=0.2, primary_metrics=["window:3-4"], enrolment="new_units")
    page = admin_client.get("/experiments/exp/plan/search/", {"show": "1", "take_up": "0.3"}).content.decode()
    assert document["message"].split(".")[0].replace("'", "&#x27;") in page
