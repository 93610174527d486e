"""The predicted outcome: what a model of earlier users is worth on the newest ones, and how it scores new users."""

from datetime import date
from typing import Any

import numpy as np
import pytest

from experiments.plan.cupac import LEAST_JUDGED, LEAST_LEARNED, Earlier, explained, fit_predictor, proposes_adjusted
from experiments.plan.record import DAYS_BEFORE, Explained, Predictor
from reporting.document import dump, load
from stats.results import NotComputable, Reason
from tests.experiments.make import a_plan

LABELS = [("ios", "ad"), ("ios", "web"), ("android", "ad"), ("android", "web")]
KEPT = np.array([0.2, 0.5, 0.35, 0.7])
PLAN = a_plan(covariates=("platform", "channel"), adjustment="lin_predicted", enrolment="new_units")


def earlier(learned: int = 4_000, judged: int = 2_000, **changes: Any) -> Earlier:
    """Equally many users of four kinds who stay with the shares of `KEPT` exactly, before and among the newest."""
    sizes = np.repeat([learned / 4, judged / 4], 4)
    means = np.tile(KEPT, 2)
    given: dict[str, Any] = {
        "names": ("platform", "channel"),
        "labels": (*LABELS, *LABELS),
        "n": sizes,
        "means": means,
        "variances": means * (1 - means) * sizes / (sizes - 1),
        "newest": np.repeat([0, 1], 4),
        "share": True,
        "first": date(2026, 9, 1),
        "last": date(2026, 11, 24),
        **changes,
    }
    return Earlier(**given)


def fitted(**changes: Any) -> Predictor:
    found = fit_predictor(earlier(**changes), PLAN)
    assert isinstance(found, Predictor)
    return found


def test_predictor__of_shares__predicts_them_and_knows_its_worth() -> None:
    found = fitted()
    mean = KEPT.mean()

    assert found.score(("platform", "channel"), LABELS) == pytest.approx(KEPT, abs=0.02)
    # Variance between the kinds over the whole: what kind of user somebody is explains no more.
    assert found.explained.r_squared == pytest.approx(KEPT.var() / (mean * (1 - mean)), rel=0.02)
    assert found.explained.low < found.explained.r_squared < found.explained.high
    assert (found.units, found.explained.learned, found.explained.judged) == (6_000, 4_000, 2_000)


@pytest.mark.parametrize(
    ("changes", "r_squared", "proposed"),
    [
        ({}, 0.05, True),
        ({}, 0.0499, False),
        ({"adjustment": "lin"}, 0.5, False),
        ({"cluster": "guild"}, 0.5, False),
        ({"primary": ("count:buy:0-6 / count:open:0-6",)}, 0.5, False),
        ({"primary": ("window:14-20", "quantile:50%:sum:buy:price:0-6")}, 0.5, False),
        ({"primary": ("window:14-20", "count:buy:0-6")}, 0.5, True),
    ],
)
def test_proposed__from_a_twentieth_on__but_not_where_users_have_no_value(
    changes: dict[str, Any], r_squared: float, proposed: bool
) -> None:
    plan = a_plan(**{"covariates": ("platform",), "primary": ("window:14-20",), **changes})

    assert proposes_adjusted(plan, Explained(r_squared, 0.0, 1.0, 4_000, 1_500)) is proposed


@pytest.mark.parametrize("worth", [None, NotComputable(Reason.TOO_FEW_FOR_MODEL)])
def test_proposed__while_it_is_not_known__is_nothing(worth: NotComputable | None) -> None:
    assert not proposes_adjusted(a_plan(covariates=("platform",)), worth)


def test_predictor__stored__is_the_same_and_has_no_code_in_it() -> None:
    found = fitted()

    assert load(Predictor, dump(found)) == found
    assert set(found.weights) == {"platform", "channel"}


def test_predictor__a_level_that_nobody_had__counts_as_a_rare_one() -> None:
    labels = [("ios", "ad"), ("ios", "web"), ("other", "ad"), ("other", "web")]
    found = fitted(labels=(*labels, *labels))

    assert found.score(("platform", "channel"), [("web", "ad")]) == found.score(("platform", "channel"), [labels[2]])


def test_predictor__newest_users_who_are_otherwise__make_it_worth_nothing() -> None:
    means = np.concatenate([KEPT, KEPT[::-1]])
    found = fitted(means=means)

    assert found.explained.r_squared == 0.0


@pytest.mark.parametrize(
    ("changes", "needed"),
    [({"learned": LEAST_LEARNED - 4}, LEAST_LEARNED), ({"judged": LEAST_JUDGED - 4}, LEAST_JUDGED)],
)
def test_predictor__too_few_users__is_no_model(changes: dict[str, int], needed: int) -> None:
    found = fit_predictor(earlier(**changes), PLAN)

    assert isinstance(found, NotComputable)
    assert (found.reason, found.details["needed"]) == (Reason.TOO_FEW_FOR_MODEL, needed)


def test_predictor__just_enough_users__is_one() -> None:
    assert fitted(learned=LEAST_LEARNED, judged=LEAST_JUDGED).units == LEAST_LEARNED + LEAST_JUDGED


def test_predictor__of_a_mean__is_a_linear_one() -> None:
    means = np.tile([2.0, 5.0, 3.0, 6.0], 2)
    found = fitted(means=means, variances=np.full(8, 4.0), share=False)

    assert found.link == "identity"
    assert found.score(("platform", "channel"), LABELS) == pytest.approx([2, 5, 3, 6], abs=0.02)
    assert found.explained.r_squared == pytest.approx(2.5 / 6.5, rel=0.01)


@pytest.mark.parametrize(
    ("changes", "same"), [({}, True), ({"primary": ("on_day:7",)}, False), ({"covariates": ("platform",)}, False)]
)
def test_predictor__is_about_one_outcome_and_its_covariates(changes: dict[str, Any], same: bool) -> None:
    plan = a_plan(**{"covariates": ("platform", "channel"), "adjustment": "lin_predicted", **changes})

    assert fitted().predicts(plan) is same


def test_explained__days_before__are_one_number() -> None:
    """Users who were active on d of 7 days stay with 10 % + 10 points a day: a line, which one slope explains."""
    days = np.arange(8)
    means = np.tile(0.1 + 0.1 * days, 2)
    sizes = np.repeat([500.0, 250.0], 8)
    found = explained(
        earlier(
            names=(DAYS_BEFORE,),
            labels=tuple((str(day),) for day in (*days, *days)),
            n=sizes,
            means=means,
            variances=means * (1 - means) * sizes / (sizes - 1),
            newest=np.repeat([0, 1], 8),
        )
    )

    assert isinstance(found, Explained)
    assert found.r_squared == pytest.approx(means[:8].var() / (0.45 * 0.55), rel=0.01)
