"""The sets of a lab's nudges as variants: chances against those of the statistics, whole steps, names."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.plan.lab import NO_NUDGE, OFF, by_nudge, least_of_a_nudge, nudges_in, set_key, variants_of
from experiments.plan.record import MOST_NUDGES, WHOLE, PlannedNudge
from experiments.plan.validation import KEY
from stats.instrument.lab import MOST_NUDGES as MOST_OF_THE_STATISTICS
from stats.instrument.lab import sets_of
from tests.experiments.plan.test_record import BASE

SHARES = st.lists(st.integers(2_000, 8_000), min_size=2, max_size=MOST_NUDGES)


def nudges(shares: list[int]) -> tuple[PlannedNudge, ...]:
    return tuple(PlannedNudge(f"n{place}", share, f"act{place}") for place, share in enumerate(shares))


@given(SHARES, st.none() | st.integers(1, MOST_NUDGES))
def test_variants__have_the_chances_of_the_statistics__to_a_step(shares: list[int], most: int | None) -> None:
    planned = nudges(shares)

    made = variants_of(planned, most)

    assert sum(variant.weight for variant in made) == WHOLE
    on = [tuple(nudge.key in nudges_in(variant.key) for nudge in planned) for variant in made]
    assert len(set(on)) == len(made)
    few = most is not None and most < len(shares)
    try:
        sets = sets_of([share / WHOLE for share in shares], most if few else None)
    except ValueError:  # too few users with a nudge, which the plan's checks say
        return
    chances = {tuple(bool(has) for has in row): chance for row, chance in zip(sets.on, sets.chances, strict=True)}
    for each, variant in zip(on, made, strict=True):
        assert abs(variant.weight / WHOLE - chances[each]) < 2.01 / WHOLE
    assert all(chance < 1 / WHOLE for each, chance in chances.items() if each not in on)


@given(SHARES, st.none() | st.integers(1, MOST_NUDGES))
def test_variants__begin_with_none__and_all_keys_are_keys(shares: list[int], most: int | None) -> None:
    keys = [variant.key for variant in variants_of(nudges(shares), most)]

    assert len(set(keys)) == len(keys)
    assert all(KEY.fullmatch(key) for key in keys)
    sizes = [len(nudges_in(key)) for key in keys]
    assert sizes == sorted(sizes)
    assert keys[0] == NO_NUDGE


def test_set__read_back__has_its_nudges() -> None:
    assert nudges_in(set_key(["pals", "chat"])) == {"pals", "chat"}
    assert nudges_in(set_key([])) == frozenset()


def test_by_nudge__has_an_arm_for_each__with_all_users_who_have_it() -> None:
    planned = nudges([5_000, 3_000])
    lab = replace(BASE, kind="lab", nudges=planned, variants=variants_of(planned))

    arms = by_nudge(lab).variants

    assert [(arm.key, arm.weight) for arm in arms] == [(OFF, WHOLE), ("n0", 5_000), ("n1", 3_000)]


def test_least_of_a_nudge__is_what_the_smallest_effect_of_a_behaviour_makes_of_the_weakest() -> None:
    planned = (replace(nudges([5_000])[0], take_up=0.2), replace(nudges([5_000])[0], key="b", take_up=0.3))
    lab = replace(BASE, kind="lab", nudges=planned, smallest_effect=0.05)

    assert least_of_a_nudge(lab) == pytest.approx(0.01)
    assert least_of_a_nudge(replace(lab, smallest_effect=None)) is None


def test_limits__are_those_of_the_statistics() -> None:
    assert MOST_NUDGES == MOST_OF_THE_STATISTICS


@pytest.mark.parametrize(("most", "expected"), [(1, 4), (2, 7), (3, 8), (None, 8)])
def test_most__of_three_nudges__leaves_the_smaller_sets(most: int | None, expected: int) -> None:
    assert len(variants_of(nudges([5_000] * 3), most)) == expected
