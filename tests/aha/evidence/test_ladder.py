"""The rungs of the adjustment ladder, one by one."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from aha.evidence.aipw import Difference
from aha.evidence.ladder import RungName, Units, climb, combine, raw_difference, stratified_difference, surviving_share
from aha.evidence.nuisance import Codes, Flags, dummies
from events.windows import Window, guard
from runs.progress import Progress
from stats.results import NotComputable, Reason
from stats.stratified import risk_difference
from stats.summaries import Mean
from tests.stats.make import computed

SAMPLES = st.builds(
    lambda seed, n, strata: tuple(np.random.default_rng(seed).integers(0, (2, 2, strata), size=(n, 3)).T),
    st.integers(0, 2**32),
    st.integers(4, 300),
    st.integers(1, 40),
)


def flags(with_it: tuple[int, int], without: tuple[int, int]) -> tuple[Flags, Flags]:
    """Retained and did of units given as (retained, all) of doers and of others."""
    retained = [np.arange(n) < k for k, n in (with_it, without)]
    return np.concatenate(retained), np.arange(with_it[1] + without[1]) < with_it[1]


def test_raw__published_counts__newcombe_interval() -> None:
    # Fagerland, Lydersen and Laake 2015, table: 7 of 34 against 1 of 34, Newcombe .019 to .34.
    result = computed(raw_difference(*flags((7, 34), (1, 34))))

    assert result.estimate == pytest.approx(6 / 34)
    assert (round(result.low, 3), round(result.high, 2)) == (0.019, 0.34)
    assert result.standard_error == pytest.approx((7 * 27 / 34**3 + 1 * 33 / 34**3) ** 0.5)


def test_raw__everybody_retained__still_has_an_interval() -> None:
    result = computed(raw_difference(*flags((5, 5), (5, 5))))

    assert result.estimate == 0.0
    assert result.low < 0 < result.high
    assert not result.excludes_zero


@pytest.mark.parametrize(("doers", "others"), [(0, 9), (1, 9), (9, 1)])
def test_raw__fewer_than_two_in_a_group__not_computable(doers: int, others: int) -> None:
    result = raw_difference(*flags((0, doers), (0, others)))

    assert isinstance(result, NotComputable)
    assert result.reason == Reason.TOO_FEW_UNITS


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(SAMPLES)
def test_stratified__random_tables__equals_the_experiments_code(sample: tuple[Codes, Codes, Codes]) -> None:
    retained, did, strata = sample[0] == 1, sample[1] == 1, sample[2]

    def summary(rows: Flags) -> Mean:
        return Mean.from_counts(int((retained & rows).sum()), int(rows.sum()))

    inside = [strata == label for label in np.unique(strata)]
    tables = [(summary(rows & ~did), summary(rows & did)) for rows in inside]

    ours, theirs = stratified_difference(retained, did, strata), risk_difference(tables)

    if isinstance(theirs, NotComputable):
        assert isinstance(ours, NotComputable)
        assert ours.reason == theirs.reason
    else:
        found = computed(ours)
        assert (found.estimate, found.standard_error, found.low, found.high) == pytest.approx(
            (theirs.estimate, theirs.standard_error, theirs.low, theirs.high), abs=1e-9
        )


@settings(max_examples=100, deadline=None)
@given(SAMPLES)
def test_both_differences__turned_and_doubled__flip_and_halve(sample: tuple[Codes, Codes, Codes]) -> None:
    retained, did, strata = sample[0] == 1, sample[1] == 1, sample[2]

    def within(retained: Flags, did: Flags) -> Difference | NotComputable:
        return stratified_difference(retained, did, strata)

    for rung in (raw_difference, within):
        result = rung(retained, did)
        if isinstance(result, NotComputable):
            continue
        for other in (computed(rung(~retained, did)), computed(rung(retained, ~did))):
            assert other.estimate == pytest.approx(-result.estimate, abs=1e-12)
            assert (other.low, other.high) == pytest.approx((-result.high, -result.low), abs=1e-9)
    single, double = (stratified_difference(np.tile(retained, k), np.tile(did, k), np.tile(strata, k)) for k in (1, 2))
    if not isinstance(single, NotComputable):
        assert computed(double).estimate == pytest.approx(single.estimate, abs=1e-12)
        if not 25 <= smallest(did, strata) < 50:  # there the doubled strata are large, and the single ones aren't
            assert computed(double).standard_error ** 2 == pytest.approx(single.standard_error**2 / 2)


def smallest(did: Flags, strata: Codes) -> int:
    """Units of the smallest group in a stratum that has both groups."""
    groups = [(int((did & rows).sum()), int((~did & rows).sum())) for rows in (strata == code for code in set(strata))]
    return min((min(pair) for pair in groups if min(pair)), default=0)


def test_stratified__from_fifty_an_arm__takes_each_stratums_own_variances() -> None:
    def error(doers: int) -> float:
        """Two strata with opposite effects, the second one with so many doers."""
        first, second = flags((30, 60), (20, 80)), flags((10, doers), (60, 90))
        retained, did = (np.concatenate(rows) for rows in zip(first, second, strict=True))
        strata = np.repeat([0, 1], [len(first[0]), len(second[0])])
        return computed(stratified_difference(retained, did, strata)).standard_error

    def own(doers: int) -> float:
        """Greenland and Robins 1985: sum w^2 (p1 q1 / n1 + p0 q0 / n0) / W^2, by hand."""
        w = np.array([60 * 80 / 140, doers * 90 / (doers + 90)])
        p1, p0 = np.array([0.5, 10 / doers]), np.array([0.25, 2 / 3])
        each = p1 * (1 - p1) / np.array([60, doers]) + p0 * (1 - p0) / np.array([80, 90])
        return float(np.sqrt((w**2 * each).sum()) / w.sum())

    assert error(50) == pytest.approx(own(50))
    assert error(49) != pytest.approx(own(49), rel=1e-3)


def test_stratified__each_stratum_of_one_kind__not_computable() -> None:
    retained, did = flags((3, 6), (2, 8))

    result = stratified_difference(retained, did, did.astype(np.int64))

    assert result == NotComputable(Reason.TOO_FEW_STRATA)
    nobody = np.zeros(0, dtype=np.bool_)
    assert stratified_difference(nobody, nobody, nobody.astype(np.int64)) == NotComputable(Reason.TOO_FEW_STRATA)


def difference(estimate: float, error: float = 0.01) -> Difference:
    return Difference(estimate, error, estimate - 1.96 * error, estimate + 1.96 * error, 0.95)


def test_surviving_share__raw_tells_from_zero__is_their_ratio() -> None:
    assert surviving_share(difference(0.4), difference(0.1)) == pytest.approx(0.25)
    assert surviving_share(difference(-0.4), difference(0.1)) == pytest.approx(-0.25)


def test_surviving_share__raw_limit_on_either_side_of_zero__decides() -> None:
    at_zero = Difference(0.1, 0.05, 0.0, 0.2, 0.95)

    assert surviving_share(at_zero, difference(0.1)) == NotComputable(Reason.RAW_COVERS_ZERO)
    assert surviving_share(replace(at_zero, low=1e-9), difference(0.1)) == 1.0


def test_surviving_share__a_rung_is_missing__gives_its_reason() -> None:
    missing = NotComputable(Reason.NO_OVERLAP)

    assert surviving_share(difference(0.1), missing) == missing
    assert surviving_share(missing, difference(0.1)) == missing


def test_dummies__three_values__one_column_less() -> None:
    assert_array_equal(dummies(np.array([4, 7, 9, 7])), [[0, 0], [1, 0], [0, 1], [1, 0]])
    assert dummies(np.array([4, 4])).shape == (2, 0)


def test_combine__two_labels__one_code_per_pair() -> None:
    codes = combine(np.array([1, 1, 2, 2, 1]), np.array([5, 6, 5, 6, 5]))

    assert len(set(codes.tolist())) == 4
    assert codes[0] == codes[4]


def immortal(n: int = 12_000, seed: int = 11) -> tuple[Units, Flags]:
    """Users leave with a chance of 8 % a day and, while there, do an inert thing now and then.

    Returns the units with "at least twice on days 0..6", and the flag "at least three times, ever up to day 27".
    """
    rng = np.random.default_rng(seed)
    there = np.arange(28)[None, :] < rng.geometric(0.08, size=(n, 1))
    active = there & (rng.random((n, 28)) < 0.6)
    active[:, 0] = True
    counts = rng.poisson(0.3, size=(3, n, 28)) * active
    early = counts[:, :, :7].sum(axis=2)
    units = Units(
        retained=active[:, 21:28].any(axis=1),
        did=early[0] >= 2,
        active_days=active[:, :7].sum(axis=1),
        week=np.zeros(n, dtype=np.int64),
        segment=np.zeros(n, dtype=np.int64),
        before=np.zeros((n, 0)),
        others=early[1:].T.astype(np.float64),
    )
    return units, counts[0].sum(axis=1) >= 3


@pytest.mark.slow
def test_climb__immortal_time__spurious_until_landmark_and_activity_are_held() -> None:
    units, ever = immortal()

    naive = computed(raw_difference(units.retained, ever))
    raw, stratified, _, full = (computed(rung.difference) for rung in climb(units, seed=1).rungs)

    # "Ever did" needs days to live; the guard refuses that window. The landmark leaves less, activity takes the rest.
    assert not guard(28, Window(21, 27))
    assert guard(7, Window(21, 27))
    assert naive.low > 0.3
    assert raw.low > 0.03
    assert raw.high < naive.low
    for rung in (stratified, full):
        assert rung.low < 0 < rung.high
        assert abs(rung.estimate) < 0.02


@pytest.mark.parametrize(
    ("column", "adjusted"),
    [
        ("before", (False, False, True, True)),
        ("week", (False, True, True, True)),
        ("segment", (False, True, True, True)),
        ("active_days", (False, True, False, True)),
        ("others", (False, False, False, True)),
    ],
)
def test_climb__one_common_cause__removed_by_the_rungs_that_know_it(column: str, adjusted: tuple[bool, ...]) -> None:
    rng, n = np.random.default_rng(2), 4000
    cause = rng.integers(0, 2, n)
    same = np.zeros(n, dtype=np.int64)
    retained, did = (rng.random(n) < 0.2 + 0.5 * cause for _ in range(2))
    columns: dict[str, Any] = dict.fromkeys(("active_days", "week", "segment"), same)
    columns |= dict.fromkeys(("before", "others"), np.zeros((n, 1)))
    columns[column] = cause[:, None].astype(np.float64) if column in ("before", "others") else cause

    rungs = climb(Units(retained=retained, did=did, **columns), seed=1).rungs

    for rung, knows in zip(rungs, adjusted, strict=True):
        found = computed(rung.difference)
        assert (found.low < 0 < found.high) if knows else found.low > 0.15


@pytest.mark.slow
def test_climb__small_sample__names_units_windows_and_seed() -> None:
    units, _ = immortal(1500)
    heard: list[float] = []
    listen: Progress = lambda stage, share: heard.append(share)  # noqa: E731

    ladder = climb(units, seed=5, max_units=1000, progress=listen)

    assert [rung.name for rung in ladder.rungs] == [name for name in RungName if name is not RungName.DAILY]
    assert [rung.same_window for rung in ladder.rungs] == [False, True, False, True]
    assert [rung.units for rung in ladder.rungs[::3]] == [1500, 1000]
    assert 1000 < ladder.rungs[1].units <= 1500
    assert ladder.seed == 5
    assert ladder == climb(units, seed=5, max_units=1000)
    assert heard == sorted(heard)
    assert heard[-1] == 1.0


def test_climb__nobody_did_it__every_rung_has_a_reason() -> None:
    units, _ = immortal(300)

    ladder = climb(replace(units, did=np.zeros(300, dtype=np.bool_)), seed=1)

    reasons = [rung.difference.reason for rung in ladder.rungs if isinstance(rung.difference, NotComputable)]
    assert reasons == [Reason.TOO_FEW_UNITS, Reason.TOO_FEW_STRATA, Reason.TOO_FEW_FOR_MODEL, Reason.TOO_FEW_FOR_MODEL]
    assert isinstance(ladder.surviving_share, NotComputable)
    assert [rung.units for rung in ladder.rungs] == [300, 0, 0, 0]


def test_units__a_column_too_short__raises() -> None:
    units, _ = immortal(300)

    with pytest.raises(ValueError, match="one entry per unit"):
        replace(units, week=units.week[:-1])
