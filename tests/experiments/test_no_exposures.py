"""No door takes exposures for a behaviour or an outcome: arms are compared by the analysis alone, when it is due."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from aha.moments.promote import create_moment
from aha.study import question
from events.metrics.facts import Facts, checked, counts_exposures
from experiments.plan import size
from experiments.plan.stored import plan_of, situation_of
from experiments.plan.validation import problems
from runs.refusals import Refused
from segments.published.publish import publish_rule
from segments.search import question as search_question
from tests.experiments.make import draft

ARM = "Experiment Viewed[variation_id=nudge]"
FUNNEL_OF_ARM = f"funnel:{ARM}:open:0-6"
STUDY = question.Inputs(signup_event="signup", days=(1, 3), retention="window:14-20", behaviours=("open",))
SEARCH = search_question.Inputs(signup_event="signup", first_day=0, last_day=6, behaviours=("open",))


@pytest.mark.parametrize(
    "given",
    [
        *(ARM, "experiment_viewed", "EXPERIMENT VIEWED", r"Experi\ment Viewed", f"count:{ARM}:0-3", FUNNEL_OF_ARM),
        ["open", ARM],
        {"all": [{"behaviour": ARM, "days": 7, "at_least": 1}]},
    ],
)
def test_counts__exposures_however_they_are_written__are_seen(given: Any) -> None:
    assert counts_exposures(given)


@pytest.mark.parametrize("given", ["open", "experiment", "Viewed", "", None, 3, ["a"], {"all": [{"behaviour": "b"}]}])
def test_counts__anything_else__is_let_through(given: Any) -> None:
    assert not counts_exposures(given)


DOORS: dict[str, tuple[str, Callable[[], Any]]] = {
    "behaviour of a study": ("behaviours", lambda: question.check_inputs(replace(STUDY, behaviours=(ARM,)))),
    "inert behaviour": ("behaviours", lambda: question.check_inputs(replace(STUDY, inert=(ARM,)))),
    "start of a study": ("signup-event", lambda: question.check_inputs(replace(STUDY, signup_event=ARM))),
    "retention of a study": (
        "retention",
        lambda: question.check_inputs(replace(STUDY, retention=f"min_events:{ARM}:14-20:1")),
    ),
    "behaviour of a search": ("behaviours", lambda: search_question.check_inputs(replace(SEARCH, behaviours=(ARM,)))),
    "start of a search": (
        "signup-event",
        lambda: search_question.check_inputs(replace(SEARCH, signup_event="Experiment Viewed")),
    ),
    "metric": ("definition", lambda: checked(Facts(f"count:{ARM}:0-3"))),
    "moment": (
        "",
        lambda: create_moment(
            name="x", behaviour=ARM, times=1, days=3, signup_event="signup", retention="window:14-20"
        ),
    ),
    "segment": (
        "",
        lambda: publish_rule(
            key="x", name="X", signup_event="signup", rule={"all": [{"behaviour": ARM, "days": 7, "at_least": 1}]}
        ),
    ),
    "size": ("", lambda: size.base_rate_and_inflow(FUNNEL_OF_ARM, signup_event="signup", new_only=True)),
}


@pytest.mark.django_db
@pytest.mark.parametrize("name", DOORS)
def test_door__given_an_arm__refuses_and_says_where_arms_are_compared(name: str) -> None:
    field, ask = DOORS[name]

    with pytest.raises(Refused, match="by its own analysis") as refused:
        ask()

    assert refused.value.at == field


def test_doors__given_other_events__take_them() -> None:
    assert question.check_inputs(STUDY) == STUDY
    assert search_question.check_inputs(SEARCH) == SEARCH


@pytest.mark.django_db
def test_plan__with_exposures_as_an_outcome__is_not_sound() -> None:
    row = draft("exp")
    plan = plan_of(row)

    before = problems(plan, situation_of(row))
    found = problems(replace(plan, secondary=(FUNNEL_OF_ARM,)), situation_of(row))

    (added,) = [one for one in found if one not in before]
    assert added.code == "bad_metric"
