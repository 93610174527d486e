"""A limit a minute holds exactly in one process, and is never passed by several that share a cache."""

from collections.abc import Iterator
from unittest.mock import patch

import pytest
from django.core.cache import cache
from hypothesis import given, settings
from hypothesis import strategies as some

from insight_site.access import limits


@pytest.fixture(autouse=True)
def empty() -> Iterator[None]:
    cache.clear()
    limits._held.clear()
    yield
    cache.clear()
    limits._held.clear()


@pytest.mark.parametrize("limit", [1, 20, 60, 151, 1_000])
def test_limit__in_one_process__lets_exactly_so_many_pass(limit: int) -> None:
    with patch("insight_site.access.limits.time.time", return_value=600.0):
        assert [limits.passes("k", limit) for _ in range(limit + 3)] == [True] * limit + [False] * 3


def test_next_minute__begins_anew() -> None:
    with patch("insight_site.access.limits.time.time", return_value=659.0):
        assert [limits.passes("k", 1), limits.passes("k", 1)] == [True, False]
    with patch("insight_site.access.limits.time.time", return_value=660.0):
        assert limits.passes("k", 1)


def test_next_minute__takes_nothing_over_of_a_block_that_was_not_spent() -> None:
    limit = 2 * limits.BLOCKS
    with patch("insight_site.access.limits.time.time", return_value=659.0):
        assert limits.passes("k", limit)  # one call of a block of two
    with patch("insight_site.access.limits.time.time", return_value=660.0):
        assert sum(limits.passes("k", limit) for _ in range(limit + 5)) == limit


def test_names__are_counted_apart() -> None:
    assert limits.passes("a", 1)
    assert limits.passes("b", 1)
    assert not limits.passes("a", 1)


@given(turns=some.lists(some.integers(0, 2), max_size=800), limit=some.integers(1, 400))
@settings(max_examples=40, deadline=None)
def test_limit__of_three_processes__is_never_passed_and_little_is_lost(turns: list[int], limit: int) -> None:
    cache.clear()
    held: list[dict[str, limits._Held]] = [{}, {}, {}]  # each process has a memory of its own, and all one cache
    passed = 0
    with patch("insight_site.access.limits.time.time", return_value=600.0):
        for process in turns:
            with patch.object(limits, "_held", held[process]):
                passed += limits.passes("k", limit)

    unspent = 2 * max(1, limit // limits.BLOCKS)
    assert min(len(turns), limit - unspent) <= passed <= limit or passed == len(turns)


def test_cache__that_is_away__lets_all_pass() -> None:
    with patch.object(cache, "incr", side_effect=ConnectionError):
        assert all(limits.passes("k", 1) for _ in range(5))
