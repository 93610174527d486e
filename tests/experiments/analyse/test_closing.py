"""What the last look may spend: by who had seen what when enrolment ended, end to end and in simulation."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from experiments.analyse.analyse_experiment import analyse_answers
from experiments.analyse.codes import Code
from experiments.analyse.gather.answers import Audit
from experiments.analyse.outcome_lock import SpendingRule, cost_of, fractions_of, looks_of, maturity_of, rule_of
from experiments.analyse.payload_versions import READOUT
from experiments.analyse.result import LookTaken, Opened
from experiments.plan.analysed import Analysed
from reporting.document import dump, load
from stats.results import computable
from stats.sequential.boundaries import bounds
from stats.sequential.looks import Look
from tests.experiments.analyse import closing_paths
from tests.experiments.make_answers import draw_units, make_analysed, make_answers
from tests.experiments.make_readout import opened

CLEAN = Audit(0, 0, {})
END, CLOSED, TODAY = date(2026, 3, 1), date(2026, 2, 1), date(2026, 4, 1)


def taken(shown: date, fraction: float = 0.2, *, peeked: bool = False) -> LookTaken:
    return LookTaken(
        shown,
        make_analysed().plan.measured,
        "nudge",
        2_000,
        fraction,
        0.0,
        -0.1,
        0.1,
        0.0,
        4.9,
        1.0,
        "INCONCLUSIVE",
        peeked,
        shown=shown,
    )


def sequential(**changes: object) -> Analysed:
    given = {"method": "group_sequential", "planned_units": 10_000, "planned_end": END, "enrolment_ended": CLOSED}
    return make_analysed(**(given | changes))


@pytest.mark.parametrize(
    ("shown", "fraction", "ended", "rule"),
    [
        ((), 0.23, CLOSED, SpendingRule.BLIND),
        ((date(2026, 2, 2),), 0.23, CLOSED, SpendingRule.BLIND),  # seen the day after closing
        ((CLOSED,), 0.23, CLOSED, SpendingRule.EARLY),  # on the same day counts as seen before
        ((date(2026, 1, 20),), 0.23, CLOSED, SpendingRule.EARLY),
        ((date(2026, 1, 20),), 0.999, CLOSED, SpendingRule.EARLY),
        ((date(2026, 1, 20),), 1.0, CLOSED, SpendingRule.COMPLETE),
        ((date(2026, 1, 20),), 0.23, END, SpendingRule.PLANNED_END),
        ((END,), 0.23, END, SpendingRule.PLANNED_END),
        ((date(2026, 1, 20),), 0.23, date(2026, 3, 4), SpendingRule.PLANNED_END),
        (
            (date(2026, 3, 2),),
            0.23,
            date(2026, 3, 4),
            SpendingRule.EARLY,
        ),  # a look after the planned end may have ended it
    ],
)
def test_rule__of_a_last_look(shown: tuple[date, ...], fraction: float, ended: date, rule: SpendingRule) -> None:
    plan = sequential(enrolment_ended=ended)

    assert rule_of(plan, fraction, [taken(day) for day in shown], final=True) is rule


def test_rule__a_peek_counts_as_seen_and_a_look_before_the_last_as_planned() -> None:
    seen = [taken(date(2026, 1, 20), peeked=True)]

    assert rule_of(sequential(), 0.23, seen, final=True) is SpendingRule.EARLY
    assert rule_of(sequential(), 0.23, seen, final=False) is SpendingRule.PLANNED
    assert rule_of(sequential(planned_end=None), 0.23, seen, final=True) is SpendingRule.EARLY


def test_rule__a_look_of_version_0_3_counts_from_the_end_of_its_data_on() -> None:
    old = replace(taken(date(2026, 2, 2)), on=CLOSED, shown=None)

    assert rule_of(sequential(), 0.23, [old], final=True) is SpendingRule.EARLY


def test_fractions__earlier_looks_stay_after_a_correction_of_the_data() -> None:
    looks = [taken(date(2026, 1, 5), 0.2), taken(date(2026, 1, 9), 0.8), taken(date(2026, 1, 9), 0.5, peeked=True)]

    assert fractions_of(looks, 0.7) == (0.2, 0.8, 0.7)


def test_bounds__of_a_look_on_fallen_data__spend_no_more_than_is_left() -> None:
    """Dropped, the look at 80 % would be spent twice: whatever ties both looks together, alpha must hold."""
    before = bounds((0.2, 0.8))

    found = bounds((0.2, 0.8, 0.7), final=True)
    assert found[:2] == before
    assert found[2] > bounds((0.2, 0.7), final=True)[-1]
    assert bounds((0.2, 0.8, 0.7))[2] == float("inf")  # no new information, nothing to spend
    assert bounds((0.2, 0.8, 0.7, 0.9))[3] == pytest.approx(bounds((0.2, 0.8, 0.9))[2], rel=1e-9)
    z = np.random.default_rng(4).normal(size=(200_000, 3))
    last = np.where(np.arange(200_000) % 2, z[:, 2], 0.9 * z[:, 1] + 0.19**0.5 * z[:, 2])
    assert np.mean((abs(z[:, 0]) > found[0]) | (abs(z[:, 1]) > found[1]) | (abs(last) > found[2])) <= 0.0515


def closed_early(rule_day: date) -> Opened:
    """A plan of 10,000, a look at 20 %, closed at 23 % with z near 2.9."""
    units = draw_units(2_300, 34, moved=0.5, effect=0.12)
    plan = sequential(enrolment_ended=CLOSED)
    return opened(analyse_answers(plan, make_answers(units), CLEAN, earlier=(taken(rule_day),), today=TODAY))


@pytest.mark.slow
def test_read_out__closed_after_a_promising_look__is_not_CAUSES() -> None:  # noqa: N802 - the verdict's name
    found, blind = closed_early(date(2026, 1, 20)), closed_early(date(2026, 2, 10))

    difference = found.report.outcomes[0].comparisons[0].difference
    assert computable(difference)
    assert 2.6 < difference.estimate / difference.standard_error < 3.3
    assert found.verdict is not None
    assert (found.maturity.final, found.maturity.rule, found.path[-1].rule) == (True, "early", "early")
    assert found.verdict.code is Code.INCONCLUSIVE
    assert found.path[-1].critical > 4.5
    # The same data, closed before anything was shown: the whole rest.
    assert blind.verdict is not None
    assert (blind.maturity.rule, blind.verdict.code) == ("blind", Code.CAUSES)
    assert blind.path[-1].critical == pytest.approx(1.96, abs=0.01)
    assert READOUT.read(READOUT.store(found)) == found


def test_looks_of__no_earlier_look_is_dropped() -> None:
    analysed = sequential(planned_units=2_000, enrolment_ended=None)
    maturity = maturity_of(analysed, make_answers(draw_units(1_400)), looks=(), peek=False, today=TODAY)

    found = looks_of(analysed.plan, maturity, (taken(date(2026, 1, 20), 0.8),))

    assert found["nudge"].fractions == (0.8, 0.7)
    assert found["nudge"].critical == float("inf")


@pytest.mark.slow
def test_payload__of_version_0_3__loads() -> None:
    kept = dump(closed_early(date(2026, 1, 20)))
    del kept["standing"]["rule"]
    for look in kept["path"]:
        del look["rule"], look["shown"]

    old = load(Opened, kept)

    assert (old.maturity.rule, old.path[0].rule, old.path[0].shown) == ("", "", None)
    assert old.path[0].seen == date(2026, 1, 20)


@pytest.mark.parametrize(
    ("looks", "rule", "critical"), [((), SpendingRule.BLIND, 1.96), ((date(2026, 1, 20),), SpendingRule.EARLY, 4.877)]
)
def test_cost__says_what_closing_today_would_ask_for(
    looks: tuple[date, ...], rule: SpendingRule, critical: float
) -> None:
    plan = sequential(enrolment_ended=None)
    maturity = maturity_of(plan, make_answers(draw_units(2_300)), looks=(), peek=False, today=CLOSED)
    found = cost_of(plan, maturity, [taken(day) for day in looks], today=CLOSED)

    assert found is not None
    assert found.rule is rule
    assert found.fraction == pytest.approx(0.23)
    if rule is SpendingRule.EARLY:
        assert found.critical == pytest.approx(Look(0.05, "group_sequential", fractions=(0.2, 0.23)).critical)
        assert found.critical is not None
        assert found.critical > 4.5
    assert found.whole is not None
    assert found.whole == pytest.approx(1.96, abs=0.01)
    assert cost_of(sequential(), maturity, (), today=TODAY) is None
    assert cost_of(sequential(method="fixed", enrolment_ended=None), maturity, (), today=TODAY) is None


def test_closed__when_promising__keeps_its_level() -> None:
    z = closing_paths.paths(np.random.default_rng(3), 4_000)

    for threshold in (1.6, 1.96):
        assert closing_paths.alarms(z, threshold, old=False) <= 0.055
        assert closing_paths.alarms(z, threshold, old=True) > 0.08  # what spending all that is left would give


@pytest.mark.parametrize(
    ("ended", "shown", "share"),
    [(80, (), 0.9), (100, closing_paths.LOOKS, 0.9), (99, closing_paths.LOOKS, 1.0)],
    ids=["before any look was shown", "on the planned end", "all planned units in"],
)
def test_last_look__nothing_that_was_seen_made_it_the_last__spends_the_whole_rest(
    ended: int, shown: tuple[float, ...], share: float
) -> None:
    last, whole = (closing_paths.last_bound(shown, share, ended, old=old) for old in (False, True))
    assert last == pytest.approx(whole, abs=1e-9)
