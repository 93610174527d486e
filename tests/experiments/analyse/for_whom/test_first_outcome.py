"""For whom, in files and stored experiments: the same users give the same answer, and looks on the way wait."""

from dataclasses import replace

import numpy as np
import pytest

from experiments.analyse.comparison.file_rows import RowData
from experiments.analyse.comparison.warehouse_cells import CellData
from experiments.analyse.engine import analyze
from experiments.analyse.payload_versions import READOUT
from experiments.plan.design import Design, Kind, Outcome, Units
from experiments.report.document import document
from stats.policy import NudgeRule, TraitCondition
from stats.results import NotComputable, Reason
from stats.trait_cells import SEGMENT, TraitColumns
from tests.experiments.analyse.for_whom.make import opposite, opposite_units, told
from tests.experiments.make_answers import make_cells
from tests.experiments.make_readout import RUNNING, make_readout
from tests.stats.make import computed

NEW = NudgeRule((TraitCondition(SEGMENT, "new", holds=True),))
DESIGN = Design(variant="arm", control="control", outcomes=("window:21-27",), behaviour="did", segment="part")


def as_file(units: dict) -> Units:  # type: ignore[type-arg]
    """The same users as the rows of a file."""
    codes = np.column_stack([units["segment"], units["level"]]).astype(np.int64)
    return Units(
        labels=("control", "nudge"),
        arm=units["arm"].astype(np.int64),
        outcomes=(Outcome("window:21-27", Kind.PROPORTION, units["value"]),),
        rows=len(units["arm"]),
        behaviour=units["reached"],
        segment=units["segment"].astype(np.int64),
        segment_labels=("new", "old"),
        known_before=TraitColumns((SEGMENT, "platform"), (("new", "old"), ("", "android", "ios")), codes),
    )


@pytest.mark.slow
def test_stored_and_file__same_users__same_answer() -> None:
    readout = opposite()
    stored = readout.report.outcomes[0].comparisons[0]
    row = analyze("file", DESIGN, as_file(opposite_units())).outcomes[0].comparisons[0]
    assert stored.encouragement is not None
    assert row.encouragement is not None
    mine, theirs = told(stored.encouragement.everybody), told(row.encouragement.everybody)

    assert told(stored.policy).rule == told(row.policy).rule == NEW
    assert told(stored.policy).beats
    assert told(stored.policy).all_over_none.estimate == pytest.approx(told(row.policy).all_over_none.estimate)
    assert computed(mine.reweighted).effect.estimate == pytest.approx(computed(theirs.reweighted).effect.estimate)
    assert computed(mine.others).low == pytest.approx(computed(theirs.others).low)
    assert mine.moved == pytest.approx(0.25, abs=0.02)


@pytest.mark.slow
def test_readout__stored_and_read_again__is_the_same() -> None:
    readout = opposite()

    assert READOUT.read(READOUT.store(readout)) == readout


def test_payload_of_yesterday__without_these_fields__still_opens() -> None:
    payload = READOUT.store(opposite())
    outcome = payload["report"]["outcomes"][0]
    del outcome["margins"]
    for row in outcome["comparisons"]:
        del row["policy"], row["encouragement"]["everybody"]
    del payload["report"]["design"]["nudge_cost"]
    found = READOUT.read(payload)

    assert found.report.outcomes[0].comparisons[0].policy is None  # type: ignore[union-attr]


def test_look_on_the_way__both_wait_for_the_end() -> None:
    readout = make_readout(method="always_valid", **RUNNING)
    row = readout.report.outcomes[0].comparisons[0]
    assert row.encouragement is not None

    assert row.policy == NotComputable(Reason.NOT_AT_A_LOOK)
    assert row.encouragement.everybody == NotComputable(Reason.NOT_AT_A_LOOK)


def test_unequal_splits__arms_are_compared_inside_segments_only() -> None:
    """A plan that gives segments different shares: bounds are refused, the rule isn't misled by the mix."""
    units = opposite_units()
    kept = (units["arm"] == 0) | (units["segment"] == 1) | (np.arange(len(units["arm"])) % 4 == 0)
    readout = make_readout(
        units={name: values[kept] for name, values in units.items()},
        covariates=("platform",),
        shares={"new": (0.8, 0.2), "old": (0.5, 0.5)},
    )
    row = readout.report.outcomes[0].comparisons[0]
    assert row.encouragement is not None
    everybody = told(row.encouragement.everybody)

    assert everybody.others == NotComputable(Reason.SPLIT_DIFFERS)
    assert computed(everybody.reweighted).traits[0] == SEGMENT
    assert told(row.policy).rule == NEW
    assert computed(told(row.policy).inside).estimate == pytest.approx(0.0625, abs=0.03)


@pytest.mark.parametrize(("same", "strata"), [(True, 1), (False, 2)])
def test_trait_cells__of_a_plan_with_splits_by_segment__keep_them_apart(*, same: bool, strata: int) -> None:
    data = CellData(make_cells(opposite_units(2_000)), ("window:21-27",), {}, same)
    cells = computed(data.pair("window:21-27", 1).trait_cells(behaviour=True))

    assert cells.strata == strata
    assert cells.traits == (SEGMENT, "platform")


def test_clusters__neither_is_told() -> None:
    units = replace(as_file(opposite_units(3_000)), cluster=np.arange(3_000) // 10)
    arm = np.repeat(np.random.default_rng(1).integers(0, 2, 300), 10)
    pair = RowData(replace(units, arm=arm)).pair("window:21-27", 1)

    assert pair.trait_cells(behaviour=False) == NotComputable(Reason.CLUSTERED)
    assert pair.trait_cells(behaviour=True) == NotComputable(Reason.CLUSTERED)


def test_unknown_behaviour__policy_asks_of_all_units_and_everybody_of_the_known() -> None:
    units = opposite_units(3_000)
    units["reached"] = np.where(np.arange(3_000) < 100, np.nan, units["reached"])
    pair = RowData(as_file(units)).pair("window:21-27", 1)

    assert computed(pair.trait_cells(behaviour=False)).units == 3_000
    assert computed(pair.trait_cells(behaviour=True)).units == 2_900


def test_document__names_the_rule_and_both_bounds() -> None:
    report = opposite().report
    assert report is not None
    row = document(report)["outcomes"][0]["comparisons"][0]

    assert row["policy"]["rule"] == {"any_of": False, "conditions": [{"trait": "segment", "is": "new"}]}
    assert row["policy"]["beats"] is True
    assert row["policy"]["over_all"]["level"] == pytest.approx(0.9)
    everybody = row["encouragement"]["everybody"]
    assert everybody["others"]["high"] - everybody["others"]["low"] == pytest.approx(1)
    assert everybody["reweighted"]["cells"][0]["traits"].keys() == {"segment", "platform"}
    assert document(report)["outcomes"][0]["margins"] is None


def test_two_nudges__margins_from_the_weaker_to_the_stronger() -> None:
    rng = np.random.default_rng(3)
    n = 9_000
    arm, place = rng.integers(0, 3, n), rng.random(n)
    did = (place < np.array([0.1, 0.5, 0.3])[arm]).astype(float)
    kept = (rng.random(n) < 0.3 + 0.2 * did).astype(float)
    units = Units(
        labels=("control", "loud", "quiet"),
        arm=arm,
        outcomes=(Outcome("kept", Kind.PROPORTION, kept),),
        rows=n,
        behaviour=did,
    )
    report = analyze("file", replace(DESIGN, outcomes=("kept",), segment=None), units)
    found = document(report)["outcomes"][0]["margins"]

    assert [(row["weaker"], row["stronger"]) for row in found["rows"]] == [("control", "quiet"), ("quiet", "loud")]
    assert found["rows"][0]["effect"]["estimate"] == pytest.approx(0.2, abs=0.2)
    assert found["rows"][1]["anderson_rubin"]["shape"] == "interval"
    assert report.outcomes[0].comparisons[0].policy == NotComputable(Reason.NO_TRAITS)
