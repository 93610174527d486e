"""Open load: when the calls come, what counts as keeping up, and how soon a site is itself again."""

from typing import Any

import numpy as np
import pytest

from benchmarks.harness.page import knee_picture, knee_table
from benchmarks.knee import AFTER_SECONDS, KNOWN, arrivals_of, keeps_up, knee_of, poisson, recovery


def _step(offered: float, **more: Any) -> dict[str, Any]:
    calm = {
        "given_up": 0,
        "refused": 0,
        "failed": 0,
        "p50_ms": 4.0,
        "p99_ms": 250.0,
        "recovery_s": 0.0,
        "answered": offered,
    }
    return {"offered": offered, **calm, "wrong": {"lost events": 0}, **more}


def test_poisson__many_calls__come_at_the_rate_with_exponential_gaps() -> None:
    moments = poisson(1_000.0, 50.0, np.random.default_rng(1))
    gaps = np.diff(moments)

    assert moments.size == pytest.approx(50_000, rel=0.02)
    assert 0 < moments[0] < moments[-1] < 50.0
    assert gaps.std() == pytest.approx(gaps.mean(), rel=0.03)


def test_arrivals_of__assignments__new_units_never_come_twice() -> None:
    rng = np.random.default_rng(1)
    made, first = arrivals_of("assignments", 200.0, 5.0, KNOWN, rng)
    more, _ = arrivals_of("assignments", 200.0, 5.0, first, rng)

    units = [unit for at, _, unit in made + more if at < 5.0]
    seen_once = [unit for unit in set(units) if units.count(unit) == 1]
    assert 0.1 * len(units) < first - KNOWN < 0.3 * len(units) / 2 + 1
    assert len(seen_once) >= first - KNOWN
    assert [at for at, _, _ in made] == sorted(at for at, _, _ in made)
    assert made[-1][0] < 5.0 + AFTER_SECONDS


@pytest.mark.parametrize(
    ("more", "kept"),
    [({}, True), ({"p99_ms": 250.1}, False), ({"given_up": 1}, False), ({"refused": 1}, False), ({"failed": 1}, False)],
)
def test_keeps_up__at_the_bound__and_just_beyond(more: dict[str, Any], kept: bool) -> None:
    assert keeps_up(_step(100.0, **more)) is kept


def test_knee_of__a_lucky_step_beyond_the_first_miss__is_the_highest_that_was_kept() -> None:
    assert knee_of([_step(100.0), _step(200.0, refused=3), _step(300.0)]) == 300.0
    assert knee_of([_step(100.0, failed=1)]) == 100.0


def test_recovery__of_slow_and_refused_calls__ends_with_the_last_of_them() -> None:
    quick, slow, refused = [10.1, 0.01, 200], [10.2, 0.3, 200], [11.0, 0.01, 503]

    assert recovery([quick], 10.0) == 0.0
    assert recovery([quick, slow], 10.0) == pytest.approx(0.5)
    assert recovery([quick, slow, refused], 10.0) == pytest.approx(1.01)
    assert recovery([[10.0 + AFTER_SECONDS, 0.5, 200]], 10.0) is None


def test_table__of_steps__adds_up_what_is_wrong() -> None:
    steps = [_step(100.0, wrong={"lost events": 2, "lost exposures": 1, "doubled events": 4, "wrong variants": 0})]

    assert knee_table(steps)[-1] == "| 100 | 100 | 4 ms | 250 ms | 0 | 0 | 0 | 0.0 s | 3 | 4 | 0 |"


def test_picture__of_steps_without_an_answer__still_draws() -> None:
    found = {"knee": 100.0, "steps": [_step(100.0), _step(200.0, p50_ms=None, p99_ms=None)]}

    assert knee_picture("events", found).count("<circle") == 2  # p50, and the legend's
