"""Which files `-m` needn't import, against the marks that their tests would have."""

import pytest

from tests.left_out import is_left_out

DATABASE = "pytestmark = pytest.mark.django_db\n\ndef test_a(): ...\n"
ONE_OF_TWO = "@pytest.mark.django_db\ndef test_a(): ...\n\ndef test_b(): ...\n"
ONCE = "pytestmark = [\n    pytest.mark.django_db(transaction=True),\n    pytest.mark.once,\n]\n\ndef test_a(): ...\n"
PURE = "def test_a(): ...\n"
BORROWED = "from tests.events.test_flush import DB\n\n@DB\ndef test_a(): ...\n"
SLOW = "pytestmark = pytest.mark.slow\nROWS = 3\n"
REST, ITS_OWN = "(not django_db or once) and not proof", "django_db and not once and not proof"


@pytest.mark.parametrize(
    ("text", "expression", "left_out"),
    [
        (DATABASE, REST, True),
        (DATABASE, ITS_OWN, False),
        (DATABASE + "\n@pytest.mark.once\ndef test_b(): ...\n", REST, False),
        (ONE_OF_TWO, REST, False),
        (ONE_OF_TWO, ITS_OWN, False),
        (ONCE, REST, False),
        (ONCE, ITS_OWN, True),
        (PURE, REST, False),
        (PURE, ITS_OWN, True),
        (BORROWED, ITS_OWN, False),
        (SLOW, "not slow", True),
        (SLOW, "slow", False),
        (PURE, "not slow", False),
        (PURE, "slow", False),  # `first_is_fast` marks, too
        (DATABASE, "", False),
    ],
)
def test_file__whose_tests_have_marks__is_left_out_where_none_is_asked_for(
    text: str, expression: str, left_out: bool
) -> None:
    assert is_left_out(text, expression) is left_out
