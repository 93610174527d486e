"""Columns of a finished test are guessed by name, then by value, and each column for one thing only."""

import pytest

from events.importing.text_reading import Sample
from experiments.files.guess import Guess, guess_columns


def sample(**columns: list[str]) -> Sample:
    return Sample(tuple(columns), tuple(zip(*columns.values(), strict=True)))


IDS, FLAG, OTHER = ["u1", "u2", "u3", "u4"], ["0", "1", "0", "1"], ["1", "1", "0", "0"]
CASES = {
    "plain names": (
        {"user_id": IDS, "group": ["control", "nudge"] * 2, "did_it": FLAG, "retained": OTHER},
        Guess("group", "control", "retained", "did_it", "user_id"),
    ),
    "Korean names": (
        {"회원번호": IDS, "집단": ["실험군", "대조군"] * 2, "친구추가 여부": FLAG, "D7 리텐션": OTHER},
        Guess("집단", "대조군", "D7 리텐션", "친구추가 여부", "회원번호"),
    ),
    "group named by its labels alone": (
        {"who": IDS, "kind": ["baseline", "b"] * 2, "stayed": FLAG},
        Guess("kind", "baseline", "stayed"),
    ),
    "0 is the control of a numbered group": (
        {"z": ["0", "1"] * 2, "d": FLAG, "y": ["1.5", "2", "0", "9"]},
        Guess("z", "0", "y", "d"),
    ),
    "one flag left is the outcome": ({"arm": ["a", "b"] * 2, "won": FLAG}, Guess("arm", "a", "won")),
    "two flags left are anybody's guess": ({"arm": ["a", "b"] * 2, "won": FLAG, "lost": OTHER}, Guess("arm", "a")),
    "a placebo, a cluster and a segment": (
        {"arm": ["control", "placebo", "nudge", "nudge"], "did": FLAG, "stayed": OTHER, "school": IDS, "stratum": FLAG},
        Guess("arm", "control", "stayed", "did", "", "school", "stratum", "placebo"),
    ),
    "traits are never guessed": ({"arm": ["a", "b"] * 2, "age": ["20", "31", "44", "50"]}, Guess("arm", "a")),
    "nothing to go by": ({"x1": ["p", "p", "p", "p"]}, Guess()),
}


@pytest.mark.parametrize("case", CASES)
def test_guess__of_these_columns__is_this(case: str) -> None:
    columns, wanted = CASES[case]

    assert guess_columns(sample(**columns)) == wanted


def test_groups__above_twenty_labels__are_no_group_column() -> None:
    twenty, more = [f"g{place}" for place in range(20)], [f"g{place}" for place in range(21)]

    assert guess_columns(sample(group=twenty)).variant == "group"
    assert guess_columns(sample(group=more)).variant == ""
