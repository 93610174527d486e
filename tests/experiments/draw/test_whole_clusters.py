"""Draws of whole clusters: one arm for a cluster, two independent stages, and columns that say what one by one says."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.draw.bucketing import Saturation, cluster_id, unit_hash
from experiments.draw.evaluation import Arm, Flag, Row, Slot, draw
from experiments.draw.many_units import arms_drawn, saturation_of
from experiments.serve.payload import features
from tests.experiments.make import MOMENT

SATURATIONS = (Saturation(0.0, 0.34), Saturation(0.4, 0.33), Saturation(0.8, 0.33))


def a_flag(**changes: Any) -> Flag:
    made: dict[str, Any] = {
        "pk": 1,
        "flag": "f",
        "key": "k",
        "name": "n",
        "version": 1,
        "state": "running",
        "default": None,
        "arms": (Arm(1, "control", "", None), Arm(2, "nudge", "", None)),
        "rows": (Row(None, None, 0.9, (0.5, 0.5)),),
        "seed": "9f2c",
        "cluster": "guild",
        **changes,
    }
    return Flag(**made)


def arm_of(flag: Flag, unit: str, cluster: str | None) -> int | None:
    return draw(flag, unit, is_new=True, row=flag.rows[0], cluster=cluster).arm


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("g1", "g1"),
        (7, "7"),
        ("길드", "길드"),
        ("x" * 256, "x" * 256),
        ("", None),
        ("x" * 257, None),
        (0, None),
        (True, None),
        (False, None),
        (1.0, None),
        (None, None),
        (["g"], None),
    ],
)
def test_cluster_id__is_text_or_a_whole_number(value: Any, expected: str | None) -> None:
    assert cluster_id(value) == expected


def test_draw__of_a_cluster__is_that_of_its_id_for_all_units() -> None:
    found = {draw(a_flag(), f"u{n}", is_new=True, row=a_flag().rows[0], cluster="g7").bucket for n in range(20)}

    assert found == {unit_hash("9f2c", "g7")}


def test_unit__without_a_cluster__is_out_after_all_else_was_asked() -> None:
    flag = a_flag(holdout=Slot("h", 1.0, 1.0))

    assert draw(a_flag(), "u", is_new=True, row=a_flag().rows[0]).excluded_by == "cluster"
    assert draw(flag, "u", is_new=True, row=flag.rows[0]).excluded_by == "holdout"
    assert draw(a_flag(), "u", is_new=True, row=None).excluded_by == "segment"


def test_holdout_and_layer__are_drawn_by_unit_inside_a_cluster() -> None:
    flag = a_flag(holdout=Slot("h", 0.5, 1.0))

    found = {draw(flag, f"u{n}", is_new=True, row=flag.rows[0], cluster="g7").excluded_by for n in range(50)}

    assert found == {"holdout", None} or found == {"holdout", "coverage"}


@given(st.lists(st.tuples(st.text(max_size=8), st.text(max_size=8)), min_size=1, max_size=40), st.booleans())
def test_columns__say_what_one_by_one_says(pairs: list[tuple[str, str]], staged: bool) -> None:
    flag = a_flag(saturations=SATURATIONS if staged else ())
    units, clusters = [unit for unit, _ in pairs], [cluster or None for _, cluster in pairs]

    one_by_one = [arm_of(flag, unit, cluster) for unit, cluster in zip(units, clusters, strict=True)]

    assert arms_drawn(flag, flag.rows[0], units, clusters).tolist() == [-1 if a is None else a for a in one_by_one]


def test_saturations__nudge_their_share_of_each_cluster_and_nobody_at_0() -> None:
    flag = a_flag(saturations=SATURATIONS, rows=(Row(None, None, 1.0, (0.604, 0.396)),))
    units, clusters = [f"u{n}" for n in range(60_000)], [f"g{n % 600}" for n in range(60_000)]
    arm = arms_drawn(flag, flag.rows[0], units, clusters)
    place = np.array([saturation_of(flag.seed, SATURATIONS, one) for one in clusters])

    shares = [float((arm[place == at] == 1).mean()) for at in range(3)]
    sizes = [float((place[:600] == at).mean()) for at in range(3)]

    assert shares == pytest.approx([0, 0.4, 0.8], abs=0.01)
    assert shares[0] == 0
    assert sizes == pytest.approx([0.34, 0.33, 0.33], abs=0.05)


def test_second_stage__is_independent_of_the_first_and_of_other_experiments() -> None:
    """Units that are their own clusters: a nudged half of those with 80 % must not be chosen by the cluster's draw."""
    flag = a_flag(saturations=(Saturation(0.0, 0.5), Saturation(0.5, 0.5)), rows=(Row(None, None, 1.0, (0.75, 0.25)),))
    units = [f"u{n}" for n in range(40_000)]
    arm = arms_drawn(flag, flag.rows[0], units, units)
    draws = np.array([unit_hash(flag.seed, unit) for unit in units])

    upper = draws >= 0.5
    assert abs(float(np.corrcoef(draws[upper], arm[upper])[0, 1])) < 0.02


def test_more_coverage__moves_no_cluster_to_another_saturation() -> None:
    narrow, wide = (
        a_flag(saturations=SATURATIONS, rows=(Row(None, None, part, (0.604, 0.396)),)) for part in (0.3, 1.0)
    )
    units, clusters = [f"u{n}" for n in range(5_000)], [f"g{n % 500}" for n in range(5_000)]

    before, after = (arms_drawn(flag, flag.rows[0], units, clusters) for flag in (narrow, wide))

    assert (before >= 0).any()
    assert (after >= 0).all()
    assert (before[before >= 0] == after[before >= 0]).all()


def test_payload__names_the_attribute_and_chooses_saturations_by_filters() -> None:
    whole = features([a_flag()], MOMENT)["f"]["rules"]
    staged = features([a_flag(saturations=SATURATIONS, layer=Slot("layer:x", 0.0, 0.5))], MOMENT)["f"]["rules"]

    assert [rule["hashAttribute"] for rule in whole] == ["guild"]
    assert [rule["hashAttribute"] for rule in staged] == ["id"] * 3
    assert [rule["weights"] for rule in staged] == [[1.0, 0.0], [0.6, 0.4], pytest.approx([0.2, 0.8])]
    assert {rule["seed"] for rule in staged} == {"9f2c:within"}
    assert [[one["attribute"] for one in rule["filters"]] for rule in staged] == [["id", "guild"]] * 3
    assert staged[1]["filters"][1]["ranges"] == [[0.34, pytest.approx(0.34 + 0.9 * 0.33)]]
