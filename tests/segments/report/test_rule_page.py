"""What stands beside a rule that is being written."""

import pytest

from segments.published.rule_members import Counted
from segments.report.rule_page import count_shown, mistakes_in_words, what_publishing_does
from segments.rules import parse_rule
from segments.rules.editor_state import State, state_of_text
from segments.search.leaving import rate

RULE = parse_rule({"all": [{"trait": "platform", "is": "ios"}]})


@pytest.mark.parametrize(
    ("found", "members", "share"),
    [
        (Counted(0, 0, 1, None, True), "There is no user yet to try this on.", ""),
        (Counted(0, 10, 1, rate(0, 10), True), "0 of 10 users", "0.0%"),
        (Counted(1_234, 20_000, 1, rate(1_234, 20_000), True), "1,234 of 20,000 users", "6.2%"),
        (Counted(500, 1_000, 10, rate(500, 1_000), True), "About 50.0% of the users", "46.9"),
    ],
)  # fmt: skip
def test_count__all_a_sample_or_nobody__in_words(found: Counted, members: str, share: str) -> None:
    shown = count_shown(found, RULE)

    assert shown["members"] == members
    assert shown["share"].startswith(share)
    assert shown["sentence"] == "all of (platform is ios)"


def test_mistakes__numbered_as_the_form_does() -> None:
    state = state_of_text('{"any": [{"all": [{"trait": "a", "is": 1}]}, {"trait": "a", "is": 1}]}')
    (first, *_) = State().checked.mistakes

    words = mistakes_in_words(state, [type(first)((1,), "name", first.why), type(first)((0,), "join", first.why)])

    assert words == ["Condition 2: Pick a trait.", "Pick a trait."]


@pytest.mark.parametrize(
    ("key", "known_as", "words"),
    [
        ("", None, ""),
        ("korea", None, "Publishing makes a new segment with the key korea."),
        ("korea", ("Korea", 3), "The key korea belongs to ‘Korea’: publishing makes its version 3."),
    ],
)
def test_publishing__new_or_another_version__said_before(
    key: str, known_as: tuple[str, int] | None, words: str
) -> None:
    assert what_publishing_does(key, known_as).startswith(words)
