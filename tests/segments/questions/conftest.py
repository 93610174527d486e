"""The log of the tests of new studies, and a person who may ask."""

from tests.aha.questions.conftest import editor, listed, write

__all__ = ["editor", "listed", "write"]
