"""Work around the demo's experiments: certify a metric, roll the winner out, review a plan before its start."""

from datetime import timedelta

from django.contrib.auth.models import User
from django.utils import timezone

from events.metric_catalogue.about import About
from events.metric_catalogue.save import certify, create_metric
from events.metrics.facts import Facts
from events.simulation.worlds import RETENTION
from experiments.models import Experiment, ReviewAnswer
from experiments.plan.review.review_answers import answer_review
from experiments.plan.review.review_requests import ask_for_review
from experiments.serve.rollout.shipping import Asked
from experiments.standing.shipping_advice import advice, ship_winner
from insight_site.demo.made_up_users import WORLD
from insight_site.demo.whose_site import METRIC

_CONTROL, NUDGE = WORLD.arms
ABOUT = About(
    name_en="Active in week four",
    name_ko="4주차 잔존",
    description="Users who come back in their fourth week. The team decides by it.",
    owner="demo team",
    tags=("core",),
)
ANSWER = "The size fits what you hope for. A first test may go without a placebo."
TENTH, HALF = 1_000, 5_000  # shares, in steps of 0.01 %


def agree_on_a_metric() -> None:
    """Add the retention metric that all decisions use to the catalogue, and certify it."""
    create_metric(key=METRIC, about=ABOUT, facts=Facts(RETENTION))
    certify(key=METRIC, version=1)


def roll_out(experiment: Experiment) -> bool:
    """Ship the nudge to a tenth of users now, to half in a week; False if the decision table doesn't say to ship."""
    if NUDGE not in advice(experiment).proved:
        return False
    steps = [{"share": TENTH}, {"share": HALF, "at": timezone.now() + timedelta(days=7)}]
    ship_winner(experiment=experiment, arm=NUDGE, rows=[{"segment": None, "steps": steps}], asked=Asked())
    return True


def review(draft: Experiment, asks: User, approves: User) -> None:
    """One person requests a review of a draft, another approves it.

    Raises:
        Refused: the draft can't be reviewed, or the second person may not approve it.
    """
    ask_for_review(key=draft.key, by=asks, reviewers=[approves], note="May this start next week?")
    answer_review(key=draft.key, by=approves, kind=ReviewAnswer.Kind.APPROVED, text=ANSWER)
