"""Files of which `-m` leaves out every test aren't imported: to collect all tests takes half a minute in each worker.

A file is read as text. A mark in its `pytestmark` is one of all its tests; one of `SPELLED` that it doesn't name is one
of none; each other mark may be of some. A file is left out where the expression is false whatever these may be.
"""

import re
from itertools import product

ALL_OF_A_FILE = re.compile(r"^pytestmark = (.*?)\n(?=\S|$)", re.MULTILINE | re.DOTALL)
MARK = re.compile(r"\bmark\.(\w+)")
# Marks that a test has by its file's own words; `DB` is a name for the first in some files, which others import.
SPELLED = {"django_db": re.compile(r"django_db|\bDB\b"), "once": re.compile(r"\bonce\b")}
WORD = re.compile(r"\w+")


def is_left_out(text: str, expression: str) -> bool:
    """No test of a file with this text can have marks for which the expression of `-m` is true."""
    names = sorted(set(WORD.findall(expression)) - {"and", "or", "not"})
    if not names:
        return False
    whole = ALL_OF_A_FILE.search(text)
    certain = set(MARK.findall(whole[1])) if whole else set()
    values = [_may_be(name, name in certain, text) for name in names]
    # An expression of marks is one of Python; it stands in the Makefile or was typed by who runs the tests.
    return not any(eval(expression, {}, dict(zip(names, row, strict=True))) for row in product(*values))


def _may_be(name: str, certain: bool, text: str) -> tuple[bool, ...]:
    if certain:
        return (True,)
    if name in SPELLED and not SPELLED[name].search(text):
        return (False,)
    return (True, False)
