"""Covariates against the arm, in a file and in a stored experiment."""

import numpy as np

from experiments.analyse.health.values import check_balance_by_covariate, joint_balance_p
from tests.experiments.analyse.health.make_context import codes, findings, only, stored, units
from tests.experiments.make_answers import draw_units, make_analysed, make_answers


def test_balance__covariate_that_is_the_arm__is_the_worst_imbalance() -> None:
    arm = np.repeat([0.0, 1.0], 200)[:, None]

    assert "imbalance" in findings(units((200, 200), covariates=arm))


def test_balance__clusters__groups_are_compared() -> None:
    # 40 guilds of 50 that share a value: between 2,000 rows it would look like an imbalance half of the time.
    flagged = 0
    for seed in range(20):
        guild = np.repeat(np.arange(40), 50)
        x = np.random.default_rng(seed).normal(size=40)[guild][:, None]
        flagged += "imbalance" in findings(units((1000, 1000), covariates=x, cluster=guild), cluster="guild")
    assert flagged == 0


def test_balance__no_imbalance__p_values_are_uniform() -> None:
    from scipy import stats

    rng = np.random.default_rng(8)
    found = [joint_balance_p(rng.integers(0, 3, 300), rng.normal(size=(300, 4))) for _ in range(300)]
    p_values = [p_value for p_value in found if p_value is not None]
    assert len(p_values) == 300

    assert stats.kstest(p_values, "uniform").pvalue > 0.001


def test_balance__covariate_that_follows_the_arm__is_flagged() -> None:
    rng = np.random.default_rng(3)
    noise = rng.normal(size=(1000, 2))
    shifted = noise + np.repeat([[0.0, 0.0], [0.4, 0.0]], 500, axis=0)

    assert "imbalance" not in findings(units((500, 500), covariates=noise))
    assert "imbalance" in findings(units((500, 500), covariates=shifted))


def test_balance__redundant_columns__dont_break_the_test() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(1000, 1))

    found = findings(units((500, 500), covariates=np.hstack([x, 2 * x, np.ones((1000, 1))])))

    assert "balance_unknown" not in found
    assert "check_failed" not in found


def test_balance__a_covariate_that_goes_with_the_segment__is_no_imbalance() -> None:
    rng = np.random.default_rng(8)
    segment = np.arange(8_000) % 2
    arm = (rng.random(8_000) < np.where(segment == 1, 0.1, 0.5)).astype(int)
    level = np.where(rng.random(8_000) < 0.9, segment, 2)
    plan = make_analysed(shares={"new": (0.5, 0.5), "old": (0.9, 0.1)})
    of = stored(make_answers(draw_units(8_000, arm=arm, segment=segment, level=level)), plan)

    assert codes(check_balance_by_covariate, of) == []


def test_balance__a_covariate_that_differs__warns() -> None:
    n = 2_000
    arm = np.arange(n) % 2
    level = np.where(arm == 1, np.arange(n) // 2 % 3, 2 * (np.arange(n) // 2 % 2))
    of = stored(make_answers(draw_units(n, arm=arm, level=level)))

    assert only(check_balance_by_covariate, of).details["column"] == "platform"
