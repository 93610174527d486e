"""Other behaviours that the nudge moves: measured alike by every door, and what they take from the verdict."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from experiments.analyse.analyse_experiment import analyse_answers
from experiments.analyse.codes import Code
from experiments.analyse.comparison.cluster_cells import ClusterData
from experiments.analyse.comparison.file_rows import RowData
from experiments.analyse.comparison.protocol import Pair
from experiments.analyse.comparison.warehouse_cells import CellData
from experiments.analyse.engine import analyze
from experiments.analyse.payload_versions import READOUT
from experiments.plan.design import Kind, Other, Outcome, Units
from experiments.plan.record import PlannedOther
from experiments.report.document import document
from stats.instrument.anderson_rubin import Shape
from stats.instrument.other_behaviours import Moved, OtherMoments, UnderOthers
from stats.iv_moments import IvMoments
from stats.results import NotComputable, Reason, computable
from tests.experiments.make_answers import make_analysed, make_answers, make_cells
from tests.experiments.make_others import (
    CHAT,
    DESIGN,
    METRIC,
    PLANNED,
    ends,
    file_of,
    first,
    judged,
    one_segment,
    stored,
    world,
)
from tests.experiments.make_readout import CLEAN, TODAY, opened
from tests.stats.make import computed

CLUSTERS = 40


def with_itself(units: dict[str, Any]) -> dict[str, Any]:
    """The units with the behaviour itself listed as another one: its moments must be those of the behaviour."""
    return {**units, "others": {"itself": units["reached"], **units["others"]}}


def dummies(units: dict[str, Any]) -> np.ndarray:
    return np.column_stack([units["level"] == code for code in (1, 2)]).astype(float)


def in_clusters(units: dict[str, Any], *, whole: bool = True) -> dict[str, Any]:
    cluster = np.random.default_rng(5).integers(0, CLUSTERS, len(units["arm"]))
    arm = (np.arange(CLUSTERS) % 2)[cluster] if whole else units["arm"]
    return {**units, "cluster": cluster, "arm": arm, "segment": np.zeros(len(arm), dtype=int)}


def plain_file(units: dict[str, Any]) -> Pair:
    return RowData(file_of(units)).pair(METRIC, 1)


def adjusted_file(units: dict[str, Any]) -> Pair:
    return RowData(file_of(units, covariates=dummies(units), covariate_names=("a", "b")), True).pair(METRIC, 1)


def clustered_file(units: dict[str, Any]) -> Pair:
    units = in_clusters(units)
    return RowData(file_of(units, cluster=units["cluster"].astype(np.int64))).pair(METRIC, 1)


def plain_cells(units: dict[str, Any]) -> Pair:
    return CellData(make_cells(one_segment(units), segments=("",)), (METRIC,), {}).pair(METRIC, 1)


def adjusted_cells(units: dict[str, Any]) -> Pair:
    return CellData(make_cells(one_segment(units), segments=("",)), (METRIC,), {}, True, "lin").pair(METRIC, 1)


def strata(units: dict[str, Any]) -> Pair:
    return CellData(make_cells(units), (METRIC,), {}).pair(METRIC, 1)


def adjusted_strata(units: dict[str, Any]) -> Pair:
    return CellData(make_cells(units), (METRIC,), {}, True, "lin").pair(METRIC, 1)


def clustered_cells(units: dict[str, Any]) -> Pair:
    return ClusterData(make_cells(in_clusters(units), segments=("",)), (METRIC,), {}).pair(METRIC, 1)


def adjusted_clusters(units: dict[str, Any]) -> Pair:
    cells = make_cells(in_clusters(units), segments=("",))
    return ClusterData(cells, (METRIC,), {}, True, "lin").pair(METRIC, 1)


def inside_clusters(units: dict[str, Any]) -> Pair:
    units = {**in_clusters(units, whole=False), "saturation_of": np.arange(CLUSTERS) % 2}
    return ClusterData(make_cells(units, segments=("",)), (METRIC,), {}, inside=(True, True)).pair(METRIC, 1)


def measured(pair: Pair) -> tuple[IvMoments, OtherMoments]:
    others = pair.others()
    assert isinstance(others, OtherMoments)
    return computed(pair.moments()), others


MAKERS = [
    *(plain_file, adjusted_file, clustered_file, plain_cells, adjusted_cells, strata, adjusted_strata),
    *(clustered_cells, adjusted_clusters, inside_clusters),
]


@pytest.mark.parametrize("make", MAKERS)
def test_others__with_the_behaviour_itself_among_them__have_its_own_moments(make: Callable[..., Pair]) -> None:
    moments, others = measured(make(with_itself(world())))

    assert others.names == ("itself", "chat", "idle")
    assert others.first_stages[0] == pytest.approx(moments.first_stage, rel=1e-9)
    assert others.covariance[0, 0] == pytest.approx(moments.v_d, rel=1e-9)
    assert others.with_itt[0] == pytest.approx(moments.c_rd, rel=1e-9)
    assert others.with_first_stage[0] == pytest.approx(moments.v_d, rel=1e-9)
    # The behaviour's own row of the covariance is that of the others with the first stage.
    assert others.covariance[0, 1:] == pytest.approx(others.with_first_stage[1:], rel=1e-9)
    assert (np.linalg.eigvalsh(others.covariance) > -1e-15).all()


@pytest.mark.parametrize(
    ("rows", "cells"), [(plain_file, plain_cells), (adjusted_file, adjusted_cells), (clustered_file, clustered_cells)]
)
def test_others__of_a_file_and_of_cells__are_the_same(rows: Callable[..., Pair], cells: Callable[..., Pair]) -> None:
    ours, theirs = (measured(make(world()))[1] for make in (cells, rows))

    assert ours.names == theirs.names
    for name in ("first_stages", "covariance", "with_itt", "with_first_stage"):
        assert getattr(ours, name) == pytest.approx(getattr(theirs, name), rel=1e-9, abs=1e-15), name


def test_others__of_four_users_an_arm__are_those_of_the_fingers() -> None:
    units = Units(
        labels=("control", "nudge"),
        arm=np.array([0, 0, 0, 0, 1, 1, 1, 1]),
        outcomes=(Outcome(METRIC, Kind.PROPORTION, np.array([0, 0, 1, 0, 1, 1, 0, 1.0])),),
        rows=8,
        behaviour=np.array([0, 0, 1, 0, 1, 1, 0, 0.0]),
        other_names=("chat",),
        others=np.array([[0, 0, 0, 1, 1, 0, 1, 1.0]]).T,
    )

    others = measured(RowData(units).pair(METRIC, 1))[1]

    assert others.first_stages.tolist() == [0.5]
    # An arm's chat varies by .25 (n-1), over 4 users each; nudge: chat and outcome -1/12, control: -1/12.
    assert others.covariance == pytest.approx(np.array([[0.125]]))
    assert others.with_itt == pytest.approx([-1 / 24])
    # chat and behaviour: nudge (1,1), (0,1), (1,0), (1,0): -1/6; control (0,0), (0,0), (0,1), (1,0): -1/12
    assert others.with_first_stage == pytest.approx([-1 / 16])


def test_others__over_segments_with_shares_of_their_own__are_weighted_as_the_behaviour_is() -> None:
    units = world()
    kept = (units["arm"] == 1) | (units["segment"] == 1) | (np.arange(len(units["arm"])) % 3 == 0)
    units = {name: values[kept] for name, values in units.items() if name != "others"} | {
        "others": {"chat": units["others"]["chat"][kept]}
    }
    weights, gaps, together = [], [], []
    for segment in (0, 1):
        arms = [(units["segment"] == segment) & (units["arm"] == arm) for arm in (0, 1)]
        n = [int(arm.sum()) for arm in arms]
        both = [np.cov(units["others"]["chat"][arm], units["value"][arm])[0, 1] / arm.sum() for arm in arms]
        weights.append(n[0] * n[1] / sum(n))
        gaps.append(units["others"]["chat"][arms[1]].mean() - units["others"]["chat"][arms[0]].mean())
        together.append(sum(both))
    share = np.array(weights) / sum(weights)

    others = measured(strata(units))[1]

    assert others.first_stages == pytest.approx([share @ gaps])
    assert others.with_itt == pytest.approx([share**2 @ together])


def test_others__against_a_placebo__are_compared_with_it() -> None:
    units = world()
    arm = np.random.default_rng(2).integers(0, 3, len(units["arm"]))
    data = RowData(file_of({**units, "arm": arm}, labels=("control", "placebo", "nudge")))
    chats = [units["others"]["chat"][arm == code].mean() for code in range(3)]

    against_placebo, against_control = (measured(data.pair(METRIC, 2, against=code))[1] for code in (1, 0))

    assert against_placebo.first_stages[0] == pytest.approx(chats[2] - chats[1])
    assert against_control.first_stages[0] == pytest.approx(chats[2] - chats[0])


def test_others__that_nobody_listed__are_none_and_change_nothing() -> None:
    units = world()
    without = {name: value for name, value in units.items() if name != "others"}
    listed, plain = (CellData(make_cells(one), (METRIC,), {}).pair(METRIC, 1) for one in (units, without))

    assert plain.others() is None
    assert plain.moments() == listed.moments()


# ── The verdict ───────────────────────────────────────────────────────────────
def test_verdict__on_both_sides_of_the_harmless_effect__turns_there() -> None:
    units = world(20_000)
    report, row = judged(units)
    most = row.others[0].found.most
    assert report.verdict.code is Code.CAUSES
    assert row.others[0].found.moved is Moved.MOVED
    assert isinstance(most, float)

    below, above = (
        judged(units, replace(DESIGN, others=(Other("chat", 0.0, most * factor),)))[0] for factor in (0.999, 1.001)
    )

    assert (below.verdict.code, below.verdict.reason) == (Code.CAUSES, "behaviour")
    assert (above.verdict.code, above.verdict.reason) == (Code.NUDGE_NOT_BEHAVIOUR, "other_behaviour")
    told = above.verdict.details
    assert (told["other"], told["moved"]) == ("chat", 1)
    assert (told["harmless"], told["largest"]) == pytest.approx((most, most * 1.001))
    assert told["take_up_other"] == pytest.approx(row.others[0].found.take_up)
    assert told["take_up_other_low"] < told["take_up_other"] < told["take_up_other_high"]  # type: ignore[operator]


def test_verdict__of_a_harm__turns_at_the_negative_limit() -> None:
    units = world(40_000, moved=0.5, effect=-0.19)
    _report, row = judged(units, replace(DESIGN, others=(Other("chat", -0.001, 0.0),)))
    most = row.others[0].found.most
    assert isinstance(most, float)
    assert most < 0

    codes = [
        judged(units, replace(DESIGN, others=(Other("chat", most * factor, 0.0),)))[0].verdict.code
        for factor in (0.999, 1.001)
    ]

    assert codes == [Code.HARMS, Code.NUDGE_NOT_BEHAVIOUR]
    # A gain by chat can't explain a harm.
    assert judged(units, replace(DESIGN, others=(Other("chat", 0.0, 0.9),)))[0].verdict.code is Code.HARMS


def test_verdict__two_that_only_explain_it_together__says_so() -> None:
    units = world(20_000)
    units["others"]["visit"] = (np.random.default_rng(3).random(20_000) < 0.3 + 0.06 * units["arm"]).astype(float)
    alone = [judged(units, replace(DESIGN, others=(replace(CHAT, name=name),)))[1] for name in ("chat", "visit")]
    most = min(row.others[0].found.most for row in alone if isinstance(row.others[0].found.most, float))
    pair = tuple(Other(name, 0.0, 0.9 * most) for name in ("chat", "visit"))

    report, row = judged(units, replace(DESIGN, others=pair))

    assert not any(other.alone for other in row.others)
    assert report.verdict.reason == "other_behaviour"
    assert report.verdict.details["moved"] == 2
    assert "harmless" not in report.verdict.details


def test_verdict__consequence_of_the_behaviour__is_measured_and_takes_nothing() -> None:
    units = world(20_000)
    plain = judged(units, replace(DESIGN, others=(Other("chat", 0.0, 0.9),)))[0]
    report, row = judged(units, replace(DESIGN, others=(Other("chat", 0.0, 0.9, consequence="friends chat"),)))

    assert plain.verdict.code is Code.NUDGE_NOT_BEHAVIOUR
    assert report.verdict.code is Code.CAUSES
    assert row.others[0].found.moved is Moved.MOVED
    assert isinstance(row.under_others, UnderOthers)
    assert row.under_others.moved == ()


def test_verdict__where_the_move_is_not_clear__stays_and_its_sentence_names_it() -> None:
    units = world(1_000, seed=2, moved=0.25, spill=0.02, effect=0.6)
    report, row = judged(units, replace(DESIGN, others=(Other("chat", 0.0, 1.0),)))

    assert row.others[0].found.moved is Moved.CANNOT_TELL
    assert report.verdict.code is Code.CAUSES
    assert report.verdict.details["unclear"] == "chat"


def test_verdict__not_moved__is_the_plain_one_and_so_is_the_set() -> None:
    units = world(20_000)
    report, row = judged(units, replace(DESIGN, others=(Other("idle", 0.0, 0.1),)))

    assert row.others[0].found.moved is Moved.NOT_MOVED
    assert report.verdict.code is Code.CAUSES
    assert computable(row.effect_set)
    assert ends(row) == pytest.approx((row.effect_set.low, row.effect_set.high))


def test_set__under_others__holds_the_plain_one_and_widens_with_the_limit() -> None:
    units = world(20_000)
    sets = [judged(units, replace(DESIGN, others=(Other("chat", 0.0, high),)))[1] for high in (0.0, 0.05, 0.1)]
    lows = [ends(row)[0] for row in sets]

    assert lows == sorted(lows, reverse=True)
    assert len(set(lows)) == 3


def test_several_nudges__the_set_under_others_has_their_joint_level() -> None:
    units = world(20_000)
    arm = np.where(units["arm"] == 1, np.random.default_rng(4).integers(1, 3, 20_000), 0)
    report = analyze(
        "file",
        DESIGN,
        file_of({**units, "others": {"chat": units["others"]["chat"]}, "arm": arm}, labels=("control", "one", "two")),
    )

    for comparison in report.outcomes[0].comparisons:
        row = comparison.encouragement
        assert row is not None
        assert computable(row.effect_set)
        assert isinstance(row.under_others, UnderOthers)
        assert row.under_others.effect_set.level == row.effect_set.level == 0.975


def test_whole_clusters__are_measured_and_no_limit_is_told() -> None:
    units = in_clusters(world(8_000, moved=0.4, effect=0.4))
    listed = file_of({**units, "others": {"chat": units["others"]["chat"]}}, cluster=units["cluster"].astype(np.int64))
    report = analyze("file", replace(DESIGN, cluster="guild", others=(Other("chat", 0.0, 0.9),)), listed)
    row = report.outcomes[0].comparisons[0].encouragement

    assert row is not None
    assert row.under_others == NotComputable(Reason.WHOLE_CLUSTERS)
    assert row.others[0].found.most == NotComputable(Reason.WHOLE_CLUSTERS)
    assert report.verdict.reason != "other_behaviour"
    assert "other" not in report.verdict.details


def test_outcomes__but_the_first__keep_the_moments_alone() -> None:
    units = world(4_000)
    second = Outcome("spend", Kind.MEAN, np.random.default_rng(1).normal(size=4_000))
    listed = file_of({**units, "others": {"chat": units["others"]["chat"]}})
    listed = replace(listed, outcomes=(*listed.outcomes, second))
    report = analyze("file", replace(DESIGN, outcomes=(METRIC, "spend")), listed)
    row = report.outcomes[1].comparisons[0].encouragement

    assert row is not None
    assert (row.others, row.under_others) == ((), None)
    assert row.other_moments is not None
    expected = measured(RowData(listed).pair("spend", 1))[1]
    assert row.other_moments.moments().with_itt.tolist() == expected.with_itt.tolist()
    assert row.other_moments.names == ("chat",)


# ── Stored experiments ────────────────────────────────────────────────────────
def test_stored__says_what_a_file_of_the_same_units_says() -> None:
    units = world(20_000)
    as_file = tuple(Other(one.behaviour, one.low, one.high, one.origin, one.consequence, one.times) for one in PLANNED)
    file = document(judged(units, replace(DESIGN, others=as_file, margin=0.05))[0])
    ours = document(stored(units, PLANNED).report)

    for one in (file, ours):
        assert one["verdict"]["code"] == "CAUSES"
    theirs, mine = (one["outcomes"][0]["comparisons"][0]["encouragement"] for one in (file, ours))
    assert [row["behaviour"] for row in mine["other_behaviours"]] == ["chat", "idle"]
    for one, other in zip(mine["other_behaviours"], theirs["other_behaviours"], strict=True):
        assert one["take_up"] == pytest.approx(other["take_up"])
        assert (one["state"], one["origin"], one["times"], one["limits"]) == (
            *(other["state"], other["origin"], other["times"], other["limits"]),
        )
        assert one["harmless"] == pytest.approx(other["harmless"])
        assert one["consequence"] == other["consequence"]
    assert mine["set_under_others"]["shape"] == Shape.INTERVAL
    assert mine["set_under_others"]["low"] == pytest.approx(theirs["set_under_others"]["low"])


def test_stored__without_other_behaviours__has_none_and_keeps_its_verdict() -> None:
    units = world(20_000, spill=0.06)
    with_none, listed = stored(units, ()), stored(units, (PlannedOther("chat", 1, 0.0, 0.1, "promise"), PLANNED[1]))
    row = first(with_none)

    assert with_none.verdict.code is listed.verdict.code is Code.CAUSES
    assert row.others == ()
    assert row.under_others is None


def test_stored__at_a_planned_look__is_judged_at_its_critical_value() -> None:
    units = world(20_000)
    plan = {"method": "group_sequential", "looks": (0.5, 1.0), "enrolment_ended": None, "planned_units": 40_000}
    found = opened(
        analyse_answers(
            make_analysed(others=PLANNED, **plan),
            make_answers(units, cells=make_cells(one_segment(units), segments=("",))),
            CLEAN,
            today=TODAY,
        )
    )
    row, final = first(found), first(stored(units, PLANNED))

    assert ends(row)[0] < ends(final)[0]
    assert computed(row.others[0].found.most) < computed(final.others[0].found.most)


def test_payload__of_others__is_read_back_as_it_was() -> None:
    found = stored(world(4_000), PLANNED)

    again = READOUT.from_document(READOUT.to_document(found))

    assert again == found
    kept = first(found).other_moments
    assert kept is not None
    assert kept.moments().covariance.shape == (2, 2)


def test_payload__of_an_earlier_version__is_read_and_has_no_others() -> None:
    document = READOUT.to_document(stored(world(4_000), ()))
    for comparison in document["report"]["outcomes"][0]["comparisons"]:
        for name in ("others", "under_others", "other_moments"):
            del comparison["encouragement"][name]
    del document["report"]["design"]["others"]

    row = first(opened(READOUT.from_document(document)))

    assert (row.others, row.under_others, row.other_moments) == ((), None, None)
