"""What goes to moment and pools: final analyses only, corrected for interim ones; and that the page says so."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from django.core.cache import cache

from aha.moments.claims import write_finding
from experiments.analyse.across.calibration import calibrate
from experiments.analyse.analyses import finding_of
from experiments.analyse.corrected import best_difference, best_effect, of_variant
from experiments.analyse.result import LookTaken, Opened
from experiments.report.looks import stopping_sentence
from experiments.report.promise_and_finding import contrasts, promise, promise_finding
from stats.results import computable
from stats.sequential.stagewise import stagewise
from tests.experiments.make_answers import draw_units, make_analysed
from tests.experiments.make_readout import make_readout, make_result, stored

SEQUENTIAL: dict[str, Any] = {"method": "group_sequential", "planned_units": 4_000}


def plain(text: str) -> str:
    return text


def look(fraction: float, critical: float, *, z: float = 1.0, **changes: Any) -> LookTaken:
    one = LookTaken(
        date(2026, 1, 20),
        make_analysed().plan.measured,
        "nudge",
        100,
        fraction,
        0.0,
        -1.0,
        1.0,
        z,
        critical,
        1.0,
        "INCONCLUSIVE",
        False,
        shown=date(2026, 1, 20),
    )
    return replace(one, **changes)


def final(*looks: LookTaken, **plan: Any) -> Opened:
    units = draw_units(4_000, 3, effect=0.2)
    return make_readout(units=units, earlier=looks, **(SEQUENTIAL | plan))


def row(readout: Opened) -> Any:
    return readout.report.outcomes[0].comparisons[0]


@pytest.mark.slow
def test_final__of_a_plan_with_looks__has_the_stage_wise_effect() -> None:
    found = final(look(0.4, 3.357), look(0.8, 2.26))

    effect, corrected = row(found).difference, found.corrected[0]
    expected = stagewise(
        effect.estimate, effect.standard_error, fraction=1.0, before=[(0.4, 3.357), (0.8, 2.26)], alpha=0.05
    )
    assert corrected.difference == expected
    assert computable(expected)
    assert expected.estimate < effect.estimate
    assert computable(corrected.effect)
    assert corrected.effect == pytest.approx(expected.estimate / row(found).encouragement.take_up.difference)


@pytest.mark.slow
def test_a_crossed_look__gives_its_place_to_the_units_under_way() -> None:
    found = final(look(0.4, 3.357), look(0.8, 2.26, z=2.5), look(0.9, 2.2))

    corrected = found.corrected[0].difference
    assert computable(corrected)
    assert corrected.looks == 2


@pytest.mark.slow
def test_peeks_and_other_outcomes__are_no_looks_of_the_plan() -> None:
    found = final(look(0.4, 3.357, peeked=True), replace(look(0.4, 3.357), measured="something else"))

    assert of_variant(found, "nudge") is None
    assert best_difference(found, row(found)) == row(found).difference


@pytest.mark.slow
def test_look_before_the_last__is_corrected_only_where_it_crossed() -> None:
    crossed = make_readout(
        units=draw_units(2_000), method="group_sequential", enrolment_ended=None, planned_units=4_000
    )
    quiet = make_readout(
        units=draw_units(2_000, 3, effect=0.0), method="group_sequential", enrolment_ended=None, planned_units=4_000
    )

    assert [one.variant for one in crossed.corrected] == ["nudge"]
    assert quiet.corrected == ()
    assert make_readout().corrected == ()


@pytest.mark.slow
def test_page__shows_both_says_which_is_naive_and_leads_with_the_corrected() -> None:
    found = final(look(0.4, 3.357), look(0.8, 2.26))

    rows = contrasts(found)
    labels = [one.label for one in rows]
    assert labels[-4:] == [
        "Effect of the nudge on everyone",
        "Effect of the nudge, corrected for interim analyses",
        "Effect of the behaviour on users who did it because of the nudge",
        "Effect of the behaviour, corrected for interim analyses",
    ]
    assert ["Naive" in one.how for one in rows[-4:]] == [True, False, True, False]
    assert rows[-1].estimate == found.corrected[0].effect
    assert rows[-1].text in promise_finding(found)
    part = promise(found)
    assert part is not None
    assert "1.1 to 1.3 times too large" in part.note
    assert stopping_sentence(make_readout()) == ""


def test_always_valid__the_centre_is_called_optimistic() -> None:
    found = make_readout(method="always_valid", enrolment_ended=None)

    assert found.corrected == ()
    assert "optimistic" in stopping_sentence(found)


@pytest.mark.slow
@pytest.mark.django_db
def test_moment__gets_the_corrected_effect() -> None:
    found = final(look(0.4, 3.357), look(0.8, 2.26))
    made = write_finding(finding_of(stored("exp", found), found))

    best = best_effect(found, row(found))
    assert computable(best)
    assert made["effect"] == {
        "estimate": best[0],
        "standard_error": best[1],
        "caution": "corrected",
        "naive": row(found).encouragement.effect.estimate,
    }
    assert best[0] < row(found).encouragement.effect.estimate
    corrected = found.corrected[0].difference
    assert computable(corrected)
    assert made["itt"]["estimate"] == corrected.estimate


@pytest.mark.slow
@pytest.mark.django_db
def test_calibration__takes_final_analyses_alone_and_their_corrected_effects() -> None:
    cache.clear()
    last = final(look(0.4, 3.357), look(0.8, 2.26))
    stored("over", last, moment=True)
    stored("running", make_result(method="group_sequential", enrolment_ended=None, planned_units=5_000), moment=True)

    found = calibrate()

    best = best_effect(last, row(last))
    assert computable(best)
    assert [(one.key, one.found, one.found_error) for one in found.trials] == [("exp", *best)]
    assert [(one.key, one.why) for one in found.left_out] == [("running", "not_final")]
