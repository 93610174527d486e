"""The arithmetic of alternating rounds."""

from typing import Any

import pytest

from benchmarks.harness.job import Aim, Side
from benchmarks.harness.rounds import alternate, judged, middle, number, pair_spread, ratio


def _sides(ours: list[float], theirs: list[float] | None = None) -> list[dict[str, Any]]:
    named = [("ours", ours)] + ([("theirs", theirs)] if theirs else [])
    return [{"name": name, "rounds": [{"s": value} for value in values]} for name, values in named]


def test_alternate__two_sides__take_turns_in_coming_first() -> None:
    order: list[tuple[str, int]] = []

    def side(name: str) -> Side:
        def run(turn: int) -> dict[str, float]:
            order.append((name, turn))
            return {"s": float(turn)}

        return Side(name, run, lambda turn: order.append(("-", 0)))

    kept = alternate([side("a"), side("b")], 3, lambda _text: None)

    ran = [step for step in order if step[0] != "-"]
    assert ran == [("a", 0), ("b", 0), ("b", 1), ("a", 1), ("a", 2), ("b", 2)]
    assert order[0::2] == [("-", 0)] * 6  # prepared before each
    assert [figures["s"] for figures in kept[1]["rounds"]] == [0.0, 1.0, 2.0]


def test_ratio__of_medians__isnt_moved_by_one_slow_round() -> None:
    sides = _sides([1.0, 1.0, 9.0], [2.0, 2.0, 2.0])

    assert ratio(sides, "s") == 0.5
    assert pair_spread(sides, "s") == (0.5, 4.5)


@pytest.mark.parametrize(
    ("aim", "met"),
    [
        (Aim("s", at_most=0.5), True),
        (Aim("s", at_most=0.49), False),
        (Aim("s", at_least=0.5), True),
        (Aim("s", at_least=0.51), False),
        (Aim("s", at_most=1.0, ratio=False), True),
        (Aim("s", at_least=0.0), True),
        (Aim("s", at_most=0.0, ratio=False), False),
        (Aim("p99 ms", at_most=1.0), None),
    ],
)
def test_judged__at_the_bound__is_met(aim: Aim, met: bool | None) -> None:
    assert judged(aim, _sides([1.0], [2.0]))[1] is met


def test_judged__a_ratio_without_alternative__isnt_measured() -> None:
    assert judged(Aim("s", at_most=1.0), _sides([1.0])) == (None, None)


def test_aim__two_bounds_or_none__is_refused() -> None:
    with pytest.raises(ValueError, match="one bound"):
        Aim("s")
    with pytest.raises(ValueError, match="one bound"):
        Aim("s", at_least=1, at_most=2)


def test_middle__a_figure_that_a_side_lacks__is_none() -> None:
    assert middle(_sides([1.0])[0], "other") is None


@pytest.mark.parametrize(
    ("value", "text"), [(1234.5, "1,234"), (0, "0"), (12.34, "12.3"), (1.234, "1.23"), (0.01234, "0.012")]
)
def test_number__three_digits__no_more(value: float, text: str) -> None:
    assert number(value) == text
