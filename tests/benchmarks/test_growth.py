"""Growth: the slope is that of a power law, and only the part between the marks of docs/scale.md is written."""

from pathlib import Path
from typing import Any

import pytest

from benchmarks import growth
from benchmarks.harness.job import Room


def kept(power: float) -> dict[str, Any]:
    points = [{"size": 100 * factor, "s": 2.0 * factor**power, "peak GiB": 0.5} for factor in growth.FACTORS]
    where = {"date": "2026-11-27", "commit": "abc", "machine": "2 cores", "system": "Debian"}
    return {"title": "import of a CSV file", "unit": "rows", "points": points, **where}


@pytest.mark.parametrize("power", [0.5, 1.0, 1.7])
def test_slope__of_a_power_law__is_its_power(power: float) -> None:
    assert growth.slope(kept(power)["points"]) == pytest.approx(power)


def test_page__gets_the_table_between_its_marks_alone(tmp_path: Path) -> None:
    page = tmp_path / "scale.md"
    page.write_text(f"before\n{growth.FIRST}\nold\n{growth.LAST}\nafter\n")

    growth.write_part(page, {"import": kept(1.0)})
    growth.write_part(page, {"import": kept(1.0)})

    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith(f"{growth.LAST}\nafter\n")
    assert "| 100: 2.0 s, 0.5 GiB | 300: 6.0 s, 0.5 GiB | 1,000: 20.0 s, 0.5 GiB | 1.00 |" in text
    assert "old" not in text


def test_picture__has_a_dot_for_each_measurement() -> None:
    drawn = growth.picture({"import": kept(1.0), "flush": kept(0.8)})

    assert drawn.count("<title>import, ") + drawn.count("<title>flush, ") == 2 * len(growth.FACTORS)


def test_pages_marks__are_there() -> None:
    text = growth.PAGE.read_text()

    assert text.index(growth.FIRST) < text.index(growth.LAST)


@pytest.mark.slow
def test_measure__of_an_import__takes_all_three_sizes() -> None:
    import_ = next(one for one in growth.GROWING if one.job == "import")
    with Room() as room:
        found = growth.measure(import_, 0.002, room)

    assert [point["size"] for point in found["points"]] == [1_000, 3_000, 10_000]
    assert all(point["s"] > 0 for point in found["points"])
