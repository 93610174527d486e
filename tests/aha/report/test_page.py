"""The pages of a study: its headline, every part with its table, every picture."""

from dataclasses import replace
from importlib import import_module

import pytest

from aha.evidence.ladder import Rung, RungName
from aha.report import adjusted, candidates_table, cells, cohort, page
from aha.report.document import document
from aha.study import payload_versions
from aha.study.headline import HEADLINE, headline_of, headline_words
from aha.study.payload_versions import EVIDENCE, STUDY
from aha.study.result import Report
from aha.study.window_guard import Flag, Flagged
from reporting.document import dump
from reporting.table import Part, Section, Table
from runs.payloads import Unreadable
from stats.results import NotComputable, Reason
from tests.aha.make_report import candidate, difference, grid, judged, report


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (((), ()), "2 behaviours are worth an experiment; the first is the best candidate."),
        (((), ("activity_only",)), "One behaviour is worth an experiment."),
        (((), ("duplicate",)), "2 behaviours are worth an experiment; the first is the best candidate."),
        (
            (("as_strong_as_inert",), ("no_better_than_everybody",)),
            "Some behaviours predict retention, but no better than being active does.",
        ),
        ((), "No behaviour predicts retention better than luck does."),
    ],
)
def test_headline__counts_only_candidates_without_doubts(flags: tuple[tuple[str, ...], ...], said: str) -> None:
    made = report(candidates=tuple(candidate(flags=row) for row in flags))

    assert page.headline(made) == said


def test_headline__nothing_was_tested__says_so() -> None:
    made = report(candidates=(), luck=NotComputable(Reason.NO_CELL_TO_TEST))

    assert page.headline(made) == (
        "No behaviour could be compared with luck: none was tested. No cell is done by 2 to 98 percent of the users, "
        "so there is nothing to test."
    )
    assert document(made)["candidates"] == {
        "not_computable": "No cell is done by 2 to 98 percent of the users, so there is nothing to test."
    }


def test_headline__all_behaviours_set_aside__says_that_none_was_tested() -> None:
    aside = tuple(replace(row, step=None) for row in report().judged)
    made = report(candidates=(), judged=aside)

    assert "none was tested. Each behaviour is set aside" in page.headline(made)
    assert "set aside" in document(made)["candidates"]["not_computable"]


def later_report(since: str | None, p: float | None = 0.001, behaviour: str = "friend_add") -> Report:
    """A study without candidates: of two behaviours one came later."""
    made = report().grid
    p_luck = tuple(p if name == 0 else 0.9 for name in made.behaviour)
    z_luck = tuple(4.0 if name == 0 else 0.1 for name in made.behaviour)
    flags = (Flagged(behaviour, Flag.NOT_AVAILABLE, since=since), Flagged("rotate", Flag.INERT))
    return report(candidates=(), grid=replace(made, p_luck=p_luck, z_luck=z_luck), flags=flags)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (
            later_report("2026-01-12"),
            "One behaviour beats luck but can't be ranked: it exists only since Jan 12, 2026, and the first of these "
            "users signed up on Jan 5, 2026.",
        ),
        (
            later_report("2026-01-12", p=None),
            "One behaviour couldn't be judged: it exists only since Jan 12, 2026, and the first of these users signed "
            "up on Jan 5, 2026.",
        ),
        (
            later_report(None),
            "Behaviours that beat luck but can't be ranked: 1. They did not exist yet when the first of these users "
            "signed up.",
        ),
        (later_report("2026-01-12", p=0.2), "No behaviour predicts retention better than luck does."),
        (later_report("2026-01-12", behaviour="rotate"), "No behaviour predicts retention better than luck does."),
        (
            replace(later_report(None), flags=(Flagged("friend_add", Flag.FORCED, 0.99),)),
            "Behaviours that beat luck but can't be ranked: 1. The study's page says why.",
        ),
    ],
)
def test_headline__behaviours_set_aside__are_not_denied(made: Report, said: str) -> None:
    assert page.headline(made) == said
    assert headline_words(HEADLINE.read(HEADLINE.store(headline_of(made)))) == said  # type: ignore[arg-type]
    assert document(made)["candidates"] == []


def test_headline__several_came_later__the_last_date_holds_for_all() -> None:
    made = later_report("2026-01-12")
    both = (*made.flags[:1], Flagged("rotate", Flag.NOT_AVAILABLE, since="2026-01-14"))
    grid = replace(made.grid, p_luck=(0.01,) * made.grid.size, z_luck=(3.0,) * made.grid.size)

    assert page.headline(replace(made, flags=both, grid=grid)).startswith(
        "2 behaviours beat luck but can't be ranked: all of them exist only since Jan 14, 2026,"
    )


def test_headline__filled_by_the_migration__is_the_one_of_today() -> None:
    tell = import_module("aha.migrations.0015_set_aside_headlines")
    forced = replace(later_report(None), flags=(Flagged("friend_add", Flag.FORCED, 0.99),))
    for made in (later_report(None), forced):
        assert tell.headline(payload_versions.STUDY.store(made)) == HEADLINE.store(headline_of(made))
    for made in (report(), later_report(None, p=0.2), later_report(None, behaviour="rotate")):
        assert tell.headline(payload_versions.STUDY.store(made)) is None


def test_headline__too_small_a_study__gives_the_reason() -> None:
    assert "at least 200 eligible" in page.headline(report(floor=NotComputable(Reason.STUDY_TOO_SMALL)))


def test_document__tested_without_a_find__lists_no_candidate() -> None:
    made = report(candidates=())

    assert document(made)["candidates"] == []
    assert page.headline(made) == "No behaviour predicts retention better than luck does."


def all_tables(made: Report) -> list[Table]:
    row = made.candidates[0]
    parts = parts_of(made)
    more = [cohort.flow(made), candidates_table.side_by_side(made), candidates_table.all_behaviours(made)]
    more += [cohort.samples(made), adjusted.promise_table(row), cells.counts_table(row)]
    maybe = [candidates_table.table(made), cohort.invalid_days(made), *(part.table for part in parts)]
    return [*more, *(table for table in maybe if table is not None)]


def sections_of(made: Report) -> tuple[Section, ...]:
    return (*page.study_sections(made), *page.candidate_sections(made, made.candidates[0], 1))


def parts_of(made: Report) -> list[Part]:
    return [part for section in sections_of(made) for part in section.parts]


def test_tables__every_row__is_as_long_as_its_columns() -> None:
    tables = all_tables(report())

    assert len(tables) == 20
    assert all(len(row) == len(table.columns) for table in tables for row in table.rows)
    assert all(table.rows for table in tables)


@pytest.mark.slow
def test_draw__every_picture_of_the_page__titles_are_the_findings() -> None:
    made = report()

    found = {drawing.slug: drawing for drawing in page.draw(made)}

    assert {slug: drawing.label for slug, drawing in found.items()} == {
        part.slug: part.finding for part in parts_of(made) if part.picture
    }
    assert " ".join(found["c1-ladder"].spec["title"]["text"]) == found["c1-ladder"].label
    assert all(drawing.marks < 500 for drawing in found.values())


@pytest.mark.slow
@pytest.mark.parametrize("slug", ["curve", "weeks", "c1-dose", "c1-weeks"])
def test_draw__shares__start_at_zero_and_carry_intervals(slug: str) -> None:
    found = {drawing.slug: drawing for drawing in page.draw(report())}

    layers = found[slug].spec["layer"]
    assert any(layer["encoding"].get("y2", {}).get("field") == "high" for layer in layers)
    scales = [layer["encoding"]["y"].get("scale", {}) for layer in layers if "y" in layer["encoding"]]
    assert {"zero": True} in scales


def test_draw__nothing_computable__leaves_pictures_out_and_parts_in() -> None:
    missing = NotComputable(Reason.STUDY_TOO_SMALL)
    made = report(floor=missing, model=missing, luck=missing, active=missing, candidates=(), judged=())

    slugs = [drawing.slug for drawing in page.draw(made)]

    assert slugs == ["curve", "weeks"]
    assert page.study_sections(made)[2].parts[0].finding.startswith("A study needs at least 200")


def test_read__dumped__is_the_same_report() -> None:
    assert STUDY.read(dump(report())) == report()
    assert EVIDENCE.read(dump(candidate())) == candidate()
    assert grid().find(0, 3, 2) == 4
    assert judged()[0].by_step


def test_read__ladder_of_four_rungs_and_nothing_of_what_came_later__opens_with_what_it_has() -> None:
    old = {**dump(report()), "schema": 2}
    for row in old["candidates"]:
        del row["robustness"], row["earlier_outcomes"]

    found = STUDY.read(old)

    assert not isinstance(found, Unreadable)
    (row,) = found.candidates
    assert len(row.ladder.rungs) == 4
    assert row.ladder.daily is None
    assert row.ladder.headline is row.ladder.full
    assert row.robustness == NotComputable(Reason.EARLIER_VERSION)
    assert adjusted.sentences(row)
    assert payload_versions.STUDY.store(found)["schema"] == 3


def test_read__five_rungs__are_the_same_five() -> None:
    row = candidate()
    rung = Rung(RungName.DAILY, difference(0.05), 900)
    row = replace(row, ladder=replace(row.ladder, rungs=(*row.ladder.rungs, rung)))

    assert EVIDENCE.read(payload_versions.EVIDENCE.store(row)) == row
