"""What a page says of other behaviours that the nudge moved: first screen, verdict's sentence, table."""

from dataclasses import replace
from typing import Any

import pytest

from experiments.analyse.codes import Code
from experiments.analyse.engine import analyze
from experiments.analyse.result import Opened
from experiments.plan.design import Kind, Other, Outcome
from experiments.plan.record import PlannedOther
from experiments.report import behaviour, file_page, stored_document
from experiments.report.memo import entries
from experiments.report.summary import as_text, summary
from experiments.report.verdict import verdict_sentence
from tests.experiments.make_others import DESIGN, METRIC, PLANNED, file_of, first, judged, stored, world
from tests.experiments.report.test_summary import LONGEST_SENTENCE, MOST_WORDS, screen, words

FRIENDS, IDLE = PLANNED
LARGE = replace(FRIENDS, high=0.9)


def units() -> dict[str, Any]:
    return world(20_000)


def read(*others: PlannedOther, made: dict[str, Any] | None = None) -> Opened:
    made = units() if made is None else made
    return stored({**made, "others": {other.behaviour: made["others"][other.behaviour] for other in others}}, others)


def test_first_screen__of_a_cause__says_that_it_stands_with_the_other_at_its_largest() -> None:
    found = read(FRIENDS)
    screen_text = summary(found)

    (row,) = first(found).others
    assert found.verdict.code is Code.CAUSES
    assert isinstance(row.found.most, float)
    size, moved = int(1000 * row.found.most) / 10, f"+{100 * row.found.take_up:.1f} points"
    assert screen_text.weak == f"Holds unless chat, moved too ({moved}), keeps more than {size} of 100 who do it."
    assert screen_text.weak in as_text(screen_text, "Friends")
    assert "Even if that keeps 10.0% of the users who do it, this holds." in verdict_sentence(found.verdict)


def test_first_screen__that_another_behaviour_takes_the_answer__names_it_and_what_would_part_them() -> None:
    found = read(LARGE)
    screen_text = summary(found)

    assert found.verdict.reason == "other_behaviour"
    assert screen_text.answer == "Not known: it may be chat instead."
    assert screen_text.because[-1].startswith("It also moved chat (+")
    assert screen_text.weak == "A nudge that moves chat and not 3 friends would part them, or both in one lab."
    assert any("would part them" in text for entry in entries(found, screen_text, "") for text in entry.sentences)


@pytest.mark.parametrize("others", [(FRIENDS,), (LARGE,), (FRIENDS, IDLE), (replace(FRIENDS, times=12),), ()])
def test_first_screen__with_other_behaviours__stays_short(others: tuple[PlannedOther, ...]) -> None:
    made = units()
    for name in ("visit", "invite_by_letter"):
        made["others"][name] = made["others"]["chat"]
    more = (replace(FRIENDS, behaviour="visit", high=0.05), replace(FRIENDS, behaviour="invite_by_letter", high=0.04))
    for listed in (others, (*others, *more)):
        found = summary(read(*listed, made=made))

        assert words(screen(found)) <= MOST_WORDS
        for text in (*found.because, found.weak, found.answer):
            assert all(words([one]) <= LONGEST_SENTENCE for one in text.split(". "))


def test_first_screen__of_a_consequence__says_that_it_is_assumed() -> None:
    found, small = (read(replace(one, consequence="friends chat")) for one in (LARGE, FRIENDS))

    assert found.verdict.code is Code.CAUSES
    assert summary(found).weak == "Holds if this is a consequence of it, as the plan assumes: chat."
    # Where the answer would stand even if it were none, the nudge itself is the weak spot.
    assert summary(small).weak.startswith("Holds unless the nudge by itself keeps more than")
    for one in (found, small):
        assert "As a consequence of the behaviour counts, as assumed: chat." in verdict_sentence(one.verdict)


def test_first_screen__of_a_move_that_is_not_clear__names_it() -> None:
    made = world(1_000, 2, moved=0.25, spill=0.02, effect=0.6)
    found = read(replace(FRIENDS, high=1.0), made=made)

    assert summary(found).weak.endswith(" of 100 users by itself or through chat.")
    assert "Not clear if it moved chat." in verdict_sentence(found.verdict)


def test_sentence__of_the_verdict__has_move_harmless_effect_and_limit_with_their_units() -> None:
    found = read(LARGE)
    (row,) = first(found).others
    text = verdict_sentence(found.verdict)

    assert isinstance(row.found.most, float)
    assert f"({100 * row.found.take_up:.1f} points, {100 * row.found.low:.1f} points to" in text
    assert f"If that keeps more than {int(1000 * row.found.most) / 10}% of the users who do it" in text
    assert "it may keep up to 90.0%" in text
    assert "or both in one lab" in text


def test_sentence__of_two_that_only_explain_it_together__claims_neither_alone() -> None:
    made = units()
    made["others"]["visit"] = made["others"]["chat"].copy()
    most = first(read(FRIENDS, made=made)).others[0].found.most
    assert isinstance(most, float)
    half = replace(FRIENDS, high=0.7 * most)
    found = read(half, replace(half, behaviour="visit"), made=made)

    assert found.verdict.reason == "other_behaviour"
    assert "The nudge moved 2 other behaviours, most of all chat" in verdict_sentence(found.verdict)
    assert "Together they may explain" in verdict_sentence(found.verdict)


def test_sentence__of_a_file__says_when_nobody_looked_at_other_behaviours() -> None:
    asked = judged(units())[0]
    unasked = analyze("file", replace(DESIGN, others=()), replace(file_of(units()), other_names=(), others=None))

    assert asked.verdict.code is unasked.verdict.code is Code.CAUSES
    assert "Other behaviours were not looked at." in verdict_sentence(unasked.verdict)
    assert "not looked at" not in verdict_sentence(asked.verdict)
    (part,) = (part for section in file_page.sections(unasked) for part in section.parts if part.slug == "others-1")
    assert part.finding == "Other behaviours were not looked at: none was named."
    assert part.table is None


def test_table__of_other_behaviours__has_each_with_its_move_limit_and_origin() -> None:
    found = read(FRIENDS, replace(IDLE, consequence="friends idle"))
    part = behaviour.other_behaviours(found.report, found.report.outcomes[0].comparisons[0])
    assert part is not None
    assert part.table is not None
    chat, idle = part.table.rows
    row = first(found).others[0].found

    assert isinstance(row.most, float)
    assert chat[0] == "chat"
    assert chat[1].startswith(f"+{100 * row.take_up:.1f} (")
    assert chat[2:5] == ("moved", "10.0 points", "gap in the study, adjusted")
    assert chat[5] == f"{int(1000 * row.most) / 10:.1f} points"
    assert idle[0] == "idle (2 times or more)"
    assert idle[2] == "not moved; counts as a consequence of the behaviour (assumed)"
    assert idle[4] == "a person"
    assert "the behaviour's effect is" in part.table.note
    assert any(table.title == part.table.title for table in stored_document.tables(found.report))


def test_page__of_a_plan_without_a_list__says_that_others_were_not_measured() -> None:
    part = behaviour.other_behaviours((found := read()).report, found.report.outcomes[0].comparisons[0])

    assert part is not None
    assert part.finding == "Other behaviours were not measured: the plan lists none."
    assert part in behaviour.section(found, found.report).parts


def test_first_screen__of_several_moved__claims_no_limit_of_one_alone() -> None:
    made = units()
    made["others"]["visit"] = made["others"]["chat"].copy()
    found = read(FRIENDS, replace(FRIENDS, behaviour="visit", high=0.05), made=made)

    assert found.verdict.code is Code.CAUSES
    assert summary(found).weak == "Holds unless chat and 1 more, moved too, do more than assumed."
    assert "Even if each has its largest effect, this holds." in verdict_sentence(found.verdict)


def test_others__of_a_mean__are_told_in_its_unit() -> None:
    made = {**units(), "others": {"chat": units()["others"]["chat"]}}
    spend = (Outcome(METRIC, Kind.MEAN, made["value"] * 3),)
    reports = [
        judged(made, replace(DESIGN, others=(Other("chat", 0.0, high),)), outcomes=spend)[0] for high in (0.5, 2.9)
    ]

    stands, taken = (verdict_sentence(report.verdict) for report in reports)
    assert [report.verdict.reason for report in reports] == ["behaviour", "other_behaviour"]
    assert "Even if that raises window:21-27 by 0.5000 for users who do it, this holds." in stands
    assert "it may raise it by up to 2.900." in taken
