"""A stored experiment that drew whole clusters says what a file of the same units says, and no error counts units."""

from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest

from experiments.analyse.analyse_experiment import analyse_answers
from experiments.analyse.comparison.cluster_cells import ClusterData
from experiments.analyse.comparison.file_rows import RowData
from experiments.analyse.gather.answers import Audit
from experiments.analyse.payload_versions import READOUT
from experiments.draw.bucketing import Saturation
from experiments.plan.design import Kind, Outcome, Units
from experiments.report import page
from experiments.report.stored_document import document
from stats.results import NotComputable, Reason, computable
from tests.experiments.make_answers import draw_units, make_analysed, make_answers, make_cells
from tests.experiments.make_readout import opened

CLUSTERS = 40


def clustered_units(n: int = 2_000, seed: int = 1) -> dict[str, Any]:
    """Forty clusters of very unequal size, each with one arm and a level of its own."""
    rng = np.random.default_rng(seed)
    shares = rng.lognormal(0, 1, CLUSTERS)
    cluster = rng.choice(CLUSTERS, n, p=shares / shares.sum())
    units = draw_units(n, seed=seed)
    of_cluster = rng.random(CLUSTERS)
    arm = (np.arange(CLUSTERS) % 2)[cluster]
    value = (rng.random(n) < 0.2 + 0.4 * of_cluster[cluster] + 0.1 * arm).astype(float)
    reached = (rng.random(n) < 0.2 + 0.3 * arm).astype(float)
    times = reached * 3
    return {**units, "cluster": cluster, "arm": arm, "value": value, "reached": reached, "times": times}


def as_file(units: dict[str, Any]) -> RowData:
    levels = np.column_stack([units["level"] == code for code in (1, 2)]).astype(float)
    return RowData(
        Units(
            labels=("control", "nudge"),
            arm=units["arm"].astype(np.int64),
            outcomes=(Outcome("window:21-27", Kind.PROPORTION, units["value"]),),
            rows=len(units["arm"]),
            behaviour=units["reached"],
            cluster=np.unique(units["cluster"], return_inverse=True)[1].astype(np.int64),
            covariates=levels,
            covariate_names=("platform=android", "platform=ios"),
        )
    )


def as_stored(units: dict[str, Any]) -> ClusterData:
    one_segment = {**units, "segment": np.zeros(len(units["arm"]), dtype=int)}
    return ClusterData(make_cells(one_segment, segments=("",)), ("window:21-27",), {})


@pytest.mark.parametrize("what", ["difference", "adjusted", "lift", "moments", "two_stage"])
def test_stored_pair__equals_that_of_a_file_with_the_same_units(what: str) -> None:
    units = clustered_units()
    one, other = (data.pair("window:21-27", 1) for data in (as_file(units), as_stored(units)))
    options = {} if what == "moments" else {"alpha": 0.05}

    ours, files = getattr(other, what)(**options), getattr(one, what)(**options)

    assert computable(ours)
    for name, value in vars(files).items():
        if isinstance(value, float) and name != "variance_reduction":
            assert getattr(ours, name) == pytest.approx(value, rel=1e-9), name


def test_stored_pair__whole_clusters__ask_no_inequality_of_a_members_own_behaviour() -> None:
    units = clustered_units()
    for data in (as_file(units), as_stored(units)):
        assert data.pair("window:21-27", 1).inequalities() == NotComputable(Reason.WHOLE_CLUSTERS)


def test_stored_pair__inside_clusters__inequalities_equal_those_of_a_file() -> None:
    """Units drawn one by one inside clusters: a file of them, and a stored plan with one share."""
    units = clustered_units()
    units["arm"] = np.random.default_rng(8).integers(0, 2, len(units["arm"]))
    units["saturation_of"] = np.zeros(CLUSTERS, dtype=np.int64)
    one_segment = {**units, "segment": np.zeros(len(units["arm"]), dtype=int)}
    cells = make_cells(one_segment, segments=("",))
    stored = ClusterData(cells, ("window:21-27",), {}, inside=(True,)).pair("window:21-27", 1)
    file = as_file(units).pair("window:21-27", 1)

    ours, files = stored.inequalities(), file.inequalities()

    assert not stored.whole_clusters
    assert not file.whole_clusters
    assert computable(ours)
    assert computable(files)
    assert sorted(ours.p_values) == pytest.approx(sorted(files.p_values))
    differences = [pair.difference(alpha=0.05) for pair in (stored, file)]
    assert [vars(one)["estimate"] for one in differences] == pytest.approx([vars(differences[1])["estimate"]] * 2)


def test_stored_levels_and_randomisation__equal_those_of_a_file() -> None:
    units = clustered_units()
    file, stored = as_file(units), as_stored(units)

    ours, files = (data.level("window:21-27", 1, alpha=0.05) for data in (stored, file))
    assert (ours.n, ours.mean, ours.standard_error) == pytest.approx((files.n, files.mean, files.standard_error))
    few = {name: values[units["cluster"] < 24] for name, values in units.items()}
    drawn = [data.pair("window:21-27", 1).randomisation() for data in (as_stored(few), as_file(few))]
    assert drawn[0] is not None
    assert drawn[0] == drawn[1]


def a_readout(units: dict[str, Any], **plan: Any) -> Any:
    planned = make_analysed(cluster="guild", **plan)
    answers = make_answers(units, cells=make_cells(units))
    return opened(analyse_answers(planned, answers, Audit(0, 0, {}), today=date(2026, 4, 1)))


def test_readout__of_clusters__counts_them_and_shows_no_error_of_units() -> None:
    found = a_readout(clustered_units())

    assert found.report.clusters is not None
    assert {label: row.clusters for label, row in found.report.clusters.items()} == {"control": 20, "nudge": 20}
    assert found.report.outcomes[0].comparisons[0].difference.method == "cluster-robust"
    assert sum(found.sample_ratio.expected.values()) == pytest.approx(1)
    assert found.over_time[0].log_rank == NotComputable(Reason.CLUSTERED)
    assert found.arms_over_time[0].survival == NotComputable(Reason.CLUSTERED)
    assert found.through[0].shares == NotComputable(Reason.WHOLE_CLUSTERS)
    assert "few_clusters" in {row.check for row in found.health}  # twenty of unequal size tell as much as fewer
    assert READOUT.read(READOUT.store(found)) == found
    assert page.parts(found)
    assert document(found)["report"]["clusters"]["nudge"]["n"] == 20


def test_sample_ratio__counts_clusters__not_their_units() -> None:
    units = clustered_units(4_000)
    big = units["cluster"] == np.bincount(units["cluster"]).argmax()
    kept = {name: values[~big] if name != "saturation_of" else values for name, values in units.items()}

    found = a_readout(kept)

    assert all(row.invalid != "srm" for row in found.health)  # units are split far from evenly; clusters 20 to 19


def saturated_units(n: int = 6_000, seed: int = 3) -> dict[str, Any]:
    """A third of 60 clusters has no nudge, a third 40 %, a third 80 %: +.10 direct, +.05 beside nudged ones."""
    rng = np.random.default_rng(seed)
    cluster = rng.integers(0, 60, n)
    place = (np.arange(60) % 3).astype(np.int64)
    arm = (rng.random(n) < np.array([0.0, 0.4, 0.8])[place][cluster]).astype(np.int64)
    of_cluster = rng.normal(0, 0.03, 60)[cluster]
    chance = 0.4 + of_cluster + 0.05 * (place[cluster] > 0) + 0.10 * arm
    units = draw_units(n, seed=seed)
    value = (rng.random(n) < chance).astype(float)
    reached = (rng.random(n) < 0.2 + 0.3 * arm).astype(float)
    changed = {"cluster": cluster, "arm": arm, "value": value, "reached": reached, "times": 3 * reached}
    return {**units, **changed, "saturation_of": place}


SATURATIONS = (Saturation(0.0, 0.34), Saturation(0.4, 0.33), Saturation(0.8, 0.33))


def test_saturations__direct_and_spillover_effects__are_found_and_shown() -> None:
    shares = {"": (1 - 0.396, 0.396)}
    found = a_readout(saturated_units(), saturations=SATURATIONS, shares=shares)

    low, high = found.saturation
    assert (low.share, high.share) == (0.4, 0.8)
    for row in (low, high):
        assert row.direct.low < 0.10 < row.direct.high
        assert row.spillover.low < 0.05 < row.spillover.high
        assert row.total.estimate == pytest.approx(row.direct.estimate + row.spillover.estimate)
        assert (row.clusters, row.control_clusters) == (20, 20)
    # The verdict's comparison is of units beside each other: what friends do cancels.
    outcome = found.report.outcomes[0]
    assert outcome.values["control"].n == low.units[1] + high.units[1]
    assert outcome.comparisons[0].difference.low < 0.10 < outcome.comparisons[0].difference.high
    assert {"saturation", "own-and-peers"} <= {part.slug for part in page.parts(found)}
    assert document(found)["saturation"][0]["spillover"]["estimate"] == low.spillover.estimate
    assert READOUT.read(READOUT.store(found)) == found


def test_saturations__sample_ratio__is_that_of_the_clusters_draws() -> None:
    found = a_readout(saturated_units(), saturations=SATURATIONS, shares={"": (1 - 0.396, 0.396)})

    assert list(found.sample_ratio.expected.values()) == pytest.approx([0.34, 0.33, 0.33])
    assert all(row.check != "mixed_clusters" for row in found.health)


def test_old_payload__without_clusters__is_read() -> None:
    found = a_readout(clustered_units())
    stored = READOUT.store(found)
    for name in ("saturation",):
        stored.pop(name)
    stored["plan"].pop("cluster")
    stored["plan"].pop("saturations")
    stored["flow"].pop("no_cluster")

    old = READOUT.read(stored)

    assert old == replace(found, analysed=replace(found.analysed, plan=replace(found.plan, cluster="")))
