"""The overlap of stored experiments: counts at any time, the outcome only where both have shown theirs."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.utils import timezone

from experiments import tasks
from experiments.analyse.across import overlaps
from experiments.analyse.across.overlap_pairs import OVERLAP, OutcomeTest, Overlap, SharingPair
from experiments.analyse.across.overlaps import open_outcome, request_overlap, run_overlap
from experiments.models import Analysis, Experiment, OverlapReport
from experiments.plan.audience import create_layer
from runs.refusals import Refused
from stats.interaction import Independence
from stats.results import computable
from tests.experiments.log_store import stored_log
from tests.experiments.make import do, running
from tests.experiments.stored import assign, backdate

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 24, tzinfo=UTC)
UNITS = 400
PAIRED = np.array([number % 4 for number in range(UNITS)])  # each pair of arms a hundred times


def rows(key: str, arms: Any) -> list[tuple[Any, ...]]:
    """Exposures of everybody, days apart, and a return of each nudged user of `first` in both."""
    return [
        (
            f"u{number}",
            "Experiment Viewed",
            (NOW - timedelta(days=40)).replace(tzinfo=None),
            json.dumps({"experiment_id": key, "variation_id": ("control", "banner")[arm]}),
        )
        for number, arm in enumerate(arms)
    ]


def back(chosen: Any) -> list[tuple[Any, ...]]:
    moment = (NOW - timedelta(days=40) + timedelta(days=15)).replace(tzinfo=None)
    return [(f"u{number}", "play", moment, "{}") for number in np.flatnonzero(chosen)]


@pytest.fixture
def log(tmp_path: Path) -> Iterator[None]:
    """Two experiments on the same users; both treatments together bring nearly everybody back, each alone few."""
    rng = np.random.default_rng(3)
    first, second = PAIRED % 2, PAIRED // 2
    chance = np.where((first == 1) & (second == 1), 0.9, 0.3)
    end = [("u0", "play", NOW.replace(tzinfo=None), "{}")]
    with stored_log(
        [*rows("first", first), *rows("second", second), *back(rng.uniform(size=UNITS) < chance), *end], tmp_path
    ):
        yield


def experiment(key: str, **fields: Any) -> Experiment:
    row = running(key, flag_key=f"flag-{key}", **fields)
    backdate(row, NOW - timedelta(days=41))
    return Experiment.objects.get(pk=row.pk)


def opened(row: Experiment, as_of: datetime | None = NOW, **more: Any) -> None:
    """Its own analysis has shown the outcome, on data up to then."""
    given = {"status": "done", "figures": {}, "verdict": "INCONCLUSIVE", "as_of": as_of, **more}
    Analysis.objects.create(experiment=row, **given)


def computed() -> Overlap:
    run = request_overlap()
    assert run_overlap(run.pk), OverlapReport.objects.get(pk=run.pk).reason
    found = OVERLAP.of(OverlapReport.objects.get(pk=run.pk))
    assert isinstance(found, Overlap)
    return found


def pair_of(found: Overlap) -> SharingPair:
    (pair,) = found.pairs
    return pair


@pytest.mark.slow
@pytest.mark.usefixtures("log")
def test_locked__counts_are_shown_and_the_outcome_is_not() -> None:
    first, second = experiment("first"), experiment("second")
    opened(first)
    opened(second, figures=None, verdict="")  # analysed, and still locked

    pair = pair_of(computed())

    assert pair.exposed == ((100, 100), (100, 100))
    assert pair.shared == 400
    assert isinstance(pair.balance, Independence)
    assert pair.balance.p_value == 1.0
    assert [(one.why, one.test, one.adjusted_p) for one in pair.tests] == [("locked", None, None)] * 2
    assert pair.selects is None


@pytest.mark.slow
@pytest.mark.usefixtures("log")
def test_open__a_planted_interaction_is_found_and_counted() -> None:
    for key in ("second", "first"):
        opened(experiment(key))

    found = computed()

    pair = pair_of(found)
    assert [one.experiment for one in pair.tests] == ["first", "second"]
    for one in pair.tests:
        assert one.test is not None
        assert computable(one.test)
        assert one.test.contrasts[0].change.estimate == pytest.approx(0.6, abs=0.2)
        assert not one.test.any_look
        assert one.adjusted_p == pytest.approx(2 * one.test.p_value)  # Holm over two
    assert found.troubles(pair) == ("interaction",)
    assert OverlapReport.objects.get().alarms == 1
    assert pair.selects is not None


@pytest.mark.slow
@pytest.mark.usefixtures("log")
def test_open__reads_no_later_data_than_both_have_shown() -> None:
    # Retention is window:14-20, so it is known 21 days after the exposure, and 19 days before NOW.
    opened(experiment("first"))
    opened(experiment("second"), as_of=NOW - timedelta(days=20))

    for one in pair_of(computed()).tests:
        assert one.until == (NOW - timedelta(days=20)).isoformat()
        assert not computable(one.test)  # nobody's outcome was known by then


@pytest.mark.parametrize(
    ("more", "until"),
    [
        ({}, NOW),
        ({"figures": None}, None),  # locked
        ({"peek": True}, None),  # a person has peeked: the plan hasn't opened anything
        ({"status": "failed"}, None),
    ],
)
def test_open_outcome__is_what_the_plan_has_shown(more: dict[str, Any], until: datetime | None) -> None:
    row = experiment("first")
    opened(row, **more)

    assert open_outcome(row).until == until
    assert not open_outcome(row).broken


@pytest.mark.slow
@pytest.mark.usefixtures("log")
@pytest.mark.parametrize(
    ("fields", "more", "why"),
    [({}, {"verdict": "INVALID"}, "broken"), ({"primary_metrics": ["quantile:50%:count:play:0-13"]}, {}, "quantile")],
)
def test_no_test__says_why(fields: dict[str, Any], more: dict[str, Any], why: str) -> None:
    opened(experiment("first", **fields), **more)
    opened(experiment("second"))

    tests: dict[str, OutcomeTest] = {one.experiment: one for one in pair_of(computed()).tests}

    assert tests["first"].why == why


@pytest.mark.slow
@pytest.mark.usefixtures("log")
def test_plans_with_looks__get_a_test_that_holds_at_every_look() -> None:
    opened(experiment("first", method="always_valid"))
    opened(experiment("second"))

    for one in pair_of(computed()).tests:
        assert computable(one.test)
        assert one.test.any_look  # type: ignore[union-attr]


@pytest.mark.slow
def test_arms_that_hang_together__are_told(tmp_path: Path) -> None:
    experiment("first")
    experiment("second")
    same = PAIRED % 2
    end = [("u0", "play", NOW.replace(tzinfo=None), "{}")]

    with stored_log([*rows("first", same), *rows("second", same), *end], tmp_path):
        found = computed()

    assert pair_of(found).exposed == ((200, 0), (0, 200))
    assert found.troubles(pair_of(found)) == ("arms_hang_together",)


@pytest.mark.slow
def test_one_layer__must_share_nobody(tmp_path: Path) -> None:
    layer = create_layer(key="l")
    experiment("first", layer=layer, layer_low=0, layer_high=5_000)
    experiment("second", layer=layer, layer_low=5_000, layer_high=10_000)
    end = [("u0", "play", NOW.replace(tzinfo=None), "{}")]

    with stored_log([*rows("first", PAIRED % 2), *rows("second", PAIRED // 2), *end], tmp_path):
        found = computed()

    assert "one_layer" in found.troubles(pair_of(found))


@pytest.mark.slow
@pytest.mark.usefixtures("log")
def test_assigned__are_counted_by_arms_from_the_rows() -> None:
    first, second = experiment("first"), experiment("second")
    assign(first, ["a", "b", "c"], "control")
    assign(first, ["d", "e"], "banner")
    assign(second, ["a", "b", "x"], "banner")
    assign(second, ["d"], "control")

    by_key = pair_of(computed())

    found = by_key.assigned if by_key.first == "first" else tuple(zip(*by_key.assigned, strict=True))
    assert found == ((0, 2), (1, 0))


@pytest.mark.parametrize(("days", "counted"), [(59, True), (61, False)])
def test_stopped_experiments__count_while_it_is_not_long_ago(days: int, counted: bool) -> None:
    row = experiment("first")
    do("first", "stop")
    Experiment.objects.filter(pk=row.pk).update(stopped_at=timezone.now() - timedelta(days=days))

    assert [one.key for one in overlaps.recent_experiments()] == (["first"] if counted else [])


def test_one_experiment__has_no_overlap() -> None:
    experiment("first")

    with pytest.raises(Refused, match="Two experiments are needed"):
        request_overlap()
    assert overlaps.request_due_overlap() == 0
    assert run_overlap(0) is False


def test_waiting__another_is_refused() -> None:
    experiment("first")
    experiment("second")
    assert tasks.request_together() == 1

    with pytest.raises(Refused, match="counted already"):
        request_overlap()
