"""Bytes that nobody meant: what was found before, good inputs, and hypothesis' changes of them."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import BY_NAME, CASES, TARGETS, Target

KEPT = sorted(path for path in CASES.glob("*/*"))
SLOW = {"first_rows"}  # each input goes through the engine


def mutated(target: Target) -> st.SearchStrategy[bytes]:
    """Seeds with bytes taken away, doubled, changed, and with words of the parser put in."""
    words = [word.encode() for word in target.words] or [b"\x00"]
    odd = [
        b"",
        b"\x00",
        b"\xff",
        b"\xed\xa0\x80",
        b'"',
        b"{",
        b"[",
        b",",
        b"\n",
        b"9" * 30,
        b"\xe2\x80\xa8",
        b"1e999",
        *words,
    ]

    def change(seed: bytes, changes: list[tuple[float, float, int]]) -> bytes:
        for place, length, word in changes:
            at = int(place * len(seed))
            seed = seed[:at] + odd[word % len(odd)] + seed[at + int(length * 8) :]
        return seed

    part = st.floats(0, 1, exclude_max=True)
    changes = st.lists(st.tuples(part, part, st.integers(0, 99)), max_size=6)
    return st.builds(change, st.sampled_from(target.seeds), changes) | st.binary(max_size=200)


@pytest.mark.parametrize("path", KEPT, ids=lambda path: f"{path.parent.name}-{path.name[:20]}")
def test_case__found_before__is_read_or_refused(path: object) -> None:
    BY_NAME[path.parent.name].run(path.read_bytes())  # type: ignore[attr-defined]


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_seeds__of_each_parser__are_read(target: Target) -> None:
    for seed in target.seeds:
        target.run(seed)


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_changed_seeds__of_each_parser__are_read_or_refused(target: Target) -> None:
    @settings(max_examples=20 if target.name in SLOW else 300, deadline=None, suppress_health_check=list(HealthCheck))
    @given(mutated(target))
    def read(data: bytes) -> None:
        target.run(data)

    read()
