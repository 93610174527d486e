"""The benchmark: what it takes for true, how it scores, and that entries find what they must in a small world."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.aha_worlds import tables
from benchmarks.aha_worlds.entries import ENTRIES, correlations, readings
from benchmarks.aha_worlds.generator import PLAYED, Round, cells_alike, make, score
from benchmarks.aha_worlds.records import Answer, Entry, Log, Moment
from tests.clients.server import ROOT
from tools.stale_pages import without_note

MOMENT = Moment("friend_add", 3, 7)
PAGE = ROOT / "docs" / "aha_worlds.md"


@pytest.fixture(scope="module")
def step() -> Round:
    return make("step", 3, 3_000)


def _entry(*, finds: bool = True, experiment: bool = False) -> Entry:
    return Entry("x", lambda log, tried: Answer(None, cause=False), "", "", finds, experiment)


def test_round__of_the_step__has_its_moment_and_counts_of_the_log(step: Round) -> None:
    assert (step.moment, step.causes) == (MOMENT, True)
    assert MOMENT in step.alike
    assert step.effects["everyone"] is not None
    assert 0.05 < step.effects["everyone"] < 0.2
    assert step.log.counts.shape == (3_000, len(step.log.behaviours), 7)
    assert (np.diff(step.log.counts, axis=2) >= 0).all()
    assert "signup" not in step.log.behaviours
    assert "Experiment Viewed" not in step.log.behaviours


def test_round__of_other_worlds__says_what_is_not_there() -> None:
    noise, null = make("noise", 1, 300), make("no_effect", 1, 300)

    assert (noise.experiment, noise.moment, noise.causes) == (None, None, False)
    assert (null.moment, null.causes, null.effects["everyone"]) == (None, False, 0.0)
    assert "daily_bonus" in make("forced", 1, 300).log.behaviours


def test_cells_alike__counted_by_hand__share_nineteen_of_twenty_users() -> None:
    counts = np.zeros((20, 1, 7), dtype=np.int64)
    counts[:10, 0, :] = 3  # ten did it three times on the first day
    counts[10, 0, :] = 2  # one did it twice: 1 of 20 is told apart by "twice"
    log = Log(("friend_add",), counts, counts[:, 0], np.zeros(20, np.int64), np.zeros(20, dtype=np.bool_))

    found = cells_alike(log, MOMENT)

    assert {(cell.times, cell.days) for cell in found} == {(z, y) for z in (1, 2, 3) for y in range(1, 8)}


@pytest.mark.parametrize(
    ("answer", "exact", "alike", "false_cause", "error", "covers"),
    [
        pytest.param(Answer(MOMENT, True, 0.3, ((0.2, 0.4),)), True, True, False, 0.2, False, id="true, too large"),
        pytest.param(Answer(MOMENT, True, -0.3, ((-0.4, None),)), True, True, True, -0.4, True, id="wrong sign"),
        pytest.param(
            Answer(Moment("chat", 1, 1), True, 0.3, ((0.2, 0.4),)), False, False, True, 0.3, False, id="decoy"
        ),
        pytest.param(Answer(Moment("friend_add", 9, 1), True, 0.3), False, False, False, None, None, id="another cell"),
        pytest.param(Answer(None, False), False, False, False, None, None, id="nothing"),
        pytest.param(
            Answer(MOMENT, False, 0.1, ((None, -1.0), (0.05, None))), True, True, False, 0.0, True, id="two rays"
        ),
    ],
)
def test_score__against_a_moment_of_ten_points__is_as_counted(
    step: Round, answer: Answer, exact: bool, alike: bool, false_cause: bool, error: float | None, covers: bool | None
) -> None:
    world = replace(step, effects={"everyone": 0.1, "moved": 0.1}, alike=frozenset({MOMENT}))

    found = score(_entry(), answer, world)

    assert (found["exact"], found["alike"], found["false_cause"]) == (exact, alike, false_cause)
    assert found["error"] == (None if error is None else pytest.approx(error))
    assert found["covers"] is covers


def test_score__no_moment_and_no_cause__rightly_none_and_any_cause_is_false(step: Round) -> None:
    world = replace(step, moment=None, alike=frozenset(), causes=False, effects={"everyone": 0.0, "moved": 0.0})

    none = score(_entry(), Answer(None, cause=False), world)
    claimed = score(_entry(finds=False, experiment=True), Answer(None, True, 0.2, ((0.1, 0.3),), "moved"), world)

    assert (none["exact"], none["alike"], none["false_cause"]) == (True, True, False)
    assert (claimed["exact"], claimed["false_cause"], claimed["error"], claimed["covers"]) == (None, True, 0.2, False)


@pytest.mark.slow
def test_entries__in_the_step__answer_alike_twice_and_read_as_published(step: Round) -> None:
    answers = {entry.name: entry.play(step.log, step.experiment) for entry in ENTRIES}

    assert len(ENTRIES) >= 7
    assert all(re.search(r"\d{4}|http|\.md", entry.source) for entry in ENTRIES)
    assert answers["Insight"] == ENTRIES[0].play(step.log, step.experiment)
    assert answers["Signal's phi"].moment == max(correlations.cells(step.log), key=lambda row: abs(row[1]))[0]
    assert step.experiment is not None
    reached, retained = step.experiment.column("reached"), step.experiment.column("retained")
    assert answers["as treated"].effect == pytest.approx(retained[reached == 1].mean() - retained[reached == 0].mean())
    naive, plain = answers["naive A/B"].effect, answers["plain Wald"].effect
    first = step.experiment.column("reached", "nudge").mean() - step.experiment.column("reached", "control").mean()
    assert naive is not None
    assert plain == pytest.approx(naive / first)
    assert readings.wald(step.log, None).reason == "no experiment"


def test_rows__kept_and_read__go_on_where_they_were(tmp_path: Path, step: Round) -> None:
    from benchmarks.aha_worlds.__main__ import play

    path = tmp_path / "rows.jsonl"
    row = play(("step", 1, 500, ("as treated",)))
    tables.append_row(path, row)
    tables.append_row(path, {**row, "parameters": "of another world"})

    found = tables.read_rows(path)

    assert found == {("step", 1, 500): json.loads(json.dumps(row))}
    assert list(row["answers"]) == ["as treated"]


def test_page__is_what_the_kept_rows_say() -> None:
    rows: list[dict[str, Any]] = list(tables.read_rows(tables.ROWS).values())

    assert without_note(PAGE.read_text("utf-8")) == tables.document(rows)
    assert {row["world"] for row in rows} == set(PLAYED)
    assert min(len(row["answers"]) for row in rows if row["world"] != "noise") == len(ENTRIES) >= 7
