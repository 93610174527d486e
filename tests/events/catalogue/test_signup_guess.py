"""The event that begins a user's life: by its name, by what the log says, or none."""

import pytest

from events.catalogue.listing import NameFacts, guess_signup


@pytest.mark.parametrize(
    ("rows", "guess"),
    [
        ([("signup", 100, 100, 90), ("play", 95, 3, 10)], "signup"),
        ([("Signed Up", 50, 50, 40), ("play", 100, 3, 60)], "Signed Up"),
        ([("회원가입", 80, 80, 80), ("play", 80, 3, 0)], "회원가입"),
        ([("register", 29, 29, 29), ("play", 100, 0, 71)], "*"),  # called so, and done by too few
        ([("register", 30, 30, 30), ("play", 100, 0, 70)], "register"),
        ([("hello", 100, 100, 60), ("play", 90, 5, 40)], "hello"),  # 0.6: most begin with it, once
        ([("hello", 100, 100, 59), ("play", 90, 5, 41)], "*"),
        ([("message", 100, 10, 100)], "*"),  # all begin with it, and go on doing it
        ([], "*"),
    ],
)
def test_guess__by_name_or_by_facts(rows: list[tuple[str, int, int, int]], guess: str) -> None:
    assert guess_signup([NameFacts(*row) for row in rows]) == guess
