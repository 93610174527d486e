"""The answer by the first row that holds, the dates of the past, and the days of the chart."""

from dataclasses import replace

import pytest

from events.simulation.launch_worlds import FIRST, LAUNCH_WORLDS
from launches.answers import DAY, Answers, LeftOut, Other, Suggestion, left_out
from launches.judge import LAUNCH, OUTCOME, UNMOVED, Gap, Gathered, LaunchReport, Place, Why, judge, try_dates
from launches.report import document, gap_words, headline, lines, needed_words, parts
from tests.launches.make import answers, curve_of, read

STEP = LAUNCH_WORLDS["launch_step"]


def judged(
    asked: Answers | None = None, gathered: Gathered | None = None, calendar: LeftOut | None = None
) -> LaunchReport:
    known = asked or answers(began=STEP.launch)
    found = gathered or Gathered({OUTCOME: curve_of(STEP, 1)}, {}, FIRST)
    return judge(known, found, calendar or LeftOut(), registered=STEP.launch, data_end=known.days.readable_from)


def test_step__is_a_gain_and_its_words_say_what_would_have_to_be_true() -> None:
    report = judged()
    assert (report.suggestion, report.why) == (Suggestion.GAIN, Why.FOUND)
    assert headline(report).startswith("Against what was expected without the launch, the curve changed by +")
    assert "112 days" in needed_words(report)[0]
    assert next(iter(lines(report))) == "suggests a gain"


@pytest.mark.parametrize(("blocks", "suggestion"), [(9, Suggestion.CANT_TELL), (10, Suggestion.GAIN)])
def test_dates_of_the_past__nine_are_too_few_and_ten_enough(blocks: int, suggestion: Suggestion) -> None:
    first = answers(began=STEP.launch).days.earlier(blocks - 1).first
    gathered = Gathered({OUTCOME: tuple(row for row in curve_of(STEP, 1) if row.day >= first)}, {}, first)
    report = judged(gathered=gathered)
    assert report.past.blocks == blocks
    assert report.suggestion is suggestion
    if blocks == 9:
        assert report.why is Why.FEW_DATES
        # One date more is needed, 14 days: so a launch 14 days later has enough.
        assert report.can_tell_from == STEP.launch + 14 * DAY
        assert "14" in headline(report) or "Jul 13" in headline(report)
    else:
        assert report.can_tell_from is None


@pytest.mark.parametrize(("later", "blocked"), [(0, 2), (3, 2), (4, 1), (13, 1)])
def test_change_in_the_days_of_a_past_date__blocks_each_date_whose_outcome_it_touches(later: int, blocked: int) -> None:
    # Until three days later it also touches the last cohort of the date before, whose days 1 to 3 aren't over.
    days, whole = answers(began=STEP.launch).days, judged()
    at = days.earlier(3).first_after + later * DAY
    report = judged(calendar=LeftOut(changes=frozenset((at,))))
    assert (report.blocked, report.past.blocks) == (blocked, whole.past.blocks - blocked)
    assert days.earlier(3).first_after not in {row.day for row in report.past_dates}


def test_release_in_the_days_after__is_named_among_what_would_have_to_be_true() -> None:
    release = Other("release", "4.2", STEP.launch + 3 * DAY, None)
    report = judged(calendar=left_out((release,), 5, new_users=True))
    assert report.lasting == (release,)
    assert any("4.2" in words for words in needed_words(report))
    early = Other("release", "4.1", STEP.launch - 40 * DAY, None)
    assert judged(calendar=left_out((early,), 5, new_users=True)).lasting == ()


@pytest.mark.parametrize(("days", "why"), [(7, Why.FOUND), (8, Why.COVERED)])
def test_campaign_over_the_days_after__half_may_be_missing_and_no_more(days: int, why: Why) -> None:
    campaign = Other("campaign", "Ads", STEP.launch, STEP.launch + (days - 1) * DAY)
    report = judged(calendar=left_out((campaign,), 5, new_users=True))
    assert report.why is why
    assert report.passing == (campaign,)
    if why is Why.COVERED:
        assert report.suggestion is Suggestion.REFUSED
        assert "Ads" in headline(report)


def test_outcome_that_cant_move__moves__and_nothing_is_claimed() -> None:
    asked = answers(began=STEP.launch, unmoved="window:0-0")
    both = {OUTCOME: curve_of(STEP, 1), UNMOVED: curve_of(STEP, 2)}
    assert judged(asked, Gathered(both, {}, FIRST)).why is Why.UNMOVED_MOVED
    still = {**both, UNMOVED: curve_of(LAUNCH_WORLDS["launch_none"], 2)}
    assert judged(asked, Gathered(still, {}, FIRST)).why is Why.FOUND


def test_those_who_couldnt_meet_it__are_too_few__and_nothing_is_claimed() -> None:
    asked = answers(began=STEP.launch, trait="platform", reached=("android",), spared=("ios",))
    few = tuple(replace(row, n=19) for row in curve_of(STEP, 3))
    assert judged(asked, Gathered({OUTCOME: curve_of(STEP, 1)}, {"ios": few}, FIRST)).why is Why.NO_CONTROLS
    enough = tuple(replace(row, n=20) for row in curve_of(LAUNCH_WORLDS["launch_none"], 3))
    report = judged(asked, Gathered({OUTCOME: curve_of(STEP, 1)}, {"ios": enough}, FIRST))
    assert report.why is not Why.NO_CONTROLS
    assert "ios" in needed_words(report)[0]


def test_days__of_the_chart__say_where_each_belongs() -> None:
    asked = answers(began=STEP.launch, works_after=3)
    campaign = Other("campaign", "Ads", STEP.launch - 10 * DAY, STEP.launch - 9 * DAY)
    report = judged(asked, calendar=left_out((campaign,), 5, new_users=True))
    places = {row.day: row.place for row in report.days}
    assert places[STEP.launch - DAY] is Place.BEFORE
    assert places[STEP.launch] is Place.BETWEEN
    assert places[STEP.launch + 3 * DAY] is Place.AFTER
    assert places[STEP.launch - 10 * DAY] is Place.LEFT_OUT
    assert len(report.days) == 8 * 14 + 3 + 14
    assert {row.expected is None for row in report.days if row.place is Place.AFTER} == {False}
    assert {row.expected is None for row in report.days if row.place is Place.BETWEEN} == {True}


def test_registration__after_the_curve_could_be_read__is_said() -> None:
    report = judged()
    assert not report.registered_late
    late = replace(report, registered=report.readable_from)
    assert late.registered_late
    assert not replace(report, registered=report.readable_from - DAY).registered_late


def test_gap__of_those_who_took_part__is_told_with_both_numbers() -> None:
    gathered = Gathered({OUTCOME: curve_of(STEP, 1)}, {}, FIRST, Gap(300, 0.62, 700, 0.31))
    assert gap_words(judged(gathered=gathered)) == "Took part: 62.0% of 300 users. Didn't: 31.0% of 700."
    assert gap_words(judged()) == ""


def test_document__has_a_suggestion_and_no_verdict() -> None:
    said = document(judged())
    assert said["suggestion"] == "SUGGESTS_GAIN"
    assert "verdict" not in str(said)


def test_report__stored_and_read__is_the_same() -> None:
    report = read("launch_step", 1)
    assert LAUNCH.read(LAUNCH.store(report)) == report
    assert [part.slug for part in parts(report)] == ["launch-curve", "launch-past"]


def test_curve__with_a_day_nobody_signed_up__goes_on_without_it() -> None:
    curve = tuple(
        replace(row, n=0, value=None) if row.day == STEP.launch - 5 * DAY else row for row in curve_of(STEP, 1)
    )
    report = judged(gathered=Gathered({OUTCOME: curve}, {}, FIRST))
    assert report.before == 111


@pytest.mark.parametrize(("effect", "found"), [(0.05, (27, 31)), (-0.05, (27, 31)), (0.0, (0, 0))])
def test_try_dates__plants_a_step_at_each_date_and_counts_it_in_its_direction(
    effect: float, found: tuple[int, int]
) -> None:
    world = LAUNCH_WORLDS["launch_none"]
    asked = answers(began=world.launch)
    tried = try_dates(asked, Gathered({OUTCOME: curve_of(world, 3)}, {}, FIRST), LeftOut(), effect=effect)
    alone = judged(gathered=Gathered({OUTCOME: curve_of(world, 3)}, {}, FIRST))
    assert (tried.dates, tried.called) == (alone.past.blocks, alone.past.wrong) == (30, tried.called)
    assert found[0] <= tried.found <= found[1]
    change_there = LeftOut(changes=frozenset({asked.days.earlier(4).first_after + 7 * DAY}))
    assert try_dates(asked, Gathered({OUTCOME: curve_of(world, 3)}, {}, FIRST), change_there, effect=effect).dates == 29
