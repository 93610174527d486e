"""Answers of every view on a log that one can count on fingers, in both kinds of days."""

import json
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from pytest_django import Settings

from aha.explore import groups, report_pages
from aha.explore.answering import answer
from aha.explore.question import Question
from aha.explore.retention_triangle import is_complete
from aha.explore.times_done import four_counts
from events.models import UnitTraits
from events.warehouse.explore_session import Stop
from runs.progress import Cancelled, silent
from runs.refusals import Refused
from segments.models import Membership, Segment, SegmentModel, SegmentVersion
from tests.aha.explore.small_logs import at

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("fingers")]


def ask(view: str, **more: Any) -> tuple[Question, dict[str, Any]]:
    question = Question(view, **{"signup": "signup", **more})
    return question, answer(question, stop=Stop(), progress=silent)


def plain(text: str) -> str:
    return text.replace("\u00a0", " ")


def chosen(found: dict[str, Any]) -> int:
    return next(place for place, column in enumerate(found["columns"]) if column[3])


# ── Retention ─────────────────────────────────────────────────────────────────
@pytest.mark.slow
def test_retention__rolling_days__counts_whom_the_week_has_behind_it() -> None:
    question, found = ask("retention", retention="on_day:7")

    day = chosen(found)
    cells = {row["week"]: (row["users"], *row["cells"][day]) for row in found["weeks"]}
    assert cells == {"2024-03-04": (3, 3, 2), "2024-03-11": (1, 1, 0), "2024-03-18": (1, 0, 0)}
    assert plain(report_pages.show(question, found).finding) == "50.0% of 4 users stayed (95%: 15.0% to 85.0%)."


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mode", "zone", "expected"), [("rolling", "UTC", 1), ("calendar", "UTC", 2), ("calendar", "Asia/Seoul", 2)]
)
def test_retention__day_after_signup__depends_on_the_kind_of_day(
    settings: Settings, mode: str, zone: str, expected: int
) -> None:
    settings.TIME_ZONE = zone  # c comes back after 23 hours: on the next date, and on the same 24-hour day

    _, found = ask("retention", retention="on_day:1", day_mode=mode)

    (curve,) = found["curves"].values()
    assert curve[chosen(found)] == [5, expected]


def test_retention__week_that_is_not_over__is_hatched_and_has_no_number() -> None:
    question, found = ask("retention", retention="on_day:1")
    day, (first, _, last) = chosen(found), found["weeks"]

    assert is_complete(found, first, day)
    assert last["cells"][day] == [1, 0]  # d's own day is complete, but more users may sign up in this week
    assert not is_complete(found, last, day)
    shown = report_pages.show(question, found)
    cells = dict(shown.heat.rows)["Mar 18, 2024 (1)"] if shown.heat else ()
    assert (cells[day].text, cells[day].classes) == ("", "hatched")
    week, share, complete = (shown.names.index(name) for name in ("week", "share", "complete"))
    written = [row for row in shown.rows if row[week] == "2024-03-18"]
    assert {(row[share], row[complete]) for row in written} == {(None, 0)}


def test_retention__events_of_one_kind__are_counted_in_each_window() -> None:
    _, found = ask("retention", retention="min_events:play:7-13:1")

    (curve,) = found["curves"].values()
    assert curve[chosen(found)] == [3, 2]  # a, b and e are old enough; a and b play on day 7
    assert found["columns"][0][:2] == [0, 6]


def test_retention__exposure__is_no_activity() -> None:
    _, found = ask("retention", retention="on_day:1")

    assert found["curves"][""][chosen(found)] == [5, 1]  # e only saw its variant


# ── Behaviours ────────────────────────────────────────────────────────────────
@pytest.mark.slow
def test_activity__dates__users_events_active_and_new() -> None:
    question, found = ask("activity", behaviour="play", days=7)
    rows = {row["at"]: row for row in found["rows"]}

    assert (rows["2024-03-12"]["users"], rows["2024-03-12"]["events"], rows["2024-03-12"]["active"]) == (2, 2, 2)
    assert (rows["2024-03-05"]["users"], rows["2024-03-05"]["active"]) == (1, 2)  # a plays, b signs up
    new = {at: (row["signups"], row["ready"], row["did"]) for at, row in rows.items() if row["signups"]}
    assert new == {"2024-03-04": (2, 2, 1), "2024-03-05": (1, 1, 0), "2024-03-11": (1, 1, 1), "2024-03-18": (1, 0, 0)}
    shown = report_pages.show(question, found)
    state = {row[0]: row[-1] for row in shown.rows}
    assert (state["2024-03-13"], state["2024-03-12"], state["2024-03-20"]) == ("gap", "whole", "open")


def test_activity__weeks__count_a_user_once() -> None:
    _, found = ask("activity", behaviour="play", by="week")

    assert {row["at"]: (row["users"], row["events"], row["active"]) for row in found["rows"]} == {
        "2024-03-04": (1, 1, 3),
        "2024-03-11": (3, 3, 3),
        "2024-03-18": (3, 3, 3),  # the newest event is the end of the data and not before it
    }


def test_activity__months__are_those_of_the_calendar(put: Callable[..., None]) -> None:
    put([("a", "play", at(28 + 4)), ("a", "play", at(31 + 30)), ("b", "play", at(31 + 30)), ("b", "play", at(62))], 2)

    question, found = ask("activity", behaviour="play", by="month")

    assert {row["at"]: (row["days"], row["users"], row["events"], row["active"]) for row in found["rows"]} == {
        "2024-03-01": (31, 5, 8, 5),
        "2024-04-01": (30, 2, 3, 2),  # the 1st and the 30th
        "2024-05-01": (31, 0, 0, 0),  # the newest event is the end of the data
    }
    shown = report_pages.show(question, found)
    assert plain(shown.finding).startswith("In the month from Apr 1, 2024, 2 users did play: 100.0%")
    assert [row[-1] for row in shown.rows] == ["whole", "whole", "open"]


def test_retention__by_weeks__a_column_is_a_week_and_the_definition_stands_aside() -> None:
    question, found = ask("retention", retention="on_day:7", by="week")

    assert [column[:2] for column in found["columns"]] == [[0, 6], [7, 13], [7, 7]]
    assert found["everybody"] == [[4, 4], [3, 2], [4, 2]]  # within days 7 to 13, e hasn't come back
    shown = report_pages.show(question, found)
    assert shown.heat is not None
    assert shown.heat.columns[1:] == ("0\u20136", "7\u201313")
    assert plain(shown.finding) == "50.0% of 4 users stayed (95%: 15.0% to 85.0%)."
    assert [row[3:5] for row in shown.rows if row[0] == "curve"] == [(0, 6), (7, 13)]


def test_retention__by_weeks__a_week_that_is_the_definition_is_counted_once() -> None:
    _, found = ask("retention", retention="window:7-13", by="week")

    assert [column[:4] for column in found["columns"]] == [[0, 6, 7, False], [7, 13, 14, True]]


def test_retention__by_months__rows_are_months_of_signup(put: Callable[..., None]) -> None:
    put([("m", "signup", at(33)), ("m", "play", at(34))], 2)

    question, found = ask("retention", retention="on_day:1", by="month")

    assert [(row["week"], row["users"], row["days"]) for row in found["weeks"]] == [
        ("2024-03-01", 5, 31),
        ("2024-04-01", 1, 30),
    ]
    shown = report_pages.show(question, found)
    assert shown.heat is not None
    assert shown.heat.columns[0] == "month of signup, its first day (users)"


def test_times__within_seven_days__with_retention_and_the_four_counts() -> None:
    question, found = ask("times", behaviour="play", days=7, retention="window:7-8")

    assert found["counts"] == [["", 0, 2, 1], ["", 1, 2, 2]]
    assert four_counts({0: (2, 1), 1: (2, 2)}, 1) == (1, 2, 0, 1)
    shown = report_pages.show(question, found)
    assert "50.0% (15.0 to 85.0) of 4 users do play at least once within 7 days." in plain(shown.finding)
    assert sum("only an experiment" in note for note in shown.notes) == 1
    assert shown.outcome == "count:play:0-6"


def test_times__retention_begins_inside_the_days__is_not_shown() -> None:
    question, found = ask("times", behaviour="play", days=7, retention="window:5-8")

    assert found["judged"] is False
    shown = report_pages.show(question, found)
    assert "7 days of behaviour must end before retention is measured" in shown.warnings[0]
    assert [sheet.slug for sheet in shown.sheets] == ["times"]


@pytest.mark.slow
def test_times__property_and_different_values__are_read_from_the_store(put: Callable[..., None]) -> None:
    put([("b", "play", at(6, 1)), ("b", "play", at(6, 2))], 2, '{"mode": "ranked"}')
    put([("b", "play", at(6, 3))], 3, '{"mode": "한글"}')

    _, ranked = ask("times", behaviour="play[mode=ranked]", days=7)
    _, modes = ask("times", behaviour="play#mode", days=7)

    assert ranked["counts"] == [["", 0, 3, 0], ["", 2, 1, 0]]
    assert modes["counts"] == [["", 0, 3, 0], ["", 2, 1, 0]]


# ── Lifecycle and funnel ──────────────────────────────────────────────────────
def test_lifecycle__three_weeks__new_current_returning_dormant() -> None:
    question, found = ask("lifecycle")

    kinds = ("new", "current", "returning", "dormant")
    assert {row["week"]: tuple(row[kind] for kind in kinds) for row in found["rows"]} == {
        "2024-03-04": (3, 0, 0, 0),
        "2024-03-11": (1, 2, 0, 1),
        "2024-03-18": (1, 1, 1, 2),
    }
    assert "In the week of Mar 11, 2024, 3 users were active: 1 new" in report_pages.show(question, found).finding


@pytest.mark.slow
def test_funnel__strict_order__a_step_before_its_turn_does_not_count() -> None:
    question, found = ask("funnel", steps=("signup", "play", "shop"), days=7)

    assert found["rows"] == [{"segment": "", "users": 4, "reached": [4, 2, 1], "seconds": [None, 86400.0, 3600.0]}]
    assert "of 4 users get from signup to shop within 7 days" in report_pages.show(question, found).finding


def test_funnel__step_after_the_last_day__does_not_count() -> None:
    _, found = ask("funnel", steps=("signup", "play"), days=1)

    assert found["rows"][0]["reached"] == [5, 2]  # c after 23 hours, d after one; a after 25


# ── Who ───────────────────────────────────────────────────────────────────────
def segments() -> SegmentVersion:
    model = SegmentModel.objects.create(key="style", name="Style", kind="cluster")
    version = SegmentVersion.objects.create(
        model=model, number=1, inputs={"last_day": 3, "signup_event": "signup"}, refreshed_at=at(20)
    )
    rows = {key: Segment.objects.create(version=version, key=key, name=key.upper()) for key in ("x", "y", "z")}
    for unit, key in {"a": "x", "c": "x", "b": "y", "nobody": "y"}.items():
        Membership.objects.create(version=version, unit=unit, segment=rows[key])
    return version


@pytest.mark.slow
def test_segments__of_a_model__stand_side_by_side_and_the_empty_one_is_named() -> None:
    segments()

    question, found = ask("retention", retention="on_day:7", segment="style")

    assert {key: curve[chosen(found)] for key, curve in found["curves"].items()} == {
        "x": [2, 1],
        "y": [1, 1],
        "z": [0, 0],
    }
    shown = report_pages.show(question, found)
    assert "Z: no users here." in shown.notes
    assert any("can't say" in cell for cell in shown.tables[0].rows[1])


def traits(**by_unit: Any) -> None:
    for unit, value in by_unit.items():
        UnitTraits.objects.create(user_id=unit, traits={"platform": value, "id": f"{unit}-{value}"})


@pytest.mark.slow
def test_group__by_a_trait__the_unknown_are_one_group_and_all_are_counted_once() -> None:
    traits(a="ios", b="ios", c="web", d=True, e=["no", "text"])

    question, found = ask("retention", retention="on_day:7", group="trait:platform")

    assert [(row["name"], row["users"]) for row in found["segments"]] == [("ios", 2), ("true", 1), ("web", 1), ("", 1)]
    assert found["curves"]["0"][chosen(found)] == [2, 2]
    assert found["curves"][groups.UNKNOWN][chosen(found)] == [1, 0]  # e, whose trait isn't plain
    assert found["everybody"][chosen(found)] == [4, 2]
    names = [row[0] for row in report_pages.show(question, found).tables[0].rows]
    assert names == ["ios", "true", "web", "not known"]


def test_group__with_many_values__five_lines_and_the_rest_as_others(put: Callable[..., None]) -> None:
    put([(f"u{n}", "signup", at(5, n)) for n in range(8)], 2)
    traits(**{f"u{n}": str(max(n, 1)) for n in range(8)})

    question, found = ask("funnel", steps=("signup", "play"), days=1, group="trait:platform")

    shown = [(row["name"], row["users"], row["values"]) for row in found["segments"]]
    assert shown == [("1", 2, 0), ("2", 1, 0), ("3", 1, 0), ("4", 1, 0), ("5", 1, 0), ("", 2, 2), ("", 5, 0)]
    assert sum(row["users"] for row in found["rows"]) == found["everybody"]["users"] == 13
    assert {row[0] for row in report_pages.show(question, found).rows} >= {"others (2)", "not known"}


@pytest.mark.slow
def test_group__by_a_trait_that_is_sent_again__is_counted_anew() -> None:
    traits(a="ios")
    _, before = ask("times", behaviour="play", group="trait:platform")
    UnitTraits.objects.get(user_id="a").delete()
    traits(a="web")

    _, after = ask("times", behaviour="play", group="trait:platform")

    assert [found["segments"][0]["name"] for found in (before, after)] == ["ios", "web"]


@pytest.mark.parametrize(
    ("view", "more"),
    [
        ("retention", {"retention": "on_day:7"}),
        ("times", {}),
        ("funnel", {"steps": ("signup", "play")}),
        ("activity", {}),
    ],
)
def test_group__by_segments_of_a_model__as_one_counts_each_of_them(view: str, more: dict[str, Any]) -> None:
    segments()
    given = {"behaviour": "play", **more}

    _, found = ask(view, group="segments:style", **given)
    alone = {row["name"]: ask(view, segment=row["name"].lower(), **given)[1] for row in found["segments"][:2]}

    assert [(row["name"], row["users"]) for row in found["segments"]] == [("X", 2), ("Y", 1), ("", 2)]
    for row in found["segments"][:2]:
        one = alone[row["name"]]
        if view == "retention":
            width = len(one["everybody"])
            assert found["curves"][row["key"]][:width] == one["everybody"][:width]
        elif view == "times":
            assert [cell[1:] for cell in found["counts"] if cell[0] == row["key"]] == [c[1:] for c in one["everybody"]]
        elif view == "funnel":
            assert (
                next(r for r in found["rows"] if r["segment"] == row["key"])["reached"] == one["everybody"]["reached"]
            )
        else:
            mine = {r["at"]: (r["users"], r["active"], r["did"]) for r in found["rows"] if r["segment"] == row["key"]}
            assert {r["at"]: (r["users"], r["active"], r["did"]) for r in one["everybody"]}.items() <= mine.items()


@pytest.mark.parametrize(
    ("view", "more"),
    [("retention", {"retention": "min_events:play:7-13:1"}), ("times", {}), ("funnel", {"steps": ("signup", "play")})],
)
def test_compare__two_segments_that_share_a_user__count_it_in_both_and_in_all_once(
    view: str, more: dict[str, Any]
) -> None:
    version = segments()  # x: a, c
    other = SegmentModel.objects.create(key="rule", name="Rule", kind="rule")
    second = SegmentVersion.objects.create(model=other, number=1, inputs=version.inputs, refreshed_at=at(20))
    early = Segment.objects.create(version=second, key="early", name="Early")
    for unit in "ab":
        Membership.objects.create(version=second, unit=unit, segment=early)

    question, found = ask(view, segment="x", compare="early", behaviour="play", **more)

    assert [(row["name"], row["users"]) for row in found["segments"]] == [("X", 2), ("Early", 2)]
    assert found["users"] == 3
    shown = report_pages.show(question, found)
    assert "; difference " in plain(shown.finding)
    assert "A user who is in both segments counts in both." in shown.notes
    if view == "retention":
        assert [found["curves"][key][chosen(found)] for key in ("one", "two")] == [[1, 1], [2, 2]]
        assert found["everybody"][chosen(found)] == [2, 2]
    if view == "times":
        assert found["counts"] == [["one", 1, 2, 0], ["two", 0, 1, 0], ["two", 1, 1, 0]]
        assert found["everybody"] == [["", 0, 1, 0], ["", 1, 2, 0]]
    if view == "funnel":
        assert {row["segment"]: row["reached"] for row in found["rows"]} == {"one": [2, 2], "two": [2, 1]}
        assert found["everybody"] == {"users": 3, "reached": [3, 2]}


@pytest.mark.slow
def test_segments__one_of_them__is_the_whole_population_and_follows_its_members() -> None:
    version = segments()
    _, before = ask("lifecycle", segment="x")
    Membership.objects.create(version=version, unit="e", segment=version.segments.get(key="x"))
    version.refreshed_at = at(21)
    version.save()

    _, after = ask("lifecycle", segment="x")

    assert (before["users"], after["users"]) == (2, 3)


@pytest.mark.slow
def test_segments__formed_on_days_of_retention__are_warned_of() -> None:
    segments()

    early, late = (
        report_pages.show(*ask("retention", retention=text, segment="x")) for text in ("on_day:3", "on_day:4")
    )

    assert "only say that again" in early.warnings[0]
    assert late.warnings == ()


def test_dates__of_signup__choose_the_population() -> None:
    _, found = ask("retention", retention="on_day:1", first=date(2024, 3, 5), last=date(2024, 3, 11))

    assert found["users"] == 2


def test_dates__last_days__are_those_before_the_newest_event() -> None:
    question, found = ask("retention", retention="on_day:1", dates="7")

    assert (found["first"], found["last"], found["users"]) == ("2024-03-14", "2024-03-20", 1)  # d, of the 18th
    assert "Signed up from Mar 14, 2024 to Mar 20, 2024." in report_pages.show(question, found).notes


def test_dates__of_a_view_by_date__choose_what_is_shown_and_nobody_is_left_out() -> None:
    question, found = ask("activity", behaviour="play", first=date(2024, 3, 11), last=date(2024, 3, 12))

    assert {row["at"]: (row["users"], row["events"]) for row in found["rows"]} == {
        "2024-03-11": (1, 1),
        "2024-03-12": (2, 2),
    }
    assert found["users"] == 5
    assert any("Shown: Mar 11, 2024 to Mar 12, 2024." in note for note in report_pages.show(question, found).notes)


def test_dates__of_weeks__show_these_weeks_alone() -> None:
    _, found = ask("lifecycle", first=date(2024, 3, 11), last=date(2024, 3, 12))

    assert {row["week"] for row in found["rows"]} == {"2024-03-11"}


@pytest.mark.parametrize("view", ["activity", "lifecycle"])
def test_dates__before_all_data__show_nothing_and_say_so(view: str) -> None:
    question, found = ask(view, behaviour="play", last=date(2023, 1, 1))

    assert report_pages.show(question, found).finding == "No user fits these filters."


def test_dates__nobody_signed_up__says_so() -> None:
    question, found = ask("retention", retention="on_day:7", first=date(2025, 1, 1))

    assert report_pages.show(question, found).finding == "No user fits these filters."


# ── Refused, kept, ended ──────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("view", "more", "at_field", "words"),
    [
        ("activity", {"behaviour": "plya"}, "behaviour", "there is no event 'plya'. Did you mean 'play'?"),
        ("retention", {"retention": "on_day:1", "signup": "sign_up"}, "signup", "Did you mean 'signup'?"),
        ("retention", {"retention": "min_events:zzz:0-6:1"}, "retention", "The most frequent are play, signup"),
        ("funnel", {"steps": ("signup", "shopp")}, "steps", "Did you mean 'shop'?"),
    ],
)
def test_event__that_the_log_has_not__is_refused_with_the_nearest(
    view: str, more: dict[str, Any], at_field: str, words: str
) -> None:
    with pytest.raises(Refused) as refused:
        ask(view, **more)

    assert refused.value.at == at_field
    assert words in str(refused.value.sentence[:1].lower() + refused.value.sentence[1:])


@pytest.mark.slow
def test_answer__same_store__is_kept_and_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    _, first = ask("lifecycle")
    monkeypatch.setattr("aha.explore.answering._fresh", lambda *_: pytest.fail("it was computed again"))

    _, second = ask("lifecycle")

    assert json.dumps(first) == json.dumps(second)


@pytest.mark.slow
def test_answer__new_events__are_counted_at_once(put: Callable[..., None]) -> None:
    _, before = ask("lifecycle")
    put([("f", "signup", at(19)), ("f", "play", at(21))], 2)

    _, after = ask("lifecycle")

    assert (before["users"], after["users"]) == (5, 6)
    assert (before["events"], after["events"]) == (16, 18)


def test_answer__stopped__raises() -> None:
    stop = Stop()
    stop.now()

    with pytest.raises(Cancelled):
        answer(Question("lifecycle", "signup"), stop=stop, progress=silent)
