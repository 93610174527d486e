"""Which findings are read together, and that shared users of independent draws leave no covariance."""

from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest

from aha.evidence.findings import Definition, OutcomeMoments, PastFinding
from aha.evidence.joint_findings import Left, alone, sort_findings, together, usual_outcome
from stats.instrument.joint import moments_of_units
from tests.aha.evidence.past.make_findings import FRIENDS, finding
from tests.stats.make import computed

OUTCOME = "window:21-27"
ERROR = 0.006


def nudge(source: str, *moved: tuple[str, float], itt: float = 0.0, times: int = 3, **changes: Any) -> PastFinding:
    """A finding that moved these behaviours, its own first."""
    names, stages = zip(*moved, strict=True)
    size = len(moved) + 1
    moments = OutcomeMoments(
        OUTCOME,
        "proportion",
        names,
        (times,) * len(names),
        (itt, *stages),
        tuple(tuple(ERROR**2 if one == two else 0.0 for two in range(size)) for one in range(size)),
        3_000,
        3_000,
        changes.pop("consequences", ()),
    )
    definition = replace(FRIENDS, behaviour=names[0], times=times)
    return finding(source, definition=definition, outcomes=(moments,), **changes)


BOTH = (
    nudge("a", ("friend_add", 0.12), ("chat", 0.06), itt=0.018),
    nudge("b", ("chat", 0.12), ("friend_add", 0.0), itt=0.0),
    nudge("c", ("friend_add", 0.2), ("chat", 0.0), itt=0.03),
)


def test_together__every_finding_measured_both__stacks_them_in_the_order_of_the_behaviours() -> None:
    found = together(sort_findings(BOTH, OUTCOME))

    assert found is not None
    assert [claim.behaviour for claim in found.claims] == ["chat", "friend_add"]
    moments = found.moments()
    assert moments.nudges == ("1. A", "2. B", "3. C")
    assert moments.first_stages.tolist() == [[0.06, 0.12], [0.12, 0.0], [0.0, 0.2]]
    assert moments.itt.tolist() == [0.018, 0.0, 0.03]


def test_together__one_finding_lacks_a_behaviour__reads_the_others() -> None:
    found = together(sort_findings([*BOTH, nudge("old", ("friend_add", 0.3), itt=0.05)], OUTCOME))

    assert found is not None
    assert [row.finding.source for row in found.nudges] == ["a", "b", "c"]


def test_together__a_behaviour_that_nobody_nudged_to__is_in_where_a_nudge_moved_it() -> None:
    def with_shop(share: float) -> list[PastFinding]:
        rows = [("friend_add", 0.12), ("chat", 0.0)], [("chat", 0.12), ("friend_add", 0.0)], [("chat", 0.1)] * 1
        rows[2].append(("friend_add", 0.02))
        return [nudge(name, *row, ("shop", share)) for name, row in zip("abc", rows, strict=True)]

    def names(share: float) -> list[str]:
        found = together(sort_findings(with_shop(share), OUTCOME))
        assert found is not None
        return [claim.behaviour for claim in found.claims]

    # 1.96 errors of .006 are .01176.
    assert names(0.0117) == ["chat", "friend_add"]
    assert names(0.0118) == ["chat", "friend_add", "shop"]


def test_together__fewer_nudges_than_behaviours__is_none() -> None:
    assert together(sort_findings(BOTH[:1], OUTCOME)) is None
    assert together(sort_findings([nudge("a", ("friend_add", 0.12))] * 1, OUTCOME)) is None


def test_alone__nudges_that_moved_others__name_them_without_consequences() -> None:
    found = sort_findings(BOTH[:1], OUTCOME)
    own, moved = alone(found, found.claims[0])

    assert [row.finding.source for row in own.nudges] == ["a"]
    assert moved == ("chat",)
    marked = sort_findings([nudge("a", ("friend_add", 0.12), ("chat", 0.06), consequences=("chat",))], OUTCOME)
    assert alone(marked, marked.claims[0])[1] == ()


def test_sort__what_does_not_count__is_left_out_with_its_reason() -> None:
    rows = [
        *BOTH,
        nudge("bad", ("chat", 0.1), verdict="INVALID"),
        nudge("guilds", ("chat", 0.1), whole_clusters=True),
        nudge("a", ("friend_add", 0.1), variant="second", place=2),
        nudge("rare", ("friend_add", 0.1), times=9),
        finding("elsewhere", definition=replace(FRIENDS, outcome="on_day:7")),
    ]

    found = sort_findings(rows, OUTCOME)

    assert {row.source: why for row, why in found.left_out} == {
        "bad": Left.INVALID,
        "guilds": Left.WHOLE_CLUSTERS,
        "a": Left.SHARES_CONTROL,
        "rare": Left.OTHER_CLAIM,
        "elsewhere": Left.OTHER_OUTCOME,
    }
    assert [row.finding.source for row in found.nudges] == ["a", "b", "c"]


def test_sort__a_finding_of_an_earlier_version_or_a_secondary_outcome__counts_with_what_it_has() -> None:
    old = finding("old")
    other = replace(BOTH[0].outcomes[0], outcome="on_day:7", effects=(0.5, 0.1, 0.2))
    both = replace(BOTH[0], outcomes=(*BOTH[0].outcomes, other))

    assert sort_findings([old], "week:4").nudges == ()
    [row] = sort_findings([old], "window:21-27").nudges
    assert row.moments.effects == (old.moments.itt, old.moments.first_stage)
    [row] = sort_findings([both], "on_day:7").nudges
    assert row.moments.effects == (0.5, 0.1, 0.2)


def test_usual_outcome__the_one_of_most_experiments__then_the_latest() -> None:
    day = Definition("chat", 1, 7, "on_day:7")
    late = finding("late", definition=day, ended=date(2027, 1, 1))

    assert usual_outcome([]) is None
    assert usual_outcome([finding("one"), late]) == "on_day:7"
    assert usual_outcome([finding("one"), finding("two"), late]) == OUTCOME


@pytest.mark.parametrize("seed", [1, 2])
def test_shared_users__of_two_independent_draws__leave_no_covariance_but_noise(seed: int) -> None:
    rng, n = np.random.default_rng(seed), 20_000
    arms = rng.integers(0, 2, (n, 2)).astype(float)
    arms[rng.random((n, 2)) < 0.2] = np.nan  # who takes part in which
    liking = rng.normal(0, 1, n)
    acts = (rng.random((n, 2)) < 0.3 + 0.15 * np.nan_to_num(arms) + 0.1 * np.tanh(liking)[:, None]).astype(float)
    outcome = (rng.random(n) < 0.3 + 0.2 * acts[:, 0] + 0.2 * np.tanh(liking)).astype(float)

    moments = computed(moments_of_units(["a", "b"], ["x", "y"], outcome, acts, arms))

    errors = np.sqrt(np.diag(moments.covariance))
    between = (moments.covariance / np.outer(errors, errors))[:3, 3:]
    within = (moments.covariance / np.outer(errors, errors))[0, 1]
    # Correlations of 20,000 products of +-1: 4 errors of 1/sqrt(n).
    assert float(np.abs(between).max()) < 4 / n**0.5
    assert within > 0.1
