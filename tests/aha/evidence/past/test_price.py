"""The price of promises: predicted from five findings on, assumed below; the expected gain counts head-room once."""

from dataclasses import replace

import numpy as np
import pytest

from aha.evidence.aipw import Difference
from aha.evidence.expected_gain import ASSUMED, Price, expected_gain, expected_take_up, price_of
from aha.evidence.findings import PastFinding
from stats.instrument.encouragement import wald
from stats.iv_moments import IvMoments
from stats.results import Interval, NotComputable, Reason, computable
from stats.synthesis import random_effects, ratios_at_pool
from tests.aha.evidence.past.make_findings import finding

RATIOS = (0.1, 0.2, 0.25, 0.3, 0.45)
PRICE = Price(Interval(0.25, -0.05, 0.55, 0.9, "prediction"), 7, assumed=False)
PROMISE = Difference(0.2, 0.02, 0.1608, 0.2392, 0.95)


def priced(ratio: float, source: str, /, **changes: object) -> PastFinding:
    """A finding of so much of its promise of 20 points."""
    moments = IvMoments(0.2 * ratio * 0.3, 0.3, 1e-4, 8e-5, 3e-5, 3_000, 3_000)
    row = finding(source, moments=moments, promised=0.2, promised_error=0.01)
    return replace(row, **changes)  # type: ignore[arg-type]


def test_price__below_five_findings__is_the_field_s_and_marked() -> None:
    found = price_of([priced(ratio, str(at)) for at, ratio in enumerate(RATIOS[:4])])

    assert found.assumed
    assert found.experiments == 4
    assert (found.ratio.estimate, found.ratio.low, found.ratio.high, found.ratio.level) == (*ASSUMED, 0.9)


def test_price__from_five_on__is_the_prediction_for_the_next_ratio() -> None:
    rows = [priced(ratio, str(at)) for at, ratio in enumerate(RATIOS)]

    found = price_of(rows)

    pairs = []
    for row in rows:
        effect = wald(row.moments)
        assert computable(effect)
        pairs.append((effect.estimate, effect.standard_error, 0.2, 0.01))
    ratios = ratios_at_pool(*np.array(pairs).T)
    wanted = random_effects(ratios.values.tolist(), ratios.errors.tolist(), alpha=0.1)
    assert computable(wanted)
    assert not found.assumed
    assert found.experiments == 5
    assert vars(found.ratio) == pytest.approx(vars(wanted.prediction))
    assert found.ratio.estimate == pytest.approx(0.26, abs=0.03)


@pytest.mark.parametrize(
    "changes",
    [
        {"verdict": "NUDGE_NOT_BEHAVIOUR"},
        {"verdict": "INVALID"},
        {"promised": None},
        {"promised": -0.1},
        {"kind": "mean"},
        {"place": 2, "source": "0"},
        {"moments": IvMoments(0.01, 0.02, 1e-4, 8e-5, 3e-5, 3_000, 3_000)},  # F of 5
    ],
)
def test_price__findings_that_test_no_promise__have_no_ratio(changes: dict[str, object]) -> None:
    rows = [priced(ratio, str(at)) for at, ratio in enumerate(RATIOS[:4])]

    assert price_of([*rows, priced(0.4, "5", **changes)]).experiments == 4


def test_price__takes_the_effect_corrected_for_looks() -> None:
    rows = [priced(ratio, str(at)) for at, ratio in enumerate(RATIOS)]
    looked = [replace(row, corrected=row.moments, moments=replace(row.moments, itt=0.02)) for row in rows]

    assert price_of(looked) == price_of(rows)


def test_price__failures_count_like_successes() -> None:
    rows = [priced(ratio, str(at)) for at, ratio in enumerate((*RATIOS, -0.2))]

    assert price_of([replace(row, verdict="INCONCLUSIVE") for row in rows]) == price_of(rows)
    assert price_of(rows).experiments == 6


def test_gain__is_promise_times_ratio_times_the_users_moved__headroom_once() -> None:
    found = expected_gain(PROMISE, PRICE, headroom=0.7)

    assert computable(found)
    assert found.estimate == pytest.approx(0.2 * 0.25 * 0.7 * 0.1)
    assert (found.level, found.take_up, found.measured) == (0.9, 0.1, False)


def test_gain__limits__cover_as_often_as_they_say() -> None:
    """Promise and ratio drawn from their laws: the product lies inside in about nine of ten draws."""
    found = expected_gain(PROMISE, PRICE, headroom=1.0)
    rng = np.random.default_rng(2)
    product = 0.1 * rng.normal(0.2, 0.02, 200_000) * rng.normal(0.25, 0.3 / 1.6449, 200_000)

    assert computable(found)
    assert float(((product > found.low) & (product < found.high)).mean()) == pytest.approx(0.9, abs=0.01)


def test_gain__without_a_promise__says_why() -> None:
    missing = NotComputable(Reason.NO_OVERLAP)

    assert expected_gain(missing, PRICE, headroom=0.5) == missing


def test_take_up__of_past_nudges__is_a_share_of_those_who_do_not_come_by_themselves() -> None:
    weak = finding("weak", moments=IvMoments(0.01, 0.1, 1e-4, 4e-4, 0.0, 300, 300), reach=0.5)
    strong = finding("strong", moments=IvMoments(0.03, 0.3, 1e-4, 1e-4, 0.0, 300, 300), reach=0.25)
    weights = np.array([0.5**2 / 4e-4, 0.75**2 / 1e-4])

    found, measured = expected_take_up([weak, strong])

    assert measured
    assert found == pytest.approx(weights @ [0.2, 0.4] / weights.sum())
    assert expected_take_up([replace(weak, reach=None)]) == (0.1, False)
