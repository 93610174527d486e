"""The log of the tests of new studies, and a person who may ask."""

from tests.aha.questions.conftest import editor, listed
from tests.events.catalogue.conftest import write

__all__ = ["editor", "listed", "write"]
