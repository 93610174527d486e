"""Final analyses hand their findings on: all of them, as measured and corrected for looks, once, old ones as well."""

from copy import deepcopy
from dataclasses import replace
from functools import partial
from math import sqrt
from typing import Any

import numpy as np
import pytest
from django.apps import apps
from django.core.management.sql import emit_post_migrate_signal
from django.utils.module_loading import import_string

from aha.evidence.store_findings import all_findings, refuse_double
from aha.models import Finding
from aha.moments.claims import Promised, PromisedDifference
from aha.report.past import findings_table
from experiments.analyse.corrected import best_difference
from experiments.analyse.export_findings import export_findings_of, findings_of, found_again, hand_on_missing
from experiments.analyse.others import StoredOthers
from experiments.analyse.payload_versions import READOUT
from experiments.analyse.result import AnalysisResult, Opened
from experiments.plan.record import PlannedOther
from runs.refusals import Refused
from stats.instrument.anderson_rubin import anderson_rubin
from stats.instrument.encouragement import wald
from stats.instrument.other_behaviours import OtherMoments
from stats.results import computable
from tests.experiments.analyse.test_corrected import final, look
from tests.experiments.make_readout import make_readout, stored


def first(readout: AnalysisResult) -> tuple[Any, Any]:
    assert isinstance(readout, Opened)
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
def test_moments__of_a_plan_with_looks__are_as_measured_for_pools_and_corrected_beside() -> None:
    readout = final(look(0.4, 3.357), look(0.8, 2.26))
    _outcome, row = first(readout)
    plain, best = row.encouragement.moments, best_difference(readout, row)

    [found] = findings_of(readout, Promised())

    assert computable(best)
    assert found.moments == plain
    assert found.caution == ""
    assert found.shared == row.encouragement.shared
    told = found.corrected
    assert told is not None
    assert told.itt == best.estimate != plain.itt
    assert told.v_r == best.standard_error**2 > plain.v_r
    correlation = [one.c_rd / sqrt(one.v_r * one.v_d) for one in (plain, told)]
    assert correlation[0] == pytest.approx(correlation[1])


def test_moments__of_an_always_valid_plan__are_as_measured_and_called_optimistic() -> None:
    readout = make_readout(method="always_valid", planned_units=100)
    [found] = findings_of(readout, Promised())

    assert found.moments == first(readout)[1].encouragement.moments
    assert (found.caution, found.corrected) == ("optimistic", None)


@pytest.mark.slow
@pytest.mark.django_db
def test_kept__of_a_plan_with_looks__comes_back_with_both() -> None:
    readout = final(look(0.4, 3.357), look(0.8, 2.26))
    export_findings_of(stored(moment=True, final=True), readout)

    [kept], [given] = all_findings(), findings_of(readout, Promised())

    assert (kept.moments, kept.corrected, kept.caution) == (given.moments, given.corrected, "")
    told = given.corrected
    assert told is not None
    # Version 0.4, which may still run beside this one, reads corrected moments where it always did.
    assert Finding.objects.values_list("itt", "v_r", "caution").get() == (told.itt, told.v_r, "corrected")
    with pytest.raises(Refused, match="evidence counts once"):
        refuse_double([replace(kept, origin="file", source="again", corrected=None)])


@pytest.mark.slow
@pytest.mark.django_db
def test_migrate__finding_of_version_0_4__gets_what_was_measured_once() -> None:
    readout = final(look(0.4, 3.357), look(0.8, 2.26))
    analysis = stored(moment=True, final=True, payload=READOUT.store(readout))
    export_findings_of(analysis, readout)
    as_in_0_4 = {"plain_itt": None, "plain_v_r": None, "plain_c_rd": None}
    Finding.objects.update(**as_in_0_4, control_v_r=None, control_v_d=None, control_c_rd=None)
    [before] = all_findings()

    hand_on_missing()
    [after], rows = all_findings(), list(Finding.objects.values())
    hand_on_missing()

    assert (before.caution, before.corrected) == ("corrected", None)
    [given] = findings_of(readout, Promised())
    assert (after.moments, after.corrected, after.shared) == (given.moments, given.corrected, given.shared)
    assert list(Finding.objects.values()) == rows


@pytest.mark.slow
@pytest.mark.django_db
def test_migrate__finding_whose_analysis_is_gone__stays_corrected_and_says_so() -> None:
    readout = final(look(0.4, 3.357), look(0.8, 2.26))
    analysis = stored(moment=True, final=True, payload=READOUT.store(readout))
    export_findings_of(analysis, readout)
    Finding.objects.update(plain_itt=None, plain_v_r=None, plain_c_rd=None)
    analysis.delete()

    hand_on_missing()

    [kept] = all_findings()
    assert kept.caution == "corrected"
    assert "only its effect corrected for interim analyses is known" in findings_table([kept]).rows[0][-1]


def test_promise__is_handed_on__only_where_the_outcome_is_the_one_that_was_promised() -> None:
    readout = make_readout()
    promise = Promised(PromisedDifference(0.4), PromisedDifference(0.2, 0.1, 0.3))
    claim = readout.plan.claim
    assert claim is not None

    assert findings_of(readout, promise)[0].promised == (0.2 if claim.retention == readout.plan.primary[0] else None)

    def promised_of(retention: str) -> AnalysisResult:
        plan = replace(readout.plan, claim=replace(claim, retention=retention))
        return replace(readout, analysed=replace(readout.analysed, plan=plan))

    other, same = promised_of("on_day:30"), promised_of(readout.plan.primary[0])
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
    export_findings_of(analysis, make_readout())
    before = list(Finding.objects.values())

    export_findings_of(analysis, make_readout())

    assert list(Finding.objects.values()) == before


def test_outcomes__with_registered_other_behaviours__have_the_covariance_of_all() -> None:
    plain = deepcopy(make_readout())
    _outcome, row = first(plain)
    others = OtherMoments(("chat",), np.array([0.06]), np.array([[7e-5]]), np.array([2e-5]), np.array([1e-5]))
    object.__setattr__(row.encouragement, "other_moments", StoredOthers.of(others))
    registered = (PlannedOther("chat", 2, 0.0, 0.18, "promise", "friends chat"),)
    plan = replace(plain.plan, others=registered)
    readout = replace(plain, analysed=replace(plain.analysed, plan=plan))

    [found] = findings_of(readout, Promised())

    moments = found.moments
    first_outcome = found.outcomes[0]
    assert first_outcome.outcome == found.definition.outcome
    assert (first_outcome.behaviours, first_outcome.times) == (("friend_add", "chat"), (3, 2))
    assert first_outcome.effects == (moments.itt, moments.first_stage, 0.06)
    assert first_outcome.covariance == (
        (moments.v_r, moments.c_rd, 2e-5),
        (moments.c_rd, moments.v_d, 1e-5),
        (2e-5, 1e-5, 7e-5),
    )
    assert first_outcome.consequences == ("chat",)


def test_outcomes__of_a_plan_without_other_behaviours__have_the_behaviour_alone() -> None:
    [found] = findings_of(make_readout(), Promised())

    assert {outcome.behaviours for outcome in found.outcomes} == {("friend_add",)}
    assert found.outcomes[0].effects == (found.moments.itt, found.moments.first_stage)
