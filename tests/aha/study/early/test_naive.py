"""The naive ranking, counted by hand."""

import numpy as np

from aha.study.cells import Cell, Cells
from aha.study.preliminary import cells_of_answer, chances, counted
from aha.study.report_columns import who_counts
from stats.results import NotComputable, Reason

DATES = np.asarray(["2026-01-01"] * 100, dtype="datetime64[D]")
PEOPLE = who_counts(100, {"too_young": 0}, np.arange(100) < 40, DATES)


def cells_of(rows: list[tuple[int, int, int, int, int, int, int]]) -> Cells:
    """Rows of behaviour, days, times, A, B, C, O."""
    return Cells(*zip(*rows, strict=True))


CELLS = cells_of(
    [
        (0, 7, 1, 20, 20, 30, 30),  # J 20/70, retained 40 % against 40 %
        (0, 7, 2, 15, 25, 15, 45),  # J 25/55, 62.5 % against 25 %: the best of chat
        (1, 7, 1, 30, 10, 1, 59),  # J 10/41, 91 % against 34 %
        (2, 7, 1, 0, 40, 55, 5),  # everybody but five does it: beyond the recommended reach
    ]
)
NAMES = ("chat", "invite", "open")


def test_counted__each_behaviour__has_its_best_cell_and_the_largest_raw_difference_comes_first() -> None:
    found = counted(CELLS, NAMES, PEOPLE, rule="j", users=100, seed=1)

    assert found.behaviours == ("invite", "chat", "open")
    chosen = [
        cell if isinstance(cell, NotComputable) else (cell.days, cell.times, cell.a, cell.b, cell.c, cell.o)
        for cell in found.cells
    ]
    assert chosen == [(7, 1, 30, 10, 1, 59), (7, 2, 15, 25, 15, 45), NotComputable(Reason.NO_CELL_TO_RECOMMEND)]
    chat = found.cells[1]
    assert isinstance(chat, Cell)
    assert not isinstance(chat.difference, NotComputable)
    assert round(chat.difference.estimate, 4) == 0.375
    assert not found.sampled


def test_counted__part_of_the_users__says_so() -> None:
    found = counted(CELLS, NAMES, PEOPLE, rule="j", users=60, seed=1)

    assert found.sampled


def test_chances__no_null__keeps_the_reason() -> None:
    found = counted(CELLS, NAMES, PEOPLE, rule="j", users=100, seed=1)

    missing = NotComputable(Reason.NO_CELL_TO_TEST)

    assert chances(found, CELLS, NAMES, missing).missing == missing


def test_cells__answer_of_the_warehouse__has_the_times_of_the_table() -> None:
    rows = {
        "behaviour": np.asarray(["chat"] * 30 + ["invite"] * 2, dtype=np.object_),
        "retained": np.asarray([1] * 15 + [0] * 15 + [1, 0]),
        "units": np.asarray([2] * 30 + [5, 3]),
        "n_7": np.asarray([*range(1, 31), 1, 3]),
    }

    cells = cells_of_answer(rows, ["chat", "invite"], [7], None, 100, 40)

    times = [[z for place, z in zip(cells.behaviour, cells.times, strict=True) if place == number] for number in (0, 1)]
    assert times[0] == sorted(
        {1, *np.rint(np.quantile(np.repeat(np.arange(1, 31), 2), np.arange(1, 10) / 10)).astype(int)}
    )
    assert times[1] == list(range(1, 11))
    assert cells.counts[:, cells.find(1, 7, 1)].tolist() == [35, 5, 3, 57]
