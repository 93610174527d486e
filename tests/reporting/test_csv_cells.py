"""Cells of tables as numbers: every shape that our tables write, in both languages, and texts that stay texts."""

import pytest
from django.utils import translation

from reporting.numbers import between, count, difference, effect_limits, effect_text, limits, p_value, percent, points
from reporting.table import Cell, read_cell


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("5,000", Cell(5_000)),
        ("0.921", Cell(0.921)),
        ("−0.5", Cell(-0.5)),
        ("+24.1", Cell(24.1)),
        ("22.9%", Cell(22.9, unit="%")),
        ("22.9\u00a0%", Cell(22.9, unit="%")),
        ("22.9 %", Cell(22.9, unit="%")),
        ("52.8 points", Cell(52.8, unit="points")),
        ("22.9% (21.8 … 24.1)", Cell(22.9, 21.8, 24.1, "%")),
        ("22.9% (21.8 to 24.1)", Cell(22.9, 21.8, 24.1, "%")),
        ("22.9%(21.8~24.1)", Cell(text="22.9%(21.8~24.1)")),
        ("22.9% (21.8~24.1)", Cell(22.9, 21.8, 24.1, "%")),
        ("1,146, 22.9% (21.8 … 24.1)", Cell(22.9, 21.8, 24.1, "%", 1_146)),
        ("1.23 … 3.58 points", Cell(None, 1.23, 3.58, "points")),
        ("1.23 points … 3.58 points", Cell(None, 1.23, 3.58, "points")),
        ("−1.2 … +0.0", Cell(None, -1.2, 0.0)),
        ("0.0 … 0.0", Cell(None, 0.0, 0.0)),
        ("2.3e-05", Cell(2.3e-05)),
        ("", Cell()),
        ("< 0.0001", Cell(text="< 0.0001")),
        ("2026-11-02", Cell(text="2026-11-02")),
        ("9,993 / 10,007", Cell(text="9,993 / 10,007")),
        ("window:14-20", Cell(text="window:14-20")),
        ("randomised", Cell(text="randomised")),
        ("1,146, of whom many", Cell(text="1,146, of whom many")),
    ],
)
def test_cell__as_a_table_writes_it__is_its_number(text: str, cell: Cell) -> None:
    assert read_cell(text) == cell


@pytest.mark.parametrize("language", ["en", "ko"])
def test_cell__of_every_formatter__is_read_back(language: str) -> None:
    class Found:
        estimate, low, high = 0.2286, 0.2175, 0.2412

    with translation.override(language):
        read = {
            "count": read_cell(count(12_345)),
            "percent": read_cell(percent(0.2286)),
            "points": read_cell(points(-0.031)),
            "effect": read_cell(effect_text(0.024, share=True)),
            "limits": read_cell(effect_limits(0.0123, 0.0358, True)),
            "share": read_cell(limits(0.2286, 0.2175, 0.2412)),
            "difference": read_cell(difference(Found())),
            "between": read_cell(between("1.5", "2.5")),
            "p": read_cell(p_value(0.0123)),
        }

    assert read == {
        "count": Cell(12_345),
        "percent": Cell(22.9, unit="%"),
        "points": Cell(-3.1),
        "effect": Cell(2.4, unit="points"),
        "limits": Cell(None, 1.2, 3.6, "points"),
        "share": Cell(22.9, 21.8, 24.1, "%"),
        "difference": Cell(22.9, 21.8, 24.1),
        "between": Cell(None, 1.5, 2.5),
        "p": Cell(0.012),
    }
