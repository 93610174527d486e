"""The whole study as a pure function, on small worlds and a small effort; the full size is in test_discover_worlds."""

import json
from dataclasses import replace

import numpy as np
import pytest

from aha.evidence.ladder import RungName
from aha.report import adjusted, candidates_table, cohort, ranking
from aha.report import cells as report_cells
from aha.report.adjusted import hidden_cause_sentence
from aha.report.candidates_table import mark
from aha.report.chance import null_sentence
from aha.report.cohort import asked_sentences
from aha.report.document import document
from aha.report.honesty import step_sentence, step_words
from aha.study.discover import study
from aha.study.result import Report
from aha.study.step import StepVerdict
from aha.study.window_guard import Flag
from events.simulation import WORLDS, Simulation, simulate
from reporting.document import dump, load
from runs.progress import Cancelled
from stats.results import NotComputable, Reason, computable
from tests.aha.answers import INPUTS, SMALL, answers_of, keys_of, some

UNITS = 3_000


@pytest.fixture(scope="module")
def world() -> Simulation:
    return simulate(WORLDS["step"], UNITS, 5)


@pytest.fixture(scope="module")
def report(world: Simulation) -> Report:
    inputs = replace(INPUTS, days=(1, 3, 7, 25), inert=("mute", "rotate", "ad_seen", "help_open", "screenshot"))
    return study(answers_of(world, inputs, by_group=True), inputs, seed=3, effort=SMALL)


@pytest.mark.slow
def test_report__stored_and_read_back__is_the_same(report: Report) -> None:
    stored = json.loads(json.dumps(dump(report), allow_nan=False))

    assert load(Report, stored) == report
    assert dump(load(Report, stored)) == stored


@pytest.mark.slow
def test_population__exclusions_and_eligible__add_up_to_all_signups(report: Report, world: Simulation) -> None:
    found = report.population

    assert found.signups == found.eligible + sum(found.excluded.values())
    assert found.retained == int(world.retained.sum())
    assert sum(week.units for week in report.weeks) == found.eligible
    assert sum(week.retained for week in report.weeks) == found.retained
    assert report.weeks[0].week == "2026-01-05"


def test_grid__every_cell__counts_everybody_and_agrees_with_numpy(report: Report, world: Simulation) -> None:
    grid = report.grid
    total = np.array([grid.a, grid.b, grid.c, grid.o]).sum(axis=0)
    place = grid.find(report.asked.behaviours.index("friend_add"), 7, 3)

    assert (total == UNITS).all()
    assert place is not None
    assert grid.b[place] == int((world.reached & world.retained).sum())
    assert grid.c[place] == int((world.reached & ~world.retained).sum())
    with pytest.raises(KeyError):
        grid.find(0, 25, 1)


def test_invalid_days__beyond_the_retention_window__listed_with_the_reason_and_not_computed(report: Report) -> None:
    assert [(row.days, row.reason.reason) for row in report.asked.invalid_days] == [(25, Reason.WINDOWS_OVERLAP)]
    assert set(report.grid.days) == {1, 3, 7}
    cells = [cell for cell in document(report)["cells"] if cell["days"] == 25]
    assert len(cells) == 5 * len(report.asked.behaviours)
    assert all(not cell["valid"] and cell["reason"] == cell["A"]["not_computable"] for cell in cells)


def test_candidates__negative_controls__are_never_among_them(report: Report) -> None:
    inert = {"mute", "rotate", "ad_seen", "help_open", "screenshot"}

    assert {row.behaviour for row in report.controls.rows} == inert
    assert computable(report.controls.null)
    assert not inert & {row.behaviour for row in report.candidates}
    assert all(row.step is None for row in report.judged if row.behaviour in inert)


def test_candidates__best__is_the_planted_cause_with_all_its_evidence(report: Report) -> None:
    best = report.candidates[0]

    assert best.behaviour == "friend_add"
    assert len(report.candidates) == SMALL.followed
    assert report.more_candidates > 0
    place = report.grid.find(report.asked.behaviours.index("friend_add"), best.days, best.times)
    assert place is not None
    assert (best.cell.a, best.cell.b) == (report.grid.a[place], report.grid.b[place])
    assert best.p_luck == report.grid.p_luck[place] == 1 / (SMALL.permutations + 1)
    assert [row.segment for row in best.by_segment] == ["g0", "g1", "g2", "g3"]
    assert sum(row.cell.b for row in best.by_segment) == best.cell.b
    assert sum(row.reached_retained for row in best.by_week) == best.cell.b
    assert sum(row.units for row in best.by_week) == UNITS
    assert best.promise.moved == pytest.approx(0.10)
    raw = best.ladder.rungs[0].difference
    assert computable(raw)
    assert computable(best.promise.naive)
    assert best.promise.naive.estimate == pytest.approx(0.10 * raw.estimate)


def test_parts__train_hold_out_later__are_everybody(report: Report) -> None:
    assert sum(report.parts.values()) == UNITS
    assert min(report.parts.values()) > 0


def test_swarm__for_the_picture__at_most_ten_behaviours_of_300_units(report: Report) -> None:
    model = report.model

    assert computable(model)
    assert computable(model.ranking)
    assert 0 < len(model.swarm) <= 10
    assert all(len(row.shap) == len(row.quantile) == 300 for row in model.swarm)
    assert all(min(row.quantile) >= 0 and max(row.quantile) <= 1 for row in model.swarm)
    assert {row.kind for row in model.ranking} == {"behaviour", "activity", "attribute"}
    assert [row.rank for row in model.ranking] == sorted(row.rank for row in model.ranking)


def test_dose__for_the_picture__points_hold_the_units_that_did_not_choose(report: Report) -> None:
    row = next(row for row in report.judged if row.behaviour == "friend_add")

    assert row.dose is not None
    assert sum(point.units for point in row.dose.points) == report.parts["hold_out"]
    assert [point.last for point in row.dose.points] == [False] * (len(row.dose.points) - 1) + [True]
    observed = sum(point.share * point.units for point in row.dose.points)
    smooth = sum((point.smooth or 0.0) * point.units for point in row.dose.points)
    assert smooth == pytest.approx(observed, rel=1e-6)  # a logistic model with a constant keeps the total


@pytest.mark.slow
def test_study__twice_with_one_seed__identical_and_another_seed_differs(world: Simulation) -> None:
    answers = some(answers_of(world), np.arange(300))

    first, second, other = (dump(study(answers, INPUTS, seed=seed, effort=SMALL)) for seed in (3, 3, 4))

    assert first == second
    assert first["seeds"] != other["seeds"]
    assert first["grid"]["phi_low"] != other["grid"]["phi_low"]
    assert first["grid"]["a"] == other["grid"]["a"]


def test_study__below_the_floors__gives_units_retention_and_cells_only(world: Simulation) -> None:
    retained = np.flatnonzero(world.retained)[:49]
    rows = np.sort(np.concatenate([retained, np.flatnonzero(~world.retained)[:400]]))

    found = study(some(answers_of(world), rows), INPUTS, seed=3, effort=SMALL)

    assert found.floor is not None
    assert found.floor.reason is Reason.STUDY_TOO_SMALL
    assert (found.population.eligible, found.population.retained) == (449, 49)
    assert found.grid.size > 0
    assert set(found.grid.p_luck) == {None}
    assert found.judged == ()
    assert (found.model, found.luck, found.active) == (found.floor,) * 3
    assert found.candidates == ()
    text = document(found)
    assert set(text["candidates"]) == set(text["model"]) == set(text["ranking"]) == {"not_computable"}
    assert load(Report, json.loads(json.dumps(dump(found)))) == found


@pytest.mark.slow
def test_study__one_more_retained__passes_the_floor(world: Simulation) -> None:
    retained = np.flatnonzero(world.retained)[:50]
    rows = np.sort(np.concatenate([retained, np.flatnonzero(~world.retained)[:400]]))

    found = study(some(answers_of(world), rows), INPUTS, seed=3, effort=SMALL)

    assert found.floor is None
    assert computable(found.luck)


def test_study__nobody_stayed__is_a_report_too(world: Simulation) -> None:
    found = study(some(answers_of(world), np.flatnonzero(~world.retained)[:300]), INPUTS, seed=3, effort=SMALL)

    assert found.population.retained == 0
    assert not isinstance(found.population.rate, NotComputable)
    assert found.population.rate.estimate == 0.0
    assert load(Report, json.loads(json.dumps(dump(found)))) == found


@pytest.mark.slow
def test_study__small__corrects_by_bootstrap_instead_of_a_hold_out(world: Simulation) -> None:
    found = study(some(answers_of(world), np.arange(1_500)), INPUTS, seed=3, effort=SMALL)

    best = found.candidates[0]
    assert (found.parts["train"], found.parts["hold_out"]) == (1_500, 0)
    assert isinstance(best.hold_out_j, float)
    assert computable(best.cell.j)
    assert 0 < best.hold_out_j < best.cell.j.estimate
    assert isinstance(best.later_cohort_j, NotComputable)


@pytest.mark.slow
def test_study__goal_of_min_events__its_event_is_set_aside(world: Simulation) -> None:
    inputs = replace(INPUTS, retention="min_events:chat:21-27:1")

    found = study(some(answers_of(world, inputs), np.arange(500)), inputs, seed=3, effort=SMALL)

    assert [row.flag.value for row in found.flags if row.behaviour == "chat"] == ["goal_like"]
    assert "chat" not in {row.behaviour for row in found.judged}


def test_document__of_a_report__has_exactly_the_promised_keys(report: Report) -> None:
    found = document(report)

    some_rows = {name: found[name][:1] for name in ("cells", "candidates")}
    assert keys_of({**found, **some_rows}) == sorted(EXPECTED_KEYS)
    text = json.dumps(found, allow_nan=False)
    assert "NaN" not in text


def test_tables__of_a_report__have_a_cell_for_every_column_and_no_missing_word(report: Report) -> None:
    shown = [made(report) for made in (cohort.flow, ranking.table, candidates_table.side_by_side)]
    shown += [made(row) for row in report.candidates for made in (report_cells.counts_table, adjusted.ladder_table)]

    for table in shown:
        assert table is not None
        assert table.title
        assert table.rows
        assert {len(row) for row in table.rows} == {len(table.columns)}
    numbers = [row[1] for row in cohort.flow(report).rows]
    assert numbers[:3] == ["3,007", "7", "3,000"]


def test_words__every_code__has_its_own_words(report: Report) -> None:
    codes = [*Flag, "activity_only", "no_better_than_everybody", "as_strong_as_inert"]

    assert len({mark(code)[0] for code in codes}) == len(codes)
    assert len({mark(code)[1] for code in codes}) == len(codes)
    assert len({step_words(verdict, None, None) for verdict in StepVerdict}) == 4
    assert len({adjusted.rung_words(name) for name in RungName}) == 5
    assert all(step_sentence(row.step) for row in report.judged if row.step is not None)
    assert len(asked_sentences(report.asked)) == 3
    assert "Activity alone passes this" in null_sentence(report.luck)
    assert "equally active" in null_sentence(report.active)
    assert "risk ratio" in hidden_cause_sentence(report.candidates[0])


@pytest.mark.slow
def test_progress__told_in_order__ends_with_one_and_may_cancel(world: Simulation) -> None:
    heard: list[float] = []
    answers = some(answers_of(world), np.arange(300))

    study(answers, INPUTS, seed=3, effort=SMALL, progress=lambda stage, share: heard.append(share))

    assert heard == sorted(heard)
    assert heard[-1] == 1.0
    with pytest.raises(Cancelled):
        study(answers, INPUTS, seed=3, effort=SMALL, progress=_cancel)


def _cancel(stage: str, share: float) -> None:
    raise Cancelled


EXPECTED_KEYS = [
    ".units",
    ".units.eligible",
    ".units.excluded",
    ".units.excluded.too_young",
    ".retention",
    ".retention.definition",
    ".retention.rate",
    ".model",
    ".model.auc",
    ".model.beats_base_rate",
    ".ranking",
    *(f".ranking[].{name}" for name in ("behaviour", "importance", "rank_low", "rank_high", "group")),
    ".cells",
    *(
        f".cells[].{name}"
        for name in (
            "behaviour",
            "days",
            "times",
            "A",
            "B",
            "C",
            "O",
            "j",
            "phi",
            "ppv",
            "recall",
            "difference",
            "difference.estimate",
            "difference.low",
            "difference.high",
            "adjusted_p_value",
            "valid",
            "reason",
        )
    ),
    ".candidates",
    *(
        f".candidates[].{name}"
        for name in (
            "behaviour",
            "days",
            "times",
            "j",
            "hold_out_j",
            "later_cohort_j",
            "honest_j",
            "judged_by",
            "pick_share",
            "indifference",
            "step",
            "smooth_range",
            "levels_off",
            "ladder",
            "ladder[].rung",
            "ladder[].estimate",
            "ladder[].low",
            "ladder[].high",
            "e_value",
            "robustness_value",
            "robustness_value_limit",
            "negative_outcomes",
            "negative_outcomes[].outcome",
            "negative_outcomes[].rung",
            "negative_outcomes[].estimate",
            "negative_outcomes[].low",
            "negative_outcomes[].high",
            "flags",
            "expected_gain",
            "expected_gain.estimate",
            "expected_gain.low",
            "expected_gain.high",
            "expected_gain.level",
            "expected_gain.promise",
            "expected_gain.ratio",
            "expected_gain.ratio.estimate",
            "expected_gain.ratio.low",
            "expected_gain.ratio.high",
            "expected_gain.ratio.level",
            "expected_gain.ratio.assumed",
            "expected_gain.experiments",
            "expected_gain.headroom",
            "expected_gain.take_up",
            "expected_gain.take_up_measured",
            "rank_by_promise",
            "past_experiments",
            "past_experiments.experiments",
            "past_experiments.left_out",
            "past_experiments.answer",
            "past_experiments.effect",
            "past_experiments.effect.not_computable",
        )
    ),
    ".spent",
]
