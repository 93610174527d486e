"""What is wrong with a rule's rows or its text: one sentence at its field, and a button that mends it."""

import json
from typing import Any

import pytest

from segments.rules.editor_check import check
from segments.rules.editor_rows import TypedCondition, TypedGroup, find
from segments.rules.editor_state import State, act, hints, read_state, state_of_text
from segments.rules.editor_view import Known, KnownEvent, KnownTrait, nearest

KNOWN = Known(
    traits={"platform": KnownTrait(("ios", "web")), "level": KnownTrait((1, 2), whole=False)},
    events={"friend_add": KnownEvent({"mode": ("pvp", "pve")}), "battle": KnownEvent()},
)
TIMES = TypedCondition("behaviour", "battle", "at_least", "3", "number")


def rows(*parts: Any) -> TypedGroup:
    return TypedGroup("all", parts)


@pytest.mark.parametrize(
    ("row", "field", "why", "mended"),
    [
        (TypedCondition("behaviour", "battle", "at_least", "3.7"), "typed", "Write a whole number of times", "4"),
        (TypedCondition("behaviour", "battle", "at_least", "-2"), "typed", "Write a whole number of times", "0"),
        (TypedCondition("behaviour", "battle", "at_least", "세 번"), "typed", "Write a whole number of times", "1"),
        (TypedCondition("behaviour", "battle", "at_least", "3", days="0"), "days", "from 1 to 3650", "1"),
        (TypedCondition("behaviour", "battle", "at_least", "3", days="5000"), "days", "from 1 to 3650", "3650"),
        (TypedCondition("behaviour", "battle", "at_least", "3", days="일주일"), "days", "from 1 to 3650", "7"),
        (
            TypedCondition("feature", "active_days", "at_least", "3", when="last", days="0"),
            "days",
            "from 1 to 3650",
            "1",
        ),
        (
            TypedCondition("feature", "active_days", "at_least", "3", when="earlier", later="x"),
            *("later", "from 1 to 3650", "7"),
        ),
        (TypedCondition("feature", "recency", "at_least", "-1"), "typed", "Write a number of 0 or more", "1"),
        (TypedCondition("feature", "recency", "at_least", "inf"), "typed", "Write a number of 0 or more", "1"),
        (TypedCondition("trait", "level", "is", "high", "number"), "kind", "‘high’ is no number", "text"),
        (TypedCondition("trait", "level", "at_least", "high", "number"), "operator", "‘high’ is no number", "is"),
        (TypedCondition("behaviour", "battle", "at_least", "3", property="mode"), "property", "Pick a value", ""),
    ],
)
def test_check__wrong_input__sentence_and_a_button_that_mends_it(
    row: TypedCondition, field: str, why: str, mended: str
) -> None:
    found = check(rows(row))

    (mistake,) = found.mistakes
    assert why in str(mistake.why)
    assert found.rule is None
    assert mistake.mend is not None
    after = find(act(rows(row), mistake.mend.do).rows, (0,))
    assert getattr(after, field) == mended


@pytest.mark.parametrize("typed", ["3", " 3 ", "1,000", "３"])
def test_check__numbers_as_people_type_them__taken(typed: str) -> None:
    assert check(rows(TypedCondition("behaviour", "battle", "at_least", typed))).rule is not None


def test_check__nothing_filled_in__missing_and_not_shouted_at_first() -> None:
    state = State()

    assert [str(each.why) for each in state.mistakes(KNOWN)] == ["Pick a trait.", "Pick or write a value."]
    assert state.mistakes(KNOWN, missing=False) == ()


@pytest.mark.parametrize(
    ("row", "why", "other"),
    [
        (TypedCondition("trait", "플랫폼", "is", "ios"), "No user has a trait ‘플랫폼’.", "platform"),
        (TypedCondition("trait", "Platform", "is", "ios"), "No user has a trait ‘Platform’.", "platform"),
        (TypedCondition("trait", "platform", "is", "iOS"), "No user’s platform is ‘iOS’.", "ios"),
        (TypedCondition("behaviour", "friend_ad", "at_least", "3"), "There is no event ‘friend_ad’.", "friend_add"),
        (
            TypedCondition("behaviour", "friend_add", "at_least", "3", property="mod", property_value="pvp"),
            "‘friend_add’ has no property ‘mod’",
            "mode",
        ),
    ],
)
def test_hints__unknown_name__nearest_one_as_a_button(row: TypedCondition, why: str, other: str) -> None:
    mistake = hints(rows(row), KNOWN)[0]

    assert why in str(mistake.why)
    assert mistake.mend is not None
    assert str(mistake.mend.label) == f"Use ‘{other}’"
    mended = act(rows(row), mistake.mend.do).rows
    assert mistake.why not in [each.why for each in hints(mended, KNOWN)]
    assert mistake.blocks == (row.subject == "behaviour" and not row.property)


@pytest.mark.parametrize(
    "row",
    [
        TypedCondition("trait", "platform", "is", "ios"),
        TypedCondition("trait", "level", "is", "77", "number"),  # its list isn't whole, so nothing can be said
        TypedCondition("behaviour", "friend_add", "at_least", "3", property="mode", property_value="pvp"),
    ],
)
def test_hints__known__nothing_said(row: TypedCondition) -> None:
    assert hints(rows(row), KNOWN) == ()


def test_hints__nothing_known_yet__nothing_said() -> None:
    assert hints(rows(TypedCondition("trait", "a", "is", "b"), TIMES), Known()) == ()


def test_hints__number_where_users_have_the_text__that_value() -> None:
    known = Known(traits={"level": KnownTrait(("1", "2"))})

    (mistake,) = hints(rows(TypedCondition("trait", "level", "is", "1", "number")), known)

    assert mistake.mend is not None
    row = find(act(rows(TypedCondition("trait", "level", "is", "1", "number")), mistake.mend.do).rows, (0,))
    assert isinstance(row, TypedCondition)
    assert (row.typed, row.kind) == ("1", "text")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "This is no JSON: line 1, column 1."),
        ('{"all": [', "This is no JSON: line 1, column 10."),
        ('{"all": [{"trait": "a", "contains": 1}]}', "Condition 1: 'contains' is not known here; use one of is,"),
        ('{"all": [{"trait": "a", "is": 1}, {"any": [{"feature": "x", "at_least": 1}]}]}', "Condition 2: 'x' is no"),
        ('{"all": [{"trait": "a", "is": 1}, {"any": []}]}', "Group 1: needs a list with at least one condition."),
        ('{"all": [{"trait": "a", "in": [1, null]}]}', "Condition 1: needs a text, a number, true or false."),
        ('{"all": [{"behaviour": "b", "days": 1, "last": 1, "at_least": 1}]}', 'Condition 1: a condition takes "days"'),
        ('{"all": [{"feature": "active_days", "before": 1, "at_least": 1}]}', 'Condition 1: needs "last" beside it.'),
        ("[]", "The rule: needs exactly one of"),
        ("[" * 3000, "This is no JSON"),
        ("1" * 5000, "This is no JSON that can be read here."),
        ("x" * 60_000, "This text is longer than 50,000 characters."),
    ],
)  # fmt: skip
def test_text__wrong__says_which_condition_and_never_a_path(text: str, words: str) -> None:
    state = read_state({"as": ["text"], "text": [text], "do": ["as rows"]})

    assert state.mode == "text"
    assert str(state.wrong).startswith(words)
    assert "all[" not in str(state.wrong)


def test_text__open_brackets__closed_by_a_button() -> None:
    text = '{"all": [{"trait": "a[", "is": "x\\"{"}'

    wrong = read_state({"as": ["text"], "text": [text]})
    mended = read_state({"as": ["text"], "text": [text], "do": ["close"]})

    assert wrong.closed
    assert mended.wrong is None
    assert mended.rule is not None


def test_text__one_condition_alone__is_a_rule_of_one() -> None:
    state = state_of_text('{"trait": "platform", "is": "ios"}')

    assert (state.mode, len(state.rows.parts)) == ("rows", 1)


def test_as_text__gaps__stays_with_the_rows_and_says_why() -> None:
    state = read_state({"node": ["r g", "r-0 c"], "r-0.subject": ["trait"], "r-0.before": ["trait"], "do": ["as text"]})

    assert state.mode == "rows"
    assert "can’t be written as text" in str(state.said)


@pytest.mark.parametrize(
    ("name", "names", "found"),
    [
        ("friend_ad", ["battle", "friend_add"], "friend_add"),
        ("FRIEND ADD", ["battle", "friend_add"], "friend_add"),
        ("zzz", ["battle", "friend_add"], None),
        ("a", [], None),
    ],
)
def test_nearest__slips__the_one_that_was_meant(name: str, names: list[str], found: str | None) -> None:
    assert nearest(name, names) == found


def test_act__limits__nothing_is_added_and_it_is_said() -> None:
    full = rows(*[TIMES] * 100)

    changed = act(full, "add r")

    assert changed.rows == full
    assert "at most 100 conditions" in str(changed.said)


@pytest.mark.parametrize(
    "line", ["", "fly r-0", "up", "up r-9", "set r-0 parts x", "set r-0 free x", "pick r-0 {", "add x"]
)
def test_act__nonsense__changes_nothing(line: str) -> None:
    before = rows(TIMES)

    assert act(before, line).rows == before


def test_json__of_the_example__as_people_know_it() -> None:
    state = read_state({"as": ["text"], "text": [json.dumps({"all": [{"trait": "a", "is": 1}]})], "do": ["as rows"]})

    assert state.rows == TypedGroup("all", (TypedCondition("trait", "a", "is", "1", "number"),))
