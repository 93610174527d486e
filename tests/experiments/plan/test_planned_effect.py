"""The effect that a plan is sized for: from what past experiments found of their promises; the margin stays."""

import pytest

from aha.evidence.store_findings import keep_findings, price_of_promises
from experiments.plan import drafts, size
from stats.power.family_and_looks import Plan
from stats.power.sample_size import sample_size
from stats.results import NotComputable
from tests.aha.evidence.past.test_price import RATIOS, priced
from tests.experiments.make import draft
from tests.experiments.plan.test_size import EVIDENCE, moment

pytestmark = pytest.mark.django_db


@pytest.mark.usefixtures("world")
def test_draft__after_five_tested_promises__plans_with_what_they_found_of_theirs() -> None:
    for at, ratio in enumerate(RATIOS):
        keep_findings([priced(ratio, f"past-{at}")])
    price = price_of_promises().price

    made = drafts.draft_from_moment(moment=moment(evidence=EVIDENCE), take_up=0.3)

    assert not price.assumed
    assert made.planned_effect == round(price.ratio.estimate * 0.25, 4)
    assert made.smallest_effect == 0.025  # the margin stays what nobody would act below


@pytest.mark.usefixtures("world")
def test_draft__past_promises_came_to_nothing__plans_with_the_smallest_effect() -> None:
    for at, ratio in enumerate(RATIOS):
        keep_findings([priced(-ratio, f"past-{at}")])

    made = drafts.draft_from_moment(moment=moment(evidence=EVIDENCE), take_up=0.3)

    assert made.planned_effect == made.smallest_effect == 0.025


@pytest.mark.usefixtures("world")
def test_suggestion__planned_effect_of_the_plan__gives_the_size_and_the_margin_stays() -> None:
    row = draft(primary_metrics=["window:3-4"], smallest_effect=0.05, planned_effect=0.1, enrolment="new_units")

    found = size.suggest_size(row, signup_event="signup")

    needed = sample_size(Plan(baseline=0.5), 0.1)
    assert not isinstance(needed, NotComputable)
    assert (found.smallest_effect, found.planned_effect, found.planned_units) == (0.05, 0.1, needed.total)
