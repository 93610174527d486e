"""The log of the tests of new studies, and a person who may ask."""

from tests.aha.questions.conftest import editor, listed
from tests.events.catalogue.conftest import _lists, lister, write

__all__ = ["_lists", "editor", "listed", "lister", "write"]
