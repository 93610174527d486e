"""Growth: the slope is that of a power law, and only the part between the marks of docs/scale.md is written."""

from pathlib import Path
from typing import Any

import pytest

from benchmarks import growth
from benchmarks.harness.job import Room


def kept(power: float) -> dict[str, Any]:
    points = [
        {"size": 100 * factor, "s": 2.0 * factor**power, "least s": 1.0, "most s": 3.0, "peak GiB": 0.5}
        for factor in growth.FACTORS
    ]
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
    assert "| 100: 2.0 s (1.0 to 3.0), 0.5 GiB | 300: 6.0 s (1.0 to 3.0), 0.5 GiB |" in text
    assert "old" not in text


def test_picture__has_a_dot_for_each_measurement() -> None:
    drawn = growth.picture({"import": kept(1.0), "flush": kept(0.8)})

    assert drawn.count("<title>import, ") + drawn.count("<title>flush, ") == 2 * len(growth.FACTORS)


def test_pages_marks__are_there() -> None:
    text = growth.PAGE.read_text()

    assert text.index(growth.FIRST) < text.index(growth.LAST)


def test_beyond__goes_on_along_the_two_largest_sizes() -> None:
    points = [{"size": 1.0, "s": 90.0}, {"size": 3.0, "s": 6.0}, {"size": 10.0, "s": 13.0}]

    assert [growth.beyond(points, "s", size) for size in (10, 20, 1_000)] == [13.0, 23.0, 1_003.0]
    assert growth.beyond(points, "read GB", 20) is None
    flat = [{"size": 1.0, "s": 9.0}, {"size": 3.0, "s": 9.0}, {"size": 10.0, "s": 8.0}]
    assert growth.beyond(flat, "s", 1_000) == 8.0


def test_costs__have_hours_bytes_and_money_of_each_size() -> None:
    points = [{"size": size, "s": 1.0, "processor s": size * 3.6e-3, "read GB": size / 1e6} for size in (1e5, 3e5, 1e6)]

    (*_, row) = growth.costs({"study": {"title": "study", "points": points}, "import": kept(1.0)})

    assert "| 1.00 core hours ($0.05), 1.0 GB ($0.01) | 10.00 core hours ($0.50), 10.0 GB ($0.05) |" in row
    assert row.endswith("| 1,000.00 core hours ($50.00), 1,000.0 GB ($5.00) |")


@pytest.mark.slow
def test_measure__of_an_import__takes_all_three_sizes() -> None:
    import_ = next(one for one in growth.GROWING if one.job == "import")
    with Room() as room:
        found = growth.measure(import_, 0.002, room)

    assert [point["size"] for point in found["points"]] == [1_000, 3_000, 10_000]
    assert all(0 < point["least s"] <= point["s"] <= point["most s"] for point in found["points"])
