"""The site's map: findings of several behaviours read together, promises beside them, what nobody tried, doors."""

import json
from dataclasses import replace
from io import StringIO
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.utils import timezone

from aha.evidence.expected_gain import ExpectedGain
from aha.evidence.store_findings import keep_findings
from aha.models import Study
from experiments.analyse.across import site_map
from reporting.document import dump
from stats.power.family_and_looks import Plan
from stats.power.sample_size import sample_size
from stats.results import Interval
from tests.aha.evidence.past.test_joint_findings import ERROR, OUTCOME, nudge
from tests.aha.make_report import INPUTS, candidate, report, result
from tests.experiments.make import running
from tests.stats.make import computed

pytestmark = pytest.mark.django_db
NAMES = ("chat", "friend_add", "shop")


def keep_lab(effects: tuple[float, ...] = (0.2, 0.0, 0.0), *, own: float = 0.12, spill: float = 0.05) -> None:
    """Six experiments, two towards each behaviour, each of which also moves the next one."""
    rng = np.random.default_rng(6)
    rows = []
    for place in range(6):
        stages = np.zeros(3)
        stages[place % 3], stages[(place + 1) % 3] = own, spill
        drawn = np.array([stages @ np.array(effects), *stages]) + rng.normal(0, ERROR / 3, 4)
        order = [place % 3, *(at for at in range(3) if at != place % 3)]
        rows.append(nudge(f"test {place}", *((NAMES[at], float(drawn[at + 1])) for at in order), itt=float(drawn[0])))
    for row in rows:
        keep_findings([row])


def mapped(*options: str) -> dict[str, Any]:
    out = StringIO()
    call_command("map", *options, "--json", stdout=out)
    found: dict[str, Any] = json.loads(out.getvalue())
    return found


def states(found: dict[str, Any]) -> dict[str, str]:
    return {row["behaviour"]: row["state"] for row in found["behaviours"]}


def refusal(*options: str) -> str:
    with pytest.raises(CommandError) as caught:
        call_command("map", *options, "--json", stdout=StringIO())
    assert caught.value.returncode == 2
    return str(caught.value)


def test_map__of_six_experiments__names_the_cause_alone_and_whether_they_agree() -> None:
    keep_lab()

    found = mapped("--margin", "0.15")

    assert found["outcome"] == OUTCOME
    assert states(found) == {"chat": "causes", "friend_add": "no_material_effect", "shop": "no_material_effect"}
    assert found["behaviours"][0]["effect"]["read"] == "jointly"
    assert found["agreement"]["agree"] is True
    assert len(found["nudges"]) == 6
    assert found["interactions"] == []
    assert states(mapped("--behaviours", "shop")) == {"shop": "inconclusive"}


def test_map__of_strong_nudges__gives_the_shorter_set_beside_the_other_and_none_where_it_has_no_number() -> None:
    keep_lab()
    keep_findings([nudge("one", ("gift", 0.2), ("party", 0.06), itt=0.06)])

    rows = {row["behaviour"]: row["effect"] for row in mapped()["behaviours"]}

    chat = rows["chat"]
    assert chat["low"] < chat["strong_set"]["low"] < chat["strong_set"]["high"] < chat["high"]
    assert "strong_set" not in rows["gift"]


def test_map__asked_again__is_not_computed_again_until_another_experiment_comes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keep_lab()
    read = Mock(side_effect=site_map._read)
    monkeypatch.setattr(site_map, "_read", read)
    cache.clear()

    first, again = mapped(), mapped()
    keep_findings([nudge("old", ("gift", 0.2), itt=0.06)])
    third = mapped()
    mapped("--margin", "0.1")

    assert first == again
    assert set(states(third)) - set(states(again)) == {"gift"}
    assert read.call_count == 3


def test_map__a_behaviour_whose_experiments_measured_nothing_else__is_read_alone_beside_the_others() -> None:
    keep_lab()
    keep_findings([nudge("old", ("gift", 0.2), itt=0.06)])

    row = {row["behaviour"]: row for row in mapped()["behaviours"]}["gift"]

    assert row["state"] == "causes"
    assert row["effect"]["read"] == "alone"


def test_map__one_experiment_that_moved_another_behaviour__gives_no_number_and_names_it() -> None:
    keep_findings([nudge("one", ("friend_add", 0.2), ("chat", 0.06), itt=0.06)])

    [row] = mapped()["behaviours"]

    assert (row["state"], row["with"]) == ("not_told_apart", ["chat"])
    assert "not_computable" in row["effect"]


def test_map__open_behaviour__says_the_users_that_a_verdict_takes() -> None:
    keep_lab((0.02, 0.0, 0.0))

    row = mapped("--margin", "0.02")["behaviours"][0]

    assert row["state"] == "inconclusive"
    assert row["to_know"]["users"] > 6 * 6_000
    assert row["to_know"]["weeks"] == {"not_computable": "How many users join a day isn't known here."}


def keep_study(retention: str = OUTCOME) -> None:
    gain = ExpectedGain(
        0.01, 0.0, 0.02, 0.9, 0.2, Interval(0.25, 0, 1, 0.9, "price"),
        assumed=True, experiments=0, headroom=0.8, take_up=0.25, measured=False,
    )  # fmt: skip
    made = report()
    asked = replace(made.asked, inputs=replace(made.asked.inputs, retention=retention))
    rows = (candidate(expected=gain), candidate(behaviour="gift", expected=gain), candidate(behaviour="party"))
    Study.objects.create(status="done", inputs=dump(INPUTS), **result(replace(made, asked=asked, candidates=rows)))


def test_map__with_a_study__has_promises_and_what_nobody_nudged_to_with_users_and_weeks() -> None:
    keep_lab()
    keep_study()

    found = mapped()

    rows = {row["behaviour"]: row for row in found["behaviours"]}
    assert rows["gift"]["state"] == rows["party"]["state"] == "never_nudged"
    headline = computed(candidate().ladder.headline.difference)
    assert rows["friend_add"]["promise"]["estimate"] == headline.estimate
    assert rows["chat"]["promise"] is None
    # 40 % stay; a quarter of a promise of 20 points among the 20 % whom a nudge moves: one point of all users.
    size = computed(sample_size(Plan(baseline=0.4, take_up=0.2), 0.05))
    assert rows["gift"]["to_know"]["users"] == sum(size.units)
    assert rows["gift"]["to_know"]["weeks"] == pytest.approx(sum(size.units) / (1_000 / 14) / 7)
    assert "not_computable" in rows["party"]["to_know"]


def test_map__a_study_of_another_outcome__promises_nothing_of_this_one() -> None:
    keep_lab()
    keep_study("on_day:7")

    assert "never_nudged" not in states(mapped()).values()
    assert set(states(mapped("--outcome", "on_day:7"))) == {"friend_add", "gift", "party"}


def test_map__experiments_with_users_in_common__names_the_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    keep_lab()
    monkeypatch.setattr(site_map, "units_in_both", lambda one, other: 12 if (one, other) == ("test 0", "test 3") else 0)

    remarks = mapped()["remarks"]

    assert [(row["code"], row["n"], row["first"], row["second"]) for row in remarks] == [
        ("shared_users", 12, "Test 0", "Test 3")
    ]


def test_units_in_both__assigned_users_of_two_experiments__counts_those_of_both() -> None:
    for key, units in (("first", "abc"), ("second", "bcd")):
        experiment = running(key)
        variant = experiment.variants.order_by("pk").first()
        assert variant is not None
        experiment.assignments.bulk_create(
            experiment.assignments.model(
                unit=unit, experiment=experiment, variant=variant, bucket=1, assigned_at=timezone.now()
            )
            for unit in units
        )

    assert site_map.units_in_both("first", "second") == 2
    assert site_map.units_in_both("second", "nobody") == 0


def test_map__without_anything__and_wrong_choices__are_one_sentence_and_status_2() -> None:
    assert refusal().startswith("No finished experiment and no finished study")
    keep_lab()
    assert (
        refusal("--behaviours", "gift") == "--behaviours: No finished experiment and no study says anything about this."
    )
    assert "--alpha must lie between" in refusal("--alpha", "0.9")
    assert "--margin must be above 0" in refusal("--margin", "0")
    assert refusal("--nudge", "mail") == "--nudge: this option belongs to a file: name it with --file"
    assert refusal("--outcome", "nonsense")


def test_rest__gives_the_document_of_the_command(admin_client: Any) -> None:
    keep_lab()

    answer = admin_client.get("/api/v1/map", {"margin": "0.1", "behaviours": ["chat", "shop"]})

    assert answer.status_code == 200
    assert answer.json() == mapped("--margin", "0.1", "--behaviours", "chat", "shop")
    assert admin_client.get("/api/v1/map", {"behaviours": "gift"}).status_code == 409
