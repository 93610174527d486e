"""Times told beside times taken: ratio and slopes, and only the part between the marks of docs/scale.md is written."""

from pathlib import Path
from typing import Any

from benchmarks import run_times


def run(users: int, turn: int, told: float, taken: float, groups: float) -> dict[str, Any]:
    told_words = {"least": told, "most": told, "words": f"about {told:.0f} seconds"}
    kept = {"steps": {"counting": 1.0, "groups": groups}, "size": {}, "compiled": False, "workers": 2}
    return {"kind": "search for groups", "users": users, "turn": turn, **told_words, "taken": taken, **kept}


FOUND = {
    "date": "2026-11-30",
    "commit": "abc",
    "machine": "2 cores",
    "system": "Debian",
    "load": [0.1, 1.4],
    "runs": [run(100, 1, 20, 50, 8), run(100, 2, 50, 40, 8), run(10_000, 1, 90, 80, 70), run(10_000, 2, 80, 100, 80)],
}


def test_page__gets_the_tables_between_its_marks_alone(tmp_path: Path) -> None:
    page = tmp_path / "scale.md"
    page.write_text(f"before\n{run_times.FIRST}\nstale\n{run_times.LAST}\nafter\n")

    run_times.write_part(page, FOUND)
    run_times.write_part(page, FOUND)

    text = page.read_text()
    assert text.startswith(f"before\n{run_times.FIRST}\n")
    assert text.endswith(f"{run_times.LAST}\nafter\n")
    assert "stale" not in text
    assert (
        "| search for groups | 100 | 50.0 s, told about 20 seconds | about 50 seconds (50.0 s) | 40.0 s | 1.25 |"
        in text
    )
    assert "| search for groups | groups | 100: 8.0 s, 10,000: 80.0 s | 0.50 |" in text
    assert "2026-11-30, commit abc; 2 cores, Debian. Load [0.1, 1.4]." in text


def test_pages_marks__are_there() -> None:
    text = run_times.PAGE.read_text()

    assert text.index(run_times.FIRST) < text.index(run_times.LAST)
