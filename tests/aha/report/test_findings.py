"""The sentences and tables of a study: codes become words, no number without its interval, doubts are said."""

from dataclasses import replace

import pytest

from aha import payload_versions
from aha.moments.claims import read_finding
from aha.report import candidate_tables, findings, moment_page, page, pictures, series, words
from aha.report import tables as page_tables
from aha.report.document import document
from aha.study.cell_metrics import Interval
from aha.study.result import Report
from aha.study.step import SmoothRange, StepVerdict
from reporting import numbers
from reporting.document import dump
from reporting.table import Table
from stats.results import NotComputable, Reason
from tests.aha.make_report import candidate, cell, grid, judged, model, null, report, skill


# ── Sentences ─────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("verdict", "said"),
    [
        (StepVerdict.JUMP, ": a jump at 2. Only an experiment"),
        (StepVerdict.SMOOTH, ": no jump from 2 to 5 times within 3 days, so a number between them is a convention. Only"
         " an experiment"),
        (StepVerdict.CANNOT_TELL, "; whether it jumps at 2 can't be told. Only an experiment"),
    ],
)  # fmt: skip
def test_claim__each_verdict__says_what_is_known_and_that_it_is_no_cause(verdict: StepVerdict, said: str) -> None:
    found = SmoothRange(3, 2, 5) if verdict is StepVerdict.SMOOTH else None
    sentence = findings.claim(candidate(step=verdict, smooth_range=found))

    start = "Users who do friend_add at least 2 times within 3 days stay 58\u00a0% against 21\u00a0%"
    assert sentence == f"{start}{said} can tell whether it is the cause."


def test_claim__no_hold_out__takes_all_users_and_says_so() -> None:
    missing = NotComputable(Reason.NO_HOLD_OUT)
    row = candidate(by_step=False)
    row = replace(row, honesty=replace(row.honesty, hold_out=missing, corrected={"j": 0.4}))

    assert "stay 62\u00a0% against 25\u00a0%" in findings.claim(row)
    assert "those who chose the number among them" in findings.measured_on(row)
    assert findings.honesty(row) == "Corrected for having been chosen, J is 0.400."


@pytest.mark.parametrize(
    ("times", "days", "said"), [(1, 1, "x at least once within 1 day"), (2, 7, "x at least 2 times within 7 days")]
)
def test_cell_words__one_and_many__read_naturally(times: int, days: int, said: str) -> None:
    assert words.cell_words("x", times, days) == said


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (((), ()), "2 behaviours are worth an experiment; the first is the most promising."),
        (((), ("activity_only",)), "One behaviour is worth an experiment."),
        (((), ("duplicate",)), "2 behaviours are worth an experiment; the first is the most promising."),
        ((("as_strong_as_inert",), ("no_better_than_everybody",)),
         "Some behaviours beat luck, but none tells more than activity does."),
        ((), "No behaviour tells who stays better than luck does."),
    ],
)  # fmt: skip
def test_headline__counts_only_candidates_without_doubts(flags: tuple[tuple[str, ...], ...], said: str) -> None:
    made = report(candidates=tuple(candidate(flags=row) for row in flags))

    assert findings.headline(made) == said


def test_headline__nothing_was_tested__says_so() -> None:
    made = report(candidates=(), luck=NotComputable(Reason.NO_CELL_TO_TEST))

    assert findings.headline(made) == (
        "No behaviour could be compared with luck: none was tested. "
        "No cell is done by 2 to 98 percent of the units, so there is nothing to test."
    )
    assert document(made)["candidates"] == {
        "not_computable": "No cell is done by 2 to 98 percent of the units, so there is nothing to test."
    }


def test_headline__all_behaviours_set_aside__says_that_none_was_tested() -> None:
    aside = tuple(replace(row, step=None) for row in report().judged)
    made = report(candidates=(), judged=aside)

    assert "none was tested. Each behaviour is set aside" in findings.headline(made)
    assert "set aside" in document(made)["candidates"]["not_computable"]


def test_document__tested_without_a_find__lists_no_candidate() -> None:
    made = report(candidates=())

    assert document(made)["candidates"] == []
    assert findings.headline(made) == "No behaviour tells who stays better than luck does."


def test_claim__smooth_of_version_0_3__says_nothing_about_a_range() -> None:
    assert "can't be told" in findings.claim(candidate(step=StepVerdict.SMOOTH))


def test_measured_on__step_found_on_the_hold_out__names_the_training_part() -> None:
    by_step, by_rule = candidate(), candidate(by_step=False)

    assert "training part" in findings.measured_on(by_step)
    assert "hold-out" in findings.measured_on(by_rule)
    assert (by_step.judged_by, by_rule.judged_by) == ("train", "hold_out")
    assert by_step.honest == by_step.honesty.train
    assert by_rule.honest == by_rule.honesty.hold_out


def test_cell_words__escaped_name__is_shown_without_backslashes() -> None:
    assert words.cell_words(r"level_up\[mode\=hard\]", 1, 7).startswith("level_up[mode=hard] at least once")


def test_headline__too_small_a_study__gives_the_reason() -> None:
    assert "at least 200 eligible" in findings.headline(report(floor=NotComputable(Reason.STUDY_TOO_SMALL)))


def test_controls_warning__only_when_inert_behaviours_are_as_strong() -> None:
    marked = report(candidates=(candidate(flags=("as_strong_as_inert",)),))

    assert findings.controls_warning(report()) == ""
    assert "as strong as friend_add" in findings.controls_warning(marked)


def test_ladder__missing_last_rung__says_why_and_keeps_the_raw_number() -> None:
    row = candidate()
    gone = replace(row.ladder.rungs[3], difference=NotComputable(Reason.NO_OVERLAP), adjusted=None)
    row = replace(row, ladder=replace(row.ladder, rungs=(*row.ladder.rungs[:3], gone)))

    assert findings.ladder(row).startswith("The raw difference is 37.5 points; how much is left can't be said.")
    assert findings.overlap(row) == ""


def test_hidden_cause__same_reason_twice__is_said_once() -> None:
    missing = NotComputable(Reason.NO_OVERLAP)

    assert len(findings.hidden_cause(candidate(e_value=missing, calibrated=missing))) == 1
    assert len(findings.hidden_cause(candidate())) == 2


@pytest.mark.parametrize(
    ("share", "low", "said"), [(0.0, -0.01, "In 0 of 2"), (0.1, 0.0, "In 0 of 2"), (0.1, 0.001, "In 2 of 2")]
)
def test_segments__interval_at_zero__is_not_clearly_more(share: float, low: float, said: str) -> None:
    row = candidate()
    same = cell(difference=Interval(share, low, 0.2))
    row = replace(row, by_segment=tuple(replace(part, cell=same) for part in row.by_segment))

    assert findings.segments(row).startswith(said)


def test_no_ranking__model_without_skill__shows_the_reason_and_no_picture() -> None:
    made = report(model=replace(model(), trees=skill(0.0), ranking=NotComputable(Reason.NO_SKILL), swarm=()))

    (part,) = page.model(made)

    assert part.finding.startswith("The model does not beat the base rate")
    assert not part.picture
    assert part.table is None


# As an analysis writes it back: the estimate by Wald, the limits by Anderson and Rubin.
MEASURED = {
    "effect": {"estimate": 0.06, "standard_error": 0.02},
    "effect_set": {"shape": "interval", "low": 0.0, "high": 0.1},
}


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("CAUSES", "causes retention"), ("HARMS", "harms retention"), ("NO_MATERIAL_EFFECT", "no effect that matters"),
        ("INCONCLUSIVE", "could not decide"), ("NUDGE_FAILED", "could not decide"),
    ],
)  # fmt: skip
def test_finding__each_verdict__in_words(code: str, said: str) -> None:
    found = moment_page.finding({"code": code, **MEASURED})

    assert said in found
    assert "+6.0 points (+0.0 … +10.0)" in found
    for caution, told in (("corrected", "corrected for the looks"), ("optimistic", "optimistic"), (None, "points")):
        effect = {"estimate": 0.06, "standard_error": 0.02, "caution": caution}
        assert told in moment_page.finding({"code": code, **MEASURED, "effect": effect})
    assert "points" not in moment_page.finding({"code": code})
    assert "points" not in moment_page.finding({"code": code, **MEASURED, "effect_set": {"shape": "line"}})
    assert "points" not in moment_page.finding({"code": code, "effect": {"not_computable": "x"}})


def test_tables__an_experiment_has_measured_it__its_line_replaces_the_lack() -> None:
    evidence = candidate()
    moved = evidence.promise.moved

    before, after = (moment_page.tables(evidence, found)[3] for found in (None, read_finding(MEASURED)))

    assert before.rows[:-1] == after.rows[:-1]
    low, high = numbers.points(0.0), numbers.points(moved * 0.1)
    assert after.rows[-1][1] == f"{numbers.points(moved * 0.06)} ({numbers.between(low, high)})"
    assert after.rows[-1] != before.rows[-1]


# ── Numbers ───────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("value", "said"), [(0.0, "+0.0"), (-0.0004, "+0.0"), (0.1, "+10.0"), (-0.1, "\u221210.0"), (0.0005, "+0.1")]
)
def test_points__sign_and_minus(value: float, said: str) -> None:
    assert numbers.points(value) in (said, said.replace("+0.1", "+0.0"))


@pytest.mark.parametrize(
    ("value", "said"), [(0.00009, "<\u00a00.0001"), (0.0001, "0.0001"), (0.0099, "0.0099"), (0.01, "0.010"), (None, "")]
)
def test_p_value__never_zero(value: float | None, said: str) -> None:
    assert numbers.p_value(value) == said


# ── Tables ────────────────────────────────────────────────────────────────────
def all_tables(made: Report) -> list[Table]:
    row = made.candidates[0]
    parts = [*page.cohort(made), *page.model(made), *page.chance(made)]
    parts += [*page.number(made, row, 0), *page.evidence(made, row, 0)]
    more = [page_tables.flow(made), page_tables.candidates(made), page_tables.judged(made)]
    more += [page_tables.samples(made), candidate_tables.promise(row), candidate_tables.counts(row)]
    maybe = [page_tables.marks(made), page_tables.invalid(made), *(part.table for part in parts)]
    return [*more, *(table for table in maybe if table is not None)]


def test_tables__every_row__is_as_long_as_its_columns() -> None:
    tables = all_tables(report())

    assert len(tables) == 20
    assert all(len(row) == len(table.columns) for table in tables for row in table.rows)
    assert all(table.rows for table in tables)


def test_flow__numbers__add_up() -> None:
    rows = {row[0]: row[1] for row in page_tables.flow(report()).rows}

    assert rows["signed up in the cohort"] == "1,050"
    assert rows["left out: their retention window isn't complete yet"] == "50"
    assert rows["eligible"] == "1,000"


def test_four_counts__empty_union__leaves_shares_out() -> None:
    table = candidate_tables.four_counts(0, 0, 0, 10)

    assert [row[2] for row in table.rows] == ["", "", "", "", "", "0.0\u00a0% (0.0\u00a0…\u00a027.8)", ""]


def test_cells__invalid_days_and_marks() -> None:
    rows = candidate_tables.cells(report(), candidate()).rows

    by_key = {row[:2]: row for row in rows}
    assert by_key["3", "2 ◆"][2] == "0.455"
    assert ("3", "1 ○") in by_key
    assert by_key["9", "1"][2].startswith("The behaviour's days reach into")
    assert len(rows) == 9


# ── Series and charts ─────────────────────────────────────────────────────────
def test_splits__only_the_candidates_days__shares_of_the_union() -> None:
    rows = series.splits(report(), candidate())

    assert [row.times for row in rows] == [1, 2, 3]
    assert [row.chosen for row in rows] == [False, True, False]
    assert [row.union for row in rows] == [700, 550, 460]
    assert rows[1].share(rows[1].b) == pytest.approx(250 / 550)


def test_tied__overlapping_ranges_of_other_groups_only() -> None:
    rows = series.ranked(report())

    assert [series.tied(row, rows) for row in rows] == [False, True, True]


@pytest.mark.parametrize(("observed", "far"), [(6.4, False), (6.41, True)])
def test_observed_far__at_the_limit(observed: float, far: bool) -> None:
    assert series.observed_far(replace(null(by_activity=False), observed=observed)) is far


def test_swarm_dots__stacked_within_the_row() -> None:
    (swarm,) = model().swarm
    dots = series.swarm_dots(replace(swarm, shap=(0.0,) * 21))

    assert max(abs(dot.height) for dot in dots) == 1
    assert len({dot.height for dot in dots}) == 21


def test_draw__every_picture_of_the_page__titles_are_the_findings() -> None:
    made = report()

    found = {drawing.slug: drawing for drawing in pictures.draw(made)}

    assert {slug: drawing.label for slug, drawing in found.items()} == page.pictures(made)
    assert " ".join(found["c1-ladder"].spec["title"]["text"]) == found["c1-ladder"].label
    assert all(drawing.marks < 500 for drawing in found.values())


@pytest.mark.parametrize("slug", ["curve", "weeks", "c1-dose", "c1-weeks"])
def test_draw__shares__start_at_zero_and_carry_intervals(slug: str) -> None:
    found = {drawing.slug: drawing for drawing in pictures.draw(report())}

    layers = found[slug].spec["layer"]
    assert any(layer["encoding"].get("y2", {}).get("field") == "high" for layer in layers)
    scales = [layer["encoding"]["y"].get("scale", {}) for layer in layers if "y" in layer["encoding"]]
    assert {"zero": True} in scales


def test_draw__heat__hatches_invalid_days_and_frames_the_indifference_set() -> None:
    found = {drawing.slug: drawing for drawing in pictures.draw(report())}

    rows = [row for rows in found["c1-heat"].spec["datasets"].values() for row in rows if "days" in row] if (
        "datasets" in found["c1-heat"].spec
    ) else found["c1-heat"].spec["vconcat"][0]["layer"][0]["data"]["values"]  # fmt: skip
    assert {row["days"] for row in rows if row["invalid"]} == {9}
    assert [(row["days"], row["times"]) for row in rows if row["chosen"]] == [(3, 2)]
    assert [(row["days"], row["times"]) for row in rows if row["good"]] == [(3, 1)]


def test_draw__nothing_computable__leaves_pictures_out_and_parts_in() -> None:
    missing = NotComputable(Reason.STUDY_TOO_SMALL)
    made = report(floor=missing, model=missing, luck=missing, active=missing, candidates=(), judged=())

    slugs = [drawing.slug for drawing in pictures.draw(made)]

    assert slugs == ["curve", "weeks"]
    assert page.chance(made)[0].finding.startswith("A study needs at least 200")


def test_read__dumped__is_the_same_report() -> None:
    assert payload_versions.read(dump(report())) == report()
    assert payload_versions.read_candidate(dump(candidate())) == candidate()
    assert grid().find(0, 3, 2) == 4
    assert judged()[0].by_step


def test_ranking__behaviour_in_the_group_of_activity__does_not_lead() -> None:
    activity, friend, rotate = series.ranked(report())
    together = (activity, replace(friend, group=activity.group, rank=1, rank_low=1, rank_high=1), rotate)
    made = report(model=replace(model(), ranking=together))

    assert findings.ranking(made).startswith("Beyond activity rotate tells most")
    assert findings.ranking(report()).startswith("Beyond activity friend_add comes first, but not alone")
    assert findings.ranking(report(model=replace(model(), ranking=(activity,)))).startswith("No behaviour tells")
