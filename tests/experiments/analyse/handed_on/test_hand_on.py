"""Final analyses hand their findings on: all of them, corrected for looks, once, also those of earlier versions."""

from dataclasses import replace
from functools import partial
from math import sqrt
from typing import Any

import pytest
from django.apps import apps
from django.core.management.sql import emit_post_migrate_signal
from django.utils.module_loading import import_string

from aha.evidence.past.keep_finding import all_findings
from aha.models import Finding
from aha.moments.claims import Promised, PromisedDifference
from experiments.analyse.corrected import best_difference
from experiments.analyse.handed_on.hand_on import hand_on, hand_on_missing
from experiments.analyse.handed_on.kept_moments import findings_of, found_again, pooled_as
from experiments.analyse.payload_versions import READOUT
from experiments.analyse.result import Readout
from stats.instrument.anderson_rubin import anderson_rubin
from stats.instrument.encouragement import wald
from stats.results import computable
from tests.experiments.analyse.test_corrected import final, look
from tests.experiments.make_readout import make_readout, stored


def first(readout: Readout) -> tuple[Any, Any]:
    assert readout.report is not None
    outcome = readout.report.outcomes[0]
    return outcome, outcome.comparisons[0]


def test_moments__give_the_same_effect_and_set_as_the_analysis() -> None:
    readout = make_readout()
    _outcome, row = first(readout)
    [found] = findings_of(readout, Promised())

    assert wald(found.moments) == row.encouragement.effect
    assert anderson_rubin(found.moments) == row.encouragement.effect_set
    assert found.definition.same == ("friend_add", 3, 7, "active 21-27")
    assert (found.variant, found.comparator, found.place) == ("nudge", "control", 1)


def test_moments__of_an_earlier_payload__are_found_again_from_its_errors() -> None:
    readout = make_readout()
    outcome, row = first(readout)

    again = found_again(row.encouragement, row, outcome, "control")

    assert again is not None
    known = vars(row.encouragement.moments)
    assert {name: pytest.approx(value, rel=1e-9) for name, value in known.items() if value is not None} == {
        name: value for name, value in vars(again).items() if value is not None
    }


@pytest.mark.slow
def test_moments__of_a_plan_with_looks__are_the_corrected_ones() -> None:
    readout = final(look(0.4, 3.357), look(0.8, 2.26))
    outcome, row = first(readout)
    plain, best = row.encouragement.moments, best_difference(readout, row)

    found = pooled_as(readout, outcome, row)

    assert found is not None
    assert computable(best)
    assert found.itt == best.estimate != plain.itt
    assert found.v_r == best.standard_error**2 > plain.v_r
    correlation = [one.c_rd / sqrt(one.v_r * one.v_d) for one in (plain, found)]
    assert correlation[0] == pytest.approx(correlation[1])
    assert findings_of(readout, Promised())[0].caution == "corrected"


def test_promise__is_handed_on__only_where_the_outcome_is_the_one_that_was_promised() -> None:
    readout = make_readout()
    promise = Promised(PromisedDifference(0.4), PromisedDifference(0.2, 0.1, 0.3))
    claim = readout.plan.claim
    assert claim is not None

    assert findings_of(readout, promise)[0].promised == (0.2 if claim.retention == readout.plan.primary[0] else None)
    other = replace(readout, plan=replace(readout.plan, claim=replace(claim, retention="on_day:30")))
    same = replace(readout, plan=replace(readout.plan, claim=replace(claim, retention=readout.plan.primary[0])))
    assert findings_of(other, promise)[0].promised is None
    [found] = findings_of(same, promise)
    assert found.promised == 0.2
    assert found.promised_error == pytest.approx(0.1 / 1.959964)


@pytest.mark.django_db
def test_missing__findings_of_an_earlier_version__are_kept_once() -> None:
    document = READOUT.store(make_readout())
    for row in document["report"]["outcomes"][0]["comparisons"]:
        del row["encouragement"]["moments"]  # as version 0.3 wrote it
    stored("early", moment=True, payload=document, final=True)
    stored("open", moment=True, final=False)

    assert (hand_on_missing(), hand_on_missing()) == (1, 0)

    [kept] = all_findings()
    _outcome, row = first(make_readout())
    for name, value in vars(row.encouragement.moments).items():
        wanted = value if value is None else pytest.approx(value, rel=1e-9)
        assert getattr(kept.moments, name) == wanted, name


@pytest.mark.django_db
def test_migrate__keeps_what_is_missing__and_loads_no_statistics_on_a_new_site(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[str] = []

    def load(name: str) -> Any:
        loaded.append(name)
        return import_string(name)

    monkeypatch.setattr("experiments.apps.import_string", load)
    migrated = partial(emit_post_migrate_signal, verbosity=0, interactive=False, db="default", apps=apps, plan=[])

    migrated()
    assert loaded == []

    stored("early", moment=True, payload=READOUT.store(make_readout()), final=True)
    migrated()
    assert len(loaded) == 1
    assert len(all_findings()) == 1


@pytest.mark.django_db
def test_hand_on__again__changes_nothing() -> None:
    analysis = stored(moment=True, final=True)
    hand_on(analysis, make_readout())
    before = list(Finding.objects.values())

    hand_on(analysis, make_readout())

    assert list(Finding.objects.values()) == before
