"""28 of 28: each finding of the review has tests that exist, and its line in docs/security.md."""

import ast
import re
from pathlib import Path

import pytest

from tests.attacks.register import HELD

TESTS = Path(__file__).parents[1]
PAGE = (TESTS.parent / "docs" / "security.md").read_text()


def test_findings__of_the_review__are_all_registered() -> None:
    assert sorted(HELD, key=lambda name: int(name[1:])) == [f"S{n}" for n in range(1, 30)]


@pytest.mark.parametrize("finding", HELD)
def test_finding__its_tests__exist(finding: str) -> None:
    for place in HELD[finding].tests:
        file, _, name = place.partition("::")
        tree = ast.parse((TESTS / file).read_text())
        assert name in {one.name for one in tree.body if isinstance(one, ast.FunctionDef)}, place


@pytest.mark.parametrize("finding", HELD)
def test_finding__on_the_page__has_the_same_figures(finding: str) -> None:
    line = re.search(rf"^\| {finding} \|.*$", PAGE, re.MULTILINE)

    assert line, finding
    assert HELD[finding].before in line.group()
    assert HELD[finding].after in line.group()
