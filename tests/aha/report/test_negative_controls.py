"""Inert behaviours that come out as strong as a candidate are said."""

from aha.report import chance
from tests.aha.make_report import candidate, report


def test_controls_warning__only_when_inert_behaviours_are_as_strong() -> None:
    marked = report(candidates=(candidate(flags=("as_strong_as_inert",)),))

    assert chance.warning(report()) == ""
    assert "as strong as friend_add" in chance.warning(marked)
