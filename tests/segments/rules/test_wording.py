"""How many users a rule takes."""

from segments.rules import preview_sentence


def test_preview_sentence__counts_and_share() -> None:
    assert preview_sentence(1234, 20_000) == "1,234 of 20,000 users (6.2%)"
    assert preview_sentence(0, 0) == "There is no user yet to try this on."
