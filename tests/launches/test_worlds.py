"""Launches in worlds with known truth: false alarms, coverage, power, refusals"""

from datetime import date, timedelta

import numpy as np
import pytest
from numpy.typing import NDArray

from events.simulation.launch_worlds import FIRST, LAUNCH_WORLDS
from launches.answers import Answers, Direction, LeftOut, Suggestion
from launches.judge import OUTCOME, Daily, Gathered, LaunchReport, Why, judge
from stats.results import Interval
from tests.launches.make import SIGNUPS, answers, curve_of, read

SEEDS = range(100)
CALLS = (Suggestion.GAIN, Suggestion.LOSS)
WITHOUT = ("launch_none", "launch_trend", "launch_campaign", "launch_novelty")
SOUND = (*WITHOUT, "launch_small", "launch_step")


@pytest.mark.parametrize("name", WITHOUT)
def test_world_without_an_effect__is_called_one_in_at_most_6_5_percent(name: str) -> None:
    judged = [read(name, seed) for seed in SEEDS if read(name, seed).suggestion is not Suggestion.REFUSED]
    assert sum(report.suggestion in CALLS for report in judged) <= 0.065 * len(judged)


@pytest.mark.parametrize("name", SOUND)
def test_sound_site__is_refused_in_at_most_20_percent_and_its_interval_covers(name: str) -> None:
    judged = [read(name, seed) for seed in SEEDS if read(name, seed).suggestion is not Suggestion.REFUSED]
    assert len(judged) >= 0.8 * len(SEEDS)
    covers = 0
    for report in judged:
        assert isinstance(report.effect, Interval)
        covers += report.effect.low <= LAUNCH_WORLDS[name].step <= report.effect.high
    assert covers >= 0.85 * len(judged)


def test_step_of_5_points__is_found_in_at_least_80_percent_and_never_as_a_loss() -> None:
    judged = [read("launch_step", seed).suggestion for seed in SEEDS]
    judged = [said for said in judged if said is not Suggestion.REFUSED]
    assert judged.count(Suggestion.GAIN) >= 0.8 * len(judged)
    assert judged.count(Suggestion.LOSS) == 0


def test_step_of_2_points__is_found_or_left_open_and_its_sign_is_wrong_in_at_most_2_percent() -> None:
    judged = [read("launch_small", seed).suggestion for seed in SEEDS]
    judged = [said for said in judged if said is not Suggestion.REFUSED]
    assert judged.count(Suggestion.LOSS) <= 0.02 * len(judged)
    assert judged.count(Suggestion.GAIN) + judged.count(Suggestion.CANT_TELL) >= 0.98 * len(judged)


def test_site_whose_method_errs_in_a_quarter_of_its_past__is_refused_in_at_least_80_percent() -> None:
    reports = [read("launch_errs", seed) for seed in SEEDS]
    share = np.mean([report.past.wrong / report.past.blocks for report in reports])
    assert 0.18 <= share <= 0.28
    refused = [report for report in reports if report.suggestion is Suggestion.REFUSED]
    assert len(refused) >= 0.8 * len(reports)
    assert all(report.why is Why.ERRS for report in refused)


def test_campaign__without_its_entry_in_the_calendar__would_pass_for_a_loss_of_four_points() -> None:
    # That it doesn't in the test above is the calendar's work.
    world = LAUNCH_WORLDS["launch_campaign"]
    asked = answers(began=world.launch)
    without: list[float] = []
    beside: list[float] = []
    for seed in range(40):
        gathered = Gathered({OUTCOME: curve_of(world, seed)}, {}, FIRST)
        blind = judge(asked, gathered, LeftOut(), registered=world.launch, data_end=asked.days.readable_from)
        for report, kept in ((blind, without), (read(world.name, seed), beside)):
            assert isinstance(report.effect, Interval)
            kept.append(report.effect.estimate)
    assert np.mean(without) == pytest.approx(-0.04, abs=0.005)
    assert np.mean(beside) == pytest.approx(0, abs=0.005)


def test_curves_of_others__that_share_a_fall__take_it_out_and_leave_the_launchs_own_step() -> None:
    # From the launch's date on everybody's share falls by six points, theirs included.
    world = LAUNCH_WORLDS["launch_none"]
    beside = answers(began=world.launch, trait="platform", reached=("android",), spared=("ios", "web"))
    alone, estimates, lost, found = answers(began=world.launch), [], 0, 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        fall = np.cumsum(rng.normal(size=560)) * 0.002
        fall[-21:] -= 0.06
        share = np.clip(0.4 + fall, 0.01, 0.89)
        curve, spared = _curve(rng, share), {name: _curve(rng, share + 0.1) for name in ("ios", "web")}
        step = {row.day: 0.05 * (row.day >= world.launch) for row in curve}
        raised = tuple(Daily(row.day, row.n, (row.value or 0.0) + step[row.day]) for row in curve)
        lost += _read(alone, curve, {}).suggestion is Suggestion.LOSS
        found += _read(beside, raised, spared).suggestion is Suggestion.GAIN
        effect = _read(beside, curve, spared).effect
        assert isinstance(effect, Interval)
        estimates.append(effect.estimate)
    assert np.mean(estimates) == pytest.approx(0.0, abs=0.003)
    assert lost >= 10
    assert found >= 0.8 * 40


def _read(asked: Answers, curve: tuple[Daily, ...], spared: dict[str, tuple[Daily, ...]]) -> LaunchReport:
    gathered = Gathered({OUTCOME: curve}, spared, FIRST)
    return judge(asked, gathered, LeftOut(), registered=asked.began, data_end=asked.days.readable_from)


def _curve(rng: np.random.Generator, share: NDArray[np.float64]) -> tuple[Daily, ...]:
    n = rng.poisson(SIGNUPS, len(share))
    back = rng.binomial(n, share)
    return tuple(Daily(FIRST + timedelta(days=at), int(n[at]), float(back[at] / n[at])) for at in range(len(share)))


def test_lower_is_better__turns_the_words_round() -> None:
    world = LAUNCH_WORLDS["launch_step"]
    asked = answers(began=world.launch, better=Direction.LOWER)
    gathered = Gathered({OUTCOME: curve_of(world, 1)}, {}, FIRST)
    report = judge(asked, gathered, LeftOut(), registered=date(2026, 1, 1), data_end=asked.days.readable_from)
    assert report.suggestion is Suggestion.LOSS
    assert not report.registered_late
