"""CSV that spreadsheets neither misread nor run."""

from typing import Any

import pytest

from reporting.table import csv_lines, harmless


def test_csv_lines__hangul_and_a_formula__mark_first_and_every_cell_harmless() -> None:
    lines = list(csv_lines([["이름", "n"], ["=1+1", 3]]))

    assert lines == ["\ufeff", "이름,n\r\n", "'=1+1,3\r\n"]


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("=1+1", "'=1+1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("+cmd", "'+cmd"),
        ("-cmd", "'-cmd"),
        ("\t=1", "'\t=1"),
        ("-1+cmd|' /C calc'!A0", "'-1+cmd|' /C calc'!A0"),
        ("+1-WEBSERVICE(A1)", "'+1-WEBSERVICE(A1)"),
        ("-2+A1", "'-2+A1"),
        ("-1", "-1"),
        ("+24.1 (+21.3\u00a0to\u00a0+26.9)", "+24.1 (+21.3\u00a0to\u00a0+26.9)"),
        ("+8.1", "+8.1"),
        ("-3", "-3"),
        ("friend_add", "friend_add"),
        ("", ""),
        (3, 3),
        (None, None),
    ],
)
def test_harmless__formulas__get_an_apostrophe_and_numbers_none(text: Any, safe: Any) -> None:
    assert harmless(text) == safe
