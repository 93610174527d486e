"""The page says what the record holds, and judges aims at full size alone."""

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from benchmarks.frame import kept as recorded
from benchmarks.harness import page as pages
from benchmarks.harness.job import Aim, Job, Side
from benchmarks.harness.rounds import RECORD, add_to_record, run_jobs
from tools.stale_pages import without_note


def _job(ours: float, theirs: float) -> Job:
    sides = (Side("ours", lambda _turn: {"s": ours}), Side("theirs", lambda _turn: {"s": theirs}))
    sizes: dict[str, dict[str, Any]] = {name: {"rounds": 2, "rows": 1000} for name in ("quick", "full")}
    return Job(
        "copy",
        "a copy",
        "Text.",
        "another",
        sizes,
        lambda _room, _options: nullcontext(sides),
        (Aim("s", at_most=1.0),),
    )


@pytest.mark.parametrize(
    ("ours", "size", "row"),
    [
        (1.0, "full", "| a copy | another | 1.00 s | 2.00 s | 0.50 | s ≤ 1 × | met |"),
        (4.0, "full", "| a copy | another | 4.00 s | 2.00 s | 2.00 | s ≤ 1 × | **missed** |"),
        (4.0, "quick", "| a copy | another | 4.00 s | 2.00 s | 2.00 | s ≤ 1 × |  |"),
    ],
)
def test_page__of_a_run__shows_medians_and_the_aim(tmp_path: Path, ours: float, size: str, row: str) -> None:
    jobs, kept = [_job(ours, 2.0)], tmp_path / "figures.json"

    run_jobs(jobs, size, {}, kept)
    text = pages.page(jobs, recorded(kept))

    assert row in text.splitlines()
    assert f"| s | {ours:.2f} ({ours:.2f} to {ours:.2f}) | 2.00 (2.00 to 2.00) |" in text
    assert "rounds 2, rows 1,000." in text


def test_run_jobs__an_option_of_the_command_line__replaces_the_sizes(tmp_path: Path) -> None:
    done = run_jobs([_job(1.0, 2.0)], "quick", {"rounds": 3, "unknown": 1}, None)

    assert len(done["copy"]["sides"][0]["rounds"]) == 3
    assert "unknown" not in done["copy"]["options"]


def test_add_to_record__another_job__leaves_the_first(tmp_path: Path) -> None:
    add_to_record(tmp_path / "kept.json", {"a/full": {"s": 0.123456789}})
    add_to_record(tmp_path / "kept.json", {"b/full": {"s": 2}})

    assert recorded(tmp_path / "kept.json") == {"a/full": {"s": 0.12346}, "b/full": {"s": 2}}


def test_page__in_docs__is_what_its_record_gives() -> None:
    from benchmarks.jobs.all_jobs import JOBS

    assert without_note(pages.PAGE.read_text(encoding="utf-8")) == pages.page(
        JOBS, recorded(RECORD), pages.knee_section()
    )
