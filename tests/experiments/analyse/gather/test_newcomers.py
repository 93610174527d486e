"""Ids that somebody invents: what of them counts, and what a visitor with a page's public key can't do to a verdict."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.audit_04 import visitor as site
from benchmarks.audit_04.visitor import figures
from experiments.analyse.gather.admission import EVER, HOUR, NEVER, Evaluated, Past, judge
from experiments.models import Assignment, Experiment
from experiments.status import overview
from tests.experiments.analyse.gather.forging_site import SHOWN, analysed, drawn, make_keys

UNITS, IDS = 1_000, 300


@pytest.fixture
def _site(db: Any, tmp_path: Path, settings: Any) -> None:
    settings.EVENTS_URL = str(tmp_path / "events")
    settings.CLIENT_NEW_IDS = 50
    settings.RATES = {**settings.RATES, "visitor": 10_000, "client key": 100_000}


def past(**columns: list[Any]) -> Past:
    """Units that a client key brought in at once, and of which nothing else came."""
    n = len(next(iter(columns.values())))
    usual: dict[str, list[Any]] = {
        "sign_at": [NEVER] * n,
        "sign_time": [NEVER] * n,
        "server_at": [NEVER] * n,
        "born_at": [0] * n,
        "born_by": [""] * n,
    }
    made = {**usual, **columns}
    return Past(*(np.array(made[name]) for name in usual))


def nobody(n: int) -> Evaluated:
    return Evaluated(np.full(n, NEVER), np.zeros(n, dtype=bool), np.full(n, "", dtype="<U8"))


def test_judge__as_many_new_ids_as_may_be__are_no_flood_and_one_more_is() -> None:
    found = judge(past(born_at=[1, 2, 3, 4, 5, 6], born_by=["a", "a", "b", "b", "b", ""]), nobody(6), limit=2)

    assert found.until.tolist() == [NEVER, NEVER, 5, 5, 5, NEVER]  # from the third of b on


def test_judge__the_same_address_in_two_hours__counts_each_by_itself() -> None:
    found = judge(past(born_at=[1, 2, HOUR, HOUR + 1], born_by=["a"] * 4), nobody(4), limit=2)

    assert found.until.tolist() == [NEVER] * 4


def test_judge__evaluated_before_any_event__was_brought_in_by_who_asked() -> None:
    asked = Evaluated(np.array([5, 20, NEVER]), np.zeros(3, dtype=bool), np.array(["v", "v", ""]))

    found = judge(past(sign_at=[10, 10, 10], sign_time=[9, 9, 9], born_at=[10, 10, 10], born_by=["a"] * 3), asked, 1)

    assert found.sign_at.tolist() == [5, 10, 10]
    assert found.sign_time.tolist() == [EVER, 9, 9]
    assert found.until.tolist() == [NEVER, 10, 10]


def test_judge__a_server_key_asked_for_it__names_it_whenever_and_its_event_from_then_on() -> None:
    asked = Evaluated(np.array([5, NEVER]), np.array([True, False]), np.array(["v", ""]))

    found = judge(past(server_at=[NEVER, 7]), asked, limit=2)

    assert found.named_from.tolist() == [EVER, 7]


@pytest.mark.usefixtures("_site")
@pytest.mark.slow
@pytest.mark.parametrize("where", list(site.SITES))
def test_invented_ids__every_attack_by_the_doors__moves_no_number(where: str) -> None:
    told = site.attacked(where, UNITS, [(name, IDS) for name in site.ATTACKS])

    assert [row["attack"] for row in told if not row["same"]] == []
    assert (told[-1]["exposed"], told[-1]["verdict"]) == (UNITS, told[0]["verdict"])
    assert told[-1]["aside"] + told[-1]["beside"] > IDS  # the attempts are shown


@pytest.mark.usefixtures("_site")
@pytest.mark.slow
def test_first_page__before_an_analysis__alarms_at_no_invented_units() -> None:
    key = make_keys()[SHOWN]
    experiment = site.servers(UNITS, key)
    site.let_our_door_expose_one_arm(key, experiment, [f"i{n}" for n in range(IDS)])

    assert "sample_ratio" not in [one.code for one in overview.standing(experiment).concerns]
    assert Assignment.objects.exclude(visit="").count() == IDS


@pytest.mark.usefixtures("_site")
@pytest.mark.slow
def test_browsers__the_first_page_view_after_the_exposure__counts_from_the_next_exposure_on() -> None:
    key = make_keys()[SHOWN]
    experiment = site.browsers(120, key)
    before = analysed(experiment)
    late = drawn([f"late{n}" for n in range(10)])

    site.send(key, site.exposures(late), "10.9.9.9")
    site.send(key, [site.event("page", unit, 20.2) for unit in late], "10.9.9.9")
    site.flush()
    only_after = analysed(experiment)
    site.send(key, site.exposures(late), "10.9.9.9")
    site.flush()
    again = analysed(experiment)

    assert site.numbers(only_after) == site.numbers(before)
    assert [(row.reason, row.units) for row in only_after.flow.not_admitted] == [("unknown", 10)]
    assert sum(again.flow.exposed.values()) == 130


@pytest.mark.usefixtures("_site")
@pytest.mark.slow
def test_browsers__new_ids_within_the_limit__count() -> None:
    key = make_keys()[SHOWN]
    experiment = site.browsers(120, key)
    few = drawn([f"new{n}" for n in range(50)])

    for unit, arm in few.items():
        site.send(key, [site.event("page", unit, 20.2)], site.VISITOR)
        site.send(key, site.exposures({unit: arm}), site.VISITOR)
    site.flush()

    assert sum(analysed(experiment).flow.exposed.values()) == 170


@pytest.mark.usefixtures("_site")
@pytest.mark.slow
def test_started_before_0_5__admits_as_0_4_did() -> None:
    key = make_keys()[SHOWN]
    experiment = site.servers(300, key)
    Experiment.objects.update(client_new_ids=None)
    site.say_control(key, experiment, [f"i{n}" for n in range(400)])
    site.flush()

    after = analysed(experiment)

    assert after.verdict.code == "INVALID"
    assert after.flow.apart is None
    assert after.without_unverified.left_out > 100


@pytest.mark.proof
def test_figures__of_the_audit__are_met() -> None:
    assert [row.what for row in figures() if not row.met] == []
